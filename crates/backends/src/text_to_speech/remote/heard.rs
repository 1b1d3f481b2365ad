//! What has come of one utterance: bytes become samples at the voice's own rate, words become places in the text.
//!
//! Audio is bare s16le or WAV, whole, streamed, or a header a piece; a WAV's own header says its rate. It must not know who sent it.

use std::collections::VecDeque;

use antiphon_audio::{Resampler, SampleRate};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::SpeechEvent;
use super::words::{Words, spread};
use crate::wav::Samples;

/// Base64 as it is found: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An utterance as it arrives.
#[derive(Debug)]
pub(crate) struct Heard {
    text: String,
    rate: SampleRate,
    samples: Samples,
    /// From the rate of what comes, once it is known not to be the voice's.
    resampler: Option<Resampler>,
    /// Samples that have not been handed on.
    ready: Vec<i16>,
    /// Samples that have come, at the voice's rate.
    count: u64,
    words: Words,
    /// How many word ends were handed on.
    told: usize,
    over: bool,
}

impl Heard {
    pub(crate) fn new(text: &str, rate: SampleRate) -> Self {
        Self {
            text: text.to_owned(),
            rate,
            samples: Samples::new(rate.hz()),
            resampler: None,
            ready: Vec::new(),
            count: 0,
            words: Words::new(text, rate.hz()),
            told: 0,
            over: false,
        }
    }

    /// Takes bytes of audio that follow upon those before.
    pub(crate) fn audio(&mut self, bytes: &[u8]) -> Result<(), String> {
        let samples = self.samples.push(bytes).map_err(|error| format!("gave no usable audio: {error}"))?;
        self.enter(&samples)
    }

    /// Takes a piece of audio, which may have a header of its own.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> Result<(), String> {
        if bytes.starts_with(b"RIFF") {
            self.samples = Samples::new(self.rate.hz());
        }
        self.audio(bytes)
    }

    /// The same, written in base64.
    pub(crate) fn base64(&mut self, text: &str) -> Result<(), String> {
        let bytes =
            BASE64.decode(text.trim()).map_err(|error| format!("gave audio that is no base64: {error}"))?;
        self.piece(&bytes)
    }

    /// The same, in hexadecimal digits.
    pub(crate) fn hex(&mut self, text: &str) -> Result<(), String> {
        let digits = text.trim().as_bytes();
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        let pairs = digits.chunks(2).map(|pair| match pair {
            &[high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        self.piece(&bytes.ok_or("gave audio that is not written in hexadecimal digits")?)
    }

    /// Takes words with the seconds at which they begin and end.
    pub(crate) fn words<'w>(&mut self, words: impl IntoIterator<Item = (&'w str, f64, f64)>) {
        let before = self.seconds();
        self.words.add(words, before);
    }

    /// Takes characters of the text with the seconds at which they begin and end.
    pub(crate) fn characters<'c>(&mut self, characters: impl IntoIterator<Item = (&'c str, f64, f64)>) {
        let before = self.seconds();
        self.words.add_characters(characters, before);
    }

    /// The voice says that this was all.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Where words end at so many of them a minute, of five characters and a blank.
    pub(crate) fn guess_words(&self, words_per_minute: u32) -> SpeechEvent {
        let characters = self.text.chars().count() as u64;
        let samples = characters * 60 * u64::from(self.rate.hz()) / (6 * u64::from(words_per_minute.max(1)));
        SpeechEvent::Words(spread(&self.text, 0, 0, samples))
    }

    /// Hands on what is new. Returns whether there was audio.
    pub(crate) fn take(&mut self, events: &mut VecDeque<SpeechEvent>) -> bool {
        // Words first: they are shown as the audio behind them is played.
        let known = self.words.ends().len();
        if known > self.told {
            self.told = known;
            events.push_back(SpeechEvent::Words(self.words.ends().to_vec()));
        }
        if self.ready.is_empty() {
            return false;
        }
        events.push_back(SpeechEvent::Audio(std::mem::take(&mut self.ready)));
        true
    }

    /// Hands on the rest. Fails if there was no audio at all.
    pub(crate) fn finish(
        &mut self,
        events: &mut VecDeque<SpeechEvent>,
        spread_words: bool,
    ) -> Result<(), String> {
        if let Some(resampler) = &mut self.resampler {
            let known = self.ready.len();
            resampler.flush(&mut self.ready);
            self.count += (self.ready.len() - known) as u64;
        }
        self.take(events);
        if self.count == 0 {
            return Err("gave no audio".to_owned());
        }
        if spread_words {
            events.push_back(SpeechEvent::Words(spread(&self.text, 0, 0, self.count)));
        }
        Ok(())
    }

    fn enter(&mut self, samples: &[i16]) -> Result<(), String> {
        if samples.is_empty() {
            return Ok(());
        }
        let known = self.ready.len();
        let found = self.samples.rate();
        if found == self.rate.hz() && self.resampler.is_none() {
            self.ready.extend_from_slice(samples);
        } else {
            if self.resampler.as_ref().is_none_or(|resampler| resampler.from().hz() != found) {
                let from =
                    SampleRate::new(found).map_err(|error| format!("gave no usable audio: {error}"))?;
                self.resampler = Some(Resampler::new(from, self.rate));
            }
            if let Some(resampler) = &mut self.resampler {
                resampler.process(samples, &mut self.ready);
            }
        }
        self.count += (self.ready.len() - known) as u64;
        Ok(())
    }

    fn seconds(&self) -> f64 {
        self.count as f64 / f64::from(self.rate.hz())
    }
}
