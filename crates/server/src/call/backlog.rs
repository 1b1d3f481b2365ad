//! What a client was sent last, kept for one that loses its connection and comes back: data messages by their number, and the audio
//! that it may not have played.
//!
//! A connection keeps the order of what is sent on it, so that two numbers say how far a client has come: how many messages it has
//! received, and how many samples since it was last told to clear its buffer. Bounded in bytes and in samples: what is older is gone,
//! and is said to be. Knows no connection.

use std::collections::VecDeque;

use bytes::Bytes;

/// Messages that are kept at most, however short.
const MESSAGES: usize = 512;
/// Bytes of a sample.
const SAMPLE: usize = 2;

/// How far a client has come, as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// Data messages of this call, counted over all its connections.
    pub messages: u64,
    /// Samples since the last `playback_clear_buffer`, or since the call began; unknown, if it does not say.
    pub samples: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Backlog {
    messages: VecDeque<String>,
    /// Bytes of these.
    bytes: usize,
    most_bytes: usize,
    /// Messages that were sent in all: the number of the latest one.
    sent: u64,
    audio: VecDeque<Bytes>,
    /// Samples in these.
    kept: u64,
    most_samples: u64,
    /// Samples that were sent since the client was told to clear its buffer.
    samples: u64,
    /// The number of the message by which it was told so.
    cleared: u64,
}

/// What a client has missed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missed<'b> {
    /// The number of the first message that is still there.
    pub(super) next: u64,
    /// Messages before it that are not.
    pub(super) lost_messages: u64,
    pub(super) messages: Vec<&'b str>,
    pub(super) audio: Vec<Bytes>,
    /// Samples that it has not received and that count as played, or are not kept any more.
    pub(super) lost_samples: u64,
}

