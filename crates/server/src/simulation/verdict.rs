//! Whether a call was as expected, and what to tell whoever expected something else.
//!
//! Owns the comparison of a story with expectations. A failure shows what happened instead, and where.

use std::fmt::Display;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use serde::Serialize;
use serde_json::Value;

use super::pattern::Pattern;
use super::scenario::{Expectation, Occurrence};
use super::story::{Delay, Happening, Moment, State, Story};

/// An expectation that was not met, or a step that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The line of the scenario file.
    pub line: u64,
    /// What should have been.
    pub expected: String,
    /// What was instead, line by line.
    pub happened: Vec<String>,
}

/// Judges one expectation that is written in this line.
pub(super) fn judge(expectation: &Expectation, line: u64, story: &Story) -> Option<Failure> {
    let happened = match expectation {
        Expectation::CallShorterThan(most) => call_shorter_than(story, *most),
        Expectation::ClearsWithin(most) => {
            all_within(&story.clears, *most, "interruption", "the agent was silent")
        }
        Expectation::Conversation(lines) => conversation(story, lines),
        Expectation::End(end) => match story.end {
            Some((_, reason)) if reason == *end => None,
            Some((at, reason)) => Some(vec![format!("{}  the call ended with {reason}", clock(at))]),
            None => Some(vec!["the call did not end".to_owned()]),
        },
        Expectation::Happens(what, times) => happens(story, what, *times),
        Expectation::Never(what) => {
            let found: Vec<String> = found(story, what).map(line_of).collect();
            (!found.is_empty()).then_some(found)
        }
        Expectation::ReplyWithin(most) => all_within(&story.replies, *most, "answer", "the agent answered"),
        Expectation::States(states) => passes_through(story, states),
    };
    Some(Failure { line, expected: expectation.to_string(), happened: happened? })
}

fn call_shorter_than(story: &Story, most: Duration) -> Option<Vec<String>> {
    match story.end {
        Some((at, _)) if at < most => None,
        Some((at, _)) => Some(vec![format!("the call took {}", seconds(at))]),
        None => Some(vec!["the call did not end".to_owned()]),
    }
}

/// That nothing was measured is a failure too: an expectation that cannot fail is a mistake.
fn all_within(delays: &[Delay], most: Duration, noun: &str, done: &str) -> Option<Vec<String>> {
    if delays.is_empty() {
        return Some(vec![format!("there was no {noun} to measure")]);
    }
    let late = |delay: &&Delay| delay.lasting >= most;
    let late: Vec<String> = delays
        .iter()
        .filter(late)
        .map(|delay| format!("{}  {done} after {}", clock(delay.at), seconds(delay.lasting)))
        .collect();
    (!late.is_empty()).then_some(late)
}

fn happens(story: &Story, what: &Occurrence, times: Option<u32>) -> Option<Vec<String>> {
    let found: Vec<&Moment> = found(story, what).collect();
    let enough = match times {
        None => !found.is_empty(),
        Some(times) => usize::try_from(times).is_ok_and(|times| found.len() == times),
    };
    if enough {
        return None;
    }
    if found.is_empty() {
        return Some(instead(story, what));
    }
    let count = match found.len() {
        1 => "it happened once:".to_owned(),
        many => format!("it happened {many} times:"),
    };
    Some([count].into_iter().chain(found.into_iter().map(line_of)).collect())
}

fn conversation(story: &Story, lines: &[Occurrence]) -> Option<Vec<String>> {
    let mut rest = story.moments.iter();
    let mut told = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let after = rest.clone();
        match rest.find(|moment| is(&moment.what, line)) {
            Some(moment) => told.push(format!("  found    {}", line_of(moment))),
            None => {
                told.push(format!("  missing  {line}"));
                told.extend(lines[index + 1..].iter().map(|line| format!("           {line}")));
                told.push(if index == 0 {
                    "what happened:".to_owned()
                } else {
                    "what came after that:".to_owned()
                });
                let after: Vec<String> =
                    after.filter(|moment| is_said_or_done(&moment.what)).map(line_of).collect();
                told.extend(if after.is_empty() { vec!["nothing".to_owned()] } else { after });
                return Some(told);
            }
        }
    }
    None
}

