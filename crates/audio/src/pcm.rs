//! Samples from bytes and back: raw signed 16-bit little-endian PCM, as it travels on the wire (protocol.md 4.1).
//! Owns the byte left over between two frames; knows nothing of rates, pacing or who sent what.

/// Reads one stream of raw PCM that arrives in frames of any size.
///
/// Frame borders mean nothing: an empty frame is legal and a sample may be split between two frames, in which case its
/// first byte waits for the next one (protocol.md 4.1, 8.12). One reader serves one stream. A byte that is still
/// waiting when the stream ends is no sample and is lost.
#[derive(Debug, Clone, Default)]
pub struct PcmReader {
    carried: Option<u8>,
}

impl PcmReader {
    /// Appends the samples that `frame` completes to `samples`.
    ///
    /// Allocates only where `samples` must grow; clear it and hand it in again.
    pub fn read(&mut self, frame: &[u8], samples: &mut Vec<i16>) {
        let mut rest = frame;
        if let (Some(low), Some((&high, after))) = (self.carried, frame.split_first()) {
            samples.push(i16::from_le_bytes([low, high]));
            self.carried = None;
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [byte] = odd {
            self.carried = Some(*byte);
        }
    }
}

/// Appends `samples` to `bytes` as raw PCM, two bytes a sample (protocol.md 4.1).
///
/// Allocates only where `bytes` must grow.
pub fn write_pcm(samples: &[i16], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + size_of_val(samples), 0);
    fill_pcm(samples, &mut bytes[start..]);
}

/// Writes as many of `samples` as there is room for, as [`write_pcm`] does, to `bytes`.
pub fn fill_pcm(samples: &[i16], bytes: &mut [u8]) {
    // Pairs of known size in a place that is there: a loop that is done with wide vectors.
    let (pairs, _) = bytes.as_chunks_mut();
    for (pair, sample) in pairs.iter_mut().zip(samples) {
        *pair = sample.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Vec<i16> {
        let (mut reader, mut samples) = (PcmReader::default(), Vec::new());
        for frame in frames {
            reader.read(frame, &mut samples);
        }
        samples
    }

    #[test]
    fn bytes_are_little_endian() {
        assert_eq!(read_all([&[0x34, 0x12, 0xff, 0xff, 0x00, 0x80][..]]), [0x1234, -1, i16::MIN]);
    }

    #[test]
    fn an_odd_byte_waits_for_the_next_frame_with_bytes_in_it() {
        let frames: [&[u8]; 4] = [&[1, 0, 2], &[], &[0, 3, 0], &[9]];
        assert_eq!(read_all(frames), [1, 2, 3]);
    }

    #[test]
    fn three_byte_frames_lose_nothing() {
        let bytes: Vec<u8> = (0..=254).collect();
        let whole = read_all([&bytes[..254]]);
        assert_eq!(read_all(bytes.chunks(3)), whole);
    }

    #[test]
    fn a_frame_of_nothing_gives_nothing() {
        assert_eq!(read_all([&[][..], &[][..]]), [0i16; 0]);
    }

    proptest! {
        #[test]
        fn the_frame_borders_make_no_difference(
            samples in prop::collection::vec(any::<i16>(), 0..400),
            sizes in prop::collection::vec(0usize..50, 1..100),
        ) {
            let mut bytes = Vec::new();
            write_pcm(&samples, &mut bytes);
            let mut rest = &bytes[..];
            let mut frames = Vec::new();
            for size in sizes {
                let (frame, after) = rest.split_at(size.min(rest.len()));
                frames.push(frame);
                rest = after;
            }
            frames.push(rest);
            prop_assert_eq!(read_all(frames), samples);
        }
    }
}
