//! A recognizer that another stands behind: when it fails, the other one is asked, and the first is left alone for a while.
//!
//! It must not know how a recognizer is reached.

use std::sync::Arc;

use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::{Heard, Listener, Overheard, Request, Speech, SpeechToText};
use crate::health::{Admission, Health};

/// Why a recognizer that is left alone is not asked.
const SHORTLY_BEFORE: &str = "it failed shortly before";

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
                Admission::Cooling { .. } | Admission::Busy => Arc::from(SHORTLY_BEFORE),
            };
            Heard { instead: Some(why), ..second.transcribe(request).await }
        }
        .boxed()
    }

    /// The first one listens, if it can and is not left alone: whatever it misses is asked for again as whole turns, of both.
    fn listen(&self, speech: mpsc::Receiver<Speech>, language: Option<Arc<str>>) -> Option<Listener> {
        let Listener { by, told } = self.first.listen(speech, language)?;
        let told = match self.health.admit() {
            // It may be long before it shows anything, and others need not wait for that.
            Admission::Admitted(_) => {
                let mut verdict = self.health.insist();
                told.inspect(move |told| match told {
                    Overheard::Piece(_) | Overheard::CaughtUp { surely: true, .. } => verdict.succeeded(),
                    Overheard::Interim(_) | Overheard::CaughtUp { surely: false, .. } => {}
                    Overheard::Failed(_) => verdict.failed(None),
                })
                .boxed()
            }
            Admission::Cooling { .. } | Admission::Busy => {
                stream::iter([Overheard::Failed(Arc::from(SHORTLY_BEFORE))]).boxed()
            }
        };
        Some(Listener { by, told })
    }
}
