//! The outer form of a journal: a mark and a version, then blocks, each with its length and a checksum.
//!
//! A block is written in one piece. Whatever was cut off in the middle of one, or damaged, is recognised by its checksum, and what
//! comes before is whole. Knows nothing of what is in a block but what kind it is.

use crc::{CRC_32_ISO_HDLC, Crc};

/// What a journal begins with; a reader for people sees what the file is.
const MARK: &[u8; 17] = b"antiphon journal\n";
/// The version of the format: of the frame, of the numbers of all variants, and of the order of all fields.
pub(super) const VERSION: u8 = 9;
/// No block is longer than this: what waits for the writer is bounded by less.
const LONGEST: usize = 64 * 1024 * 1024;
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Entries,
    /// What follows is missing: too much waited to be written. The last block.
    Gap,
}

const KINDS: [Kind; 3] = [Kind::Header, Kind::Entries, Kind::Gap];

/// The first bytes of a journal.
pub(super) fn opening() -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.push(VERSION);
    bytes
}

/// Adds a block with this content.
pub(super) fn append(out: &mut Vec<u8>, kind: Kind, content: &[u8]) {
    let length = u32::try_from(content.len() + 1).unwrap_or(u32::MAX);
    out.extend(length.to_le_bytes());
    let mut digest = CHECKSUM.digest();
    digest.update(&[kind as u8]);
    digest.update(content);
    out.extend(digest.finalize().to_le_bytes());
    out.push(kind as u8);
    out.extend(content);
}

/// Why bytes are no journal of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// They do not begin like one.
    NoJournal,
    /// They are in another version of the format.
    Version(u8),
}

/// What follows the opening.
pub(super) fn after_opening(bytes: &[u8]) -> Result<&[u8], Foreign> {
    match bytes.strip_prefix(MARK) {
        Some([VERSION, rest @ ..]) => Ok(rest),
        Some([version, ..]) => Err(Foreign::Version(*version)),
        Some([]) | None => Err(Foreign::NoJournal),
    }
}

/// Takes the next whole block off the front; none if the rest is not one.
pub(super) fn next<'a>(rest: &mut &'a [u8]) -> Option<(Kind, &'a [u8])> {
    let (length, after) = rest.split_first_chunk()?;
    let (checksum, after) = after.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= LONGEST)?;
    let (block, after) = after.split_at_checked(length)?;
    let [kind, content @ ..] = block else { return None };
    if CHECKSUM.checksum(block) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let kind = *KINDS.get(usize::from(*kind))?;
    *rest = after;
    Some((kind, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_blocks() -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, Kind::Header, b"head");
        append(&mut bytes, Kind::Entries, b"entries");
        bytes
    }

    fn read(mut rest: &[u8]) -> (Vec<(Kind, &[u8])>, usize) {
        let blocks = std::iter::from_fn(|| next(&mut rest)).collect();
        (blocks, rest.len())
    }

    #[test]
    fn blocks_read_back_and_a_torn_one_is_left() {
        let bytes = two_blocks();
        let both: Vec<(Kind, &[u8])> = vec![(Kind::Header, b"head"), (Kind::Entries, b"entries")];
        assert_eq!(read(&bytes), (both.clone(), 0));
        for cut in 1..=8 + 8 {
            let (blocks, left) = read(&bytes[..bytes.len() - cut]);
            assert_eq!(blocks, both[..1], "{cut} bytes are missing");
            assert_eq!(left, 16 - cut);
        }
    }

    #[test]
    fn one_wrong_bit_anywhere_in_a_block_is_noticed() {
        let bytes = two_blocks();
        let first = 9 + 4;
        for bit in first * 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&damaged).0.len(), 1, "bit {bit}");
        }
    }

    #[test]
    fn other_files_and_versions_are_told_apart() {
        assert_eq!(after_opening(&opening()), Ok(&[][..]));
        assert_eq!(after_opening(b"RIFF"), Err(Foreign::NoJournal));
        assert_eq!(after_opening(b"antiphon journal\n\x0a"), Err(Foreign::Version(10)));
    }
}
