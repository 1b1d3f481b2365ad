//! The default voice: flite's `kal16`, compiled in, 16 kHz American English.
//!
//! Owns the cutting of text into pieces, the trimming of silence and the word times. It must not know what the text is for.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use antiphon_audio::SampleRate;
use antiphon_engine::input::WordEnd;
use flite_rs::language::Language;
use flite_rs::text::Token;
use flite_rs::{Flow, Utterance, Voice, VoiceParams};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::oneshot;

use super::plain_english::PlainEnglish;
use super::{Capabilities, Request, SpeechEvent, TextToSpeech};

const SAMPLES_PER_MS: usize = 16;
/// Silence kept before a piece; flite makes about 200 ms.
const LEAD: usize = 20 * SAMPLES_PER_MS;
/// Silence kept behind a piece: the pause between two sentences of a calm speaker.
const TAIL: usize = 200 * SAMPLES_PER_MS;
/// Samples of the first event, so that it can be sent at once, and of each further one.
const FIRST_CHUNK: usize = 20 * SAMPLES_PER_MS;
const CHUNK: usize = 100 * SAMPLES_PER_MS;
/// Words that are synthesized in one go; a longer sentence is spoken in several pieces. Bounds the audio held at a time to
/// about half a minute.
const PIECE_TOKENS: usize = 48;
/// Characters of a single word that are spoken; nobody listens to more, and it bounds the work per piece.
const WORD_CHARACTERS: usize = 64;

/// The compiled-in voice.
#[derive(Clone)]
pub struct Flite(Arc<Kal>);

struct Kal {
    voice: Voice,
    language: Arc<Language>,
    params: VoiceParams,
}

impl Flite {
    /// Reads the compiled-in tables, which takes about a millisecond: make one and share it.
    #[must_use]
    pub fn new() -> Self {
        let voice = Voice::parse(flite_rs::KAL16_VOICE_DATA).expect("the compiled-in voice is valid");
        let language = flite_rs::Engine::new().language();
        let params = voice.params();
        Self(Arc::new(Kal { voice, language, params }))
    }
}

impl Default for Flite {
    fn default() -> Self {
        Self::new()
    }
}

impl TextToSpeech for Flite {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sample_rate: SampleRate::EAR, word_times: true, clones: false }
    }

    /// Text without a single speakable character gives no audio and finishes.
    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let speech = Speech {
            kal: Arc::clone(&self.0),
            pieces: pieces(&request.text),
            said: 0,
            words: Vec::new(),
            ready: VecDeque::new(),
            ended: false,
        };
        stream::unfold(speech, async |mut speech| speech.next().await.map(|event| (event, speech))).boxed()
    }
}

/// Speech under way. Synthesis runs a thousand times faster than speech, so a piece is made only when the one before was
/// taken: at most one lies here.
struct Speech {
    kal: Arc<Kal>,
    pieces: VecDeque<Piece>,
    /// Samples of all pieces so far.
    said: usize,
    words: Vec<WordEnd>,
    ready: VecDeque<SpeechEvent>,
    ended: bool,
}

impl Speech {
    async fn next(&mut self) -> Option<SpeechEvent> {
        while self.ready.is_empty() && !self.ended {
            let Some(piece) = self.pieces.pop_front() else {
                self.ended = true;
                return Some(SpeechEvent::Finished);
            };
            // The blocking pool, not a thread of our own, so that a paused clock stands still meanwhile. When this future
            // is dropped the channel closes, and the synthesis gives up.
            let (sender, receiver) = oneshot::channel();
            let kal = Arc::clone(&self.kal);
            tokio::task::spawn_blocking(move || {
                let spoken = kal.say(&piece, &|| sender.is_closed());
                // Nobody listens any more.
                let _ = sender.send(spoken);
            });
            match receiver.await {
                Ok(spoken) => self.take(&spoken),
                Err(_) => {
                    self.ended = true;
                    return Some(SpeechEvent::Failed("the voice \"flite\" broke on this text".into()));
                }
            }
        }
        self.ready.pop_front()
    }

