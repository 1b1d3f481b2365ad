//! `antiphon replay --set` and `--audio`: the decisions that change with other settings or with what is heard now, side by side, and what that comes to over all calls.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use antiphon_server::call::journal::settings::{SettingError, set};
use antiphon_server::call::journal::what_if::{Change, ChangeKind, WhatIf, what_if};
use antiphon_server::call::journal::{Journal, read};
use serde_json::{Value, json};

use super::audio::{self, Audio, Heard};
use super::show_unreadable;
use crate::exit::misuse;
use crate::journals;

pub(super) fn run(
    files: &[PathBuf],
    settings: &[String],
    audio: Option<&Audio>,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut summary = Summary::default();
    let mut results = Vec::new();
    let mut unreadable = 0;
    for file in files {
        let journal = match read(file) {
            Ok(journal) => journal,
            Err(error) => {
                unreadable += 1;
                if as_json {
                    results.push(json!({"file": file.display().to_string(), "error": error.to_string()}));
                } else {
                    show_unreadable(file, &error.to_string())?;
                }
                continue;
            }
        };
        let outcome = match audio {
            None => without_audio(&journal, settings),
            Some(audio) => match audio.recording(journal.header.call)? {
                Some(recording) => audio.what_if(&journal, &recording, settings)?,
                // Of many calls, some were not recorded.
                None if files.len() > 1 => {
                    summary.unrecorded += 1;
                    continue;
                }
                None => return Err(audio.missing(journal.header.call)),
            },
        };
        let heard = match outcome {
            Ok(heard) => heard,
            // Of many calls, some were set up otherwise.
            Err(SettingError::Absent(_)) if files.len() > 1 => {
                summary.skipped += 1;
                continue;
            }
            Err(error) => return Err(misuse(error.to_string())),
        };
        summary.add(&heard.what_if.changes);
        if as_json {
            let mut result = to_json(&journal, &heard.what_if);
            if audio.is_some() {
                result["speech"] = audio::to_json(&heard.edges);
            }
            results.push(result);
        } else {
            show(&journal, &heard.what_if)?;
            if audio.is_some() {
                audio::show(&heard.edges)?;
            }
        }
    }
    if as_json {
        let document = json!({"calls": results, "summary": summary.to_json()});
        writeln!(anstream::stdout(), "{document:#}")?;
    } else if files.len() > 1 {
        summary.show()?;
    }
    if unreadable > 0 {
        anyhow::bail!("{unreadable} of {} journals cannot be read", files.len());
    }
    Ok(())
}

fn without_audio(journal: &Journal, settings: &[String]) -> Result<Heard, SettingError> {
    let mut config = journal.header.config.clone();
    settings.iter().try_for_each(|setting| set(&mut config, setting))?;
    Ok(Heard { what_if: what_if(journal, config), edges: Vec::new() })
}

fn show(journal: &Journal, what_if: &WhatIf) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let bold = anstyle::Style::new().bold();
    let changed = what_if.changes.len();
    let word = match changed {
        0 => "nothing changes".to_owned(),
        1 => "one decision changes".to_owned(),
        _ => format!("{changed} decisions change"),
    };
    writeln!(out, "{bold}{}{bold:#}  {word}", journal.header.call)?;
    if changed > 0 {
        writeln!(out, "  {:>10}  {:<52}  with the settings", "time", "in the call")?;
    }
    for change in &what_if.changes {
        let by = change.kind.by().map_or_else(String::new, |by| format!(" ({})", signed(change.kind, by)));
        writeln!(out, "  {:>10}  {:<52}  {}{by}", change.at.to_string(), change.before, change.after)?;
    }
    if !what_if.unknown.is_empty() {
        writeln!(out, "  unknown, since the call never did it: {}", what_if.unknown.join("; "))?;
    }
    if let Some(reservation) = journals::reservation(journal) {
        writeln!(out, "  note: {reservation}")?;
    }
    Ok(())
}

