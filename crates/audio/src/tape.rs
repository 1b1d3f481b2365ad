//! The latest stretch of one live stream, and clips of it that share its memory.
//!
//! Owns pieces of a fixed length: a clip holds the same pieces as the tape, so that a turn's audio is in memory once, whoever needs
//! it and for how long. Knows neither rates nor clocks: places are samples since the stream began.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Samples in a piece: 100 ms at 16 kHz.
const PIECE: usize = 1_600;

/// What was recorded last. Takes samples at its end, and lets go of whole pieces at its beginning.
#[derive(Debug, Default)]
pub struct Tape {
    pieces: VecDeque<Arc<[i16; PIECE]>>,
    /// Samples in them: the last piece may not be full.
    length: usize,
    /// Where the first piece begins.
    from: u64,
    /// A piece that was let go and that nobody else has: the next one.
    spare: Option<Arc<[i16; PIECE]>>,
}

impl Tape {
    /// The first place that is still on it.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.from
    }

    /// The place behind the last sample.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.from + self.length as u64
    }

    /// Records samples. Allocates where a new piece begins and none was let go since the last one did.
    pub fn push(&mut self, mut samples: &[i16]) {
        while !samples.is_empty() {
            let filled = self.length % PIECE;
            if filled == 0 {
                self.pieces.push_back(self.spare.take().unwrap_or_else(|| Arc::new([0; PIECE])));
            }
            let (now, later) = samples.split_at(samples.len().min(PIECE - filled));
            let piece = self.pieces.back_mut().and_then(Arc::get_mut);
            let piece = piece.expect("clips share no piece before it is full");
            piece[filled..filled + now.len()].copy_from_slice(now);
            self.length += now.len();
            samples = later;
        }
    }

    /// Lets go of what comes before the last `samples`, as far as that is whole pieces.
    pub fn keep_last(&mut self, samples: usize) {
        while self.length.saturating_sub(samples) >= PIECE
            && let Some(mut piece) = self.pieces.pop_front()
        {
            self.from += PIECE as u64;
            self.length -= PIECE;
            if Arc::get_mut(&mut piece).is_some() {
                self.spare = Some(piece);
            }
        }
    }

    /// What was recorded from one place to another, as far as it is still here.
    #[must_use]
    pub fn clip(&self, places: Range<u64>) -> Clip {
        let Range { start, end } = self.within(places);
        if start >= end {
            return Clip::default();
        }
        let last = (end - 1) / PIECE;
        let piece = |at: usize| -> Arc<[i16]> {
            // The one that is being filled is not shared.
            if (at + 1) * PIECE > self.length {
                Arc::from(&self.pieces[at][..end - at * PIECE])
            } else {
                Arc::clone(&self.pieces[at]) as Arc<[i16]>
            }
        };
        let pieces = (start / PIECE..=last).map(piece).collect();
        Clip { pieces, skipped: start % PIECE, length: end - start }
    }

    /// A copy of the same.
    #[must_use]
    pub fn copy(&self, places: Range<u64>) -> Vec<i16> {
        let Range { mut start, end } = self.within(places);
        let mut copy = Vec::with_capacity(end.saturating_sub(start));
        while start < end {
            let to = end.min((start / PIECE + 1) * PIECE);
            copy.extend_from_slice(&self.pieces[start / PIECE][start % PIECE..=(to - 1) % PIECE]);
            start = to;
        }
        copy
    }

    /// Places as they count from the first sample that is here.
    fn within(&self, places: Range<u64>) -> Range<usize> {
        let index = |place: u64| {
            usize::try_from(place.saturating_sub(self.from)).unwrap_or(usize::MAX).min(self.length)
        };
        index(places.start)..index(places.end)
    }
}

/// A stretch of mono audio in pieces that others may hold as well. Cloning it copies no samples.
#[derive(Clone, Default)]
pub struct Clip {
    pieces: Arc<[Arc<[i16]>]>,
    /// Samples of the first piece that do not belong to it.
    skipped: usize,
    length: usize,
}

