//! A stream for a whole call: the user's audio goes out while it is spoken, pieces come back meanwhile, and what is still open is
//! asked for when the user pauses.
//!
//! Owns the connection, its keep-alive and its goodbye, and the places of words on the user's clock, of which the recognizer hears
//! only the stretches in which somebody speaks. It must not know what a turn is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use futures::stream::{self, BoxStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::messages::{Found, Told, read};
use super::{CLOSE_STREAM, DeepgramTranscriber, Socket, audio};
use crate::speech_to_text::{Overheard, Piece, Speech};

/// A stream on which nothing comes is closed by the vendor after ten seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How long the rest of a turn is waited for once it was asked for. There may be none, and then there need be no answer.
const GRACE: Duration = Duration::from_millis(700);
/// How far results may end before the audio does, and be taken for complete. Those that were asked for may leave silence out.
const NEARLY: u64 = 320;
const SILENCE: u64 = 16_000;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// Stretches of audio that are remembered for the places of words in them.
const STRETCHES: usize = 64;

/// What comes of a user's speech.
pub(super) fn listen(
    transcriber: DeepgramTranscriber,
    speech: mpsc::Receiver<Speech>,
    language: Option<Arc<str>>,
) -> BoxStream<'static, Overheard> {
    let live = Live {
        transcriber,
        language,
        speech,
        state: State::Unconnected,
        stretches: VecDeque::new(),
        sent: 0,
        sent_at: Instant::now(),
        pauses: VecDeque::new(),
        settled_to: 0,
        final_to: 0,
        heard_to: 0,
        interim: None,
        told_to: 0,
        ready: VecDeque::new(),
    };
    stream::unfold(live, async |mut live| live.next().await.map(|event| (event, live))).boxed()
}

struct Live {
    transcriber: DeepgramTranscriber,
    language: Option<Arc<str>>,
    speech: mpsc::Receiver<Speech>,
    state: State,
    /// Where stretches of what was sent begin, in samples sent and on the user's clock.
    stretches: VecDeque<(u64, u64)>,
    /// Samples sent, and when something was sent last.
    sent: u64,
    sent_at: Instant,
    /// Pauses whose words are waited for, oldest first.
    pauses: VecDeque<Awaited>,
    /// Samples that had been sent at the last pause that is over.
    settled_to: u64,
    /// How far results have come that do not change any more, and how far any have, in samples sent.
    final_to: u64,
    heard_to: u64,
    /// What was said behind the last piece, and where, as far as that is known.
    interim: Option<Piece>,
    /// Behind the last words on the user's clock that were told for good before the recognizer itself took them for that.
    told_to: u64,
    ready: VecDeque<Overheard>,
}

enum State {
    Unconnected,
    Connected(Box<Socket>),
    Over,
}

/// A pause of the user's.
struct Awaited {
    /// Samples that had been sent.
    sent: u64,
    /// The same on the user's clock.
    to: u64,
    /// When the waiting ends.
    by: Instant,
}

enum Wake {
    Speech(Option<Speech>),
    Message(Option<Utf8Bytes>),
    /// Nothing was sent for a while.
    Idle,
    /// The rest of a turn does not come.
    Late,
}

