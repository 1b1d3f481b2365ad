//! The user's speech on its way to a recognizer that listens while it is spoken, and the words of turns that come of it.
//!
//! Owns the session with the recognizer and all that it has told of late. Audio is taken from the ear, where a whole turn is kept, so
//! a recognizer that takes nothing for a while delays nobody and loses nothing; a turn that it does not hear whole, or not for sure,
//! is for somebody who takes whole turns. It must not know what the words are for, nor how audio that was not followed is
//! transcribed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::speech_to_text::{Heard, Listener, Overheard, Piece, Speech, SpeechToText};
use antiphon_engine::AudioTime;
use antiphon_engine::ids::TurnId;
use antiphon_engine::input::Transcription;
use antiphon_engine::message::AudioSpan;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ear::Ear;

/// Frames that may wait for the recognizer; more of them wait in the ear.
const QUEUE: usize = 64;
/// Pieces that are remembered: those of the longest turn, and of the one before it.
const PIECES: usize = 1_024;
/// Turns whose words may be waited for.
const ASKED: usize = 16;
/// Samples before the first word that may be missing.
const PRE_ROLL: u64 = 4_800;
/// Why a turn is asked for again.
const UNSURE: &str = "it did not say in time that it has heard all";
/// How long nobody is dialled after a failure, and the longest, however often it failed.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What follows a user's speech in one call.
pub(super) struct Dictation {
    recognizer: Arc<dyn SpeechToText>,
    language: Option<Arc<str>>,
    session: Option<Session>,
    /// Sessions so far; each goes by its number.
    sessions: u32,
    /// Failures in a row, and until when nobody is dialled because of them.
    failures: u32,
    rests: Option<Instant>,
    /// The open turn begins here, pre-roll included.
    turn_from: u64,
    /// Whether the user speaks, as far as was noticed.
    speaking: bool,
    pieces: VecDeque<Piece>,
    interim: Arc<str>,
    asked: Vec<Asked>,
}

/// A recognizer that listens.
struct Session {
    number: u32,
    by: Arc<str>,
    speech: mpsc::Sender<Speech>,
    /// The first sample that it was given.
    from: Option<u64>,
    /// Behind the last one.
    given: u64,
    /// Where it was last told that the user paused.
    paused: u64,
    /// Up to where it has answered, and up to where its words are surely complete.
    answered: u64,
    complete: u64,
}

/// A turn whose words are waited for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    span: AudioSpan,
    since: Instant,
}

/// Whether somebody listens now.
pub(super) enum Connection {
    /// Somebody new does.
    Made(u32, Listener),
    /// As before.
    Unchanged,
    /// The recognizer takes whole turns only.
    Impossible,
}

/// Whether a turn's words will come.
#[derive(Debug, PartialEq)]
pub(super) enum Promise {
    /// Here they are.
    Kept(Heard),
    /// They will.
    Given,
    /// Not from here.
    Refused(Option<Arc<str>>),
}

/// What comes of something that a recognizer told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct News {
    /// Words of turns, each with how long they were waited for.
    pub(super) heard: Vec<(TurnId, Heard, Duration)>,
    /// Turns that somebody else has to transcribe, and why.
    pub(super) missed: Vec<(AudioSpan, Arc<str>)>,
    /// The words of the open turn so far, if there are new ones.
    pub(super) words: Option<Arc<str>>,
    /// Why the session ended.
    pub(super) failed: Option<Arc<str>>,
}

impl Dictation {
    pub(super) fn new(recognizer: Arc<dyn SpeechToText>, language: Option<Arc<str>>) -> Self {
        Self {
            recognizer,
            language,
            session: None,
            sessions: 0,
            failures: 0,
            rests: None,
            turn_from: 0,
            speaking: false,
            pieces: VecDeque::new(),
            interim: Arc::from(""),
            asked: Vec::new(),
        }
    }

    /// The user speaks another language from now on, or the same. Gives the turns whose words do not come any more.
    pub(super) fn speak(&mut self, language: Option<Arc<str>>) -> Vec<AudioSpan> {
        if self.language == language {
            return Vec::new();
        }
        self.language = language;
        self.session = None;
        self.asked.drain(..).map(|asked| asked.span).collect()
    }

    /// Has somebody listen, unless somebody does or nobody should for now. What they tell comes back by the number.
    pub(super) fn connect(&mut self, now: Instant) -> Connection {
        if self.session.is_some() || self.rests.is_some_and(|until| until > now) {
            return Connection::Unchanged;
        }
        let (speech, hears) = mpsc::channel(QUEUE);
        let Some(listener) = self.recognizer.listen(hears, self.language.clone()) else {
            return Connection::Impossible;
        };
        self.sessions += 1;
        // It hears the open turn from its beginning, and turns before it are nothing to it.
        self.pieces.clear();
        let by = Arc::clone(&listener.by);
        self.session = Some(Session {
            number: self.sessions,
            by,
            speech,
            from: None,
            given: 0,
            paused: 0,
            answered: 0,
            complete: 0,
        });
        Connection::Made(self.sessions, listener)
    }

    /// The user began to speak, or speaks on. Where a new turn begins is said with its pre-roll.
    pub(super) fn speech_started(&mut self, turn: Option<AudioTime>) {
        self.speaking = true;
        if let Some(from) = turn {
            self.turn_from = sample(from);
            self.interim = Arc::from("");
        }
    }

