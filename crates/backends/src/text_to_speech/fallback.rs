//! Voices in an order: when one cannot speak the next one does, and the one that failed is left alone for a while.
//!
//! What one voice has said stays said; the next one says the rest of the text. It must not know of calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate};
use antiphon_engine::input::WordEnd;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::remote::words::spread;
use super::{Capabilities, FailedWhen, FellBack, Request, SpeechEvent, TextToSpeech};
use crate::health::{Admission, Health, Trial};

/// Characters a voice speaks in a second, where nobody says where words end (150 words a minute, protocol.md 2.7).
const CHARACTERS_PER_SECOND: u64 = 15;

/// A voice with others behind it. What it gives has the first one's rate.
pub struct Fallback(Arc<Order>);

struct Order {
    voices: Vec<Candidate>,
}

/// A voice and how it is doing.
struct Candidate {
    name: Arc<str>,
    voice: Arc<dyn TextToSpeech>,
    health: Arc<Health>,
}

impl Fallback {
    /// Voices by name, the first one first. One that fails is left alone for `cool_down`, twice as long after each further failure,
    /// then tried with one text, and speaks again if that goes well. Without others it is tried all the same.
    #[must_use]
    pub fn new(
        first: (Arc<str>, Arc<dyn TextToSpeech>),
        others: Vec<(Arc<str>, Arc<dyn TextToSpeech>)>,
        cool_down: Duration,
    ) -> Self {
        let candidates = std::iter::once(first).chain(others);
        let candidates = candidates.map(|(name, voice)| Candidate {
            name,
            voice,
            health: Arc::new(Health::new(cool_down)),
        });
        Self(Arc::new(Order { voices: candidates.collect() }))
    }
}

impl TextToSpeech for Fallback {
    fn capabilities(&self) -> Capabilities {
        self.0.voices[0].voice.capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let order = Arc::clone(&self.0);
        let (first, trial) = order
            .choose(&vec![false; order.voices.len()])
            .unwrap_or_else(|| (0, order.voices[0].health.insist()));
        let mut speech = Speech {
            rate: self.capabilities().sample_rate,
            tried: vec![false; order.voices.len()],
            order,
            request,
            said: 0,
            given: 0,
            words_before: Vec::new(),
            turn: None,
            ready: VecDeque::new(),
            over: false,
        };
        if first > 0 {
            let why = "it failed a short while ago and is left alone".into();
            speech.ready.push_back(speech.fell_back(0, first, why, FailedWhen::Before));
        }
        speech.begin(first, trial);
        stream::unfold(speech, async |mut speech| speech.next().await.map(|event| (event, speech))).boxed()
    }
}

impl Order {
    /// The first voice that may be tried and was not: not left alone, or else the one that was left alone the longest.
    fn choose(&self, tried: &[bool]) -> Option<(usize, Trial)> {
        let mut soonest = None;
        for (index, candidate) in self.voices.iter().enumerate().filter(|(index, _)| !tried[*index]) {
            let until = match candidate.health.admit() {
                Admission::Admitted(trial) => return Some((index, trial)),
                Admission::Cooling { until, .. } => Some(until),
                Admission::Busy => None,
            };
            // One that somebody tries just now comes before all that are left alone.
            if soonest.is_none_or(|(_, other)| until < other) {
                soonest = Some((index, until));
            }
        }
        soonest.map(|(index, _)| (index, self.voices[index].health.insist()))
    }
}

/// One text, and how far it has been said.
struct Speech {
    order: Arc<Order>,
    tried: Vec<bool>,
    request: Request,
    rate: SampleRate,
    /// How much of the text voices before the present one have said, in bytes.
    said: usize,
    /// Samples that all voices together have given.
    given: u64,
    /// Where the words end that were said by voices before.
    words_before: Vec<WordEnd>,
    turn: Option<Turn>,
    ready: VecDeque<SpeechEvent>,
    over: bool,
}

/// A voice that speaks.
struct Turn {
    candidate: usize,
    /// What comes of it for the next texts.
    trial: Trial,
    events: BoxStream<'static, SpeechEvent>,
    resampler: Resampler,
    /// Samples that were given before it.
    before: u64,
    /// Word ends that it told, in the whole text and the whole audio.
    words: Vec<WordEnd>,
}

impl Speech {
    /// Lets a voice say what has not been said.
    fn begin(&mut self, candidate: usize, trial: Trial) {
        self.tried[candidate] = true;
        let voice = &self.order.voices[candidate].voice;
        let text: Arc<str> = match self.said {
            0 => Arc::clone(&self.request.text),
            said => self.request.text[said..].into(),
        };
        self.turn = Some(Turn {
            candidate,
            trial,
            events: voice.speak(Request { text, ..self.request.clone() }),
            resampler: Resampler::new(voice.capabilities().sample_rate, self.rate),
            before: self.given,
            words: Vec::new(),
        });
    }

    async fn next(&mut self) -> Option<SpeechEvent> {
        while self.ready.is_empty() && !self.over {
            let Some(turn) = &mut self.turn else { break };
            let event = turn.events.next().await;
            self.take(event.unwrap_or_else(|| SpeechEvent::Failed("the voice ended too early".into())));
        }
        self.ready.pop_front()
    }

