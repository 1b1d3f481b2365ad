//! `antiphon explain`: where the time of each turn of a call went, from its journal.

mod svg;
mod table;

use std::io::Write as _;
use std::path::PathBuf;

use antiphon_server::call::journal::{Decision, Journal, read};
use antiphon_server::call::waterfall::{Waterfall, of_journal};
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::config::ConfigFile;
use crate::exit::misuse;
use crate::journals;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Times are on the call's clock, which begins when the call is created. The first sample is heard when it is sent: the client is
taken to play at once what it is sent, and what the network and the client's own buffer add is not in these figures.

Examples:
  antiphon explain 6f1c8a4e-2f0b-4c58-9a0e-3d2b7c1f5a60
  antiphon explain journals/6f1c8a4e-2f0b-4c58-9a0e-3d2b7c1f5a60.journal --svg call.svg")]
pub(crate) struct Args {
    /// The call, by id or by its journal.
    #[arg(value_name = "CALL_ID|FILE")]
    call: String,
    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Draw the turns into this file as well.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let found = journals::find(&args.call, &args.config)?;
    let [file] = &found.files[..] else {
        return Err(misuse("a directory holds many calls; name one of them"));
    };
    let journal = read(file)?;
    let turns = of_journal(&journal);
    if let Some(path) = &args.svg {
        let drawing = svg::draw(&journal.header.call.to_string(), &turns);
        std::fs::write(path, drawing).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let note = journals::reservation(&journal);
    let connection = connection(&journal);
    let mut out = anstream::stdout();
    if args.json {
        let turns: Vec<Value> = turns.iter().map(turn).collect();
        let document = json!({
            "call": journal.header.call,
            "serverVersion": journal.header.server_version,
            "created": journal.header.created,
            "complete": journal.is_complete(),
            "note": note,
            "connection": connection,
            "turns": turns,
        });
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    let length = journal.entries.last().map_or(0.0, |entry| entry.at.since_start().as_secs_f64());
    let bold = anstyle::Style::new().bold();
    writeln!(out, "{bold}call {}{bold:#}  {length:.1} s, {} turns", journal.header.call, turns.len())?;
    if let Some(note) = note {
        writeln!(out, "note: {note}")?;
    }
    for news in &connection {
        let at = news["atSeconds"].as_f64().unwrap_or_default();
        writeln!(out, "at {at:.1} s: {}", news["text"].as_str().unwrap_or_default())?;
    }
    for turn in &turns {
        table::write(&mut out, turn)?;
    }
    Ok(())
}

/// When the client was lost, and when it came back.
fn connection(journal: &Journal) -> Vec<Value> {
    let news = journal.entries.iter().flat_map(|entry| {
        entry.decisions.iter().filter_map(|decision| {
            let Decision::Notice { kind, text, .. } = decision else { return None };
            let at = entry.at.since_start().as_secs_f64();
            ["call.dropped", "call.rejoined"]
                .contains(&&**kind)
                .then(|| json!({"atSeconds": at, "event": &**kind, "text": &**text}))
        })
    });
    news.collect()
}

/// A turn with what was said in it, which the call's events leave to its messages.
fn turn(turn: &Waterfall) -> Value {
    let mut value = turn.to_json();
    value["asked"] = json!(turn.asked.as_deref());
    value["answer"] = json!(turn.answer);
    value
}
