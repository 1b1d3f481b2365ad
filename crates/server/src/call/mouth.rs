//! The audio that was made for the client and not yet sent: bytes in the call's output format, by utterance.
//!
//! The engine counts samples and says what to send when; the bytes themselves lie here. Sending a frame copies nothing unless
//! the frame spans two pieces of audio, and allocates nothing even then, once the one before it that did has been sent.

use std::collections::VecDeque;

use antiphon_engine::ids::UtteranceId;
use bytes::{Bytes, BytesMut};

/// Bytes per sample.
const SAMPLE: usize = 2;

#[derive(Debug, Default)]
pub(super) struct Mouth {
    utterances: VecDeque<Utterance>,
    /// Where frames are put together that span pieces.
    joint: BytesMut,
}

#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    pieces: VecDeque<Bytes>,
    /// No more audio comes: the utterance is forgotten with its last sample.
    complete: bool,
}

impl Mouth {
    /// Makes room for an utterance's audio. Audio of utterances that nobody opened, or that were forgotten, is dropped: it
    /// was under way when its work was cancelled.
    pub(super) fn open(&mut self, id: UtteranceId) {
        self.utterances.push_back(Utterance { id, pieces: VecDeque::new(), complete: false });
    }

    /// Keeps audio of an utterance. Returns whether somebody still wants it.
    pub(super) fn add(&mut self, id: UtteranceId, audio: Bytes) -> bool {
        let utterance = self.utterances.iter_mut().find(|utterance| utterance.id == id);
        utterance.is_some_and(|utterance| {
            utterance.pieces.push_back(audio);
            true
        })
    }

    /// Notes that no more audio of an utterance comes.
    pub(super) fn complete(&mut self, id: UtteranceId) {
        if let Some(utterance) = self.utterances.iter_mut().find(|utterance| utterance.id == id) {
            utterance.complete = true;
        }
        self.utterances.retain(|utterance| !utterance.complete || !utterance.pieces.is_empty());
    }

    /// Takes the next `samples` of an utterance, in pieces of at most `frame` samples.
    pub(super) fn take(&mut self, id: UtteranceId, samples: u32, frame: usize, mut each: impl FnMut(Bytes)) {
        let Some(index) = self.utterances.iter().position(|utterance| utterance.id == id) else { return };
        let utterance = &mut self.utterances[index];
        let mut left = samples as usize * SAMPLE;
        while left > 0 {
            let Some(bytes) = take_bytes(&mut utterance.pieces, left.min(frame * SAMPLE), &mut self.joint)
            else {
                break;
            };
            left -= bytes.len();
            each(bytes);
        }
        if utterance.complete && utterance.pieces.is_empty() {
            self.utterances.remove(index);
        }
    }

    /// Drops what is left of an utterance.
    pub(super) fn forget(&mut self, id: UtteranceId) {
        self.utterances.retain(|utterance| utterance.id != id);
    }
}

fn take_bytes(pieces: &mut VecDeque<Bytes>, count: usize, joint: &mut BytesMut) -> Option<Bytes> {
    let first = pieces.front_mut()?;
    if first.len() > count {
        return Some(first.split_to(count));
    }
    let first = pieces.pop_front()?;
    if first.len() == count || pieces.is_empty() {
        return Some(first);
    }
    joint.reserve(count);
    joint.extend_from_slice(&first);
    while joint.len() < count {
        let Some(next) = pieces.front_mut() else { break };
        let part = next.split_to(next.len().min(count - joint.len()));
        joint.extend_from_slice(&part);
        if next.is_empty() {
            pieces.pop_front();
        }
    }
    Some(joint.split().freeze())
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
        mouth.open(UtteranceId(0));
        mouth.open(UtteranceId(1));
        mouth.add(UtteranceId(0), bytes(0..6));
        mouth.add(UtteranceId(0), bytes(6..16));
        mouth.add(UtteranceId(1), bytes(90..94));
        mouth.complete(UtteranceId(0));
        mouth.complete(UtteranceId(1));
        assert_eq!(taken(&mut mouth, 0, 4, 2), [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
        assert_eq!(taken(&mut mouth, 0, 4, 3), [vec![8, 9, 10, 11, 12, 13], vec![14, 15]]);
        assert_eq!(taken(&mut mouth, 1, 2, 2), [vec![90, 91, 92, 93]]);
        assert!(mouth.utterances.is_empty());
    }

    #[test]
    fn an_utterance_that_ran_dry_takes_more_until_it_is_complete() {
        let mut mouth = Mouth::default();
        mouth.open(UtteranceId(0));
        assert!(mouth.add(UtteranceId(0), bytes(0..2)));
        assert_eq!(taken(&mut mouth, 0, 1, 2), [vec![0, 1]]);
        assert!(mouth.add(UtteranceId(0), bytes(2..4)));
        mouth.complete(UtteranceId(0));
        assert_eq!(taken(&mut mouth, 0, 1, 2), [vec![2, 3]]);
        assert!(!mouth.add(UtteranceId(0), bytes(4..6)));
    }

    #[test]
    fn a_forgotten_utterance_takes_and_gives_nothing() {
        let mut mouth = Mouth::default();
        mouth.open(UtteranceId(0));
        mouth.add(UtteranceId(0), bytes(0..8));
        mouth.forget(UtteranceId(0));
        assert!(!mouth.add(UtteranceId(0), bytes(8..16)));
        assert!(taken(&mut mouth, 0, 4, 2).is_empty());
    }
}
