//! The user of a simulated call: does one step after the other, each at its moment.
//!
//! Owns how far the user has come and what is waited for. Sees only what a user could see: words heard, states, tools.

use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use antiphon_engine::CallTime;

use super::jitter::Jitter;
use super::scenario::{Awaited, Lined, Scenario, Speech, Step, Trigger};
use super::story::State;
use super::verdict::{Failure, seconds};

/// How long the agent must have nothing to say before a user whose steps are done hangs up.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a user whose steps are done waits for that.
const LAST_PATIENCE: Duration = Duration::from_secs(120);

/// What a user can see of the call.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) state: Option<State>,
    /// Since when the agent has been speaking, if it is.
    pub(super) speaking_since: Option<CallTime>,
    /// Since when it has been the user's turn: the agent listens and nothing of the user's is being worked on.
    pub(super) at_rest_since: Option<CallTime>,
    /// All that was heard of the agent.
    pub(super) heard: String,
    /// Where in that the agent's current message begins.
    pub(super) message_from: usize,
    pub(super) tools: Vec<String>,
    pub(super) is_over: bool,
}

/// What the user does.
#[derive(Debug)]
pub(super) enum Act<'s> {
    HangUp,
    Noise(Duration),
    Press(&'s str),
    Send(&'s ClientMessage),
    Speak(&'s Speech, Duration),
    Write(&'s str, antiphon_engine::input::Urgency),
    /// Something that was waited for did not come, and the user gives up.
    GiveUp(Failure),
}

#[derive(Debug)]
pub(super) struct User<'s> {
    scenario: &'s Scenario,
    jitter: Jitter,
    next: usize,
    /// When the last step was over.
    since: CallTime,
    /// What was heard and called before the user last did something.
    mark: Mark,
    phase: Phase,
}

#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    heard: usize,
    tools: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for the moment of the next step.
    Waiting,
    /// In the middle of a step.
    Busy { until: CallTime },
    /// Hung up.
    Gone,
    /// Hung up, since something that was waited for did not come.
    GaveUp,
}

/// Whether a step's moment has come.
enum Moment {
    Now,
    /// Not before this, unless something happens.
    At(CallTime),
    /// Not unless something happens.
    Later,
}

impl<'s> User<'s> {
    pub(super) fn new(scenario: &'s Scenario, jitter: Jitter) -> Self {
        Self {
            scenario,
            jitter,
            next: 0,
            since: CallTime::ZERO,
            mark: Mark::default(),
            phase: Phase::Waiting,
        }
    }

    /// When to look at the user again, if nothing happens before.
    pub(super) fn deadline(&self, view: &View) -> Option<CallTime> {
        match self.phase {
            Phase::Busy { until } => Some(until),
            Phase::Waiting => {
                let moment = match self.moment(view) {
                    Moment::Now => Some(self.since),
                    Moment::At(at) => Some(at),
                    Moment::Later => None,
                };
                [moment, self.patience_ends(view)].into_iter().flatten().min()
            }
            Phase::Gone | Phase::GaveUp => None,
        }
    }

    /// What the user does now. To be asked until it is nothing.
    pub(super) fn act(&mut self, now: CallTime, view: &View) -> Option<Act<'s>> {
        if view.is_over {
            return None;
        }
        match self.phase {
            Phase::Gone | Phase::GaveUp => return None,
            Phase::Busy { until } if until > now => return None,
            Phase::Busy { until } => {
                self.since = until;
                self.phase = Phase::Waiting;
            }
            Phase::Waiting => {}
        }
        loop {
            let has_come = match self.moment(view) {
                Moment::Now => true,
                Moment::At(at) => at <= now,
                Moment::Later => false,
            };
            if !has_come {
                return self.lose_patience(now, view);
            }
            let Some(Lined { value: step, .. }) = self.scenario.steps.get(self.next) else {
                self.phase = Phase::Gone;
                return Some(Act::HangUp);
            };
            self.next += 1;
            self.since = now;
            return match step {
                Step::WaitFor(..) => continue,
                Step::Pause(lasting) => {
                    self.phase = Phase::Busy { until: now + self.jitter.vary(*lasting) };
                    None
                }
                Step::Backchannel(speech, _) | Step::Interrupt(speech, _) | Step::Say(speech) => {
                    self.mark(view);
                    let lasting = self.lasting(speech);
                    self.phase = Phase::Busy { until: now + lasting };
                    Some(Act::Speak(speech, lasting))
                }
                Step::Dtmf(digits) => {
                    self.mark(view);
                    Some(Act::Press(digits))
                }
                Step::HangUp(_) => {
                    self.phase = Phase::Gone;
                    Some(Act::HangUp)
                }
                Step::Noise(lasting, _) => {
                    self.mark(view);
                    let lasting = self.jitter.vary(*lasting);
                    self.phase = Phase::Busy { until: now + lasting };
                    Some(Act::Noise(lasting))
                }
                Step::Send(message) => {
                    self.mark(view);
                    Some(Act::Send(message))
                }
                Step::Write(text, urgency) => {
                    self.mark(view);
                    Some(Act::Write(text, *urgency))
                }
            };
        }
    }

    /// The steps that the call left no time for.
    pub(super) fn unfinished(&mut self, view: &View) -> Option<Failure> {
        if self.phase == Phase::GaveUp {
            return None;
        }
        while let Some(Lined { value: Step::WaitFor(..), .. }) = self.scenario.steps.get(self.next)
            && let Moment::Now = self.moment(view)
        {
            self.next += 1;
        }
        let step = self.scenario.steps.get(self.next)?;
        Some(Failure {
            line: step.line,
            expected: format!("the user comes to this step: {}", step.value.title()),
            happened: vec!["the call ended before it".to_owned()],
        })
    }

    fn moment(&self, view: &View) -> Moment {
        let settings = &self.scenario.user;
        let polite = |listening: Duration| match view.at_rest_since {
            Some(since) => Moment::At((since + listening).max(self.since)),
            None => Moment::Later,
        };
        let over_agent = |trigger: &Trigger| match (trigger, view.speaking_since) {
            (_, None) => Moment::Later,
            (Trigger::After(after), Some(since)) => Moment::At((since + *after).max(self.since)),
            (Trigger::AfterWords(words), Some(_)) => {
                let heard = view.heard[view.message_from..].split_whitespace().count();
                if heard >= *words { Moment::Now } else { Moment::Later }
            }
        };
        let when = |true_now: bool| if true_now { Moment::Now } else { Moment::Later };
        let Some(Lined { value: step, .. }) = self.scenario.steps.get(self.next) else {
            return polite(SETTLED);
        };
        match step {
            Step::Backchannel(_, trigger) | Step::Interrupt(_, trigger) => over_agent(trigger),
            Step::HangUp(Some(trigger)) | Step::Noise(_, Some(trigger)) => over_agent(trigger),
            Step::HangUp(None) | Step::Noise(_, None) | Step::Pause(_) | Step::Send(_) => Moment::Now,
            // After a pause or a wait the moment is the scenario's choice.
            Step::Say(_) | Step::Dtmf(_) | Step::Write(..) if self.chose_its_moment() => Moment::Now,
            Step::Say(_) | Step::Dtmf(_) | Step::Write(..) => polite(settings.reaction),
            Step::WaitFor(awaited, _) => match awaited {
                Awaited::Agent(pattern) => when(pattern.fits(&view.heard[self.mark.heard..])),
                Awaited::End => when(view.is_over),
                Awaited::State(State::Listening) => when(view.at_rest_since.is_some()),
                Awaited::State(state) => when(view.state == Some(*state)),
                Awaited::Tool(name) => when(view.tools[self.mark.tools..].contains(name)),
            },
        }
    }

    fn chose_its_moment(&self) -> bool {
        let before = self.next.checked_sub(1).and_then(|before| self.scenario.steps.get(before));
        before.is_some_and(|step| matches!(step.value, Step::Pause(_) | Step::WaitFor(..)))
    }

    /// How long the next step waits at most.
    fn patience(&self) -> Option<Duration> {
        match self.scenario.steps.get(self.next).map(|step| &step.value) {
            None => Some(LAST_PATIENCE),
            Some(Step::WaitFor(_, Some(within))) => Some(*within),
            Some(Step::WaitFor(Awaited::End, None)) => None,
            Some(
                Step::Backchannel(..)
                | Step::Dtmf(_)
                | Step::HangUp(_)
                | Step::Interrupt(..)
                | Step::Noise(..)
                | Step::Pause(_)
                | Step::Say(_)
                | Step::Send(_)
                | Step::WaitFor(_, None)
                | Step::Write(..),
            ) => Some(self.scenario.user.patience),
        }
    }

    fn patience_ends(&self, view: &View) -> Option<CallTime> {
        if view.is_over {
            return None;
        }
        self.patience().map(|patience| self.since + patience)
    }

    fn lose_patience(&mut self, now: CallTime, view: &View) -> Option<Act<'s>> {
        if self.patience_ends(view).is_none_or(|at| at > now) {
            return None;
        }
        let waited = seconds(now.since(self.since));
        let (line, expected) = match self.scenario.steps.get(self.next) {
            Some(step) => (step.line, format!("the moment of this step comes: {}", step.value.title())),
            None => (0, "the agent comes to rest when the user's steps are done".to_owned()),
        };
        let state = view.state.map_or_else(|| "without a state".to_owned(), |state| state.to_string());
        let mut happened = vec![format!("the user waited for {waited} and hung up; the agent was {state}")];
        let heard = view.heard[self.mark.heard..].trim();
        happened.push(if heard.is_empty() {
            "nothing was heard of the agent meanwhile".to_owned()
        } else {
            format!("heard of the agent meanwhile: {heard}")
        });
        self.phase = Phase::GaveUp;
        Some(Act::GiveUp(Failure { line, expected, happened }))
    }

    fn mark(&mut self, view: &View) {
        self.mark = Mark { heard: view.heard.len(), tools: view.tools.len() };
    }

    fn lasting(&mut self, speech: &Speech) -> Duration {
        let lasting = speech.lasting.unwrap_or_else(|| {
            let words = speech.text.split_whitespace().count().max(1);
            Duration::from_secs_f64(words as f64 * 60.0 / self.scenario.user.words_per_minute)
        });
        self.jitter.vary(lasting)
    }
}
