//! A call that outlives its connection: how far it has come, and the way back when the connection is lost.
//!
//! Only where the server said that it waits (`rejoinWindow`), and only for a connection that broke without a word. It must not know
//! what any message means but for those few that move the two counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use reqwest::Url;
use tokio::time::{Instant, sleep, timeout_at};

use super::{ConnectError, Options, Socket, dial_call};

/// How long to wait before another attempt: at first, and at most; each time twice as long, unless it is only that the attempt came to
/// another server than the one that has the call.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How far a call has come, counted over all its connections.
#[derive(Debug, Default)]
pub(super) struct Progress {
    messages: AtomicU64,
    /// Samples since the last order to clear.
    samples: AtomicU64,
    window_ms: AtomicU64,
}

impl Progress {
    /// A text frame came that is no data message.
    pub(super) fn text(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// A data message came.
    pub(super) fn message(&self, message: &ServerMessage) {
        if let ServerMessage::Rejoined(rejoined) = message {
            self.messages.store(rejoined.next_message.saturating_sub(1), Ordering::Relaxed);
            return;
        }
        self.text();
        if let ServerMessage::CallStarted(started) = message {
            let window = started.rejoin_window.and_then(|window| window.to_std()).unwrap_or_default();
            self.window_ms.store(u64::try_from(window.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        if matches!(message, ServerMessage::PlaybackClearBuffer) {
            self.samples.store(0, Ordering::Relaxed);
        }
    }

    /// Audio came.
    pub(super) fn audio(&self, samples: usize) {
        self.samples.fetch_add(samples as u64, Ordering::Relaxed);
    }

    /// How long the server waits for a client that is lost, if it does.
    pub(super) fn window(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.window_ms.load(Ordering::Relaxed))).filter(|window| !window.is_zero())
    }
}

/// Where a call is found again.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) url: Url,
    pub(super) options: Options,
}

impl Way {
    /// Dials again until there is a connection; none when the server waits no more, or does not know the call.
    pub(super) async fn back(&self, progress: &Progress, window: Duration) -> Option<Socket> {
        let until = Instant::now() + window;
        let mut pause = PAUSE;
        loop {
            let url = self.url_from(progress);
            match timeout_at(until, dial_call(&url, &self.options)).await {
                Ok(Ok(socket)) => return Some(socket),
                Ok(Err(ConnectError::Refused { status: 404 | 410 })) | Err(_) => return None,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the call cannot be rejoined yet");
                    if matches!(error, ConnectError::Refused { status: 503 }) {
                        pause = PAUSE;
                    }
                }
            }
            if Instant::now() + pause >= until {
                return None;
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// The join URL with how far the call has come.
    fn url_from(&self, progress: &Progress) -> Url {
        let mut url = self.url.clone();
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| key != "rejoin")
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
        let ours = [("rejoin", count(&progress.messages)), ("rejoinAudio", count(&progress.samples))];
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(ours);
        url
    }
}