impl Clip {
    /// How many samples it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Its samples in a row.
    #[must_use]
    pub fn to_vec(&self) -> Vec<i16> {
        let mut samples = Vec::with_capacity(self.length);
        let mut skipped = self.skipped;
        for piece in self.pieces.iter() {
            let piece = &piece[std::mem::take(&mut skipped)..];
            samples.extend_from_slice(&piece[..piece.len().min(self.length - samples.len())]);
        }
        samples
    }
}

impl<T: Into<Arc<[i16]>>> From<T> for Clip {
    fn from(samples: T) -> Self {
        let samples: Arc<[i16]> = samples.into();
        Self { length: samples.len(), skipped: 0, pieces: Arc::from([samples]) }
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({} samples)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that tell where they stand.
    fn numbered(places: Range<u64>) -> Vec<i16> {
        places.map(|place| (place % 30_000) as i16).collect()
    }

    fn recorded(samples: u64, frame: usize) -> Tape {
        let mut tape = Tape::default();
        numbered(0..samples).chunks(frame).for_each(|frame| tape.push(frame));
        tape
    }

    #[test]
    fn clips_are_what_was_recorded_wherever_they_begin_and_end() {
        for frame in [1, 7, 320, 1_600, 5_000] {
            let tape = recorded(10_007, frame);
            assert_eq!((tape.start(), tape.end()), (0, 10_007));
            for (from, to) in
                [(0, 10_007), (0, 1), (1_599, 1_601), (1_600, 3_200), (4_001, 4_500), (9_600, 10_007)]
            {
                assert_eq!(tape.clip(from..to).to_vec(), numbered(from..to), "{from} to {to}");
                assert_eq!(tape.clip(from..to).len() as u64, to - from);
                assert_eq!(tape.copy(from..to), numbered(from..to), "{from} to {to}");
            }
            assert!(tape.clip(500..500).is_empty() && tape.copy(500..500).is_empty());
            assert_eq!(tape.clip(10_000..20_000).to_vec(), numbered(10_000..10_007));
        }
    }

    #[test]
    fn a_clip_stays_as_it_is_when_the_tape_goes_on() {
        let mut tape = recorded(4_000, 320);
        let clip = tape.clip(1_000..4_000);
        tape.push(&[-1; 10_000]);
        tape.keep_last(0);
        assert_eq!(tape.end(), 14_000, "the piece that is being filled stays");
        tape.push(&[-2; 10_000]);
        assert_eq!(clip.to_vec(), numbered(1_000..4_000));
        assert_eq!(clip.clone().to_vec(), clip.to_vec());
    }

    #[test]
    fn what_is_old_goes_in_whole_pieces_and_is_used_again() {
        let mut tape = recorded(8_000, 320);
        tape.keep_last(3_000);
        assert_eq!((tape.start(), tape.end()), (4_800, 8_000));
        assert_eq!(tape.clip(0..9_000).to_vec(), numbered(4_800..8_000));
        let spare = tape.spare.as_ref().map(Arc::as_ptr);
        assert!(spare.is_some());
        tape.push(&[3; 1]);
        assert_eq!(tape.pieces.back().map(Arc::as_ptr), spare, "the piece that was let go");

        let clip = tape.clip(4_800..8_000);
        tape.keep_last(1);
        assert!(tape.spare.is_none(), "somebody has what was let go");
        assert_eq!((tape.start(), tape.end()), (8_000, 8_001));
        assert_eq!(clip.to_vec(), numbered(4_800..8_000));
    }

    #[test]
    fn samples_of_ones_own_are_a_clip() {
        assert_eq!(Clip::from(vec![1, 2, 3]).to_vec(), [1, 2, 3]);
        assert!(Clip::default().to_vec().is_empty() && Clip::from(Vec::new()).is_empty());
    }
}
