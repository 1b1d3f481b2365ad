//! Large messages up to the limit, and beyond it (Autobahn 9).

use crate::peer::{BINARY, Case, End, TEXT, fragments, frame, hold, text};

/// `server.max_data_message_bytes`.
const LIMIT: usize = 1 << 20;

#[tokio::test]
async fn messages_up_to_the_limit_come_back() {
    let mut cases = Vec::new();
    for opcode in [TEXT, BINARY] {
        for length in [64 << 10, 256 << 10, LIMIT - 1, LIMIT] {
            let message = frame(opcode, vec![b'*'; length]);
            let name = format!("9.1, 9.2 {length} bytes");
            cases.push(Case::echoes(name, std::slice::from_ref(&message), vec![message.clone()]));
        }
        let message = frame(opcode, vec![b'*'; LIMIT]);
        for length in [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10] {
            let sent = fragments(opcode, message.payload.chunks(length));
            cases.push(Case::echoes(format!("9.3, 9.4 fragments of {length}"), &sent, vec![message.clone()]));
        }
        for length in [64, 128, 256, 512, 1_024, 2_048] {
            let name = format!("9.5, 9.6 pieces of {length}");
            let case = Case::echoes(name, std::slice::from_ref(&message), vec![message.clone()]);
            cases.push(case.in_pieces_of(length));
        }
        for length in [0, 16, 64, 256, 1_024, 4_096] {
            let messages = vec![frame(opcode, vec![b'*'; length]); 200];
            cases.push(Case::echoes(format!("9.7, 9.8 200 of {length}"), &messages, messages.clone()));
        }
    }
    hold("large messages", cases).await;
}

#[tokio::test]
async fn messages_beyond_the_limit_are_1009_as_soon_as_that_is_known() {
    let mut cases = Vec::new();
    let hello = text("Hello");
    for opcode in [TEXT, BINARY] {
        // The head says it; nothing of the rest is sent.
        for length in [LIMIT as u64 + 1, 16 << 20, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let head = [&[0x80 | opcode, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat();
            let sent = [hello.bytes(), head].concat();
            let case =
                Case::bytes(format!("a frame of {length} bytes"), sent, vec![hello.clone()], End::Code(1009));
            cases.push(case);
        }
        let pieces = vec![vec![b'*'; 64 << 10]; 17];
        let mut sent = fragments(opcode, &pieces);
        for piece in &mut sent {
            piece.last = false;
        }
        cases.push(Case::ends("fragments beyond the limit", &sent, vec![], End::Code(1009)));
    }
    hold("messages that are too large", cases).await;
}
