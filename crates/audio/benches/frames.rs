//! What the audio path costs per 20 ms frame, printed. Wall time on one thread; the fastest of several rounds, which is
//! the one that was disturbed least.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use antiphon_audio::{PcmReader, Resampler, SampleRate, signal, write_pcm};

const FRAME: Duration = Duration::from_millis(20);
const ROUNDS: usize = 20;
const FRAMES: u32 = 500;

/// The usual rates of clients, telephones and synthesizers against the ears (16 kHz) and the WebSocket.
const PAIRS: [(u32, u32); 12] = [
    (8_000, 16_000),
    (16_000, 8_000),
    (16_000, 16_000),
    (16_000, 24_000),
    (16_000, 48_000),
    (22_050, 48_000),
    (24_000, 8_000),
    (24_000, 16_000),
    (24_000, 48_000),
    (44_100, 16_000),
    (48_000, 16_000),
    (48_000, 24_000),
];

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
fn main() {
    println!("per 20 ms frame                          microseconds");
    for hz in [8_000, 16_000, 24_000, 48_000] {
        let rate = rate(hz);
        let samples = signal::noise(rate, 0.5, FRAME, 1);
        let mut bytes = Vec::new();
        write_pcm(&samples, &mut bytes);

        let (mut reader, mut read) = (PcmReader::default(), Vec::new());
        let even = fastest(|| {
            read.clear();
            reader.read(black_box(&bytes), &mut read);
        });
        let odd = fastest(|| {
            read.clear();
            reader.read(black_box(&bytes[1..]), &mut read);
        });
        let write = fastest(|| {
            bytes.clear();
            write_pcm(black_box(&samples), &mut bytes);
        });
        println!("read  {hz:>5} Hz                           {even:8.2}");
        println!("read  {hz:>5} Hz, odd frames               {odd:8.2}");
        println!("write {hz:>5} Hz                           {write:8.2}");
    }
    for (from, to) in PAIRS {
        let (from, to) = (rate(from), rate(to));
        let samples = signal::noise(from, 0.5, FRAME, 1);
        let (mut resampler, mut output) = (Resampler::new(from, to), Vec::new());
        let cost = fastest(|| {
            output.clear();
            resampler.process(black_box(&samples), &mut output);
        });
        println!("resample {:>5} Hz to {:>5} Hz              {cost:8.2}", from.hz(), to.hz());
    }

    println!("\nper stream                               microseconds      kB");
    // Kept to the end: memory that was given back would be used again and not be counted.
    let mut kept = Vec::with_capacity(PAIRS.len());
    for (from, to) in PAIRS {
        let (from, to) = (rate(from), rate(to));
        let before = resident();
        let start = Instant::now();
        let resamplers: Vec<Resampler> = (0..200).map(|_| Resampler::new(from, to)).collect();
        let cost = start.elapsed().as_secs_f64() * 1e6 / 200.0;
        let memory = resident().saturating_sub(before) / 200;
        println!("resampler {:>5} Hz to {:>5} Hz             {cost:8.1}   {memory:5}", from.hz(), to.hz());
        kept.push(resamplers);
    }
    black_box(kept);
}

fn rate(hz: u32) -> SampleRate {
    SampleRate::new(hz).expect("the benchmark's rates are supported")
}

/// Microseconds that one call of `frame` takes.
fn fastest(mut frame: impl FnMut()) -> f64 {
    let round = |frame: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..FRAMES {
            frame();
        }
        start.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round(&mut frame)).min().unwrap_or_default();
    best.as_secs_f64() * 1e6 / f64::from(FRAMES)
}

/// Resident memory of this process in kB; zero where the system does not say (only Linux does it this way).
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
