//! `antiphon models`: those of a running server, and those that a configuration names, with how to get one running.

use std::io::Write as _;

use antiphon_server::doctor::models::{Configured, LOCAL, configured};
use clap::Subcommand;

use crate::config::ConfigFile;
use crate::exit::misuse;
use crate::rest;

#[derive(Debug, clap::Args)]
// The group of the arguments that it takes in has the same name.
#[group(skip)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    which: Option<Which>,
    #[command(flatten)]
    list: rest::models::Args,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// List the configured models, and say how to get one running that hears. Asks nobody; `antiphon doctor` does.
    Local(Local),
}

#[derive(Debug, clap::Args)]
struct Local {
    #[command(flatten)]
    file: ConfigFile,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.which {
        Some(Which::Local(args)) => local(&args),
        None => rest::models::run(args.list).await,
    }
}

fn local(args: &Local) -> anyhow::Result<()> {
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
