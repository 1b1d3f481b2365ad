//! What is said of a measurement: on the terminal as it goes, and in a file for programs.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::figures::{Distribution, Step};
use super::hostile::Siege;
use super::parts::Share;

/// What was measured, and how.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subject {
    pub(super) server: String,
    pub(super) rate_hz: u32,
    pub(super) speech: String,
    pub(super) client_buffer_ms: u32,
    /// Whether callers and server share their cores, which makes all figures worse.
    pub(super) shared: bool,
}

pub(super) fn begin(subject: &Subject) -> io::Result<()> {
    let mut out = anstream::stdout();
    let Subject { server, rate_hz, speech, client_buffer_ms, shared } = subject;
    writeln!(out, "Server: {server}")?;
    writeln!(
        out,
        "Calls: {rate_hz} Hz both ways, 20 ms frames, a buffer of {client_buffer_ms} ms; callers say {speech}"
    )?;
    if *shared {
        writeln!(out, "Callers and server share all cores, so that each is in the other's way.")?;
    }
    let shown = if io::stdout().is_terminal() { "" } else { "(all times in milliseconds: p50 / p99)" };
    writeln!(out, "{shown}")
}

pub(super) fn step(step: &Step) -> io::Result<()> {
    let mut out = anstream::stdout();
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}{} calls{bold:#}, {:.0} s", step.calls, step.seconds)?;
    let mut line = |name: &str, text: String| writeln!(out, "  {name:<34} {text}");
    line("answer to speech", times(step.reply_ms))?;
    line("answer to writing", times(step.written_reply_ms))?;
    line("tool called", times(step.tool_ms))?;
    line("agent silent after interruption", times(step.interruption_silent_ms))?;
    line("buffer cleared after interruption", times(step.interruption_clear_ms))?;
    line("frames late", times(step.frame_lateness_ms))?;
    line("frames uneven (jitter)", times(step.frame_jitter_ms))?;
    line("frames too late to be played", step.underruns.to_string())?;
    if step.cut_in > 0 {
        line("answers into a caller's pause", step.cut_in.to_string())?;
    }
    if let Some(cpu) = step.cpu_percent_per_call {
        line("server, of a core per call", format!("{cpu:.3} %"))?;
        if let Some(floor) = step.floor_percent_per_call {
            let ratio = cpu / floor;
            line("bare sockets, the same frames", format!("{floor:.3} %, so {ratio:.2} times that"))?;
        }
    }
    if let Some(alone) = &step.alone {
        for part in &alone.parts {
            let Share { cost, percent_per_call, counts } = part;
            let beside = if *counts { "" } else { ", not in the sum" };
            line(
                cost.part.words(),
                format!("{percent_per_call:.4} %, {:.2} us a frame{beside}", cost.micros_per_frame),
            )?;
        }
        let floor = alone.floor_percent_per_call;
        let times = step.cpu_percent_per_call.map(|cpu| format!(", so {:.2} times that", cpu / floor));
        line("sockets and these parts", format!("{floor:.3} %{}", times.unwrap_or_default()))?;
    }
    if let Some(memory) = step.memory_kib_per_call {
        line("server, memory per call", format!("{memory:.0} KiB"))?;
    }
    line("this program's own lateness", times(step.own_lateness_ms))?;
    let red = anstyle::AnsiColor::Red.on_default();
    for (problem, count) in &step.problems {
        writeln!(out, "  {red}{count} times: {problem}{red:#}")?;
    }
    writeln!(out)
}

pub(super) fn end(broken: Option<&str>) -> io::Result<()> {
    let mut out = anstream::stdout();
    match broken {
        Some(limit) => writeln!(out, "The limit: {limit}."),
        None => writeln!(out, "No limit was reached."),
    }
}

pub(super) fn begin_sieges(calls: u32) -> io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{calls} ordinary calls, without an attack and under each")?;
    writeln!(
        out,
        "{:<28} {:>9} {:>22} {:>10} {:>8} {:>11} {:>10} {:>9}",
        "attack",
        "attackers",
        "frames late p50 / p99",
        "of a core",
        "MiB",
        "descriptors",
        "connected",
        "ended"
    )
}

pub(super) fn siege(siege: &Siege) -> io::Result<()> {
    let mut out = anstream::stdout();
    let late = siege.step.frame_lateness_ms;
    let late = late.map_or("-".to_owned(), |late| format!("{:.1} / {:.1} ms", late.p50, late.p99));
    let or_dash = |figure: Option<String>| figure.unwrap_or_else(|| "-".to_owned());
    writeln!(
        out,
        "{:<28} {:>9} {:>22} {:>10} {:>8} {:>11} {:>10} {:>9}",
        siege.attack,
        siege.attackers,
        late,
        or_dash(siege.cpu_percent.map(|percent| format!("{percent:.0} %"))),
        or_dash(siege.memory_kib.map(|kib| (kib / 1024).to_string())),
        or_dash(siege.descriptors.map(|count| count.to_string())),
        or_dash(siege.outcome.map(|outcome| outcome.connected.to_string())),
        or_dash(siege.outcome.map(|outcome| outcome.ended.to_string())),
    )?;
    let red = anstyle::AnsiColor::Red.on_default();
    for (problem, count) in &siege.step.problems {
        writeln!(out, "  {red}{count} times: {problem}{red:#}")?;
    }
    Ok(())
}

pub(super) fn write_sieges(path: &Path, subject: &Subject, sieges: &[Siege]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = File::create(path).with_context(cannot)?;
    serde_json::to_writer_pretty(&mut file, &json!({"subject": subject, "sieges": sieges}))
        .with_context(cannot)?;
    writeln!(file).with_context(cannot)
}

fn times(distribution: Option<Distribution>) -> String {
    let Some(Distribution { count, p50, p90: _, p99, max }) = distribution else {
        return "-".to_owned();
    };
    format!("{p50:>8.1} / {p99:>8.1} ms   (p50 / p99; {count} times, at most {max:.1})")
}

pub(super) fn write_json(
    path: &Path,
    subject: &Subject,
    steps: &[Step],
    broken: Option<&str>,
) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut file = File::create(path).with_context(cannot)?;
    let whole = json!({"subject": subject, "steps": steps, "limit": broken});
    serde_json::to_writer_pretty(&mut file, &whole).with_context(cannot)?;
    writeln!(file).with_context(cannot)
}
