//! The audio that was made for the client and not yet sent: by utterance, in the call's output format, or at the voice's rate where
//! that is lower. Then it is converted when it is sent, so that what waits takes no more room than the voice gave it.
//!
//! The engine counts samples of the output and says what to send when; the audio itself lies here. Sending a frame copies nothing
//! unless the frame spans two pieces of audio or is converted, and allocates nothing even then, once the one before it that did has
//! been sent.

use std::collections::VecDeque;

use antiphon_audio::{PcmReader, Resampler, SampleRate, fill_pcm};
use antiphon_engine::ids::UtteranceId;
use bytes::{Bytes, BytesMut};

/// Bytes per sample.
const SAMPLE: usize = 2;
/// Samples of a voice that are converted in one go: some frames of 20 ms, whatever their rate, so that little is ahead.
const STRETCH: usize = 480;

#[derive(Debug, Default)]
pub(super) struct Mouth {
    utterances: VecDeque<Utterance>,
    /// Where frames are put together that span pieces or are converted.
    joint: BytesMut,
}

#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    pieces: VecDeque<Bytes>,
    /// How the pieces become output, if they are none yet.
    conversion: Option<Box<Conversion>>,
    /// Samples of output that may still be taken.
    ready: u64,
    /// No more audio comes: the utterance is forgotten with its last sample.
    complete: bool,
}

/// From the voice's rate to that of the output.
#[derive(Debug)]
struct Conversion {
    pcm: PcmReader,
    resampler: Resampler,
    /// Samples of the voice that have come.
    come: u64,
    /// All have, and what is left in the filter is wanted.
    ends: bool,
    /// What goes in, and what has come out and was not taken.
    stretch: Vec<i16>,
    converted: Vec<i16>,
}

impl Mouth {
    /// Makes room for an utterance's audio, which comes at one rate and goes at another. Audio of utterances that nobody opened, or
    /// that were forgotten, is dropped: it was under way when its work was cancelled.
    pub(super) fn open(&mut self, id: UtteranceId, comes: SampleRate, goes: SampleRate) {
        let conversion = (comes != goes).then(|| Box::new(Conversion::new(comes, goes)));
        let utterance = Utterance { id, pieces: VecDeque::new(), conversion, ready: 0, complete: false };
        self.utterances.push_back(utterance);
    }

