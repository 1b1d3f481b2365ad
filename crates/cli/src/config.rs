//! `antiphon config`: check, show or begin a configuration. Starts nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use antiphon_server::config::{Config, ConfigErrors, DEFAULT_FILE, Loaded, default_path};
use anyhow::Context as _;
use clap::Subcommand;

use crate::exit::misuse;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with the configuration, or that nothing is.
    Check {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Write a configuration file that sets nothing and explains everything.
    Init {
        /// Where to; an existing file is left alone.
        #[arg(default_value = "antiphon.toml")]
        path: PathBuf,
    },
    /// Show every setting in force and where it came from, without secrets.
    Show {
        #[command(flatten)]
        file: ConfigFile,
    },
}

/// Which configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFile {
    /// The configuration file; `antiphon.toml` in the working directory if it exists. Variables of the environment such as
    /// ANTIPHON_SERVER__LISTEN override what it says.
    #[arg(long = "config", value_name = "FILE", env = "ANTIPHON_CONFIG")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// Reads the configuration.
    pub(crate) fn load(&self) -> anyhow::Result<Loaded> {
        self.read().map_err(|errors| misuse(errors.to_string()))
    }

    /// The same, with every problem apart.
    pub(crate) fn read(&self) -> Result<Loaded, ConfigErrors> {
        let usual = default_path();
        let path = self.path.clone().or_else(|| usual.exists().then_some(usual));
        // A value that is no text cannot be a setting of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Config::load(path.as_deref(), variables)
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Check { file } => {
            let loaded = file.load()?;
            for warning in &loaded.warnings {
                writeln!(anstream::stderr(), "warning: {warning}")?;
            }
            // Models and voices are only known to be in order once they are made; nothing is connected to.
            loaded.config.build_backends().map_err(|error| misuse(error.to_string()))?;
            writeln!(anstream::stdout(), "the configuration is in order")?;
        }
        Command::Init { path } => init(&path)?,
        Command::Show { file } => write!(anstream::stdout(), "{}", file.load()?.render())?,
    }
    Ok(())
}

fn init(path: &Path) -> anyhow::Result<()> {
    match std::fs::File::create_new(path) {
        Ok(mut file) => file.write_all(DEFAULT_FILE.as_bytes()).with_context(|| write_failed(path))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(misuse(format!(
                "{} exists already; move it away, or name another file",
                path.display()
            )));
        }
        Err(error) => return Err(error).with_context(|| write_failed(path)),
    }
    writeln!(anstream::stdout(), "wrote {}; edit it, then: antiphon config check", path.display())?;
    Ok(())
}

fn write_failed(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
