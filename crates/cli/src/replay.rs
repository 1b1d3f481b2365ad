//! `antiphon replay`: runs recorded calls through the engine again, exactly or with other settings, and says what differs.

mod audio;
mod what_if;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use antiphon_server::call::journal::replay::{Difference, Replayed, replay};
use antiphon_server::call::journal::{Journal, read};
use serde_json::{Value, json};

use audio::Audio;

use crate::config::ConfigFile;
use crate::journals;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --set, the engine must say byte for byte what it said in the call; the first difference is shown, and the exit code is 1.
That finds what a new version of Antiphon decides differently.

With --set, the same call is run with other settings, and the decisions that change are shown side by side. Such a what-if
knows what the user did and when, how long each run of the model, each sentence of the voice, each transcript and each tool took,
and therefore when turns would have ended, who would have been interrupted, and when answers would have begun. It does not know
what anybody would have said or done instead: the user says the same at the same time, and work that the call never ran has no
result.

With --audio, voice activity and turn detection are run again on the call's recording (recordingEnabled), with the detectors that
the configuration names, and take the place of what was heard in the call: edges of speech and decisions are shown side by side.
What counts as speech can be asked then, too: --set frameActivationThreshold=0.4.

Settings: vadSettings.turnEndpointDelay, vadSettings.minimumTurnDuration, vadSettings.minimumInterruptionDuration,
clientBufferSizeMs, inactivityMessages[N].duration, maxDuration, joinTimeout, firstSpeakerSettings.agent.delay,
firstSpeakerSettings.agent.uninterruptible, firstSpeakerSettings.user.fallback.delay

Examples:
  antiphon replay 6f1c8a4e-2f0b-4c58-9a0e-3d2b7c1f5a60
  antiphon replay journals/
  antiphon replay journals/ --set vadSettings.turnEndpointDelay=0.6s
  antiphon replay journals/ --audio --set frameActivationThreshold=0.3")]
pub(crate) struct Args {
    /// Calls, by id, by journal file, or by a directory of journals.
    #[arg(required = true, value_name = "CALL_ID|FILE|DIR")]
    calls: Vec<String>,
    /// Ask what would have been with this setting, named as in a request to create a call. May be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Hear the calls' recordings again, and ask what would have been with what is heard now.
    #[arg(long)]
    audio: bool,
    /// Where the recordings lie, if not where the configuration says.
    #[arg(long, value_name = "DIR", requires = "audio")]
    recordings: Option<PathBuf>,
    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut found = journals::Found::default();
    for name in &args.calls {
        found.extend(journals::find(name, &args.config)?);
    }
    let files = &found.files;
    if args.audio {
        let audio = Audio::new(&args.config.load()?.config, args.recordings.as_deref())?;
        return what_if::run(files, &args.set, Some(&audio), args.json);
    }
    if !args.set.is_empty() {
        return what_if::run(files, &args.set, None, args.json);
    }
    let mut failed = 0;
    let mut results = Vec::new();
    for file in files {
        let outcome = read(file).map(|journal| (replay(&journal), journal));
        failed += usize::from(!matches!(outcome, Ok((Replayed::Same, _))));
        match outcome {
            Ok((replayed, journal)) if args.json => results.push(to_json(&journal, &replayed)),
            Ok((replayed, journal)) => show(&journal, &replayed)?,
            Err(error) if args.json => {
                results.push(json!({"file": file.display().to_string(), "error": error.to_string()}));
            }
            Err(error) => show_unreadable(file, &error.to_string())?,
        }
    }
    if args.json {
        writeln!(anstream::stdout(), "{:#}", json!({"calls": results, "failed": failed}))?;
    }
    if failed > 0 {
        anyhow::bail!("{failed} of {} calls could not be replayed as they were", files.len());
    }
    Ok(())
}

fn show(journal: &Journal, replayed: &Replayed) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let green = anstyle::AnsiColor::Green.on_default();
    let red = anstyle::AnsiColor::Red.on_default().bold();
    let header = &journal.header;
    match replayed {
        Replayed::Same => writeln!(out, "{green}same{green:#}       {} {}", header.call, size(journal))?,
        Replayed::Different(difference) => {
            writeln!(out, "{red}different{red:#}  {} {}", header.call, size(journal))?;
            show_difference(difference)?;
            if header.server_version != env!("CARGO_PKG_VERSION") {
                let (wrote, reads) = (&header.server_version, env!("CARGO_PKG_VERSION"));
                writeln!(out, "  version {wrote} ran the call, this is version {reads}")?;
            }
        }
    }
    if let Some(reservation) = journals::reservation(journal) {
        writeln!(out, "  note: {reservation}")?;
    }
    Ok(())
}

fn show_difference(difference: &Difference) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let seconds = difference.at.since_start().as_secs_f64();
    writeln!(out, "  at {seconds:.6} s, input {}: {}", difference.entry, difference.input)?;
    for line in &difference.expected {
        writeln!(out, "    in the call:  {line}")?;
    }
    for line in &difference.got {
        writeln!(out, "    now:          {line}")?;
    }
    if difference.is_hidden() {
        writeln!(
            out,
            "    The difference is in what these do not quote: a prompt, a tool's arguments, a state, a long text."
        )?;
    }
    Ok(())
}

pub(super) fn show_unreadable(file: &Path, error: &str) -> anyhow::Result<()> {
    let red = anstyle::AnsiColor::Red.on_default().bold();
    writeln!(anstream::stdout(), "{red}unreadable{red:#} {}: {error}", file.display())?;
    Ok(())
}

/// How much of a call there is.
fn size(journal: &Journal) -> String {
    let length = journal.entries.last().map_or(0.0, |entry| entry.at.since_start().as_secs_f64());
    format!("({} inputs, {length:.1} s)", journal.entries.len())
}

fn to_json(journal: &Journal, replayed: &Replayed) -> Value {
    let mut value = json!({
        "call": journal.header.call,
        "serverVersion": journal.header.server_version,
        "inputs": journal.entries.len(),
        "complete": journal.is_complete(),
        "same": *replayed == Replayed::Same,
    });
    if let Some(reservation) = journals::reservation(journal) {
        value["note"] = json!(reservation);
    }
    if let Replayed::Different(difference) = replayed {
        value["difference"] = json!({
            "input": difference.entry,
            "atMs": difference.at.as_micros() as f64 / 1e3,
            "cause": difference.input,
            "expected": difference.expected,
            "got": difference.got,
        });
    }
    value
}