    /// The user fell silent: the words so far are asked for, in case that was all.
    pub(super) fn speech_stopped(&mut self, ear: &Ear) {
        self.give(ear);
        self.speaking = false;
        if let Some(session) = &mut self.session {
            session.pause();
        }
    }

    /// Passes on what the ear has heard, while the user speaks.
    pub(super) fn hear(&mut self, ear: &Ear) {
        if self.speaking {
            self.give(ear);
        }
    }

    fn give(&mut self, ear: &Ear) {
        let Some(session) = &mut self.session else { return };
        let (at, samples) = ear.heard_from(session.given.max(self.turn_from));
        session.give(at, samples);
    }

    /// Wants to know a turn's words.
    pub(super) fn ask(&mut self, span: AudioSpan, ear: &Ear) -> Promise {
        let (from, to) = (sample(span.from), sample(span.to));
        if self.session.as_ref().is_some_and(|session| session.given < to) {
            self.give(ear);
        }
        let Some(session) = &mut self.session else { return Promise::Refused(None) };
        // What is missing of the silence before a turn is no loss.
        let late = session.from.is_none_or(|first| first > from + PRE_ROLL);
        if session.given < to || late || self.asked.len() >= ASKED {
            return Promise::Refused(Some(Arc::from("it was not given all of the turn")));
        }
        if session.complete >= to {
            let by = Arc::clone(&session.by);
            return Promise::Kept(Heard::by(&by, self.words_in(span)));
        }
        if session.answered >= to {
            return Promise::Refused(Some(Arc::from(UNSURE)));
        }
        if session.paused < to && !session.pause() {
            return Promise::Refused(Some(Arc::from("it takes nothing any more")));
        }
        self.asked.push(Asked { span, since: Instant::now() });
        Promise::Given
    }

    /// Nobody wants to know a turn's words any more.
    pub(super) fn forget(&mut self, turn: TurnId) {
        self.asked.retain(|asked| asked.span.turn != turn);
    }

    /// A session told something. What comes from one that is over says nothing.
    pub(super) fn told(&mut self, number: u32, overheard: Overheard) -> News {
        let mut news = News::default();
        let Some(session) = self.session.as_mut().filter(|session| session.number == number) else {
            return news;
        };
        match overheard {
            Overheard::Piece(piece) => {
                self.pieces.push_back(piece);
                if self.pieces.len() > PIECES {
                    self.pieces.pop_front();
                }
                self.interim = Arc::from("");
                news.words = Some(self.words_so_far());
            }
            Overheard::Interim(words) => {
                if self.interim != words {
                    self.interim = words;
                    news.words = Some(self.words_so_far());
                }
            }
            Overheard::CaughtUp { to, surely } => {
                self.failures = 0;
                session.answered = session.answered.max(to);
                if surely {
                    session.complete = session.complete.max(to);
                }
                let by = Arc::clone(&session.by);
                let is_due = |asked: &Asked| sample(asked.span.to) <= to;
                let (due, rest): (Vec<Asked>, Vec<Asked>) = self.asked.drain(..).partition(is_due);
                self.asked = rest;
                for Asked { span, since } in due {
                    if surely {
                        let heard = Heard::by(&by, self.words_in(span));
                        news.heard.push((span.turn, heard, since.elapsed()));
                    } else {
                        news.missed.push((span, Arc::from(UNSURE)));
                    }
                }
            }
            Overheard::Failed(why) => {
                self.session = None;
                self.interim = Arc::from("");
                let rest = REST.saturating_mul(1 << self.failures.min(6)).min(LONGEST_REST);
                self.rests = Some(Instant::now() + rest);
                self.failures = self.failures.saturating_add(1);
                let missed = self.asked.drain(..);
                news.missed = missed.map(|asked| (asked.span, Arc::clone(&why))).collect();
                news.failed = Some(why);
            }
        }
        news
    }

    /// The words of a turn. A piece belongs to the turn in which its middle lies.
    fn words_in(&self, span: AudioSpan) -> Transcription {
        let (from, to) = (sample(span.from), sample(span.to));
        let within = |piece: &&Piece| (from..=to).contains(&piece.from.midpoint(piece.to));
        let words: Vec<&str> = self.pieces.iter().filter(within).map(|piece| &*piece.words).collect();
        Transcription::Words(words.join(" ").into())
    }

    fn words_so_far(&self) -> Arc<str> {
        let pieces = self.pieces.iter().filter(|piece| piece.from.midpoint(piece.to) >= self.turn_from);
        let words = pieces.map(|piece| &*piece.words).chain([&*self.interim]);
        words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ").into()
    }
}

impl Session {
    /// Passes audio on, if there is room; if not, more of it comes later.
    fn give(&mut self, at: u64, samples: Vec<i16>) {
        if samples.is_empty() {
            return;
        }
        let end = at + samples.len() as u64;
        if self.speech.try_send(Speech::Audio { at, samples }).is_ok() {
            self.from.get_or_insert(at);
            self.given = end;
        }
    }

    /// Says that the user paused. Returns whether that can be said.
    fn pause(&mut self) -> bool {
        if self.paused == self.given {
            return true;
        }
        let said = self.speech.try_send(Speech::Pause).is_ok();
        if said {
            self.paused = self.given;
        }
        said
    }
}

/// A moment of the user's audio in samples of the ear's rate.
fn sample(at: AudioTime) -> u64 {
    antiphon_audio::SampleRate::EAR.samples_in(Duration::from_micros(at.as_micros()))
}
