//! Logs: one subscriber for the whole process, set up once. What is logged is each part's own business; the rule for all is that
//! no secret is logged anywhere, and what users say at `debug` and below only. And the ways out of the process: [`traces`], of what happened in one
//! call, and [`metrics`], of how all of them are.

pub mod lateness;
pub mod metrics;
pub mod traces;

use std::io::IsTerminal as _;

use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{EnvFilter, reload};

use crate::config::{Log, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is no filter. The operator writes another.
    #[error("log.level is no filter: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The level cannot be changed. This is a bug.
    #[error("the level of the log cannot be changed: {0}")]
    Reload(#[from] reload::Error),
    /// Something else in this process logs already. The program sets up logs once.
    #[error("logs are set up already: {0}")]
    Twice(#[from] TryInitError),
}

/// What is never logged: what the WebSocket library traces of its handshakes, whose headers hold keys, and what the exporter of spans
/// tells of a collector's refusal, which may repeat ours.
const QUIET: [&str; 2] = ["tungstenite::handshake::client=debug", "opentelemetry-otlp=info"];

/// What is logged at a level or by directives.
fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(level)?;
    QUIET.iter().try_fold(filter, |filter, quiet| Ok(filter.add_directive(quiet.parse()?)))
}

/// The log of this process, of which the level can be changed.
pub struct Logging(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>);

impl Logging {
    /// Logs at another level, or by other directives, from now on.
    pub fn set_level(&self, level: &str) -> Result<(), TelemetryError> {
        Ok(self.0(filter(level)?)?)
    }
}

/// Starts logging to the standard error, in colour if that is a terminal.
pub fn start(log: &Log) -> Result<Logging, TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = filter(&log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => {
            let lines = lines.json().with_filter_reloading();
            let filter = lines.reload_handle();
            lines.finish().try_init()?;
            Ok(Logging(Box::new(move |new| filter.reload(new))))
        }
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let lines = lines.with_ansi(colour).with_filter_reloading();
            let filter = lines.reload_handle();
            lines.finish().try_init()?;
            Ok(Logging(Box::new(move |new| filter.reload(new))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<u8>>>);

    impl Write for Logged {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn headers_of_handshakes_are_not_logged_whatever_is_asked_for() {
        for level in
            ["trace", "tungstenite=trace", "tungstenite::handshake::client=trace,opentelemetry-otlp=trace"]
        {
            let logged = Logged::default();
            let writer = logged.clone();
            let lines = tracing_subscriber::fmt()
                .with_env_filter(filter(level).unwrap())
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(lines, || {
                tracing::trace!(target: "tungstenite::handshake::client", "authorization: canary");
                tracing::debug!(target: "opentelemetry-otlp", "response_body canary");
                tracing::trace!(target: "tungstenite::protocol", "a frame");
            });
            let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
            assert!(!logged.contains("canary"), "{level}: {logged}");
        }
    }
}
