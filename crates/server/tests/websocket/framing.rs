//! Lengths in all their encodings, reserved bits, reserved opcodes, masks (Autobahn 1, 3, 4).

use crate::peer::{BINARY, CLOSE, Case, End, PING, PONG, frame, hold, text};

#[tokio::test]
async fn messages_of_every_encoding_of_length_come_back_however_they_are_cut() {
    let mut cases = Vec::new();
    for (number, opcode) in [("1.1", crate::peer::TEXT), ("1.2", BINARY)] {
        for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
            let messages = vec![frame(opcode, vec![b'*'; length])];
            let case = Case::echoes(format!("{number} {length} bytes"), &messages, messages.clone());
            cases.extend(case.in_all_pieces());
        }
    }
    hold("lengths", cases).await;
}

#[tokio::test]
async fn lengths_that_are_longer_than_they_need_be_are_read_all_the_same() {
    // Against the letter of RFC 6455 5.2, harmless, and what most do.
    let mut cases = Vec::new();
    let hello = vec![text("Hello")];
    let tail = frame(CLOSE, 1000_u16.to_be_bytes()).bytes();
    let masked = &text("Hello").bytes()[2..];
    let medium = [&[0x81, 0x80 | 126, 0, 5], masked, &tail].concat();
    let long = [&[0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 5], masked, &tail].concat();
    cases.push(Case::bytes("5 as 16 bits", medium, hello.clone(), End::Code(1000)));
    cases.push(Case::bytes("5 as 64 bits", long, hello, End::Code(1000)));
    hold("roundabout lengths", cases).await;
}

#[tokio::test]
async fn reserved_bits_mean_nothing_here_and_end_the_connection() {
    let mut cases = Vec::new();
    let hello = text("Hello");
    for bits in 1..8 {
        let alone = [text("*").reserved(bits)];
        cases.extend(Case::ends(format!("3.1 RSV {bits}"), &alone, vec![], End::Code(1002)).in_all_pieces());
        let later = [hello.clone(), text("*").reserved(bits), frame(PING, "")];
        cases.extend(
            Case::ends(format!("3.2 RSV {bits}"), &later, vec![hello.clone()], End::Code(1002))
                .in_all_pieces(),
        );
        for (number, opcode) in [("3.5", BINARY), ("3.6", PING), ("3.6 pong", PONG), ("3.7", CLOSE)] {
            let control = [frame(opcode, "").reserved(bits)];
            cases.push(Case::ends(format!("{number} RSV {bits}"), &control, vec![], End::Code(1002)));
        }
    }
    hold("reserved bits", cases).await;
}

#[tokio::test]
async fn reserved_opcodes_end_the_connection() {
    let mut cases = Vec::new();
    let hello = text("Hello");
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "*"] {
            let alone = [frame(opcode, payload)];
            let case = Case::ends(format!("4 opcode {opcode}"), &alone, vec![], End::Code(1002));
            cases.extend(case.in_all_pieces());
            let later = [hello.clone(), frame(opcode, payload), frame(PING, "")];
            let case = Case::ends(format!("4 opcode {opcode}"), &later, vec![hello.clone()], End::Code(1002));
            cases.extend(case.in_all_pieces());
        }
    }
    hold("reserved opcodes", cases).await;
}

#[tokio::test]
async fn a_client_that_does_not_mask_is_closed() {
    let mut cases = Vec::new();
    for opcode in [1, 2, 8, 9, 10] {
        let unmasked = vec![0x80 | opcode, 2, b'H', b'i'];
        cases.push(Case::bytes(format!("opcode {opcode} without a mask"), unmasked, vec![], End::Code(1002)));
    }
    hold("no mask", cases).await;
}
