//! Bytes, digests, times.

use crate::stand::Stand;

fn value(expression: &str) -> String {
    let stand = Stand::started(&format!("Logger.write(String({expression}));"));
    assert_eq!(stand.errors(), [""; 0], "{expression}");
    stand.said()[0].to_owned()
}

fn error(expression: &str) -> String {
    value(&format!("(() => {{ try {{ return {expression}; }} catch (error) {{ return error; }} }})()"))
}

#[test]
fn bytes_become_texts_and_back() {
    for (expression, expected) in [
        ("base64_encode('Grüße')", "R3LDvMOfZQ=="),
        ("base64_encode([0, 255])", "AP8="),
        ("base64_decode('AP8=')", "0,255"),
        ("base64_decode('AP8')", "0,255"),
        ("bytes2str(base64_decode('R3LDvMOfZQ=='))", "Grüße"),
        ("bytes2hex([0, 171])", "00ab"),
        ("bytes2hex([0, 171], true)", "00AB"),
        ("hex2bytes('00aB')", "0,171"),
        ("hex2bytes('')", ""),
        ("str2bytes('é', 'utf-8')", "195,169"),
        ("bytes2str([195, 169])", "é"),
        ("uuidgen().length", "36"),
        ("uuidgen() === uuidgen()", "false"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

/// The vectors are those of RFC 1321, FIPS 180 and RFC 4231.
#[test]
fn digests_are_the_known_ones() {
    for (expression, expected) in [
        ("Crypto.md5('abc')", "900150983cd24fb0d6963f7d28e17f72"),
        ("Crypto.sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("Crypto.sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("Crypto.sha256([97, 98, 99])", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "Crypto.hmac_sha256('Jefe', 'what do ya want for nothing?')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn wrong_bytes_are_named() {
    for (expression, expected) in [
        (
            "hex2bytes('abc')",
            "TypeError: hex2bytes: the text must be pairs of hexadecimal digits, not the string \"abc\"",
        ),
        ("bytes2hex([1.5])", "TypeError: each byte of the bytes must be"),
        ("Crypto.sha1(5)", "TypeError: Crypto.sha1: the data must be a string or an array of bytes, not 5"),
        ("base64_decode('*')", "Error: base64_decode: the text is no Base64"),
        (
            "str2bytes('a', 'koi8-r')",
            "TypeError: str2bytes: the encoding must be 'utf-8', not the string \"koi8-r\"",
        ),
        ("getLocalTime('Atlantis')", "Error: getLocalTime: there is no time zone \"Atlantis\""),
    ] {
        let error = error(expression);
        let expected = expected.replace("TypeError: each", "TypeError: bytes2hex: each");
        assert!(error.starts_with(&expected), "{expression}: {error}");
    }
}

#[test]
fn the_time_of_a_place_reads_as_the_clock_there() {
    let hours = "((getLocalTime('Asia/Tokyo') - getLocalTime('UTC')) / 3600000).toFixed(1)";
    assert_eq!(value(hours), "9.0");
}
