//! The fake recognizer: it knows beforehand what will be said.
//!
//! It must not listen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::{Heard, Listener, Overheard, Piece, Request, Speech, SpeechToText};

const NAME: &str = "scripted";

/// A recognizer with prepared answers.
#[derive(Debug, Clone)]
pub struct Prepared {
    answers: Arc<Answers>,
    /// How long each answer takes.
    delay: Duration,
    /// Whether it listens while somebody speaks.
    live: bool,
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
        Self { answers: Arc::new(answers), delay: Duration::ZERO, live: false }
    }

    /// Tells clips apart by their length: a clip gets the words of the shortest length that it does not exceed.
    #[must_use]
    pub fn by_length(answers: impl IntoIterator<Item = (Duration, &'static str)>) -> Self {
        let mut answers: Vec<(Duration, Arc<str>)> =
            answers.into_iter().map(|(length, words)| (length, words.into())).collect();
        answers.sort_by_key(|(length, _)| *length);
        Self { answers: Arc::new(Answers::ByLength(answers)), delay: Duration::ZERO, live: false }
    }

    /// Takes this long for each answer.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Listens while somebody speaks: what is said between two pauses is a clip.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }

    fn answer(&self, clip: Duration) -> Transcription {
        match &*self.answers {
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
            Heard::by(&Arc::from(NAME), answer)
        }
        .boxed()
    }

    fn listen(&self, speech: mpsc::Receiver<Speech>, _: Option<Arc<str>>) -> Option<Listener> {
        let live = Live { prepared: self.clone(), speech, stretch: None, end: 0, ready: VecDeque::new() };
        let told = stream::unfold(live, async |mut live| live.next().await.map(|told| (told, live)));
        self.live.then(|| Listener { by: Arc::from(NAME), told: told.boxed() })
    }
}

/// One who listens.
struct Live {
    prepared: Prepared,
    speech: mpsc::Receiver<Speech>,
    /// Where the audio since the last pause begins and ends.
    stretch: Option<(u64, u64)>,
    /// Where the last one ended.
    end: u64,
    ready: VecDeque<Overheard>,
}

impl Live {
    async fn next(&mut self) -> Option<Overheard> {
        while self.ready.is_empty() {
            match self.speech.recv().await? {
                Speech::Audio { at, samples } => {
                    let (from, _) = self.stretch.unwrap_or((at, at));
                    self.stretch = Some((from, at + samples.len() as u64));
                }
                Speech::Pause => {
                    let delay = self.prepared.delay;
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    let (from, to) = self.stretch.take().unwrap_or((self.end, self.end));
                    self.end = to;
                    match self.prepared.answer(SampleRate::EAR.duration_of(to - from)) {
                        Transcription::Words(words) if words.is_empty() => {}
                        Transcription::Words(words) => {
                            self.ready.push_back(Overheard::Piece(Piece { from, to, words }));
                        }
                        Transcription::Failed(why) => {
                            self.speech = mpsc::channel(1).1;
                            return Some(Overheard::Failed(why));
                        }
                    }
                    self.ready.push_back(Overheard::CaughtUp { to, surely: true });
                }
            }
        }
        self.ready.pop_front()
    }
}
