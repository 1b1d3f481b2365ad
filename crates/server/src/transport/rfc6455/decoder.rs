//! What a client's bytes say: whole messages, put together from their fragments (RFC 6455, 5.4), and control frames.
//!
//! A message that comes in one frame, as audio does, is handed on where it was read to. The buffer takes no more than the client has
//! sent, whatever its heads promise, and may be one for many connections as long as nothing is left in it.

use bytes::{Buf as _, Bytes, BytesMut};

use super::Breach;
use super::frame::{Head, Opcode, unmask};

/// What is read in one go: two frames of 20 ms at 48 kHz.
const BUFFER: usize = 4 << 10;
/// There should be room for as much before a read, so that one frame of audio is one read.
const ROOM: usize = 2 << 10;
/// With less, there has to be more, even if it has to be allocated.
const LITTLE: usize = 64;
/// A buffer that grows for a large message does so by as much, as that comes.
const GROWTH: usize = 64 << 10;

/// See the head of this file.
#[derive(Debug)]
pub(in crate::transport) struct Decoder {
    /// What was read, from the first byte on that was not taken.
    buffer: BytesMut,
    /// That of the frame whose payload is next in the buffer.
    head: Option<Head>,
    /// The message of which some fragments have come.
    partial: Option<Partial>,
    /// Largest message, in bytes.
    limit: usize,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport) enum Item {
    Binary(Bytes),
    Text(String),
    /// With what is to be sent back.
    Ping(Bytes),
    Pong,
    /// With what it said, which is valid, and is the answer as well. Nothing follows.
    Close(Bytes),
}

#[derive(Debug)]
struct Partial {
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    Binary,
    /// The first so many bytes are UTF-8; behind them is at most the start of a character.
    Text {
        checked: usize,
    },
}

impl Decoder {
    pub(in crate::transport) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), head: None, partial: None, limit }
    }

    /// Reads to this memory, unless a part of a frame waits in what it has.
    pub(in crate::transport) fn take_memory(&mut self, memory: &mut BytesMut) {
        if self.buffer.is_empty() {
            self.buffer = std::mem::take(memory);
        }
    }

    /// Gives its memory back, unless a part of a frame waits in it.
    pub(in crate::transport) fn give_memory(&mut self, memory: &mut BytesMut) {
        if self.buffer.is_empty() {
            *memory = std::mem::take(&mut self.buffer);
        }
    }

    /// Where what is read next belongs.
    pub(in crate::transport) fn room(&mut self) -> &mut BytesMut {
        let missing = self.head.map_or(0, |head| payload_length(head).saturating_sub(self.buffer.len()));
        if missing > ROOM {
            self.buffer.reserve(missing.min(GROWTH));
            return &mut self.buffer;
        }
        // What was handed on from this buffer is mostly done with, and its place is free again: the same few lines of the cache for
        // every frame.
        if self.buffer.is_empty() {
            let _ = self.buffer.try_reclaim(BUFFER);
        }
        let spare = self.buffer.capacity() - self.buffer.len();
        if spare < ROOM && !self.buffer.try_reclaim(ROOM) && spare < LITTLE {
            self.buffer.reserve(BUFFER);
        }
        if self.buffer.is_empty() && self.buffer.capacity() > GROWTH {
            self.buffer = BytesMut::with_capacity(BUFFER);
        }
        &mut self.buffer
    }

    /// The next thing that was said; `None` until more was read.
    ///
    /// # Errors
    /// The client broke the protocol: it is not to be asked again.
    pub(in crate::transport) fn next(&mut self) -> Result<Option<Item>, Breach> {
        loop {
            let head = match self.head {
                Some(head) => head,
                None => match Head::read(&self.buffer)? {
                    Some((head, size)) => {
                        self.check(head)?;
                        self.buffer.advance(size);
                        *self.head.insert(head)
                    }
                    None => return Ok(None),
                },
            };
            let length = payload_length(head);
            if self.buffer.len() < length {
                return Ok(None);
            }
            self.head = None;
            let mut payload = self.buffer.split_to(length);
            unmask(&mut payload, head.mask);
            if let Some(item) = self.frame(head, payload)? {
                return Ok(Some(item));
            }
        }
    }

    /// Whether a frame may come now, and be as long as it says.
    fn check(&self, head: Head) -> Result<(), Breach> {
        let before = match (head.opcode, &self.partial) {
            (Opcode::Continuation, Some(partial)) => partial.bytes.len(),
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Breach::Protocol);
            }
            (Opcode::Text | Opcode::Binary, None) | (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => 0,
        };
        match head.length > self.limit.saturating_sub(before) as u64 && !head.opcode.is_control() {
            true => Err(Breach::TooBig),
            false => Ok(()),
        }
    }

    /// What a frame says: nothing yet, if its message goes on.
    fn frame(&mut self, head: Head, payload: BytesMut) -> Result<Option<Item>, Breach> {
        let kind = match head.opcode {
            Opcode::Binary if head.last => return Ok(Some(Item::Binary(payload.freeze()))),
            Opcode::Text if head.last => return text(&payload).map(|text| Some(Item::Text(text.to_owned()))),
            Opcode::Binary => Kind::Binary,
            Opcode::Text => Kind::Text { checked: 0 },
            Opcode::Continuation => return self.fragment(head.last, &payload),
            Opcode::Ping => return Ok(Some(Item::Ping(payload.freeze()))),
            Opcode::Pong => return Ok(Some(Item::Pong)),
            Opcode::Close => {
                check_close(&payload)?;
                return Ok(Some(Item::Close(payload.freeze())));
            }
        };
        self.partial = Some(Partial { kind, bytes: Vec::new() });
        self.fragment(false, &payload)
    }

    /// What a message says whose next fragment this is, if it is the last.
    fn fragment(&mut self, last: bool, payload: &[u8]) -> Result<Option<Item>, Breach> {
        let Some(mut partial) = self.partial.take() else { return Err(Breach::Protocol) };
        partial.bytes.extend_from_slice(payload);
        if let Kind::Text { checked } = &mut partial.kind {
            *checked += whole_characters(&partial.bytes[*checked..])?;
        }
        if !last {
            self.partial = Some(partial);
            return Ok(None);
        }
        let Partial { kind, bytes } = partial;
        match kind {
            Kind::Binary => Ok(Some(Item::Binary(bytes.into()))),
            Kind::Text { .. } => {
                String::from_utf8(bytes).map(|text| Some(Item::Text(text))).map_err(|_| Breach::NotUtf8)
            }
        }
    }
}

