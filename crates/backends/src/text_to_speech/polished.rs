//! Sentences that begin and end well: without the silence that voices make around them, and without a step where they meet.
//!
//! Owns what is kept back of one utterance. Silence within it stays as it is. It must not know whose voice it is.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::input::WordEnd;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{Capabilities, Request, SpeechEvent, TextToSpeech};

/// Louder than this is sound: -44 dB. Below it are the noise of microphones and of networks that learned from them.
const SOUND: u16 = 200;
/// Kept before the first sound, which may begin softly.
const LEAD: Duration = Duration::from_millis(30);
/// Kept behind the last one: the pause between two sentences of a calm speaker.
const TAIL: Duration = Duration::from_millis(200);
/// The most that is taken away at either end; a voice that is silent for longer means it.
const MOST: Duration = Duration::from_secs(1);
/// The audio fades in and out over this.
const FADE: Duration = Duration::from_millis(5);

/// A voice whose sentences begin and end well.
pub struct Polished(Arc<dyn TextToSpeech>);

impl Polished {
    /// Polishes what this voice says.
    #[must_use]
    pub fn new(voice: Arc<dyn TextToSpeech>) -> Self {
        Self(voice)
    }
}

impl TextToSpeech for Polished {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        let polish = Polish::new(self.capabilities().sample_rate);
        let speech = (self.0.speak(request), polish, VecDeque::new(), false);
        stream::unfold(speech, async |(mut events, mut polish, mut ready, mut over)| {
            while ready.is_empty() && !over {
                match events.next().await {
                    Some(event) => {
                        over = matches!(event, SpeechEvent::Finished | SpeechEvent::Failed(_));
                        polish.take(event, &mut ready);
                    }
                    None => over = true,
                }
            }
            ready.pop_front().map(|event| (event, (events, polish, ready, over)))
        })
        .boxed()
    }
}

/// One utterance.
struct Polish {
    lead: usize,
    tail: usize,
    most: usize,
    fade: usize,
    part: Part,
    /// Samples that wait for what follows them.
    kept: VecDeque<i16>,
    /// Silent samples at the end of `kept`.
    silent: usize,
    /// Samples that were dropped at the beginning, and that were given.
    dropped: usize,
    given: usize,
    /// The latest word ends, as the voice counts.
    words: Vec<WordEnd>,
}

/// Where an utterance is.
enum Part {
    /// Nothing was heard yet.
    Before,
    /// It speaks.
    Within,
}

impl Polish {
    fn new(rate: SampleRate) -> Self {
        let samples = |duration| usize::try_from(rate.samples_in(duration)).unwrap_or(0);
        Self {
            lead: samples(LEAD),
            tail: samples(TAIL),
            most: samples(MOST),
            fade: samples(FADE),
            part: Part::Before,
            kept: VecDeque::new(),
            silent: 0,
            dropped: 0,
            given: 0,
            words: Vec::new(),
        }
    }

    fn take(&mut self, event: SpeechEvent, ready: &mut VecDeque<SpeechEvent>) {
        match event {
            SpeechEvent::Audio(samples) => {
                self.hear(&samples, ready);
            }
            SpeechEvent::Words(words) => {
                self.words = words;
                // Before the first sound nobody knows what will be dropped.
                if matches!(self.part, Part::Within) {
                    ready.push_back(SpeechEvent::Words(self.told_words()));
                }
            }
            SpeechEvent::FellBack(_) => ready.push_back(event),
            SpeechEvent::Finished => {
                let spare = self.silent.saturating_sub(self.tail).min(self.most);
                self.kept.truncate(self.kept.len() - spare);
                self.end(ready);
                ready.push_back(event);
            }
            SpeechEvent::Failed(_) => {
                self.end(ready);
                ready.push_back(event);
            }
        }
    }

    fn hear(&mut self, samples: &[i16], ready: &mut VecDeque<SpeechEvent>) {
        self.kept.extend(samples);
        let last = samples.iter().rposition(|sample| sample.unsigned_abs() > SOUND);
        self.silent = match last {
            Some(last) => samples.len() - 1 - last,
            None => self.silent + samples.len(),
        };
        if matches!(self.part, Part::Before) {
            let first = self.kept.iter().position(|sample| sample.unsigned_abs() > SOUND);
            let spare = first.unwrap_or(self.kept.len()).saturating_sub(self.lead);
            let spare = spare.min(self.most - self.dropped);
            self.kept.drain(..spare);
            self.dropped += spare;
            if first.is_none() && self.dropped < self.most {
                return;
            }
            self.part = Part::Within;
            if !self.words.is_empty() {
                ready.push_back(SpeechEvent::Words(self.told_words()));
            }
        }
        // What may still be cut away, or fade.
        let spare = self.silent.saturating_sub(self.tail).min(self.most);
        self.give(self.kept.len().saturating_sub(spare.max(self.fade)), ready);
    }

    /// Gives what is kept, fading out.
    fn end(&mut self, ready: &mut VecDeque<SpeechEvent>) {
        let length = self.fade.min(self.kept.len());
        for (nth, sample) in self.kept.iter_mut().rev().take(length).enumerate() {
            *sample = faded(*sample, nth, length);
        }
        let begins = matches!(self.part, Part::Before) && !self.words.is_empty();
        self.give(self.kept.len(), ready);
        // Words that were said to end in what was cut away end with the audio.
        let beyond = self.told_words().last().is_some_and(|word| word.samples as usize > self.given);
        if begins || beyond {
            let mut words = self.told_words();
            let end = u32::try_from(self.given).unwrap_or(u32::MAX);
            words.iter_mut().for_each(|word| word.samples = word.samples.min(end));
            ready.push_back(SpeechEvent::Words(words));
        }
    }

