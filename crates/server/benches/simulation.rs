//! What it costs to simulate 10,000 calls of one minute on one core, and whether memory stays flat.
//!
//! Prints and asserts nothing but that the calls are what they should be.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_server::simulation::{Scenario, simulate};

const CALLS: u32 = 10_000;
/// How many calls lie between two looks at the memory.
const LOOK: u32 = 2_000;
/// A page of memory on the machines that this runs on.
const PAGE: usize = 4_096;

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let scenario = Scenario::from_yaml(Path::new("one_minute.yaml"), include_str!("one_minute.yaml"))
        .expect("the scenario is in order");
    let began = Instant::now();
    let mut simulated = Duration::ZERO;
    for call in 0..CALLS {
        if call % LOOK == 0 {
            println!("after {call:>6} calls: {:.1} MiB resident", resident() as f64 / (1 << 20) as f64);
        }
        let run = simulate(&scenario, call, 1);
        assert!(run.passed(), "{:#?}", run.failures);
        simulated += run.lasting;
    }
    println!("after {CALLS:>6} calls: {:.1} MiB resident", resident() as f64 / (1 << 20) as f64);
    let taken = began.elapsed();
    println!(
        "{CALLS} calls of {:.1} s on one core: {:.2} s, {:.2} ms each, {:.0} times as fast as real time",
        simulated.as_secs_f64() / f64::from(CALLS),
        taken.as_secs_f64(),
        taken.as_secs_f64() * 1e3 / f64::from(CALLS),
        simulated.as_secs_f64() / taken.as_secs_f64(),
    );
}

/// Bytes of this process in memory; zero where the system does not say.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    pages.and_then(|pages| pages.split(' ').nth(1)?.parse::<usize>().ok()).map_or(0, |pages| pages * PAGE)
}
