//! `antiphon serve`: runs the server until it is told to stop, says what to do next, and reads the configuration again on SIGHUP.

use std::io::Write as _;
use std::net::SocketAddr;

use antiphon_server::app::{App, Running, StartError};
use antiphon_server::config::{ConfigErrors, Loaded, Problem};
use antiphon_server::telemetry::{self, Logging};
use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::ConfigFile;
use crate::exit::misuse;
use crate::stop::Stop;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon serve                            with antiphon.toml, if it is there
  antiphon serve --listen 0.0.0.0:8080      for other machines too
  ANTIPHON_LOG=debug antiphon serve         with what is said in the log

The first Ctrl-C or SIGTERM lets calls end; a second one does not wait. SIGHUP reads the configuration again.")]
pub(crate) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// The address and port to listen on, whatever the configuration says.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let loaded = args.load().map_err(|errors| misuse(errors.to_string()))?;
    let logging = telemetry::start(&loaded.config.log).map_err(|error| misuse(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut stop = Stop::on_signals()?;
    // From here on, so that one that comes too early is not the end.
    let mut hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let mut running = App::start(loaded.config).await?;
    greet(&running)?;
    loop {
        tokio::select! {
            () = stop.wanted() => break,
            _ = hang_ups.recv() => reload(&args, &mut running, &logging).await,
        }
    }
    running.stop().await;
    Ok(())
}

impl Args {
    /// Reads the configuration, and what the command line says otherwise.
    fn load(&self) -> Result<Loaded, ConfigErrors> {
        let mut loaded = self.file.read()?;
        if let Some(listen) = self.listen {
            loaded.config.server.listen = listen;
        }
        Ok(loaded)
    }
}

/// Reads the configuration again. One that is wrong changes nothing; the log says what is wrong with it.
async fn reload(args: &Args, running: &mut Running, logging: &Logging) {
    const UNCHANGED: &str = "the configuration is not taken up, and everything stays as it was";
    let loaded = match args.load() {
        Ok(loaded) => loaded,
        Err(ConfigErrors(problems)) => {
            for problem in problems {
                tracing::error!("{UNCHANGED}: {problem}");
            }
            return;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match running.reload(loaded.config.clone()).await {
        Ok(difference) => {
            if let Err(error) = logging.set_level(&loaded.config.log.level) {
                tracing::error!("{error}");
            }
            for field in &difference.needs_restart {
                let source = loaded.source(field);
                tracing::warn!(
                    "{source}: {field} is not what the server runs with; restart it to have that taken up"
                );
            }
            match difference.taken_up.as_slice() {
                [] => tracing::info!(
                    "the configuration was read again, with nothing new to take up but what is in files that it names"
                ),
                fields => tracing::info!("the configuration was read again; taken up: {}", fields.join(", ")),
            }
        }
        Err(StartError::Backend(error)) => {
            let problem =
                Problem { source: loaded.source(&error.field), field: error.field, message: error.problem };
            tracing::error!("{UNCHANGED}: {problem}");
        }
        Err(error) => tracing::error!("{UNCHANGED}: {error}"),
    }
}

/// Says where the server is, and the key that was made: the only time that it is shown.
fn greet(running: &Running) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    let url = running.public_url();
    writeln!(out, "Antiphon listens at {url}")?;
    if let Some(key) = running.api_key_made() {
        writeln!(out, "\nThis first start made an API key, which is shown only now:\n")?;
        writeln!(out, "  export ANTIPHON_API_KEY={}", key.expose())?;
    }
    writeln!(out, "\nNext, in another terminal:\n")?;
    writeln!(out, "  antiphon talk --url {url} --text")?;
    writeln!(out, "  curl -X POST {url}/api/calls -H \"X-API-Key: $ANTIPHON_API_KEY\"")?;
    writeln!(out, "\nClients of the Ultravox API work with {url} in the place of https://api.ultravox.ai.")?;
    out.flush()?;
    Ok(())
}
