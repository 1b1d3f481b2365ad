//! What strangers can send, as functions of bytes: for fuzzers. Each takes anything and must neither panic nor break its promises.
//!
//! The tests below run them on stable with inputs made from seeds (`FUZZ_RUNS`, `FUZZ_SEED`); `fuzz/` hands them to libFuzzer, which
//! follows what the code does. There only with the feature `fuzzing`.

#[cfg(test)]
mod mutation;
mod requests;
#[cfg(test)]
mod tests;
mod wire;

use std::path::Path;

use antiphon_api::Timestamp;
use antiphon_api::realtime::{ClientMessage, ServerMessage};
use antiphon_audio::{G711, PcmReader, Resampler, SampleRate, Wav};
use serde_json::{Value, json};

use crate::call::journal;
use crate::config::Config;
use crate::telephony::request::Posted;
use crate::telephony::signature;
use crate::templates::{Template, filled};

pub use requests::Requests;
pub use wire::Wire;

/// A text frame of a client. What is understood means the same when it is written and read again.
pub fn client_message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(message) = ClientMessage::parse(text) {
        let written = message.value.to_text();
        let again = ClientMessage::parse(&written).map(|again| again.value.to_text());
        assert_eq!(again.ok().as_deref(), Some(written.as_str()));
    }
}

/// A text frame of a server, as a client reads it.
pub fn server_message(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(message) = ServerMessage::parse(text) {
        let written = message.value.to_text();
        let again = ServerMessage::parse(&written).map(|again| again.value.to_text());
        assert_eq!(again.ok().as_deref(), Some(written.as_str()));
    }
}

/// A template and, behind a byte of zero, the values for it in JSON.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, values) = text.split_once('\0').unwrap_or((text, "{}"));
    let values: Value = serde_json::from_str(values).unwrap_or_else(
        |_| json!({"name": "x", "list": [1, {"name": "y"}, []], "deep": {"er": {"name": ""}}}),
    );
    if let Ok(template) = Template::parse(text) {
        let _ = template.fill(&values);
    }
    let _ = filled(text, &values);
}

/// What a telephony provider posts, in lines: the content type, the URL, the signature, the nonce or time; then the body.
pub fn telephony(data: &[u8]) {
    let mut parts = data.splitn(5, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (kind, url, signed, nonce) = (line(), line(), line(), line());
    let body = parts.next().unwrap_or_default();
    let kind = Some(kind.as_str()).filter(|kind| !kind.is_empty());
    let form = match Posted::read(kind, body) {
        Some(posted) => {
            let mapping = [("CallSid", "call.id"), ("From", "caller"), ("a.b.c", "a"), ("data", "a.b")];
            let mapping = mapping.map(|(field, name)| (field.to_owned(), name.to_owned())).into();
            let _ = posted.context(&mapping);
            posted.pairs().to_vec()
        }
        None => Vec::new(),
    };
    let now = Timestamp::from_unix_micros(1_763_600_000_000_000).expect("it is within all time");
    // Nobody signs with a key that nobody has.
    assert!(!signature::twilio("secret", &signed, &url, &form, Some(body)), "a forged signature of Twilio's");
    assert!(!signature::plivo("secret", &signed, &nonce, &url, &form), "a forged signature of Plivo's");
    assert!(!signature::telnyx(&[7; 32], &signed, &nonce, body, now), "a forged signature of Telnyx's");
}

/// A configuration. What is valid is shown as a configuration that is valid.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("antiphon.toml");
    match Config::parse(path, text, []) {
        Ok(loaded) => {
            let shown = loaded.render();
            assert!(
                Config::parse(path, &shown, []).is_ok(),
                "what is in force is no configuration:\n{shown}"
            );
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}

/// A journal: a file as it is or, behind a byte of 1, the contents of its blocks, so that no checksum protects what reads them.
pub fn journal(data: &[u8]) {
    let path = Path::new("a.journal");
    let _ = match data {
        [1, contents @ ..] => journal::read_bytes(&journal::framed(contents), path),
        file => journal::read_bytes(file, path),
    };
}

/// A WAV file, such as voices are cloned from.
pub fn wav(data: &[u8]) {
    if let Ok(wav) = Wav::read(data) {
        let _ = wav.mono();
        for channel in 0..wav.channels.min(8) {
            let _ = wav.channel(channel);
        }
    }
}

/// Audio in frames of any size, at any rate: however it is cut, the same comes out.
pub fn audio(data: &[u8]) {
    let [from, to, sizes @ .., _] = data else { return };
    let (Some(from), Some(to)) = (rate(*from), rate(*to)) else { return };
    let sound = &data[2..];
    let mut cut = sizes.iter().cycle().map(|size| usize::from(*size));
    let (mut pcm, mut resampler) = (PcmReader::default(), Resampler::new(from, to));
    let (mut samples, mut pieces) = (Vec::new(), Vec::new());
    let mut rest = sound;
    while !rest.is_empty() {
        let size = cut.next().unwrap_or(1).min(rest.len());
        let (frame, after) = rest.split_at(size.max(1));
        rest = after;
        samples.clear();
        pcm.read(frame, &mut samples);
        resampler.process(&samples, &mut pieces);
    }
    resampler.flush(&mut pieces);
    let (mut samples, mut whole, mut resampler) = (Vec::new(), Vec::new(), Resampler::new(from, to));
    PcmReader::default().read(sound, &mut samples);
    resampler.process(&samples, &mut whole);
    resampler.flush(&mut whole);
    assert_eq!(pieces, whole, "{} to {}", from.hz(), to.hz());
    for law in [G711::ALaw, G711::MuLaw] {
        let mut decoded = Vec::new();
        law.read(sound, &mut decoded);
        let mut encoded = Vec::new();
        law.write(&decoded, &mut encoded);
        assert_eq!(encoded.len(), sound.len());
    }
}

fn rate(byte: u8) -> Option<SampleRate> {
    const HZ: [u32; 8] = [8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    SampleRate::new(HZ[usize::from(byte) % HZ.len()]).ok()
}
