//! The audio that was made for the client and not yet sent: bytes in the call's output format, by utterance.
//!
//! The engine counts samples and says what to send when; the bytes themselves lie here. Sending a frame copies nothing unless
//! the frame spans two pieces of audio.

use std::collections::VecDeque;

use antiphon_engine::ids::UtteranceId;
use bytes::{Bytes, BytesMut};

/// Bytes per sample.
const SAMPLE: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Mouth {
    utterances: VecDeque<(UtteranceId, VecDeque<Bytes>)>,
}

impl Mouth {
    /// Keeps audio of an utterance.
    pub(super) fn add(&mut self, utterance: UtteranceId, audio: Bytes) {
        match self.utterances.iter_mut().find(|(id, _)| *id == utterance) {
            Some((_, pieces)) => pieces.push_back(audio),
            None => self.utterances.push_back((utterance, VecDeque::from([audio]))),
        }
    }

    /// Takes the next `samples` of an utterance, in pieces of at most `frame` samples.
    pub(super) fn take(
        &mut self,
        utterance: UtteranceId,
        samples: u32,
        frame: usize,
        mut each: impl FnMut(Bytes),
    ) {
        let Some(index) = self.utterances.iter().position(|(id, _)| *id == utterance) else { return };
        let pieces = &mut self.utterances[index].1;
        let mut left = samples as usize * SAMPLE;
        while left > 0 {
            let Some(bytes) = take_bytes(pieces, left.min(frame * SAMPLE)) else { break };
            left -= bytes.len();
            each(bytes);
        }
        if pieces.is_empty() {
            self.utterances.remove(index);
        }
    }

    /// Drops what is left of an utterance.
    pub(super) fn forget(&mut self, utterance: UtteranceId) {
        self.utterances.retain(|(id, _)| *id != utterance);
    }
}

fn take_bytes(pieces: &mut VecDeque<Bytes>, count: usize) -> Option<Bytes> {
    let first = pieces.front_mut()?;
    if first.len() > count {
        return Some(first.split_to(count));
    }
    let first = pieces.pop_front()?;
    if first.len() == count || pieces.is_empty() {
        return Some(first);
    }
    let mut joined = BytesMut::with_capacity(count);
    joined.extend_from_slice(&first);
    while joined.len() < count {
        let Some(next) = pieces.front_mut() else { break };
        let part = next.split_to(next.len().min(count - joined.len()));
        joined.extend_from_slice(&part);
        if next.is_empty() {
            pieces.pop_front();
        }
    }
    Some(joined.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(range: std::ops::Range<u8>) -> Bytes {
        Bytes::from_iter(range)
    }

    fn taken(mouth: &mut Mouth, id: u32, samples: u32, frame: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        mouth.take(UtteranceId(id), samples, frame, |bytes| frames.push(bytes.to_vec()));
        frames
    }

    #[test]
    fn frames_come_out_whole_across_pieces() {
        let mut mouth = Mouth::default();
        mouth.add(UtteranceId(0), bytes(0..6));
        mouth.add(UtteranceId(0), bytes(6..16));
        mouth.add(UtteranceId(1), bytes(90..94));
        assert_eq!(taken(&mut mouth, 0, 4, 2), [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
        assert_eq!(taken(&mut mouth, 0, 4, 3), [vec![8, 9, 10, 11, 12, 13], vec![14, 15]]);
        assert_eq!(taken(&mut mouth, 1, 2, 2), [vec![90, 91, 92, 93]]);
        assert!(mouth.utterances.is_empty());
    }

    #[test]
    fn a_forgotten_utterance_gives_nothing() {
        let mut mouth = Mouth::default();
        mouth.add(UtteranceId(0), bytes(0..8));
        mouth.forget(UtteranceId(0));
        assert!(taken(&mut mouth, 0, 4, 2).is_empty());
    }
}
