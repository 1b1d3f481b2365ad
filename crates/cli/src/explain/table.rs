//! A turn as a table with a bar for each step, for a terminal.

use std::io::{self, Write};
use std::time::Duration;

use antiphon_server::call::waterfall::{Mark, Outcome, Recognition, Waterfall};

/// How many columns the bars have.
const WIDTH: usize = 40;
/// What is quoted of a text, in characters.
const QUOTE: usize = 60;

pub(super) fn write(out: &mut impl Write, turn: &Waterfall) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    write!(out, "\n{bold}turn {}{bold:#}  {}", turn.number, turn.opening.name())?;
    if let Some(asked) = &turn.asked {
        write!(out, " {:?}", quote(asked))?;
    }
    match turn.latency() {
        Some(latency) => {
            let colour = colour(latency);
            writeln!(out, "  {} after {colour}{} ms{colour:#}", turn.outcome.name(), latency.as_millis())?;
        }
        None => writeln!(out, "  {}", turn.outcome.name())?,
    }
    steps(out, turn)?;
    notes(out, turn)
}

/// An answer within 0.8 s feels like one, one after 2 s does not (figures of the field, not of a standard).
fn colour(latency: Duration) -> anstyle::Style {
    let colour = match latency.as_millis() {
        0..=800 => anstyle::AnsiColor::Green,
        801..=2_000 => anstyle::AnsiColor::Yellow,
        _ => anstyle::AnsiColor::Red,
    };
    colour.on_default()
}

fn steps(out: &mut impl Write, turn: &Waterfall) -> io::Result<()> {
    let steps = turn.steps();
    let (Some((_, first)), Some((_, last))) = (steps.first(), steps.last()) else { return Ok(()) };
    let whole = last.since(*first).as_secs_f64();
    let cyan = anstyle::AnsiColor::Cyan.on_default();
    let column = |at: Duration| {
        if whole == 0.0 { 0 } else { (at.as_secs_f64() / whole * WIDTH as f64).round() as usize }
    };
    let mut before = *first;
    for (mark, at) in &steps {
        let added = at.since(before);
        let (from, to) = (column(before.since(*first)), column(at.since(*first)));
        // What took time shows, however little.
        let length = if added.is_zero() { 0 } else { (to - from).max(1) };
        let bar = "#".repeat(length.min(WIDTH - from.min(WIDTH - 1)));
        let by = match (mark, turn.ended_by, &turn.recognition) {
            (Mark::TurnEnd, Some(by), _) => format!("  by {by}"),
            (Mark::Transcript, _, Some(Recognition { by, took })) if took.is_zero() => {
                format!("  by {by}, at once when it was asked for")
            }
            (Mark::Transcript, _, Some(Recognition { by, took })) => {
                format!("  by {by}, {} ms after it was asked for", took.as_millis())
            }
            _ => String::new(),
        };
        let (seconds, ms) = (at.since_start().as_secs_f64(), added.as_secs_f64() * 1e3);
        write!(out, "  {:<20} {seconds:>9.3} s {ms:>+7.0} ms", mark.name())?;
        if !bar.is_empty() {
            write!(out, "  {:from$}{cyan}{bar}{cyan:#}", "")?;
        }
        writeln!(out, "{by}")?;
        before = *at;
    }
    Ok(())
}

fn notes(out: &mut impl Write, turn: &Waterfall) -> io::Result<()> {
    for tool in &turn.tools {
        match tool.ended {
            Some(ended) => {
                let length = ended.since(tool.started).as_millis();
                writeln!(out, "  tool {} took {length} ms, from {}", tool.name, tool.started)?;
            }
            None => writeln!(out, "  tool {} never ended, from {}", tool.name, tool.started)?,
        }
    }
    for speech in &turn.speech_over {
        writeln!(out, "  {speech}")?;
    }
    match &turn.outcome {
        Outcome::Interrupted { at, heard } => {
            writeln!(out, "  interrupted at {at}; heard: {:?}", quote_end(heard))?;
        }
        Outcome::Dropped { at } => {
            writeln!(out, "  dropped at {at}: the user went on before anything was heard")?
        }
        Outcome::Answered | Outcome::Unanswered => {}
    }
    for stall in &turn.stalls {
        writeln!(
            out,
            "  {} said nothing for {} ms, from {}",
            stall.work,
            stall.length.as_millis(),
            stall.from
        )?;
    }
    if turn.underruns > 0 {
        writeln!(out, "  the audio ran out {} times in the middle of a sentence", turn.underruns)?;
    }
    Ok(())
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The end of a text: what was heard last matters.
fn quote_end(text: &str) -> String {
    match text.char_indices().rev().nth(QUOTE) {
        Some((begin, _)) => format!("...{}", &text[begin..]),
        None => text.to_owned(),
    }
}
