//! `antiphon models`: which models are configured, and how to get one running. Asks nobody.

use std::io::Write as _;

use antiphon_server::doctor::models::{Configured, LOCAL, configured};

use crate::config::ConfigFile;
use crate::exit::misuse;

#[derive(Debug, clap::Args)]
#[command(after_help = "`antiphon doctor` asks each of them and measures how fast it answers.")]
pub(crate) struct Args {
    #[command(flatten)]
    file: ConfigFile,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.file.load()?.config;
    let backends = config.build_backends().map_err(|error| misuse(error.to_string()))?;
    let mut out = anstream::stdout();
    let models = configured(&config, &backends);
    let widest = models.iter().map(|model| model.name.len()).max().unwrap_or(0);
    for Configured { name, default, kind, hearing, fallbacks, known } in &models {
        let mark = if *default { '*' } else { ' ' };
        write!(out, "{mark} {name:widest$}  {kind}; {hearing}")?;
        if !fallbacks.is_empty() {
            write!(out, "; falls back to {}", fallbacks.join(", "))?;
        }
        if !known.is_empty() {
            write!(out, "; {known}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "\n* for calls that name no model, or one of the hosted service\n\n{LOCAL}")?;
    Ok(())
}
