//! Thousands of short calls in one process, ended in every way there is, between which nothing may be left: no memory, no
//! descriptor, no task. `SOAK_CALLS` says how many (default 10,000); `docs/performance.md` has the figures of a long one.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod calls;
mod gauges;
mod server;

use std::io::{self, Write as _};

use futures::StreamExt as _;
use futures::stream;

use calls::Ending;
use gauges::{Sample, slope};
use server::Server;

/// Calls at a time.
const AT_A_TIME: usize = 100;
/// Looks at the process, evenly over the calls.
const SAMPLES: usize = 10;
/// Looks in a row in which no task ends, after which none is expected to.
const QUIET: usize = 100;
/// Looks after which pools, caches and the allocator have found their size.
const WARM: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_calls_that_have_ended() {
    let wanted =
        std::env::var("SOAK_CALLS").map_or(10_000, |calls| calls.parse().expect("SOAK_CALLS is a number"));
    let server = Server::start().await;
    let mut samples = Vec::new();
    let per_sample = (wanted / SAMPLES).max(1);
    println!("{:>8} {:>12} {:>12} {:>8}", "calls", "memory KiB", "descriptors", "tasks");
    for block in 0..SAMPLES {
        let first = block * per_sample;
        stream::iter(first..first + per_sample)
            .map(|nth| calls::hold(&server, nth))
            .buffer_unordered(AT_A_TIME)
            .collect::<()>()
            .await;
        let sample = settled(&server, first + per_sample).await;
        println!(
            "{:>8} {:>12} {:>12} {:>8}",
            sample.calls,
            sample.memory / 1024,
            sample.descriptors,
            sample.tasks
        );
        samples.push(sample);
    }
    let warm = &samples[WARM..];
    let per_call = |figure: fn(&Sample) -> usize| slope(warm, figure);
    let memory = per_call(|sample| sample.memory);
    let (descriptors, tasks) = (per_call(|sample| sample.descriptors), per_call(|sample| sample.tasks));
    // Not by way of what the test prints, which is shown of tests that fail alone.
    let left = format!("each call leaves {memory:.1} bytes, {descriptors:.5} descriptors, {tasks:.5} tasks");
    writeln!(io::stderr(), "soak of {wanted} calls: {left}").unwrap();
    println!("endings: {}", Ending::ALL.map(|ending| format!("{ending:?}")).join(", "));
    let counted = warm.len() * per_sample;
    // What the allocator keeps differs by some MiB from look to look, which a long soak divides by many calls.
    let most = 256.0 + f64::from(4 << 20) / counted as f64;
    assert!(memory < most, "each call leaves {memory:.0} bytes, and {most:.0} may be chance");
    assert!(descriptors * counted as f64 <= 8.0, "descriptors are left: {descriptors} of each call");
    assert!(tasks * counted as f64 <= 8.0, "tasks are left: {tasks} of each call");
    server.stop().await;
}

/// Looks at the process once no call is live any more and what follows their ends is over.
async fn settled(server: &Server, calls: usize) -> Sample {
    let (mut fewest, mut quiet) = (usize::MAX, 0);
    loop {
        // A call that nobody joins is there until its time is over; the rest ends as soon as it can. The answer takes its time, so
        // that nothing else is waited for between two looks.
        let live = server.live_calls().await;
        let sample = Sample::take(calls);
        quiet = if live == 0 && sample.tasks >= fewest { quiet + 1 } else { 0 };
        fewest = fewest.min(sample.tasks);
        if quiet >= QUIET {
            return sample;
        }
    }
}