impl Backlog {
    /// Keeps messages of so many bytes and so many samples at most.
    pub(super) fn new(most_bytes: usize, most_samples: u64) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            most_bytes,
            sent: 0,
            audio: VecDeque::new(),
            kept: 0,
            most_samples,
            samples: 0,
            cleared: 0,
        }
    }

    /// A message is sent.
    pub(super) fn message(&mut self, text: String) {
        self.sent += 1;
        self.bytes += text.len();
        self.messages.push_back(text);
        while self.messages.len() > MESSAGES || self.bytes > self.most_bytes {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// Audio is sent.
    pub(super) fn audio(&mut self, audio: &Bytes) {
        let samples = (audio.len() / SAMPLE) as u64;
        self.samples += samples;
        self.kept += samples;
        self.audio.push_back(audio.clone());
        while self.kept > self.most_samples {
            let Some(oldest) = self.audio.pop_front() else { break };
            self.kept -= (oldest.len() / SAMPLE) as u64;
        }
    }

    /// The client is told to drop what it has not played: by the next message.
    pub(super) fn clear(&mut self) {
        self.audio.clear();
        self.kept = 0;
        self.samples = 0;
        self.cleared = self.sent + 1;
    }

    /// What a client has missed that has come so far, of which `unplayed` samples count as not played yet. None if it says that it
    /// has more than it was sent.
    pub(super) fn missed_by(&self, received: Received, unplayed: u64) -> Option<Missed<'_>> {
        let oldest = self.sent - self.messages.len() as u64 + 1;
        if received.messages > self.sent {
            return None;
        }
        let next = oldest.max(received.messages + 1);
        let messages = self.messages.iter().skip((next - oldest) as usize).map(String::as_str);
        let knows_of_clear = received.messages >= self.cleared;
        let missing = match received.samples {
            Some(samples) if knows_of_clear => self.samples.saturating_sub(samples),
            Some(_) => self.samples,
            None => unplayed.min(self.samples),
        };
        // What counts as played is not played again: the call has gone on from there.
        let again = missing.min(unplayed).min(self.kept);
        Some(Missed {
            next,
            lost_messages: next - 1 - received.messages,
            messages: messages.collect(),
            audio: self.last(again),
            lost_samples: missing - again,
        })
    }

    /// The last so many samples, in the pieces in which they were sent.
    fn last(&self, samples: u64) -> Vec<Bytes> {
        let mut skipped = (self.kept - samples) as usize * SAMPLE;
        let mut pieces = Vec::new();
        for piece in &self.audio {
            let skip = skipped.min(piece.len());
            skipped -= skip;
            if skip < piece.len() {
                pieces.push(piece.slice(skip..));
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(messages: u64, samples: impl Into<Option<u64>>) -> Received {
        Received { messages, samples: samples.into() }
    }

    fn bytes(samples: std::ops::Range<u8>) -> Bytes {
        samples.flat_map(|sample| [sample, 0]).collect()
    }

    fn samples(pieces: &[Bytes]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.chunks(2).map(|sample| sample[0])).collect()
    }

    #[test]
    fn whoever_comes_back_gets_the_messages_that_it_has_not_and_is_told_of_those_that_are_gone() {
        let mut backlog = Backlog::new(6, 0);
        for text in ["one", "two", "three"] {
            backlog.message(text.to_owned());
        }
        let missed = |messages| backlog.missed_by(received(messages, 0), 0);
        let of =
            |messages| missed(messages).map(|missed| (missed.next, missed.lost_messages, missed.messages));
        assert_eq!(of(3), Some((4, 0, vec![])));
        assert_eq!(of(2), Some((3, 0, vec!["three"])));
        assert_eq!(of(1), Some((3, 1, vec!["three"])), "there was room for one of them");
        assert_eq!(of(0), Some((3, 2, vec!["three"])));
        assert_eq!(of(4), None, "nobody has what was not sent");
    }

    #[test]
    fn a_message_that_is_larger_than_the_room_is_gone_at_once() {
        let mut backlog = Backlog::new(4, 0);
        backlog.message("a longer one".to_owned());
        let missed = backlog.missed_by(received(0, 0), 0).unwrap();
        assert_eq!((missed.next, missed.lost_messages, missed.messages), (2, 1, vec![]));
        assert_eq!(backlog.bytes, 0);
    }

    #[test]
    fn audio_goes_on_behind_what_was_received_and_not_before_what_counts_as_played() {
        let mut backlog = Backlog::new(100, 8);
        backlog.audio(&bytes(0..4));
        backlog.audio(&bytes(4..10));
        let missed = |had, unplayed| {
            let missed = backlog.missed_by(received(0, had), unplayed).unwrap();
            (samples(&missed.audio), missed.lost_samples)
        };
        assert_eq!(missed(Some(10), 5), (vec![], 0));
        assert_eq!(missed(Some(7), 5), (vec![7, 8, 9], 0));
        assert_eq!(missed(Some(2), 5), (vec![5, 6, 7, 8, 9], 3), "three samples were lost on the way");
        assert_eq!(missed(None, 2), (vec![8, 9], 0), "who says nothing gets what is not played");
        assert_eq!(missed(Some(0), 10), (vec![4, 5, 6, 7, 8, 9], 4), "only so much is kept");
        assert_eq!(missed(Some(99), 5), (vec![], 0));
    }

    #[test]
    fn what_was_cleared_is_not_sent_again_whether_the_client_knows_of_that_or_not() {
        let mut backlog = Backlog::new(100, 100);
        backlog.audio(&bytes(0..9));
        backlog.clear();
        backlog.message("clear".to_owned());
        backlog.audio(&bytes(20..23));
        for (received, expected) in [
            (received(0, 9), vec![20, 21, 22]),
            (received(1, 0), vec![20, 21, 22]),
            (received(1, 2), vec![22]),
            (received(1, 3), vec![]),
        ] {
            let missed = backlog.missed_by(received, 3).unwrap();
            assert_eq!((samples(&missed.audio), missed.lost_samples), (expected, 0), "{received:?}");
        }
    }
}
