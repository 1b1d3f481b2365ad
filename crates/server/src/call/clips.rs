//! The audio of the user's last turns, for a model that hears.
//!
//! Bounded: what an adapter would not send any more is let go. Does not know what is in it.

use std::collections::VecDeque;

use antiphon_audio::Clip;
use antiphon_backends::language_model::Clips;
use antiphon_engine::message::AudioSpan;

/// Audio that is kept of a call, whatever its model would take: ten minutes.
const MOST_SAMPLES: usize = 10 * 60 * 16_000;

#[derive(Debug, Default)]
pub(super) struct TurnClips {
    clips: VecDeque<(AudioSpan, Clip)>,
}

impl TurnClips {
    /// Keeps a turn's audio, of so many turns at most. A turn that was taken up again begins where it began before, and takes the
    /// place of what it was.
    pub(super) fn keep(&mut self, most: usize, span: AudioSpan, clip: Clip) {
        if self.clips.back().is_some_and(|(last, _)| last.from == span.from) {
            self.clips.pop_back();
        }
        self.clips.push_back((span, clip));
        while self.clips.len() > most.max(1) || (self.clips.len() > 1 && self.samples() > MOST_SAMPLES) {
            self.clips.pop_front();
        }
    }

    fn samples(&self) -> usize {
        self.clips.iter().map(|(_, clip)| clip.len()).sum()
    }

    /// All of them, by turn.
    pub(super) fn for_model(&self) -> Clips {
        let mut clips = Clips::default();
        for (span, clip) in &self.clips {
            clips.insert(span.turn, clip.clone());
        }
        clips
    }
}

#[cfg(test)]
mod tests {
    use antiphon_engine::AudioTime;
    use antiphon_engine::ids::TurnId;

    use super::*;

    fn span(turn: u32, from_ms: u64) -> AudioSpan {
        let from = AudioTime::from_millis(from_ms);
        AudioSpan { turn: TurnId(turn), from, to: AudioTime::from_millis(from_ms + 500) }
    }

    fn kept(clips: &TurnClips) -> Vec<u32> {
        clips.clips.iter().map(|(span, _)| span.turn.0).collect()
    }

    #[test]
    fn a_turn_of_many_pauses_pushes_no_other_out() {
        let mut clips = TurnClips::default();
        clips.keep(8, span(0, 0), Clip::default());
        for turn in 1..20 {
            clips.keep(8, span(turn, 1_000), Clip::default());
        }
        assert_eq!(kept(&clips), [0, 19]);
    }

    #[test]
    fn the_oldest_turns_are_let_go() {
        let mut clips = TurnClips::default();
        for turn in 0..10 {
            clips.keep(8, span(turn, u64::from(turn) * 1_000), Clip::default());
        }
        assert_eq!(kept(&clips), [2, 3, 4, 5, 6, 7, 8, 9]);
        clips.keep(1, span(10, 10_000), Clip::default());
        assert_eq!(kept(&clips), [10]);
    }

    #[test]
    fn long_turns_push_more_than_one_out() {
        let mut clips = TurnClips::default();
        for turn in 0..4 {
            clips.keep(64, span(turn, u64::from(turn) * 1_000), vec![0; MOST_SAMPLES / 3].into());
        }
        assert_eq!(kept(&clips), [1, 2, 3]);
        clips.keep(64, span(4, 4_000), vec![0; 2 * MOST_SAMPLES].into());
        assert_eq!(kept(&clips), [4]);
    }
}