/// That of a frame which has been checked, and is no longer than messages may be.
fn payload_length(head: Head) -> usize {
    usize::try_from(head.length).unwrap_or(usize::MAX)
}

fn text(bytes: &[u8]) -> Result<&str, Breach> {
    std::str::from_utf8(bytes).map_err(|_| Breach::NotUtf8)
}

/// How many bytes are whole characters, of a text that goes on.
fn whole_characters(bytes: &[u8]) -> Result<usize, Breach> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.len()),
        // The start of a character that the next fragment may complete.
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(Breach::NotUtf8),
    }
}

/// Whether this may be what a close frame says (5.5.1, 7.4): nothing, or a code, and behind it a text.
fn check_close(payload: &[u8]) -> Result<(), Breach> {
    match payload {
        [] => Ok(()),
        [_] => Err(Breach::Protocol),
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            // 1004 is reserved, 1005, 1006 and 1015 say that there was no close frame.
            1000..=1003 | 1007..=1014 | 3000..=4999 => text(reason).map(|_| ()),
            _ => Err(Breach::Protocol),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [7, 77, 177, 200];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ ..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        let start = bytes.len();
        bytes.extend(payload);
        unmask(&mut bytes[start..], MASK);
        bytes
    }

    /// What is said by bytes that come in pieces of this size, and how it ends.
    fn decoded(bytes: &[u8], pieces: usize) -> (Vec<Item>, Option<Breach>) {
        let (mut decoder, mut items) = (Decoder::new(1 << 20), Vec::new());
        for piece in bytes.chunks(pieces) {
            decoder.room().extend_from_slice(piece);
            loop {
                match decoder.next() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(breach) => return (items, Some(breach)),
                }
            }
        }
        (items, None)
    }

    #[test]
    fn messages_are_the_same_in_whatever_pieces_they_come() {
        let bytes = [
            frame(0x82, &[1; 640]),
            frame(0x01, "gr\u{fc}".as_bytes().split_at(3).0),
            frame(0x89, b"there?"),
            frame(0x80, "gr\u{fc}\u{df}e".as_bytes().split_at(3).1),
            frame(0x8a, b""),
            frame(0x02, b"a"),
            frame(0x00, b""),
            frame(0x80, &[b'b'; 100_000]),
            frame(0x88, b"\x03\xe8bye"),
        ]
        .concat();
        let long = [&b"a"[..], &[b'b'; 100_000]].concat();
        let said = vec![
            Item::Binary(Bytes::from(vec![1; 640])),
            Item::Ping(Bytes::from_static(b"there?")),
            Item::Text("gr\u{fc}\u{df}e".to_owned()),
            Item::Pong,
            Item::Binary(long.into()),
            Item::Close(Bytes::from_static(b"\x03\xe8bye")),
        ];
        for pieces in [1, 2, 3, 5, 641, 4_096, usize::MAX] {
            assert_eq!(decoded(&bytes, pieces), (said.clone(), None), "{pieces}");
        }
    }

    #[test]
    fn a_text_is_refused_at_the_fragment_that_breaks_it() {
        let (items, breach) = decoded(&[frame(0x01, b"ab\xc3"), frame(0x00, b"\xc3")].concat(), 9);
        assert_eq!((items, breach), (vec![], Some(Breach::NotUtf8)));
        let (items, breach) = decoded(&[frame(0x01, b"ab\xc3"), frame(0x80, b"")].concat(), 9);
        assert_eq!((items, breach), (vec![], Some(Breach::NotUtf8)));
    }

    #[test]
    fn a_message_is_refused_at_the_head_that_makes_it_too_large() {
        let half = vec![0; 1 << 19];
        let third = frame(0x00, b"x");
        let sent = [frame(0x02, &half), frame(0x00, &half), third[..6].to_vec()].concat();
        assert_eq!(decoded(&sent, usize::MAX), (vec![], Some(Breach::TooBig)));
    }

    /// 20 ms of audio at a time, each done with before the next comes: the buffer is used again and again.
    #[test]
    fn audio_is_read_into_one_buffer() {
        let mut decoder = Decoder::new(1 << 20);
        for length in [320, 640, 1_920] {
            let frame = frame(0x82, &vec![5; length]);
            let mut places = std::collections::BTreeSet::new();
            for _ in 0..200 {
                decoder.room().extend_from_slice(&frame);
                let Ok(Some(Item::Binary(audio))) = decoder.next() else { panic!("no audio") };
                assert_eq!(audio, vec![5; length]);
                places.insert(audio.as_ptr() as usize);
                // The socket is asked once more before the audio is done with.
                assert!(decoder.room().capacity() >= LITTLE);
            }
            let (first, last) = (places.first().unwrap(), places.last().unwrap());
            assert!(last - first < BUFFER, "{length} bytes at a time are read to {} places", places.len());
        }
    }

    /// Connections that take turns read to the same memory, but for what waits for its rest.
    #[test]
    fn whole_frames_of_many_connections_are_read_into_one_buffer() {
        let mut memory = BytesMut::new();
        let mut decoders = [(); 3].map(|()| Decoder::new(1 << 20));
        let frame = frame(0x82, &[5; 640]);
        let (begun, rest) = frame.split_at(300);
        let mut read = |decoder: &mut Decoder, bytes: &[u8]| {
            decoder.take_memory(&mut memory);
            decoder.room().extend_from_slice(bytes);
            let item = decoder.next();
            let kept = item.as_ref().is_ok_and(Option::is_none);
            decoder.give_memory(&mut memory);
            assert_eq!(
                decoder.buffer.capacity() > 0,
                kept,
                "only what waits for its rest has memory of its own"
            );
            match item {
                Ok(Some(Item::Binary(audio))) => {
                    assert_eq!(audio, vec![5; 640]);
                    Some(audio.as_ptr() as usize)
                }
                Ok(None) => None,
                other => panic!("{other:?}"),
            }
        };
        let first = read(&mut decoders[0], &frame);
        assert!(first.is_some());
        assert_eq!(read(&mut decoders[1], &frame), first);
        assert_eq!(read(&mut decoders[2], begun), None);
        for _ in 0..50 {
            assert!(read(&mut decoders[0], &frame).is_some());
            assert!(read(&mut decoders[1], &frame).is_some());
        }
        assert!(read(&mut decoders[2], rest).is_some());
    }

    #[test]
    fn a_promise_takes_no_memory_and_what_a_large_message_took_is_given_back() {
        let mut decoder = Decoder::new(1 << 20);
        let large = frame(0x82, &vec![0; 1 << 20]);
        decoder.room().extend_from_slice(&large[..14]);
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.room().capacity() <= 2 * GROWTH);
        decoder.room().extend_from_slice(&large[14..]);
        let Ok(Some(Item::Binary(binary))) = decoder.next() else { panic!("no message") };
        drop(binary);
        assert!(decoder.room().capacity() <= GROWTH);
    }
}
