//! The audio of the user's last turns, for a model that hears.
//!
//! Bounded: what an adapter would not send any more is let go. Does not know what is in it.

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_backends::language_model::Clips;
use antiphon_engine::message::AudioSpan;

/// Turns whose audio is kept for the model; more than any adapter sends.
const MOST: usize = 8;

#[derive(Debug, Default)]
pub(super) struct TurnClips {
    clips: VecDeque<(AudioSpan, Arc<[i16]>)>,
}

impl TurnClips {
    /// Keeps a turn's audio. A turn that was taken up again begins where it began before, and takes the place of what it was.
    pub(super) fn keep(&mut self, span: AudioSpan, samples: Arc<[i16]>) {
        if self.clips.back().is_some_and(|(last, _)| last.from == span.from) {
            self.clips.pop_back();
        } else if self.clips.len() == MOST {
            self.clips.pop_front();
        }
        self.clips.push_back((span, samples));
    }

    /// All of them, by turn.
    pub(super) fn for_model(&self) -> Clips {
        let mut clips = Clips::default();
        for (span, samples) in &self.clips {
            clips.insert(span.turn, Arc::clone(samples));
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
        clips.keep(span(0, 0), Arc::from([]));
        for turn in 1..20 {
            clips.keep(span(turn, 1_000), Arc::from([]));
        }
        assert_eq!(kept(&clips), [0, 19]);
    }

    #[test]
    fn the_oldest_turns_are_let_go() {
        let mut clips = TurnClips::default();
        for turn in 0..10 {
            clips.keep(span(turn, u64::from(turn) * 1_000), Arc::from([]));
        }
        assert_eq!(kept(&clips), [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