    fn take(&mut self, spoken: &Spoken) {
        if spoken.samples.is_empty() {
            return;
        }
        let last = spoken.samples.len();
        self.words.extend(spoken.words.iter().map(|word| WordEnd {
            text: word.text,
            samples: (self.said + (word.samples as usize).min(last)) as u32,
        }));
        self.ready.push_back(SpeechEvent::Words(self.words.clone()));
        let (first, rest) = spoken.samples.split_at(FIRST_CHUNK.min(last));
        self.ready.push_back(SpeechEvent::Audio(first.to_vec()));
        self.ready.extend(rest.chunks(CHUNK).map(|chunk| SpeechEvent::Audio(chunk.to_vec())));
        self.said += last;
    }
}

/// What is synthesized in one go: a sentence, or a part of a very long one.
struct Piece {
    tokens: Vec<Token>,
    /// For each token, where it ends in the request's text, with its punctuation.
    ends: Vec<u32>,
}

/// A piece's audio, and where its words end in samples of that audio.
struct Spoken {
    samples: Vec<i16>,
    words: Vec<WordEnd>,
}

fn pieces(text: &str) -> VecDeque<Piece> {
    let plain = PlainEnglish::new(text);
    let mut offset = 0;
    let mut pieces = VecDeque::new();
    for sentence in flite_rs::text::sentences(plain.text()) {
        let mut tokens = Vec::with_capacity(sentence.len());
        let mut ends = Vec::with_capacity(sentence.len());
        for mut token in sentence {
            offset += token.whitespace.len()
                + token.prepunctuation.len()
                + token.name.len()
                + token.punctuation.len();
            ends.push(plain.original_end(offset));
            // Plain text is ASCII, so every byte is a character.
            token.name.truncate(WORD_CHARACTERS);
            token.punctuation.truncate(WORD_CHARACTERS);
            tokens.push(token);
        }
        for (tokens, ends) in tokens.chunks(PIECE_TOKENS).zip(ends.chunks(PIECE_TOKENS)) {
            pieces.push_back(Piece { tokens: tokens.to_vec(), ends: ends.to_vec() });
        }
    }
    pieces
}

impl Kal {
    fn say(&self, piece: &Piece, given_up: &dyn Fn() -> bool) -> Spoken {
        let analysis = flite_rs::pipeline::analyse(&self.language, &piece.tokens, &self.params);
        let Some(speech) = speech_range(&analysis) else {
            return Spoken { samples: Vec::new(), words: Vec::new() };
        };
        let kept = speech.start.saturating_sub(LEAD)..speech.end + TAIL;
        let mut samples = Vec::with_capacity(kept.len());
        let mut position = 0;
        flite_rs::voice::synthesise_streaming(&self.voice, &analysis, &self.params, &mut |period| {
            let from = kept.start.saturating_sub(position).min(period.len());
            let to = kept.end.saturating_sub(position).min(period.len());
            samples.extend_from_slice(&period[from..to]);
            position += period.len();
            if position >= kept.end || given_up() { Flow::Stop } else { Flow::Continue }
        });
        let words = word_ends(&analysis, piece, kept.start);
        Spoken { samples, words }
    }
}

/// The samples from the first to the last sound that is no pause; `None` when there is none.
fn speech_range(analysis: &Utterance) -> Option<Range<usize>> {
    let mut start = 0;
    let mut range: Option<Range<usize>> = None;
    for segment in analysis.iter_relation("Segment") {
        let end = sample(analysis.feature_f32(segment, "end"));
        if analysis.name(segment) != flite_rs::phoneset::SILENCE {
            range = Some(range.map_or(start, |range| range.start)..end);
        }
        start = end;
    }
    range
}

/// Where each token ends in the audio that begins at sample `start`: with its last sound. A token without sounds, such as a
/// lone dash, ends with the one before it.
fn word_ends(analysis: &Utterance, piece: &Piece, start: usize) -> Vec<WordEnd> {
    let mut latest = 0;
    analysis
        .iter_relation("Token")
        .zip(&piece.ends)
        .map(|(token, &text)| {
            let last_sound = analysis
                .last_daughter(token)
                .and_then(|word| analysis.item_as(word, "SylStructure"))
                .and_then(|word| analysis.last_daughter(word))
                .and_then(|syllable| analysis.last_daughter(syllable));
            if let Some(sound) = last_sound {
                latest = latest.max(sample(analysis.feature_f32(sound, "end")).saturating_sub(start));
            }
            WordEnd { text, samples: latest as u32 }
        })
        .collect()
}

fn sample(seconds: f32) -> usize {
    (seconds.max(0.0) * SampleRate::EAR.hz() as f32) as usize
}