fn passes_through(story: &Story, states: &[State]) -> Option<Vec<String>> {
    let all: Vec<(Duration, State)> = story
        .moments
        .iter()
        .filter_map(|moment| {
            let Happening::State { state } = moment.what else { return None };
            Some((moment.at, state))
        })
        .collect();
    let there = all.windows(states.len()).any(|window| window.iter().map(|(_, state)| state).eq(states));
    if there {
        return None;
    }
    let all: Vec<String> = all.into_iter().map(|(at, state)| format!("{}  {state}", clock(at))).collect();
    Some(if all.is_empty() { vec!["the agent had no state".to_owned()] } else { all })
}

fn found<'a>(story: &'a Story, what: &Occurrence) -> impl Iterator<Item = &'a Moment> {
    story.moments.iter().filter(move |moment| is(&moment.what, what))
}

fn is(happening: &Happening, what: &Occurrence) -> bool {
    let fits =
        |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_none_or(|pattern| pattern.fits(text));
    match (what, happening) {
        (Occurrence::Agent(pattern), Happening::Agent { heard, .. }) => pattern.fits(heard),
        (Occurrence::Event(wanted), Happening::Event { kind, .. }) => wanted == kind,
        (
            Occurrence::Interrupted { heard: of_heard, generated: of_generated },
            Happening::Agent { heard, generated, interrupted: true },
        ) => fits(of_heard, heard) && fits(of_generated, generated),
        (Occurrence::State(wanted), Happening::State { state }) => wanted == state,
        (
            Occurrence::Tool { name: wanted, arguments: least, result: answer, failed },
            Happening::Tool { name, arguments, result },
        ) => {
            let text = result.as_ref().map_or("", |result| &result.text);
            let has_failed = result.as_ref().is_some_and(|result| result.error.is_some());
            wanted == name
                && least.as_ref().is_none_or(|least| differences(least, arguments).is_empty())
                && fits(answer, text)
                && failed.is_none_or(|failed| failed == has_failed)
        }
        (Occurrence::User(pattern), Happening::User { text }) => pattern.fits(text),
        _ => false,
    }
}

/// What happened that is most like what did not.
fn instead(story: &Story, what: &Occurrence) -> Vec<String> {
    let alike: Vec<&Moment> = story
        .moments
        .iter()
        .filter(|moment| {
            matches!(
                (what, &moment.what),
                (Occurrence::Agent(_) | Occurrence::Interrupted { .. }, Happening::Agent { .. })
                    | (Occurrence::Event(_), Happening::Event { .. })
                    | (Occurrence::State(_), Happening::State { .. })
                    | (Occurrence::Tool { .. }, Happening::Tool { .. })
                    | (Occurrence::User(_), Happening::User { .. })
            )
        })
        .collect();
    if alike.is_empty() {
        return vec![
            match what {
                Occurrence::Agent(_) | Occurrence::Interrupted { .. } => "the agent said nothing",
                Occurrence::Event(_) => "there was no event",
                Occurrence::State(_) => "the agent had no state",
                Occurrence::Tool { .. } => "the agent called no tool",
                Occurrence::User(_) => "nothing was understood from the user",
            }
            .to_owned(),
        ];
    }
    let mut told = Vec::new();
    for moment in alike {
        told.push(line_of(moment));
        told.extend(difference(what, &moment.what).into_iter().map(|line| format!("       {line}")));
    }
    told
}

