//! Which of the user's turns a model that hears audio hears again (inference.md 5.5, rule 4).
//!
//! The others are given as transcripts; one without a transcript as audio all the same, while that is at hand.

use antiphon_engine::message::{Message, MessageBody};

/// Turns whose audio is ever asked for: as many as a call keeps for this policy.
const MOST: usize = 64;

/// The policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioHistory {
    /// The last so many spoken turns at least, and up to one less than twice as many: what is given as audio and what as text
    /// changes only every so many turns, so that the beginning of the prompt, which backends have read already, stays as it was.
    /// With 1, only the last turn.
    Last(usize),
    /// All turns whose audio is at hand.
    All,
}

impl AudioHistory {
    /// How many spoken turns it may want as audio.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::Last(0 | 1) => 1,
            Self::Last(count) if count < MOST / 2 => 2 * count - 1,
            Self::Last(_) | Self::All => MOST,
        }
    }

    /// Which of so many spoken turns is the first that is heard again.
    fn first(self, spoken: usize) -> usize {
        match self {
            Self::All => spoken.saturating_sub(MOST),
            Self::Last(count) => {
                let count = count.clamp(1, MOST / 2);
                spoken.saturating_sub(count) / count * count
            }
        }
    }
}

/// Says whether the model shall hear the spoken message at an index, given its transcript.
pub(super) fn audible(
    history: Option<AudioHistory>,
    messages: &[Message],
) -> impl Fn(usize, &str) -> bool + use<> {
    let spoken: Vec<usize> = messages
        .iter()
        .enumerate()
        .filter(|(_, message)| matches!(&message.body, MessageBody::User { audio: Some(_), .. }))
        .map(|(index, _)| index)
        .collect();
    let first = history.map(|history| spoken.get(history.first(spoken.len())).copied().unwrap_or(0));
    move |index, transcript| first.is_some_and(|first| index >= first || transcript.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_again_moves_in_strides() {
        let heard = |history: AudioHistory| -> Vec<usize> {
            (1..=12).map(|spoken| spoken - history.first(spoken)).collect()
        };
        assert_eq!(heard(AudioHistory::Last(4)), [1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 4]);
        assert_eq!(heard(AudioHistory::Last(2)), [1, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2]);
        assert_eq!(heard(AudioHistory::Last(1)), [1; 12]);
        assert_eq!(heard(AudioHistory::All), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        for history in
            [AudioHistory::Last(1), AudioHistory::Last(4), AudioHistory::Last(500), AudioHistory::All]
        {
            assert!((1..=500).all(|spoken| spoken - history.first(spoken) <= history.most()), "{history:?}");
        }
    }
}
