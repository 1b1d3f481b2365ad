//! `antiphon replay --audio`: hears the recordings of calls again.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use antiphon_api::CallId;
use antiphon_audio::Wav;
use antiphon_server::call::journal::Journal;
use antiphon_server::call::journal::rehearing::{Border, EdgePair, Listeners, Rehearing, rehear};
use antiphon_server::call::journal::settings::{SettingError, set_heard};
use antiphon_server::call::journal::what_if::{WhatIf, what_if_heard};
use antiphon_server::config::Config;
use antiphon_server::objects::{Name, Objects};
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::copies::{Copy, copy, objects};
use crate::exit::misuse;

/// Where the recordings lie, and what listens to them.
pub(super) struct Audio {
    directory: PathBuf,
    objects: Option<Objects>,
    listeners: Listeners,
}

/// A recording that can be read.
pub(super) enum Recording {
    Here(PathBuf),
    Copied(Copy),
}

impl Recording {
    fn path(&self) -> &Path {
        match self {
            Self::Here(path) => path,
            Self::Copied(copy) => copy.path(),
        }
    }
}

/// What came of a call.
pub(super) struct Heard {
    pub(super) what_if: WhatIf,
    pub(super) edges: Vec<EdgePair>,
}

impl Audio {
    pub(super) fn new(config: &Config, directory: Option<&Path>) -> anyhow::Result<Self> {
        let configured = || config.recordings.directory(&config.storage);
        let listeners = config.build_listeners().map_err(|error| misuse(error.to_string()))?;
        // Whoever names a directory means that one.
        let objects = if directory.is_none() { objects(config)? } else { None };
        Ok(Self { directory: directory.map_or_else(configured, Path::to_owned), objects, listeners })
    }

    /// The recording of a call, complete or cut off; none if it was not recorded.
    pub(super) fn recording(&self, call: CallId) -> anyhow::Result<Option<Recording>> {
        let here = ["wav", "partial.wav"]
            .map(|ending| self.directory.join(format!("{call}.{ending}")))
            .into_iter()
            .find(|path| path.exists());
        match (here, &self.objects) {
            (Some(path), _) => Ok(Some(Recording::Here(path))),
            (None, None) => Ok(None),
            (None, Some(objects)) => {
                let copied = copy(objects, Name::recording(call), &format!("{call}.wav"))?;
                Ok(copied.map(Recording::Copied))
            }
        }
    }

    /// That a call has no recording, and what to do.
    pub(super) fn missing(&self, call: CallId) -> anyhow::Error {
        let or_there =
            self.objects.as_ref().map_or_else(String::new, |objects| format!(" nor in {}", objects.place()));
        misuse(format!(
            "call {call} was not recorded: there is no {call}.wav in {}{or_there}; calls are recorded whose request sets recordingEnabled. \
             Name another place with --recordings, or replay without --audio",
            self.directory.display()
        ))
    }

    /// The settings applied, and what they come to on this recording.
    pub(super) fn what_if(
        &self,
        journal: &Journal,
        recording: &Recording,
        settings: &[String],
    ) -> anyhow::Result<Result<Heard, SettingError>> {
        let (mut config, mut ear) = (journal.header.config.clone(), journal.header.ear);
        let set = settings.iter().try_for_each(|setting| set_heard(&mut config, &mut ear, setting));
        if let Err(error) = set {
            return Ok(Err(error));
        }
        let recording = recording.path();
        let unreadable = || format!("cannot hear {}", recording.display());
        let wav = Wav::read(File::open(recording).with_context(unreadable)?).with_context(unreadable)?;
        let rehearing = rehear(journal, &wav, &self.listeners, ear).with_context(unreadable)?;
        let what_if = what_if_heard(journal, config, &rehearing, &self.listeners);
        let Rehearing { edges, .. } = rehearing;
        Ok(Ok(Heard { what_if, edges }))
    }
}

/// Says which edges of speech are where they were, and shows those that are not.
pub(super) fn show(edges: &[EdgePair]) -> anyhow::Result<()> {
    /// Less than a detector's frame is nothing.
    const SLIGHT_MS: u128 = 16;
    let mut out = anstream::stdout();
    let Tally { same, most, lost, added } = tally(edges);
    writeln!(
        out,
        "  speech: {same} edges as in the call, off by at most {most} ms; {lost} lost, {added} new"
    )?;
    for EdgePair { border, before, after } in edges {
        let name = match border {
            Border::Start => "speech begins",
            Border::Stop => "speech ends",
        };
        let told = match (before, after) {
            (Some(before), Some(after)) => {
                let off = after.since(*before).max(before.since(*after)).as_millis();
                if off <= SLIGHT_MS {
                    continue;
                }
                (before, format!("{name} at {before}"), format!("at {after}"))
            }
            (Some(before), None) => (before, format!("{name} at {before}"), "it does not".to_owned()),
            (None, Some(after)) => (after, "it does not".to_owned(), format!("{name} at {after}")),
            (None, None) => continue,
        };
        let (at, before, after) = told;
        writeln!(out, "  {:>10}  {before:<52}  {after}", at.to_string())?;
    }
    Ok(())
}

pub(super) fn to_json(edges: &[EdgePair]) -> Value {
    let Tally { same, most, lost, added } = tally(edges);
    let list: Vec<Value> = edges
        .iter()
        .map(|EdgePair { border, before, after }| {
            let ms = |at: &antiphon_server::call::journal::CallTime| at.as_micros() as f64 / 1e3;
            let border = match border {
                Border::Start => "start",
                Border::Stop => "stop",
            };
            json!({"edge": border, "beforeMs": before.as_ref().map(ms), "afterMs": after.as_ref().map(ms)})
        })
        .collect();
    json!({"same": same, "mostOffMs": most, "lost": lost, "added": added, "edges": list})
}

/// How the edges compare.
struct Tally {
    same: usize,
    /// Milliseconds.
    most: u128,
    lost: usize,
    added: usize,
}

fn tally(edges: &[EdgePair]) -> Tally {
    let moved = || edges.iter().filter_map(EdgePair::moved);
    Tally {
        same: moved().count(),
        most: moved().max().unwrap_or_default().as_millis(),
        lost: edges.iter().filter(|edge| edge.after.is_none()).count(),
        added: edges.iter().filter(|edge| edge.before.is_none()).count(),
    }
}