/// In what a moment differs from what was expected.
fn difference(what: &Occurrence, happening: &Happening) -> Vec<String> {
    match (what, happening) {
        (Occurrence::Agent(pattern), Happening::Agent { heard, .. }) => {
            Vec::from_iter(pattern.difference(heard))
        }
        (Occurrence::User(pattern), Happening::User { text }) => Vec::from_iter(pattern.difference(text)),
        (
            Occurrence::Interrupted { heard: Some(pattern), .. },
            Happening::Agent { heard, interrupted: true, .. },
        ) => Vec::from_iter(pattern.difference(heard)),
        (
            Occurrence::Tool { name: wanted, arguments: Some(least), .. },
            Happening::Tool { name, arguments, .. },
        ) if wanted == name => differences(least, arguments),
        _ => Vec::new(),
    }
}

/// What is expected of an object and not so.
fn differences(least: &JsonObject, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (key, wanted) in least {
        compare(key, wanted, actual.get(key), &mut found);
    }
    found
}

fn compare(path: &str, wanted: &Value, actual: Option<&Value>, found: &mut Vec<String>) {
    match (wanted, actual) {
        (Value::Object(wanted), Some(actual @ Value::Object(_))) => {
            for (key, wanted) in wanted {
                compare(&format!("{path}.{key}"), wanted, actual.get(key), found);
            }
        }
        // 1 and 1.0 are one number.
        (Value::Number(wanted), Some(Value::Number(actual))) if wanted.as_f64() == actual.as_f64() => {}
        (wanted, Some(actual)) if wanted == actual => {}
        (wanted, Some(actual)) => found.push(format!("{path}: expected {wanted}, was {actual}")),
        (wanted, None) => found.push(format!("{path}: expected {wanted}, was not there")),
    }
}

/// Whether something belongs into a short account of the call.
fn is_said_or_done(what: &Happening) -> bool {
    match what {
        Happening::Agent { .. }
        | Happening::Ended { .. }
        | Happening::Tool { .. }
        | Happening::User { .. }
        | Happening::UserHungUp
        | Happening::UserNoise { .. }
        | Happening::UserPressed { .. }
        | Happening::UserSent { .. }
        | Happening::UserWrote { .. } => true,
        Happening::Event { .. } | Happening::State { .. } | Happening::UserSpoke { .. } => false,
    }
}

fn line_of(moment: &Moment) -> String {
    format!("{}  {}", clock(moment.at), in_words(&moment.what))
}

/// One moment in a line.
fn in_words(what: &Happening) -> String {
    let shown = |label: &str, text: &dyn Display| format!("{label:<6} {text}");
    match what {
        Happening::Agent { heard, generated: _, interrupted: false } => shown("agent", heard),
        Happening::Agent { heard, generated, interrupted: true } => {
            shown("agent", &format_args!("{heard} -- [interrupted, wanted to say: {generated}]"))
        }
        Happening::Ended { reason } => shown("ended", reason),
        Happening::Event { kind, text, .. } => shown("event", &format_args!("{kind}: {text}")),
        Happening::State { state } => shown("state", state),
        Happening::Tool { name, arguments, result } => {
            let result = match result {
                None => "no result".to_owned(),
                Some(end) => match &end.error {
                    None => format!("{:?} after {}", end.text, seconds(end.after)),
                    Some(error) => format!("failed after {}: {error}", seconds(end.after)),
                },
            };
            shown("tool", &format_args!("{name}({arguments}) = {result}"))
        }
        Happening::User { text } => shown("user", text),
        Happening::UserHungUp => "the user hung up".to_owned(),
        Happening::UserNoise { lasting } => format!("a noise of {}", seconds(*lasting)),
        Happening::UserPressed { digits } => format!("the user pressed {digits}"),
        Happening::UserSent { kind } => format!("the client sent a {kind}"),
        Happening::UserSpoke { text, lasting } => format!("the user spoke for {}: {text}", seconds(*lasting)),
        Happening::UserWrote { text } => format!("the user wrote: {text}"),
    }
}

/// A point of time on the call's clock: `1:02.35`.
#[must_use]
pub fn clock(at: Duration) -> String {
    let hundredths = at.as_millis() / 10;
    format!("{}:{:02}.{:02}", hundredths / 6_000, hundredths / 100 % 60, hundredths % 100)
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
