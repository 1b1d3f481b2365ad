//! The user's voice as the call perceives it: when a detector notices it, and what a transcriber makes of it.
//!
//! Owns the sounds the user has made. There are no samples, only their times.

use std::time::Duration;

use antiphon_engine::message::AudioSpan;
use antiphon_engine::{AudioTime, CallTime, Input};

/// How much activity makes speech (protocol.md 5.2: one published frame).
const ONSET: Duration = Duration::from_millis(32);
/// How long after its end silence is noticed: one frame of the built-in detector.
const OFFSET: Duration = Duration::from_millis(16);

/// The sounds that the user has made.
#[derive(Debug, Default)]
pub(super) struct Sounds(Vec<Sound>);

#[derive(Debug)]
struct Sound {
    from: CallTime,
    to: CallTime,
    /// The words in it, as a transcriber hears them.
    words: String,
}

impl Sounds {
    /// Adds a sound, and says when a detector will tell what of it.
    pub(super) fn add(
        &mut self,
        from: CallTime,
        lasting: Duration,
        words: &str,
    ) -> Option<[(CallTime, Input); 2]> {
        let to = from + lasting;
        self.0.push(Sound { from, to, words: words.to_owned() });
        (lasting >= ONSET).then(|| {
            let (noticed, over) = (from + ONSET, to + OFFSET);
            [
                (noticed, Input::SpeechStarted { at: audio(from), received: audio(noticed) }),
                (over, Input::SpeechStopped { at: audio(to), received: audio(over) }),
            ]
        })
    }

    /// The words in a stretch of audio: those of which the middle lies in it.
    pub(super) fn transcript(&self, span: AudioSpan) -> String {
        let heard = |sound: &Sound| {
            let words: Vec<&str> = sound.words.split_whitespace().collect();
            let count = words.len().max(1) as f64;
            let length = sound.to.since(sound.from);
            let middle = move |index: usize| audio(sound.from + length.mul_f64((index as f64 + 0.5) / count));
            let within: Vec<&str> = words
                .into_iter()
                .enumerate()
                .filter(|(index, _)| (span.from..span.to).contains(&middle(*index)))
                .map(|(_, word)| word)
                .collect();
            within.join(" ")
        };
        let parts: Vec<String> = self.0.iter().map(heard).filter(|words| !words.is_empty()).collect();
        parts.join(" ")
    }
}

/// The position on the user's audio clock: the user joined at the call's beginning and sends audio all the time.
fn audio(at: CallTime) -> AudioTime {
    AudioTime::from_micros(at.as_micros())
}

#[cfg(test)]
mod tests {
    use antiphon_engine::ids::TurnId;

    use super::*;

    #[test]
    fn a_turn_holds_the_words_that_lie_in_it() {
        let mut sounds = Sounds::default();
        sounds.add(CallTime::from_millis(1_000), Duration::from_secs(1), "one two");
        sounds.add(CallTime::from_millis(3_000), Duration::from_secs(1), "");
        sounds.add(CallTime::from_millis(5_000), Duration::from_secs(1), "three four");
        let heard = |from, to| {
            let (from, to) = (AudioTime::from_millis(from), AudioTime::from_millis(to));
            sounds.transcript(AudioSpan { turn: TurnId(0), from, to })
        };
        assert_eq!(heard(700, 2_000), "one two");
        assert_eq!(heard(700, 1_500), "one");
        assert_eq!(heard(2_700, 4_000), "");
        assert_eq!(heard(700, 6_000), "one two three four");
    }

    #[test]
    fn a_click_is_no_speech() {
        let click = Sounds::default().add(CallTime::ZERO, Duration::from_millis(31), "");
        assert_eq!(click, None);
    }
}
