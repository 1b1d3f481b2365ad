//! What a call costs in a server: a frame of the user's audio and of the agent's, memory, and how far audio runs ahead of its
//! time on a real socket.
//!
//! Prints and asserts nothing. Frames run in virtual time on one thread, so that nothing but the call is measured; sockets are
//! real ones of this machine. The allocator counts, which makes every figure a little worse than in a server.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says so")]

#[path = "call/frames.rs"]
mod frames;
#[path = "call/server.rs"]
mod server;
#[path = "call/sockets.rs"]
mod sockets;
#[path = "call/stage.rs"]
mod stage;

use std::time::Duration;

fn main() {
    println!("user to ear, per 20 ms frame            CPU      allocations  calls to a core");
    let (silence, speech) = (stage::silence(), stage::speech());
    for rate in [8_000, 16_000, 24_000, 48_000] {
        for (name, sound) in [("silence", &silence), ("speech", &speech)] {
            frames::ingress(rate, sound).print(&format!("{rate:>6} Hz, {name}"));
        }
    }
    frames::harness().print("nothing but the wake-ups");

    println!("\nagent to client, per 20 ms frame");
    for rate in [8_000, 16_000, 24_000, 48_000] {
        frames::egress(rate, Duration::from_millis(60)).print(&format!("{rate:>6} Hz, buffer of 60 ms"));
    }
    frames::egress(24_000, Duration::from_secs(30)).print(" 24000 Hz, buffer of 30 s");

    println!("\nresident memory of an idle call");
    let (created, joined) = frames::memory(1_000);
    println!("  created                {:>8.1} KiB", created / 1_024.0);
    println!("  joined, without socket {:>8.1} KiB", joined / 1_024.0);
    println!("  joined, with socket    {:>8.1} KiB", sockets::memory(200) / 1_024.0);

    println!("\nmost that audio ran ahead of its time on a socket");
    for (buffer, length) in [(60, 12), (30_000, 40)] {
        let lead = sockets::lead(buffer, Duration::from_secs(length));
        println!("  buffer of {buffer:>5} ms       {:>8.1} ms", lead.as_secs_f64() * 1e3);
    }
}
