//! How long a reply takes that nothing is waited for: from the user's last sample to the agent's first one, end to end over real
//! sockets, without the silence that ends a turn (`turnEndpointDelay`), for 1, 50 and 200 calls at a time.
//!
//! Detector, recognizer, model and voice stand in and answer at once, so that what is left is the server's own: the sockets, the
//! detector's frames, timers, queues, the journal. Prints and asserts nothing. Clients share the machine with the server, and what
//! they take of it is in the figures.
//!
//! `cargo bench -p antiphon-server --bench latency`; numbers behind `--` measure so many calls instead.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says so")]

#[path = "latency/caller.rs"]
mod caller;
#[path = "call/server.rs"]
mod server;
#[path = "latency/stand_ins.rs"]
mod stand_ins;

use std::time::Duration;

use antiphon_server::call::journal;
use antiphon_server::call::waterfall::{Mark, Waterfall, of_journal};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use self::caller::{CYCLE, Caller};
use self::server::Server;
use self::stand_ins::Kind;

/// The published default of `turnEndpointDelay`.
const ENDPOINT_DELAY: Duration = Duration::from_millis(384);
/// Turns that all calls together have at least, and those that each has.
const TURNS: usize = 100;
const TURNS_OF_A_CALL: usize = 8;

/// The steps of a turn, each with the one that it follows.
const STEPS: [(&str, Mark, Mark); 6] = [
    ("end of turn, over the delay", Mark::UserEnd, Mark::TurnEnd),
    ("transcript", Mark::TurnEnd, Mark::Transcript),
    ("model request", Mark::TurnEnd, Mark::ModelRequest),
    ("first sentence", Mark::ModelRequest, Mark::FirstText),
    ("first audio", Mark::FirstText, Mark::FirstAudio),
    ("first sample sent", Mark::FirstAudio, Mark::FirstSent),
];

fn main() {
    let wanted: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if wanted.is_empty() { vec![1, 50, 200] } else { wanted };
    for kind in [Kind::Reads, Kind::Hears] {
        println!("{}", kind.describe());
        for &count in &counts {
            measure(kind, count).print(count);
        }
    }
}

/// What came of it, in milliseconds.
struct Figures {
    /// What users waited, without the delay.
    replies: Vec<f64>,
    /// The same as the server saw it, and its steps.
    inside: Vec<f64>,
    steps: [Vec<f64>; STEPS.len()],
}

fn measure(kind: Kind, count: usize) -> Figures {
    // Users have threads of their own, as they would have machines.
    let (serving, calling) = (runtime(), runtime());
    let server = serving.block_on(Server::start(stand_ins::backends(kind)));
    let turns = TURNS_OF_A_CALL.max(TURNS.div_ceil(count));
    let (calls, waits) = calling.block_on(async {
        let request = json!({
            "firstSpeakerSettings": {"user": {}}, "medium": {"serverWebSocket": {"inputSampleRate": 16_000}},
        });
        let mut calls = Vec::with_capacity(count);
        let mut callers = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, url) = server.create(&request).await;
            calls.push(id);
            callers.push(Caller::join(&url).await);
        }
        let begin = Instant::now();
        let talks = callers.into_iter().enumerate().map(|(nth, caller)| {
            // Their turns end one after the other, and not all at once.
            let begin = begin + CYCLE * u32::try_from(nth).unwrap() / u32::try_from(count).unwrap();
            tokio::spawn(caller.talk(begin, turns))
        });
        let mut waits = Vec::new();
        for talk in talks.collect::<Vec<_>>() {
            waits.extend(talk.await.unwrap());
        }
        (calls, waits)
    });
    let files: Vec<_> = calls.iter().map(|call| server.journal(call)).collect();
    // All is written when the server has stopped; the files go with its folder.
    let directory = serving.block_on(server.halt());
    let turns: Vec<Waterfall> =
        files.iter().flat_map(|file| of_journal(&journal::read(file).unwrap())).collect();
    std::fs::remove_dir_all(directory).unwrap();
    let over_delay = |wait: Duration| (wait.as_secs_f64() - ENDPOINT_DELAY.as_secs_f64()) * 1e3;
    let step = |from, to| {
        let spent = turns.iter().filter_map(|turn| {
            let (from, to) = (turn.at(from)?, turn.at(to)?);
            Some((to.as_micros() as f64 - from.as_micros() as f64) / 1e3)
        });
        spent.collect::<Vec<f64>>()
    };
    let mut steps = STEPS.map(|(_, from, to)| step(from, to));
    steps[0].iter_mut().for_each(|spent| *spent -= ENDPOINT_DELAY.as_secs_f64() * 1e3);
    Figures {
        replies: waits.into_iter().map(over_delay).collect(),
        inside: turns.iter().filter_map(Waterfall::latency).map(over_delay).collect(),
        steps,
    }
}

impl Figures {
    fn print(mut self, count: usize) {
        println!("  {count} calls, {} replies                   p50        p99", self.replies.len());
        row("    reply, less turnEndpointDelay", &mut self.replies);
        row("      of it within the server", &mut self.inside);
        for ((name, ..), spent) in STEPS.iter().zip(&mut self.steps) {
            row(&format!("        {name}"), spent);
        }
    }
}

fn row(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() as f64 - 1.0) * share).round() as usize).copied();
    match (at(0.5), at(0.99)) {
        (Some(half), Some(most)) => println!("{name:<40} {half:>7.2} ms {most:>7.2} ms"),
        _ => println!("{name:<40}       -          -"),
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
