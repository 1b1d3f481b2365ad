//! The fake recognizer: it knows beforehand what will be said.
//!
//! It must not listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::input::Transcription;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Heard, Request, SpeechToText};

/// A recognizer with prepared answers.
#[derive(Debug)]
pub struct Prepared {
    answers: Answers,
    /// How long each answer takes.
    delay: Duration,
}

#[derive(Debug)]
enum Answers {
    /// For each clip the next one; no words when they are used up.
    InOrder { answers: Vec<Transcription>, given: AtomicUsize },
    /// The first one whose length is not exceeded by the clip; no words for longer clips.
    ByLength(Vec<(Duration, Arc<str>)>),
}

impl Prepared {
    /// Gives these answers, one per clip, then no words. The count runs over all conversations, so it suits a test with one.
    #[must_use]
    pub fn in_order(answers: impl IntoIterator<Item = Transcription>) -> Self {
        let answers = Answers::InOrder { answers: answers.into_iter().collect(), given: AtomicUsize::new(0) };
        Self { answers, delay: Duration::ZERO }
    }

    /// Tells clips apart by their length: a clip gets the words of the shortest length that it does not exceed.
    #[must_use]
    pub fn by_length(answers: impl IntoIterator<Item = (Duration, &'static str)>) -> Self {
        let mut answers: Vec<(Duration, Arc<str>)> =
            answers.into_iter().map(|(length, words)| (length, words.into())).collect();
        answers.sort_by_key(|(length, _)| *length);
        Self { answers: Answers::ByLength(answers), delay: Duration::ZERO }
    }

    /// Takes this long for each answer.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn answer(&self, clip: Duration) -> Transcription {
        match &self.answers {
            Answers::InOrder { answers, given } => {
                answers.get(given.fetch_add(1, Ordering::Relaxed)).cloned()
            }
            Answers::ByLength(answers) => answers
                .iter()
                .find(|(length, _)| clip <= *length)
                .map(|(_, words)| Transcription::Words(Arc::clone(words))),
        }
        .unwrap_or_else(|| Transcription::Words("".into()))
    }
}

impl SpeechToText for Prepared {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let answer = self.answer(SampleRate::EAR.duration_of(request.samples.len() as u64));
        let delay = self.delay;
        async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            Heard { transcription: answer, by: Arc::from("scripted"), instead: None }
        }
        .boxed()
    }
}
