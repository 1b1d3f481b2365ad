//! Whole calls in virtual time: an agent as the REST API takes it, a user by script, and what is expected of the call.
//!
//! Owns how scenarios are run and reported. A call is the pure engine with the call's own setup around it and no clock, socket
//! or key; only a real model is asked in real time. Nothing that serves calls knows of it.
//!
//! A file is read into a [`Scenario`]; [`simulate`] runs it and gives a [`Run`], which says what happened and what was not as
//! expected.

mod agent;
mod jitter;
mod junit;
mod model;
mod pattern;
mod real_time;
mod scenario;
mod speech;
mod story;
mod suite;
mod user;
mod verdict;
mod world;

use std::time::Duration;

use serde::Serialize;

pub use junit::junit;
pub use scenario::{Scenario, ScenarioError};
pub use story::{Delay, End, Happening, Moment, State, ToolEnd};
pub use suite::{Options, find, run_all};
pub use verdict::{Failure, clock};

use jitter::Jitter;
use model::Model;
use world::World;

/// A simulated call.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file.
    pub file: String,
    /// Which repetition this is. The first is 0 and takes every time as it is written.
    pub repetition: u32,
    /// What was not as expected; nothing if the call passed.
    pub failures: Vec<Failure>,
    /// How long the call took, on its own clock.
    #[serde(serialize_with = "story::seconds")]
    pub lasting: Duration,
    /// Whether a real model took part, so that another run may go differently.
    pub real_model: bool,
    /// How long each answer was waited for.
    pub replies: Vec<Delay>,
    /// How long each interruption took to silence the agent.
    pub interruptions: Vec<Delay>,
    /// What happened, in order.
    pub moments: Vec<Moment>,
}

impl Run {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs a scenario. Repetitions beyond the first, which is 0, differ a little in their times; the same seed gives the same
/// differences.
#[must_use]
pub fn simulate(scenario: &Scenario, repetition: u32, seed: u64) -> Run {
    let jitter = Jitter::new(seed, &scenario.name, repetition);
    let mut world = World::new(scenario, jitter);
    match &scenario.model {
        Model::Endpoint(model) => real_time::run(&mut world, model),
        Model::Script(_) | Model::Replies { .. } => {
            while let Some(at) = world.next_due() {
                world.advance(at);
            }
        }
    }
    let (story, mut failures) = world.finish();
    let judged = scenario.expectations.iter();
    failures.extend(judged.filter_map(|expected| verdict::judge(&expected.value, expected.line, &story)));
    Run {
        scenario: scenario.name.clone(),
        file: scenario.path.display().to_string(),
        repetition,
        failures,
        lasting: story.end.map(|(at, _)| at).unwrap_or_default(),
        real_model: scenario.asks_a_real_model(),
        replies: story.replies,
        interruptions: story.clears,
        moments: story.moments,
    }
}
