//! The fake voice: a tone as long as the text.
//!
//! Deterministic, so that a test can say when which word ends. It must not know what is said.

use std::f32::consts::TAU;
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::input::WordEnd;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{Capabilities, Request, SpeechEvent, TextToSpeech, VoiceSample};

/// The pitch of a voice that speaks like nobody, in hertz.
const PITCH: u32 = 220;

/// A voice that hums for a fixed time per character.
#[derive(Debug, Clone)]
pub struct Humming {
    /// The rate of its audio.
    pub sample_rate: SampleRate,
    /// Audio per character of the text, in milliseconds.
    pub ms_per_character: u32,
    /// Whether it says where words end.
    pub word_times: bool,
    /// Whether it hums at another pitch for each recording that it is to speak like.
    pub clones: bool,
    /// How long it takes to begin, and for each further 100 ms of audio: zero gives everything at once.
    pub delay: Duration,
    /// Fails, instead of going on, when this many samples were given.
    pub fails_after: Option<usize>,
}

impl Default for Humming {
    /// 16 kHz, 60 ms per character (about 1,000 characters a minute, a calm speaker), with word times, at once.
    fn default() -> Self {
        Self {
            sample_rate: SampleRate::EAR,
            ms_per_character: 60,
            word_times: true,
            clones: false,
            delay: Duration::ZERO,
            fails_after: None,
        }
    }
}

impl Humming {
    fn samples(&self, characters: usize) -> usize {
        self.sample_rate
            .samples_in(Duration::from_millis(u64::from(self.ms_per_character) * characters as u64))
            as usize
    }

    /// Each word ends with its last character.
    fn words(&self, text: &str) -> Vec<WordEnd> {
        let mut words = Vec::new();
        let mut characters = text.char_indices().enumerate().peekable();
        while let Some((nth, (start, character))) = characters.next() {
            let word_goes_on = characters.peek().is_some_and(|(_, (_, next))| !next.is_whitespace());
            if !character.is_whitespace() && !word_goes_on {
                words.push(WordEnd {
                    text: (start + character.len_utf8()) as u32,
                    samples: self.samples(nth + 1) as u32,
                });
            }
        }
        words
    }
}

impl TextToSpeech for Humming {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sample_rate: self.sample_rate, word_times: self.word_times, clones: self.clones }
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let total = self.samples(request.text.chars().count());
        let given = self.fails_after.map_or(total, |limit| limit.min(total));
        let chunk = (self.sample_rate.hz() / 10) as usize;
        let pitch = request.sample.filter(|_| self.clones).map_or(PITCH, |sample| pitch_of(&sample));
        // Long enough for a piece from wherever in the wave it begins.
        let wave = wave(pitch, self.sample_rate);
        let period = wave.len();
        let wave: Vec<i16> = wave.iter().copied().cycle().take(period + chunk).collect();

        let words = self.word_times.then(|| SpeechEvent::Words(self.words(&request.text)));
        let audio = (0..given).step_by(chunk).map(move |from| {
            let to = (from + chunk).min(given);
            let begin = from % period;
            SpeechEvent::Audio(wave[begin..begin + to - from].to_vec())
        });
        let end = match self.fails_after {
            Some(limit) if limit < total => SpeechEvent::Failed("the scripted voice was told to fail".into()),
            Some(_) | None => SpeechEvent::Finished,
        };
        let delay = self.delay;
        stream::iter(words.into_iter().chain(audio).chain([end]))
            .then(move |event| async move {
                if !delay.is_zero() && matches!(event, SpeechEvent::Audio(_)) {
                    tokio::time::sleep(delay).await;
                }
                event
            })
            .boxed()
    }
}

/// A pitch that follows from every byte of the recording, from 300 Hz up.
fn pitch_of(sample: &VoiceSample) -> u32 {
    300 + sample.file.iter().fold(0_u32, |sum, byte| (sum * 31 + u32::from(*byte)) % 400)
}

/// As much of a tone as repeats itself: a voice that takes no time to think takes next to none to hum.
fn wave(pitch: u32, rate: SampleRate) -> Vec<i16> {
    let (mut divisor, mut rest) = (rate.hz(), pitch);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (cycles, samples) = (pitch / divisor, rate.hz() / divisor);
    let phase = |n: u32| TAU * (n * cycles % samples) as f32 / samples as f32;
    (0..samples).map(|n| (6_000.0 * phase(n).sin()) as i16).collect()
}
