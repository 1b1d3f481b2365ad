//! `antiphon serve`: runs the server until it is told to stop, and says what to do next.

use std::io::Write as _;
use std::net::SocketAddr;

use antiphon_server::app::{App, Running};
use antiphon_server::telemetry;

use crate::config::ConfigFile;
use crate::exit::misuse;
use crate::stop::Stop;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon serve                            with antiphon.toml, if it is there
  antiphon serve --listen 0.0.0.0:8080      for other machines too
  ANTIPHON_LOG=debug antiphon serve         with what is said in the log

The first Ctrl-C or SIGTERM lets calls end; a second one does not wait.")]
pub(crate) struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// The address and port to listen on, whatever the configuration says.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let loaded = args.file.load()?;
    let mut config = loaded.config;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    telemetry::start(&config.log).map_err(|error| misuse(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut stop = Stop::on_signals()?;
    let running = App::start(config).await?;
    greet(&running)?;
    stop.wanted().await;
    running.stop().await;
    Ok(())
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
