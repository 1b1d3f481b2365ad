//! Ctrl-C and SIGTERM: the first asks politely, the second ends the program at once.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::INTERRUPTED;

/// Whether somebody wants the program to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    asked: watch::Receiver<bool>,
}

impl Stop {
    /// Listens for both signals from here on.
    pub(crate) fn on_signals() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let mut signals = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            any(&mut signals).await;
            // Nobody may be listening any more; the second signal works all the same.
            let _ = ask.send(true);
            any(&mut signals).await;
            std::process::exit(INTERRUPTED.into());
        });
        Ok(Self { asked })
    }

    /// Waits until the program is to stop. Can be dropped and called again.
    pub(crate) async fn wanted(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}

async fn any((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
