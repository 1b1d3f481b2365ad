//! A recognizer that another stands behind: when it fails, the other one is asked, and the first is left alone for a while.
//!
//! It must not know how a recognizer is reached.

use std::sync::Arc;

use antiphon_engine::input::Transcription;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Heard, Listener, Request, Speech, SpeechToText};
use crate::health::{Admission, Health};

/// A recognizer and the one behind it.
#[derive(Clone)]
pub struct Fallback {
    first: Arc<dyn SpeechToText>,
    second: Arc<dyn SpeechToText>,
    health: Arc<Health>,
}

impl Fallback {
    /// `first`, of which this much is known, and `second` behind it.
    #[must_use]
    pub fn new(first: Arc<dyn SpeechToText>, second: Arc<dyn SpeechToText>, health: Arc<Health>) -> Self {
        Self { first, second, health }
    }
}

impl SpeechToText for Fallback {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let Self { first, second, health } = self.clone();
        async move {
            let why: Arc<str> = match health.admit() {
                Admission::Admitted(mut trial) => {
                    let heard = first.transcribe(request.clone()).await;
                    match heard.transcription {
                        Transcription::Words(_) => {
                            trial.succeeded();
                            return heard;
                        }
                        Transcription::Failed(why) => {
                            trial.failed(heard.retry_after);
                            why
                        }
                    }
                }
                Admission::Cooling { .. } | Admission::Busy => Arc::from("it failed shortly before"),
            };
            Heard { instead: Some(why), ..second.transcribe(request).await }
        }
        .boxed()
    }

    /// The first one listens, if it can: whatever it misses is asked for again as whole turns, of both.
    fn listen(&self, speech: mpsc::Receiver<Speech>, language: Option<Arc<str>>) -> Option<Listener> {
        self.first.listen(speech, language)
    }
}