    /// Keeps audio of an utterance. Returns how many more samples may be taken, if somebody still wants it.
    pub(super) fn add(&mut self, id: UtteranceId, audio: Bytes) -> Option<u32> {
        let utterance = self.utterances.iter_mut().find(|utterance| utterance.id == id)?;
        let samples = (audio.len() / SAMPLE) as u64;
        utterance.pieces.push_back(audio);
        let more = match &mut utterance.conversion {
            None => samples,
            Some(conversion) => conversion.comes(samples),
        };
        utterance.ready += more;
        Some(u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// Notes that no more audio of an utterance comes, and whether that was all of it: then what a filter still holds belongs to it.
    /// Returns how many more samples may be taken.
    pub(super) fn complete(&mut self, id: UtteranceId, all: bool) -> u32 {
        let mut more = 0;
        if let Some(utterance) = self.utterances.iter_mut().find(|utterance| utterance.id == id) {
            utterance.complete = true;
            if all && let Some(conversion) = &mut utterance.conversion {
                more = conversion.end();
                utterance.ready += more;
            }
        }
        self.utterances.retain(|utterance| !utterance.complete || utterance.ready > 0);
        u32::try_from(more).unwrap_or(u32::MAX)
    }

    /// Takes the next `samples` of an utterance, in pieces of at most `frame` samples.
    pub(super) fn take(&mut self, id: UtteranceId, samples: u32, frame: usize, mut each: impl FnMut(Bytes)) {
        let Some(index) = self.utterances.iter().position(|utterance| utterance.id == id) else { return };
        let Utterance { pieces, conversion, ready, complete, .. } = &mut self.utterances[index];
        let mut left = samples as usize;
        while left > 0 {
            let count = left.min(frame);
            let taken = match conversion {
                None => take_bytes(pieces, count * SAMPLE, &mut self.joint),
                Some(conversion) => conversion.take(pieces, count, &mut self.joint),
            };
            let Some(bytes) = taken else { break };
            left = left.saturating_sub(bytes.len() / SAMPLE);
            *ready = ready.saturating_sub((bytes.len() / SAMPLE) as u64);
            each(bytes);
        }
        if *complete && *ready == 0 {
            self.utterances.remove(index);
        }
    }

    /// Drops what is left of an utterance.
    pub(super) fn forget(&mut self, id: UtteranceId) {
        self.utterances.retain(|utterance| utterance.id != id);
    }
}

impl Conversion {
    fn new(comes: SampleRate, goes: SampleRate) -> Self {
        Self {
            pcm: PcmReader::default(),
            resampler: Resampler::new(comes, goes),
            come: 0,
            ends: false,
            stretch: Vec::new(),
            converted: Vec::new(),
        }
    }

    /// So many samples of the voice have come; gives how many of output come of them.
    fn comes(&mut self, samples: u64) -> u64 {
        let before = self.resampler.ready(self.come);
        self.come += samples;
        self.resampler.ready(self.come) - before
    }

    /// The voice has ended; gives how many samples of output that still makes.
    fn end(&mut self) -> u64 {
        self.ends = true;
        self.resampler.whole(self.come) - self.resampler.ready(self.come)
    }

    /// The next samples of output, as far as there are any.
    fn take(&mut self, pieces: &mut VecDeque<Bytes>, count: usize, joint: &mut BytesMut) -> Option<Bytes> {
        while self.converted.len() < count {
            if let Some(bytes) = take_front(pieces, STRETCH * SAMPLE) {
                self.stretch.clear();
                self.pcm.read(&bytes, &mut self.stretch);
                self.resampler.process(&self.stretch, &mut self.converted);
            } else if self.ends {
                self.ends = false;
                self.resampler.flush(&mut self.converted);
            } else {
                break;
            }
        }
        let count = count.min(self.converted.len());
        joint.resize(count * SAMPLE, 0);
        fill_pcm(&self.converted[..count], joint);
        self.converted.drain(..count);
        (count > 0).then(|| joint.split().freeze())
    }
}

/// The front of the first piece, so many bytes of it at most.
fn take_front(pieces: &mut VecDeque<Bytes>, most: usize) -> Option<Bytes> {
    let first = pieces.front_mut()?;
    if first.len() > most { Some(first.split_to(most)) } else { pieces.pop_front() }
}

fn take_bytes(pieces: &mut VecDeque<Bytes>, count: usize, joint: &mut BytesMut) -> Option<Bytes> {
    let first = take_front(pieces, count)?;
    if first.len() == count || pieces.is_empty() {
        return Some(first);
    }
    joint.reserve(count);
    joint.extend_from_slice(&first);
    while joint.len() < count {
        let Some(part) = take_front(pieces, count - joint.len()) else { break };
        joint.extend_from_slice(&part);
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
        mouth.open(UtteranceId(0), SampleRate::EAR, SampleRate::EAR);
        mouth.open(UtteranceId(1), SampleRate::EAR, SampleRate::EAR);
        mouth.add(UtteranceId(0), bytes(0..6));
        mouth.add(UtteranceId(0), bytes(6..16));
        mouth.add(UtteranceId(1), bytes(90..94));
        assert_eq!(mouth.complete(UtteranceId(0), true), 0);
        assert_eq!(mouth.complete(UtteranceId(1), true), 0);
        assert_eq!(taken(&mut mouth, 0, 4, 2), [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
        assert_eq!(taken(&mut mouth, 0, 4, 3), [vec![8, 9, 10, 11, 12, 13], vec![14, 15]]);
        assert_eq!(taken(&mut mouth, 1, 2, 2), [vec![90, 91, 92, 93]]);
        assert!(mouth.utterances.is_empty());
    }

    #[test]
    fn an_utterance_that_ran_dry_takes_more_until_it_is_complete() {
        let mut mouth = Mouth::default();
        mouth.open(UtteranceId(0), SampleRate::EAR, SampleRate::EAR);
        assert_eq!(mouth.add(UtteranceId(0), bytes(0..2)), Some(1));
        assert_eq!(taken(&mut mouth, 0, 1, 2), [vec![0, 1]]);
        assert_eq!(mouth.add(UtteranceId(0), bytes(2..4)), Some(1));
        assert_eq!(mouth.complete(UtteranceId(0), true), 0);
        assert_eq!(taken(&mut mouth, 0, 1, 2), [vec![2, 3]]);
        assert_eq!(mouth.add(UtteranceId(0), bytes(4..6)), None);
    }

    #[test]
    fn a_forgotten_utterance_takes_and_gives_nothing() {
        let mut mouth = Mouth::default();
        mouth.open(UtteranceId(0), SampleRate::EAR, SampleRate::EAR);
        mouth.add(UtteranceId(0), bytes(0..8));
        mouth.forget(UtteranceId(0));
        assert_eq!(mouth.add(UtteranceId(0), bytes(8..16)), None);
        assert!(taken(&mut mouth, 0, 4, 2).is_empty());
    }

    /// What is sent is what a resampler makes of the whole, to the sample, however it comes and goes.
    #[test]
    fn a_voice_at_a_lower_rate_is_converted_when_it_is_sent() {
        let (comes, goes) = (SampleRate::EAR, SampleRate::new(48_000).unwrap());
        let said: Vec<i16> = (0..9_001).map(|at| ((at * 37) % 20_000) as i16 - 10_000).collect();
        let mut whole = Vec::new();
        let mut resampler = Resampler::new(comes, goes);
        resampler.process(&said, &mut whole);
        resampler.flush(&mut whole);
        for pieces in [100, 1_600, 9_001] {
            let mut mouth = Mouth::default();
            let id = UtteranceId(3);
            mouth.open(id, comes, goes);
            let (mut ready, mut sent) = (0, Vec::new());
            let mut play = |mouth: &mut Mouth, ready: &mut u32| {
                mouth.take(id, *ready, 960, |bytes| {
                    assert!(bytes.len() <= 2 * 960);
                    let (samples, odd) = bytes.as_chunks();
                    assert!(odd.is_empty());
                    sent.extend(samples.iter().map(|sample| i16::from_le_bytes(*sample)));
                });
                *ready = 0;
            };
            for piece in said.chunks(pieces) {
                let bytes: Vec<u8> = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                ready += mouth.add(id, bytes.into()).unwrap();
                // Now and then as much is taken as there is.
                if ready > 5_000 {
                    play(&mut mouth, &mut ready);
                }
            }
            ready += mouth.complete(id, true);
            play(&mut mouth, &mut ready);
            assert!(sent == whole, "{} samples of {} in pieces of {pieces}", sent.len(), whole.len());
            assert!(mouth.utterances.is_empty());
        }
    }

    #[test]
    fn a_voice_that_broke_off_ends_with_what_was_converted() {
        let mut mouth = Mouth::default();
        let id = UtteranceId(0);
        mouth.open(id, SampleRate::EAR, SampleRate::new(24_000).unwrap());
        let ready = mouth.add(id, bytes(0..200)).unwrap();
        assert!(ready > 0 && ready < 150, "{ready}");
        assert_eq!(mouth.complete(id, false), 0);
        let sent: usize = taken(&mut mouth, 0, ready, 40).iter().map(Vec::len).sum();
        assert_eq!(sent, 2 * ready as usize);
        assert!(mouth.utterances.is_empty());
    }
}