    fn give(&mut self, count: usize, ready: &mut VecDeque<SpeechEvent>) {
        if count == 0 {
            return;
        }
        let mut samples: Vec<i16> = self.kept.drain(..count).collect();
        let fading: Range<usize> = self.given.min(self.fade)..(self.given + count).min(self.fade);
        for (sample, nth) in samples.iter_mut().zip(fading) {
            *sample = faded(*sample, nth, self.fade);
        }
        self.given += count;
        ready.push_back(SpeechEvent::Audio(samples));
    }

    fn told_words(&self) -> Vec<WordEnd> {
        let dropped = u32::try_from(self.dropped).unwrap_or(u32::MAX);
        let told =
            self.words.iter().map(|word| WordEnd { samples: word.samples.saturating_sub(dropped), ..*word });
        told.collect()
    }
}

/// A sample that is the `nth` of a fade that begins at nothing.
fn faded(sample: i16, nth: usize, length: usize) -> i16 {
    (i64::from(sample) * nth as i64 / length.max(1) as i64) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = 16;

    fn polished(parts: &[Vec<i16>], end: SpeechEvent) -> Vec<SpeechEvent> {
        let mut polish = Polish::new(SampleRate::EAR);
        let mut ready = VecDeque::new();
        for part in parts {
            polish.take(SpeechEvent::Audio(part.clone()), &mut ready);
        }
        polish.take(end, &mut ready);
        ready.into()
    }

    fn audio(events: &[SpeechEvent]) -> Vec<i16> {
        let parts = events.iter().filter_map(|event| match event {
            SpeechEvent::Audio(samples) => Some(samples.clone()),
            SpeechEvent::Words(_)
            | SpeechEvent::FellBack(_)
            | SpeechEvent::Finished
            | SpeechEvent::Failed(_) => None,
        });
        parts.flatten().collect()
    }

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * RATE]
    }

    fn tone(ms: usize) -> Vec<i16> {
        (0..ms * RATE).map(|n| if n / 20 % 2 == 0 { 9_000 } else { -9_000 }).collect()
    }

    #[test]
    fn silence_around_a_sentence_goes_and_within_it_stays() {
        let said = [silence(300), tone(400), silence(600), tone(300), silence(700)].concat();
        for size in [1, 7, 160, 4_000, said.len()] {
            let parts: Vec<Vec<i16>> = said.chunks(size).map(<[i16]>::to_vec).collect();
            let heard = audio(&polished(&parts, SpeechEvent::Finished));
            assert_eq!(heard.len(), (30 + 400 + 600 + 300 + 200) * RATE, "in parts of {size}");
            let first = heard.iter().position(|sample| sample.unsigned_abs() > SOUND).unwrap();
            assert!(first <= 31 * RATE, "sound begins after {first} samples");
        }
    }

    #[test]
    fn what_is_cut_away_has_a_bound() {
        let said = [silence(3_000), tone(100), silence(3_000)];
        let heard = audio(&polished(&said, SpeechEvent::Finished));
        assert_eq!(heard.len(), (2_000 + 100 + 2_000) * RATE);
    }

    #[test]
    fn sentences_meet_without_a_step() {
        // The worst that there is: full waves from the first sample to the last, and a voice that breaks off.
        let loud = vec![tone(100)];
        for end in [SpeechEvent::Finished, SpeechEvent::Failed("it broke".into())] {
            let one = audio(&polished(&loud, end));
            let other = audio(&polished(&loud, SpeechEvent::Finished));
            let step = (i32::from(one[one.len() - 1]) - i32::from(other[0])).abs();
            assert_eq!(step, 0, "a step of {step} where they meet");
            // Towards the end each wave is lower than the one before.
            let last: Vec<u16> = one[one.len() - 40..].iter().map(|sample| sample.unsigned_abs()).collect();
            assert!(last.windows(2).all(|pair| pair[0] >= pair[1]), "{last:?}");
        }
    }

    #[test]
    fn words_move_with_what_was_cut_away() {
        let mut polish = Polish::new(SampleRate::EAR);
        let mut ready = VecDeque::new();
        let at = |ms: u32| WordEnd { text: 1, samples: ms * 16 };
        polish.take(SpeechEvent::Words(vec![at(250)]), &mut ready);
        assert!(ready.is_empty(), "nobody knows yet what will be cut away");
        polish.take(SpeechEvent::Audio([silence(130), tone(120)].concat()), &mut ready);
        assert_eq!(ready.pop_front(), Some(SpeechEvent::Words(vec![at(150)])));
        polish.take(SpeechEvent::Words(vec![at(250), at(2_000)]), &mut ready);
        polish.take(SpeechEvent::Finished, &mut ready);
        let told: Vec<_> = ready.iter().filter(|event| matches!(event, SpeechEvent::Words(_))).collect();
        assert_eq!(*told[1], SpeechEvent::Words(vec![at(150), at(150)]), "no word ends behind the audio");
    }

    #[test]
    fn a_voice_that_is_all_silence_is_still_heard_to_end() {
        let events = polished(&[silence(100)], SpeechEvent::Finished);
        assert_eq!(audio(&events).len(), 30 * RATE);
        assert_eq!(events.last(), Some(&SpeechEvent::Finished));
    }
}
