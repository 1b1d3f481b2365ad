//! One frame (RFC 6455, 5.2): its head, its mask, and how a server writes one.

use super::Breach;

/// The kinds of frames that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// All others are reserved.
    const fn of(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether it may stand between the parts of a message.
    pub(super) const fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}

/// What stands before a client's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether the message ends with this frame.
    pub(super) last: bool,
    pub(super) opcode: Opcode,
    /// Of the payload, in bytes. A client may say anything here.
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

/// What says that a frame is the last of its message.
const LAST: u8 = 0x80;
/// What says that a payload is masked.
const MASKED: u8 = 0x80;
/// In place of a length: it follows in two bytes, or in eight.
const IN_TWO_BYTES: u8 = 126;
const IN_EIGHT_BYTES: u8 = 127;
/// The longest payload of a control frame (5.5), and of a frame whose length is in its second byte.
const SHORT: u8 = 125;

impl Head {
    /// Reads the head of a frame that comes from a client, and how many bytes it has; `None` while it has not come whole.
    ///
    /// # Errors
    /// As soon as what has come cannot be the start of a frame: a reserved bit or opcode, a payload that is not masked (5.1), a
    /// control frame that is long or one part of several (5.5).
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Breach> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let opcode = Opcode::of(first & 0x0f).ok_or(Breach::Protocol)?;
        let (last, reserved) = (first & LAST != 0, first & 0x70);
        if reserved != 0 || (opcode.is_control() && !last) {
            return Err(Breach::Protocol);
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        let short = second & !MASKED;
        if second & MASKED == 0 || (opcode.is_control() && short > SHORT) {
            return Err(Breach::Protocol);
        }
        let length = match short {
            IN_TWO_BYTES => {
                rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest))
            }
            IN_EIGHT_BYTES => {
                rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest))
            }
            short => Some((u64::from(short), rest)),
        };
        let Some((length, rest)) = length else { return Ok(None) };
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some((Self { last, opcode, length, mask: *mask }, bytes.len() - rest.len())))
    }
}

/// Takes the mask off a payload (5.3), eight bytes at a time.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ twice).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Writes a server's frame behind what is there: a whole message, or a control frame of at most 125 bytes, and without a mask.
pub(in crate::transport) fn put(buffer: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    buffer.push(LAST | opcode.bits());
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..=SHORT), _) => buffer.push(short),
        (_, Ok(medium)) => {
            buffer.push(IN_TWO_BYTES);
            buffer.extend_from_slice(&medium.to_be_bytes());
        }
        (_, Err(_)) => {
            buffer.push(IN_EIGHT_BYTES);
            buffer.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    buffer.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455, 5.7.
    #[test]
    fn the_examples_of_the_standard_are_written_and_read() {
        let mut hello = Vec::new();
        put(&mut hello, Opcode::Text, b"Hello");
        assert_eq!(hello, b"\x81\x05Hello");
        for (length, head) in [(256, &b"\x82\x7e\x01\x00"[..]), (65_536, b"\x82\x7f\0\0\0\0\0\x01\0\0")] {
            let mut frame = Vec::new();
            put(&mut frame, Opcode::Binary, &vec![0; length]);
            assert_eq!((&frame[..head.len()], frame.len()), (head, head.len() + length));
        }
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let (head, size) = Head::read(&masked).unwrap().unwrap();
        assert_eq!((head.last, head.opcode, head.length, size), (true, Opcode::Text, 5, 6));
        let mut payload = masked[size..].to_vec();
        unmask(&mut payload, head.mask);
        assert_eq!(payload, b"Hello");
    }

    #[test]
    fn a_mask_comes_off_payloads_of_every_length() {
        let mask = [1, 2, 4, 8];
        for length in 0..40_usize {
            let mut payload: Vec<u8> = (0..length).map(|at| mask[at % 4] ^ 0xa5).collect();
            unmask(&mut payload, mask);
            assert_eq!(payload, vec![0xa5; length]);
        }
    }

    #[test]
    fn a_head_is_refused_before_it_has_come_whole() {
        for start in [&[0xc1][..], &[0x83], &[0x09], &[0x81, 0x05], &[0x89, 0xfe]] {
            assert_eq!(Head::read(start), Err(Breach::Protocol), "{start:x?}");
        }
        for cut in 0..14 {
            let long = [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 9, 9, 9, 9];
            assert_eq!(Head::read(&long[..cut]), Ok(None), "{cut}");
        }
    }
}