impl Live {
    async fn next(&mut self) -> Option<Overheard> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let step = match std::mem::replace(&mut self.state, State::Over) {
                State::Unconnected => self.connect().await,
                State::Connected(socket) => self.step(socket).await,
                State::Over => return None,
            };
            match step {
                Ok(state) => self.state = state,
                Err(why) => {
                    let model = &self.transcriber.settings.model;
                    let why = format!("the transcription model \"{model}\" {why}");
                    self.ready.push_back(Overheard::Failed(why.into()));
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<State, String> {
        let by = Instant::now() + self.transcriber.settings.connect;
        let dialled = self.transcriber.dial(self.language.as_deref(), true);
        let socket = timeout_at(by, dialled).await.map_err(|_| "did not answer in time".to_owned())?;
        self.sent_at = Instant::now();
        Ok(State::Connected(Box::new(socket.map_err(|failure| failure.to_string())?)))
    }

    async fn step(&mut self, mut socket: Box<Socket>) -> Result<State, String> {
        let late = self.pauses.front().map(|pause| pause.by);
        let late = async move {
            match late {
                Some(by) => sleep_until(by).await,
                None => std::future::pending().await,
            }
        };
        let wake = tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(message) => Wake::Message(self.transcriber.text(message)?),
                None => return Err("ended its answer in the middle".to_owned()),
            },
            speech = self.speech.recv() => Wake::Speech(speech),
            () = late => Wake::Late,
            () = sleep_until(self.sent_at + KEEP_ALIVE) => Wake::Idle,
        };
        match wake {
            Wake::Speech(None) => {
                // Nobody waits for what else it may say.
                let _ = timeout_at(Instant::now() + GOODBYE, part(*socket)).await;
                return Ok(State::Over);
            }
            Wake::Speech(Some(Speech::Audio { at, samples })) => {
                self.place(at);
                self.sent += samples.len() as u64;
                self.send(&mut socket, audio(&samples)).await?;
            }
            Wake::Speech(Some(Speech::Pause)) => {
                let by = Instant::now() + GRACE;
                self.pauses.push_back(Awaited { sent: self.sent, to: self.on_clock(self.sent), by });
                self.send(&mut socket, Message::text(r#"{"type":"Finalize"}"#)).await?;
                self.settle();
            }
            Wake::Message(None) => {}
            Wake::Message(Some(text)) => match read(&text) {
                Told::Found(found) => self.found(found),
                Told::Nothing => {}
                Told::Over => return Err("closed the stream in the middle".to_owned()),
                Told::Failed(why) => return Err(self.transcriber.endpoint.shortened(why.as_bytes())),
            },
            Wake::Idle => self.send(&mut socket, Message::text(r#"{"type":"KeepAlive"}"#)).await?,
            Wake::Late => self.give_up_waiting(),
        }
        Ok(State::Connected(socket))
    }

    async fn send(&mut self, socket: &mut Socket, message: Message) -> Result<(), String> {
        let by = Instant::now() + self.transcriber.settings.timeout;
        self.sent_at = Instant::now();
        match timeout_at(by, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.transcriber.broke_off(&error)),
            Err(_) => Err("does not take what it is sent".to_owned()),
        }
    }

    /// Notes where audio lies that is about to be sent.
    fn place(&mut self, at: u64) {
        if self.stretches.is_empty() || self.on_clock(self.sent) != at {
            self.stretches.push_back((self.sent, at));
        }
        if self.stretches.len() > STRETCHES {
            self.stretches.pop_front();
        }
    }

    /// A place in what was sent, on the user's clock. The end of a stretch is not the beginning of the next.
    fn on_clock(&self, sent: u64) -> u64 {
        let stretch = self.stretches.iter().rev().find(|(begin, _)| *begin < sent.max(1));
        let (begin, at) = stretch.or(self.stretches.front()).copied().unwrap_or_default();
        at + sent.saturating_sub(begin)
    }

    fn found(&mut self, found: Found) {
        let Found { words, from, to, heard_to, is_final, from_finalize } = found;
        let piece = (!words.is_empty()).then(|| {
            // Just behind its beginning: that is certainly within its stretch.
            let from = self.on_clock(samples(from) + 1);
            Piece { from, to: self.on_clock(samples(to)).max(from), words: words.into() }
        });
        let heard_to = samples(heard_to);
        self.heard_to = self.heard_to.max(heard_to);
        if is_final {
            self.final_to = self.final_to.max(heard_to);
            self.interim = None;
            let piece = piece.filter(|piece| piece.from.midpoint(piece.to) >= self.told_to);
            self.ready.extend(piece.map(Overheard::Piece));
            // One that was asked for earlier says nothing of what came since.
            if from_finalize && heard_to > self.settled_to {
                self.settle_one(SILENCE);
            }
            self.settle();
        } else {
            let words = piece.as_ref().map_or_else(|| Arc::from(""), |piece| Arc::clone(&piece.words));
            self.ready.push_back(Overheard::Interim(words));
            self.interim = piece;
        }
    }

    /// Ends the waiting for what has come.
    fn settle(&mut self) {
        while self.settle_one(NEARLY) {}
    }

    /// The same for the first pause. Words that may still change are no end of it.
    fn settle_one(&mut self, nearly: u64) -> bool {
        let complete = |pause: &Awaited| {
            let open = self.interim.as_ref().is_some_and(|interim| interim.from < pause.to);
            !open && self.final_to + nearly >= pause.sent
        };
        let Some(pause) = self.pauses.front().filter(|pause| complete(pause)) else { return false };
        self.settled_to = pause.sent;
        self.ready.push_back(Overheard::CaughtUp { to: pause.to, surely: true });
        self.pauses.pop_front();
        true
    }

    /// What is known has to do: there was nothing left to say, or it does not come.
    fn give_up_waiting(&mut self) {
        let Some(pause) = self.pauses.pop_front() else { return };
        let surely = self.heard_to + SILENCE >= pause.sent && self.heard_to > 0;
        if surely && let Some(piece) = self.interim.take_if(|piece| piece.from < pause.to) {
            self.told_to = piece.to;
            self.ready.push_back(Overheard::Piece(piece));
        }
        self.settled_to = pause.sent;
        self.ready.push_back(Overheard::CaughtUp { to: pause.to, surely });
    }
}

/// Says that nothing more comes, and takes what else is said.
async fn part(mut socket: Socket) {
    if socket.send(Message::text(CLOSE_STREAM)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Seconds in samples.
fn samples(seconds: f64) -> u64 {
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, 1e6) } else { 0.0 };
    (seconds * f64::from(SampleRate::EAR.hz())).round() as u64
}
