//! Logs: one subscriber for the whole process, set up once. What is logged is each part's own business; the rule for all is that
//! no secret is logged anywhere, and what users say at `debug` and below only. And [`traces`]: the way of spans out of the process.

pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{Log, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is no filter. The operator writes another.
    #[error("log.level is no filter: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process logs already. The program sets up logs once.
    #[error("logs are set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging to the standard error, in colour if that is a terminal.
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = EnvFilter::try_new(&log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => lines.json().finish().try_init()?,
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).finish().try_init()?;
        }
    }
    Ok(())
}
