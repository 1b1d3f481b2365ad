//! The end of a connection: codes, reasons, what comes behind a close, and no close at all (Autobahn 7).

use crate::peer::{CLOSE, CONTINUATION, Case, End, PING, close, frame, hold, text};

#[tokio::test]
async fn a_close_is_answered_and_nothing_behind_it_is() {
    let mut cases = Vec::new();
    let hello = text("Hello World!");
    cases.extend(Case::echoes("7.1.1", std::slice::from_ref(&hello), vec![hello.clone()]).in_all_pieces());
    for (name, late) in
        [("7.1.2 close", close(1000, "")), ("7.1.3 ping", frame(PING, "late")), ("7.1.4 text", text("late"))]
    {
        let sent = [close(1000, ""), late];
        cases.extend(Case::ends(name, &sent, vec![], End::Code(1000)).in_all_pieces());
    }
    let sent = [text("fragment1").unfinished(), close(1000, ""), frame(CONTINUATION, "fragment2")];
    cases.extend(Case::ends("7.1.5 within a message", &sent, vec![], End::Code(1000)).in_all_pieces());
    let large = text(vec![b'*'; 256 << 10]);
    let sent = [large.clone(), close(1000, ""), frame(PING, "late")];
    cases.push(Case::ends("7.1.6 behind a large message", &sent, vec![large], End::Code(1000)));
    hold("closes", cases).await;
}

#[tokio::test]
async fn codes_that_may_be_sent_are_repeated_and_others_are_not() {
    let mut cases = Vec::new();
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
        let name = format!("7.7 code {code}");
        cases.extend(Case::ends(name, &[close(code, "")], vec![], End::Code(code)).in_all_pieces());
    }
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let name = format!("7.9, 7.13 code {code}");
        cases.extend(Case::ends(name, &[close(code, "")], vec![], End::Code(1002)).in_all_pieces());
    }
    hold("codes of closes", cases).await;
}

#[tokio::test]
async fn a_close_is_empty_or_a_code_and_a_text() {
    let mut cases = Vec::new();
    cases.extend(Case::ends("7.3.1 empty", &[frame(CLOSE, "")], vec![], End::NoCode).in_all_pieces());
    cases.extend(Case::ends("7.3.2 one byte", &[frame(CLOSE, "a")], vec![], End::Code(1002)).in_all_pieces());
    for reason in ["", "Hello World!", "äöü€", &"*".repeat(123)] {
        let sent = [close(1000, reason)];
        cases.extend(Case::ends("7.3.3 to 7.3.5", &sent, vec![], End::Code(1000)).in_all_pieces());
    }
    let sent = [close(1000, &"*".repeat(124))];
    cases.push(Case::ends("7.3.6 reason too long", &sent, vec![], End::Code(1002)));
    for wrong in
        [&b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..], b"\xff", b"\xe2\x82"]
    {
        let sent = [frame(CLOSE, [&1000_u16.to_be_bytes(), wrong].concat())];
        cases.extend(Case::ends("7.5.1 reason not UTF-8", &sent, vec![], End::Code(1007)).in_all_pieces());
    }
    let sent = [frame(CLOSE, "\u{3}\u{e8}").unfinished(), frame(CONTINUATION, "")];
    cases.extend(Case::ends("close in fragments", &sent, vec![], End::Code(1002)).in_all_pieces());
    hold("contents of closes", cases).await;
}

#[tokio::test]
async fn a_client_that_stops_without_a_close_is_let_go() {
    let mut cases = Vec::new();
    let hello = text("Hello");
    cases.push(Case::ends("at once", &[], vec![], End::Dropped).and_half_closes());
    cases.push(
        Case::ends("after a message", std::slice::from_ref(&hello), vec![hello.clone()], End::Dropped)
            .and_half_closes(),
    );
    let within = [hello.clone(), hello.clone().unfinished()];
    cases.push(Case::ends("within a message", &within, vec![hello.clone()], End::Dropped).and_half_closes());
    let bytes = hello.bytes();
    for cut in 1..bytes.len() {
        let name = format!("within a frame, after {cut} bytes");
        cases.push(Case::bytes(name, bytes[..cut].to_vec(), vec![], End::Dropped).and_half_closes());
    }
    hold("no close", cases).await;
}
