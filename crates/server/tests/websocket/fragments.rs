//! Messages in pieces, with control frames between them, and pieces of nothing (Autobahn 5).

use crate::peer::{BINARY, CONTINUATION, Case, End, PING, PONG, TEXT, fragments, frame, hold, text};

#[tokio::test]
async fn fragments_become_one_message_and_control_frames_come_between() {
    let mut cases = Vec::new();
    for opcode in [TEXT, BINARY] {
        for count in [2, 3, 10, 100] {
            let pieces: Vec<String> = (0..count).map(|nth| format!("fragment{nth}")).collect();
            let whole = frame(opcode, pieces.concat());
            let sent = fragments(opcode, &pieces);
            let case = Case::echoes(format!("5.3 to 5.5, {count} fragments"), &sent, vec![whole.clone()]);
            cases.extend(case.in_all_pieces());

            let with_pings =
                sent.iter().flat_map(|piece| [piece.clone(), frame(PING, "ping")]).collect::<Vec<_>>();
            // The last fragment is repeated before the ping behind it is answered.
            let mut back = vec![frame(PONG, "ping"); count - 1];
            back.extend([whole, frame(PONG, "ping")]);
            let case = Case::echoes(format!("5.6 to 5.8, {count} fragments and pings"), &with_pings, back);
            cases.extend(case.in_all_pieces());
        }
        let empty = fragments(opcode, ["", "", ""]);
        cases.extend(Case::echoes("6.1.2 empty fragments", &empty, vec![frame(opcode, "")]).in_all_pieces());
        let middle = fragments(opcode, ["", "middle", ""]);
        cases.extend(
            Case::echoes("6.1.3 empty around", &middle, vec![frame(opcode, "middle")]).in_all_pieces(),
        );
    }
    let mut sent = fragments(TEXT, ["fragment1", "fragment2", "fragment3", "fragment4", "fragment5"]);
    sent.insert(2, frame(PING, "one"));
    sent.insert(5, frame(PING, "two"));
    let back =
        vec![frame(PONG, "one"), frame(PONG, "two"), text("fragment1fragment2fragment3fragment4fragment5")];
    cases.extend(Case::echoes("5.19, 5.20", &sent, back).in_all_pieces());
    hold("fragments", cases).await;
}

#[tokio::test]
async fn a_continuation_of_nothing_ends_the_connection() {
    let mut cases = Vec::new();
    let first = frame(CONTINUATION, "non-continuation payload");
    for start in [first.clone(), first.unfinished()] {
        let sent = [start.clone(), text("Hello")];
        cases.extend(Case::ends("5.9 to 5.14", &sent, vec![], End::Code(1002)).in_all_pieces());
        let mut sent = fragments(TEXT, ["fragment1", "fragment2"]);
        sent.extend([start.clone(), text("fragment4")]);
        let back = vec![text("fragment1fragment2")];
        cases.extend(Case::ends("5.15", &sent, back, End::Code(1002)).in_all_pieces());
        let sent = [start, text("a").unfinished(), frame(CONTINUATION, "b")];
        cases.extend(Case::ends("5.16, 5.17", &sent, vec![], End::Code(1002)).in_all_pieces());
    }
    hold("continuations of nothing", cases).await;
}

#[tokio::test]
async fn a_message_within_a_message_ends_the_connection() {
    let mut cases = Vec::new();
    for first in [TEXT, BINARY] {
        for second in [TEXT, BINARY] {
            let sent = [frame(first, "fragment1").unfinished(), frame(second, "fragment2")];
            cases.extend(Case::ends("5.18", &sent, vec![], End::Code(1002)).in_all_pieces());
        }
    }
    hold("messages within messages", cases).await;
}
