//! UTF-8, at every cut (Autobahn 6; the sequences are those of Markus Kuhn's stress test).

use crate::peer::{Case, End, TEXT, fragments, hold, text};

#[tokio::test]
async fn every_valid_text_comes_back_wherever_it_is_cut() {
    let mut cases = Vec::new();
    let mut texts: Vec<String> = [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\u{0}",
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{feff}bom",
        "👩‍👩‍👧‍👦 e\u{301}",
    ]
    .map(str::to_owned)
    .into();
    // The last two code points of each plane are no characters, and valid.
    texts.extend((0..=0x10_u32).map(|plane| {
        [0xfffe, 0xffff].map(|low| char::from_u32(plane << 16 | low).unwrap()).iter().collect()
    }));
    for valid in texts {
        let back = vec![text(valid.as_str())];
        let case = Case::echoes(format!("6.2, 6.5 to 6.9 {valid:?}"), &back, back.clone());
        cases.extend(case.in_all_pieces());
        for cut in 0..=valid.len() {
            let (start, end) = valid.as_bytes().split_at(cut);
            let name = format!("6.2.2 {valid:?} cut at {cut}");
            cases.push(Case::echoes(name, &fragments(TEXT, [start, end]), back.clone()));
        }
        let octets = fragments(TEXT, valid.as_bytes().chunks(1));
        cases.push(Case::echoes(format!("6.2.3 {valid:?} by octets"), &octets, back));
    }
    hold("valid texts", cases).await;
}

#[tokio::test]
async fn every_invalid_text_is_1007() {
    let invalid: &[&[u8]] = &[
        // Continuation bytes alone.
        b"\x80",
        b"\xbf",
        b"\x80\xbf",
        b"\x80\xbf\x80\xbf\x80\xbf",
        // Beginnings without their end.
        b"\xc0",
        b"\xc3 ",
        b"\xe0\x80 ",
        b"\xef\xbf",
        b"\xf0\x80\x80 ",
        b"\xf7\xbf\xbf",
        b"\xce\xba\xe1\xbd",
        // Never bytes of UTF-8.
        b"\xfe",
        b"\xff",
        b"\xfe\xfe\xff\xff",
        b"\xf5\x80\x80\x80",
        // Longer than needed: '/' and the end of each range.
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x80\x80\x80\xaf",
        b"\xfc\x80\x80\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xc0\x80",
        b"\xe0\x80\x80",
        b"\xf0\x80\x80\x80",
        // Halves of surrogates, alone and in pairs.
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xae\x80",
        b"\xed\xaf\xbf",
        b"\xed\xb0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xed\xaf\xbf\xed\xbf\xbf",
        // Beyond the last code point.
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfb\xbf\xbf\xbf\xbf",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfd\xbf\xbf\xbf\xbf\xbf",
    ];
    let mut cases = Vec::new();
    for wrong in invalid {
        for (before, after) in [("", ""), ("κόσμε ", ""), ("", " edited"), ("κόσμε ", " edited")] {
            let payload = [before.as_bytes(), wrong, after.as_bytes()].concat();
            let name = format!("6.3, 6.8 to 6.21 {wrong:02x?}");
            let whole = [text(payload.clone())];
            cases.push(Case::ends(name.clone(), &whole, vec![], End::Code(1007)));
            cases.push(Case::ends(name.clone(), &whole, vec![], End::Code(1007)).in_pieces_of(1));
            let octets = fragments(TEXT, payload.chunks(1));
            cases.push(Case::ends(format!("{name} by octets"), &octets, vec![], End::Code(1007)));
        }
    }
    hold("invalid texts", cases).await;
}

#[tokio::test]
async fn a_text_that_is_wrong_already_is_refused_before_its_last_fragment() {
    let mut cases = Vec::new();
    for wrong in [&b"\xf4\x90"[..], b"\xf4\x90\x80\x80", b"\xed\xa0\x80", b"\xc0"] {
        // The message is never finished.
        let sent = [text("κόσμε").unfinished(), crate::peer::frame(0, wrong).unfinished()];
        cases.extend(
            Case::ends(format!("6.4.1, 6.4.2 {wrong:02x?}"), &sent, vec![], End::Code(1007)).in_all_pieces(),
        );
    }
    hold("texts that are wrong early", cases).await;
}