    fn take(&mut self, event: SpeechEvent) {
        let Some(turn) = &mut self.turn else { return };
        match event {
            SpeechEvent::Audio(samples) => {
                let mut converted = Vec::new();
                turn.resampler.process(&samples, &mut converted);
                self.give(converted);
            }
            SpeechEvent::Words(words) => {
                turn.words = placed(&words, self.said, turn, self.rate);
                let words = [self.words_before.as_slice(), &turn.words].concat();
                self.ready.push_back(SpeechEvent::Words(words));
            }
            SpeechEvent::FellBack(_) => self.ready.push_back(event),
            SpeechEvent::Finished => {
                let mut rest = Vec::new();
                turn.resampler.flush(&mut rest);
                turn.trial.succeeded();
                self.give(rest);
                self.spread_rest();
                self.ready.push_back(event);
                self.over = true;
            }
            SpeechEvent::Failed(why) => self.fail(&why),
        }
    }

    fn give(&mut self, samples: Vec<i16>) {
        if !samples.is_empty() {
            self.given += samples.len() as u64;
            self.ready.push_back(SpeechEvent::Audio(samples));
        }
    }

    fn fail(&mut self, why: &Arc<str>) {
        let Some(mut turn) = self.turn.take() else { return };
        let mut rest = Vec::new();
        turn.resampler.flush(&mut rest);
        self.give(rest);
        turn.trial.failed(None);
        self.settle(&turn);
        let all_said = self.said > 0 && !self.request.text[self.said..].contains(char::is_alphanumeric);
        match self.order.choose(&self.tried) {
            _ if all_said => {
                tracing::info!(%why, "a voice failed behind the last word");
                self.ready.push_back(SpeechEvent::Finished);
                self.over = true;
            }
            Some((next, trial)) => {
                let failed = if self.given > 0 { FailedWhen::InMidSentence } else { FailedWhen::AtOnce };
                let event = self.fell_back(turn.candidate, next, Arc::clone(why), failed);
                self.ready.push_back(event);
                if !self.words_before.is_empty() {
                    self.ready.push_back(SpeechEvent::Words(self.words_before.clone()));
                }
                self.begin(next, trial);
            }
            None => {
                self.ready.push_back(SpeechEvent::Failed(Arc::clone(why)));
                self.over = true;
            }
        }
    }

    /// Works out how much of the text the audio holds that has been given, and where its words end.
    fn settle(&mut self, turn: &Turn) {
        let samples = self.given - turn.before;
        if samples == 0 {
            return;
        }
        if turn.words.is_empty() {
            // Nobody said; a guess that is too low repeats a word, one that is too high loses it.
            let characters = samples * CHARACTERS_PER_SECOND / u64::from(self.rate.hz());
            let said = words_within(&self.request.text[self.said..], characters);
            let words =
                spread(&self.request.text[self.said..self.said + said], self.said, turn.before, samples);
            self.words_before.extend(words);
            self.said += said;
        } else {
            let heard = turn.words.iter().take_while(|word| u64::from(word.samples) <= self.given);
            self.words_before.extend(heard);
            self.said = self.words_before.last().map_or(self.said, |word| word.text as usize);
        }
        self.said = self.request.text.ceil_char_boundary(self.said.min(self.request.text.len()));
    }

    /// The words of a voice that took over and does not say where they end, now that its audio is complete.
    fn spread_rest(&mut self) {
        let Some(turn) = &self.turn else { return };
        if self.words_before.is_empty() || !turn.words.is_empty() {
            return;
        }
        let rest = spread(&self.request.text[self.said..], self.said, turn.before, self.given - turn.before);
        let words = [self.words_before.as_slice(), &rest].concat();
        self.ready.push_back(SpeechEvent::Words(words));
    }

    fn fell_back(&self, from: usize, to: usize, why: Arc<str>, failed: FailedWhen) -> SpeechEvent {
        SpeechEvent::FellBack(FellBack {
            from: Arc::clone(&self.order.voices[from].name),
            to: Arc::clone(&self.order.voices[to].name),
            why,
            failed,
        })
    }
}

/// Word ends of a voice that began in the middle, in the whole text and the whole audio.
fn placed(words: &[WordEnd], said: usize, turn: &Turn, rate: SampleRate) -> Vec<WordEnd> {
    let (from, to) = (u64::from(turn.resampler.from().hz()), u64::from(rate.hz()));
    let placed = words.iter().map(|word| WordEnd {
        text: u32::try_from(said + word.text as usize).unwrap_or(u32::MAX),
        samples: u32::try_from(turn.before + u64::from(word.samples) * to / from).unwrap_or(u32::MAX),
    });
    placed.collect()
}

/// How many bytes the whole words have that lie within so many characters.
fn words_within(text: &str, characters: u64) -> usize {
    let mut said = 0;
    for (nth, (at, character)) in text.char_indices().enumerate() {
        let behind = at + character.len_utf8();
        if nth as u64 >= characters {
            break;
        }
        if !character.is_whitespace() && text[behind..].chars().next().is_none_or(char::is_whitespace) {
            said = behind;
        }
    }
    said
}