fn signed(kind: ChangeKind, by: Duration) -> String {
    let sign = match kind {
        ChangeKind::TurnEarlier(_) | ChangeKind::AnswerEarlier(_) => '-',
        ChangeKind::TurnLater(_)
        | ChangeKind::AnswerLater(_)
        | ChangeKind::TurnAdded
        | ChangeKind::TurnRemoved
        | ChangeKind::InterruptionAdded
        | ChangeKind::InterruptionAvoided => '+',
    };
    format!("{sign}{} ms", by.as_millis())
}

/// One kind of change over all calls.
#[derive(Debug, Default)]
struct Tally {
    count: u32,
    total: Duration,
    most: Duration,
}

impl Tally {
    fn add(&mut self, by: Option<Duration>) {
        let by = by.unwrap_or_default();
        self.count += 1;
        self.total += by;
        self.most = self.most.max(by);
    }

    fn mean(&self) -> Duration {
        self.total.checked_div(self.count).unwrap_or_default()
    }
}

/// What the settings change over all calls.
#[derive(Debug, Default)]
struct Summary {
    calls: u32,
    changed: u32,
    skipped: u32,
    unrecorded: u32,
    /// By kind, in the order of the rows.
    tallies: [Tally; KINDS.len()],
}

/// The kinds of changes: for programs and for people.
const KINDS: [(&str, &str); 8] = [
    ("turnEarlier", "turns ended earlier"),
    ("turnLater", "turns ended later"),
    ("turnAdded", "turns cut where the user had gone on"),
    ("turnRemoved", "turns not ended where they had been"),
    ("interruptionAvoided", "interruptions avoided"),
    ("interruptionAdded", "interruptions added"),
    ("answerEarlier", "answers began earlier"),
    ("answerLater", "answers began later"),
];

impl Summary {
    fn add(&mut self, changes: &[Change]) {
        self.calls += 1;
        self.changed += u32::from(!changes.is_empty());
        for change in changes {
            let row = KINDS.iter().position(|(key, _)| *key == change.kind.key());
            if let Some(row) = row {
                self.tallies[row].add(change.kind.by());
            }
        }
    }

    fn show(&self) -> anyhow::Result<()> {
        let mut out = anstream::stdout();
        writeln!(out, "\n{} calls, {} of them changed", self.calls, self.changed)?;
        if self.skipped > 0 {
            writeln!(out, "{} calls were not set up that way and are left out", self.skipped)?;
        }
        if self.unrecorded > 0 {
            writeln!(out, "{} calls were not recorded and are left out", self.unrecorded)?;
        }
        for ((_, name), tally) in KINDS.iter().zip(&self.tallies) {
            write!(out, "  {name:<40}{:>6}", tally.count)?;
            if tally.most > Duration::ZERO {
                write!(out, "   mean {} ms, most {} ms", tally.mean().as_millis(), tally.most.as_millis())?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let mut value = json!({"calls": self.calls, "changed": self.changed, "skipped": self.skipped, "unrecorded": self.unrecorded});
        for ((key, _), tally) in KINDS.iter().zip(&self.tallies) {
            value[*key] = json!({
                "count": tally.count,
                "meanMs": tally.mean().as_secs_f64() * 1e3,
                "mostMs": tally.most.as_secs_f64() * 1e3,
            });
        }
        value
    }
}

fn to_json(journal: &Journal, what_if: &WhatIf) -> Value {
    let changes: Vec<Value> = what_if
        .changes
        .iter()
        .map(|change| {
            json!({
                "atMs": change.at.as_micros() as f64 / 1e3,
                "kind": change.kind.key(),
                "byMs": change.kind.by().map(|by| by.as_secs_f64() * 1e3),
                "before": change.before,
                "after": change.after,
            })
        })
        .collect();
    json!({
        "call": journal.header.call,
        "changes": changes,
        "unknown": what_if.unknown,
        "note": journals::reservation(journal),
    })
}
