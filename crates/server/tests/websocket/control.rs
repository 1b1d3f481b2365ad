//! Pings and pongs (Autobahn 2).

use crate::peer::{Case, End, Frame, PING, PONG, frame, hold, text};

#[tokio::test]
async fn pings_are_answered_with_what_they_said() {
    let mut cases = Vec::new();
    let payloads: [Vec<u8>; 5] =
        [vec![], b"Hello".to_vec(), vec![0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0], vec![0xfe; 125], "ü€😀".into()];
    for payload in payloads {
        let name = format!("2.1 to 2.4, 2.6 ping of {} bytes", payload.len());
        let case = Case::echoes(name, &[frame(PING, payload.clone())], vec![frame(PONG, payload)]);
        cases.extend(case.in_all_pieces());
    }
    let pings: Vec<Frame> = (0..10).map(|nth| frame(PING, format!("payload-{nth}"))).collect();
    let pongs: Vec<Frame> = (0..10).map(|nth| frame(PONG, format!("payload-{nth}"))).collect();
    cases.extend(Case::echoes("2.10, 2.11 ten pings", &pings, pongs).in_all_pieces());
    hold("pings", cases).await;
}

#[tokio::test]
async fn pongs_that_nobody_asked_for_are_ignored() {
    let mut cases = Vec::new();
    for payload in ["", "unsolicited pong"] {
        cases.extend(Case::echoes("2.7, 2.8 pong", &[frame(PONG, payload)], vec![]).in_all_pieces());
    }
    let sent = [frame(PONG, "unsolicited pong"), frame(PING, "ping"), text("after")];
    let back = vec![frame(PONG, "ping"), text("after")];
    cases.extend(Case::echoes("2.9 pong, ping and text", &sent, back).in_all_pieces());
    hold("pongs", cases).await;
}

#[tokio::test]
async fn control_frames_are_short_and_whole() {
    let mut cases = Vec::new();
    for opcode in [PING, PONG] {
        for length in [126, 65_535, 65_536] {
            let sent = [frame(opcode, vec![0xfe; length])];
            cases.push(Case::ends(
                format!("2.5 opcode {opcode}, {length} bytes"),
                &sent,
                vec![],
                End::Code(1002),
            ));
        }
        let sent = [frame(opcode, "fragment1").unfinished(), frame(0, "fragment2")];
        cases.extend(
            Case::ends(format!("5.1, 5.2 opcode {opcode} in fragments"), &sent, vec![], End::Code(1002))
                .in_all_pieces(),
        );
    }
    hold("bad control frames", cases).await;
}
