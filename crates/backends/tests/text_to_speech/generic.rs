//! Voices behind anybody's endpoint (protocol.md 2.7), each form of answer from a server that gives it.

use std::collections::BTreeMap;

use antiphon_backends::http::Endpoint;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::generic::{Encoding, GenericVoice};
use antiphon_backends::text_to_speech::provider::Providers;
use antiphon_backends::text_to_speech::{Patience, TextToSpeech};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::remote::Kind;
use super::*;

const KEY: &str = "Bearer canary-77-token";

/// What such a voice is to the suite of all voices behind HTTP: one that answers bare audio, one that answers lines of JSON.
pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |content_type, body: fn(usize) -> Vec<u8>, change: fn(&mut GenericVoice), idle| Kind {
        name: "at 127.0.0.1",
        key: "canary-77-token",
        content_type,
        body: Box::new(body),
        voice: Box::new(move |wire, patience| patient_voice(wire, patience, change)),
        idle,
        streams: true,
    };
    let lines = |samples: usize| {
        let audio = square_wave(samples);
        let (one, other) = audio.split_at(samples + 1);
        let line = |bytes: &[u8]| format!("{}\n", json!({"a": {"audio": STANDARD.encode(bytes)}}));
        [line(one), line(other)].concat().into_bytes()
    };
    let field = |voice: &mut GenericVoice| voice.audio_field = Some("a.audio".to_owned());
    vec![kind("audio/l16", square_wave, |_| {}, None), kind("application/jsonl", lines, field, Some("\n\n"))]
}

fn described(wire: &Wire) -> GenericVoice {
    let mut key = HeaderValue::from_static(KEY);
    key.set_sensitive(true);
    let body = json!({"input": {"text": "Say: {text}"}, "api_key": "canary-in-body", "speed": 1, "list": ["{text}", 2]});
    let Value::Object(body) = body else { unreachable!() };
    GenericVoice {
        url: format!("{}/speak?token=canary-in-url", wire.base).parse().unwrap(),
        headers: HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, key)]),
        body,
        sample_rate: None,
        words_per_minute: None,
        mime_type: None,
        audio_field: None,
        encoding: Encoding::Base64,
    }
}

fn voice(wire: &Wire, change: impl FnOnce(&mut GenericVoice)) -> Arc<dyn TextToSpeech> {
    patient_voice(wire, Patience::default(), change)
}

fn patient_voice(
    wire: &Wire,
    patience: Patience,
    change: impl FnOnce(&mut GenericVoice),
) -> Arc<dyn TextToSpeech> {
    let mut described = described(wire);
    change(&mut described);
    let exchange = Arc::new(Endpoint::new(&wire.base, None).unwrap());
    Providers::new(BTreeMap::new(), patience).generic(described, exchange)
}

/// Loud from the first sample, so that nothing is cut away.
fn tone() -> Vec<u8> {
    square_wave(2_400)
}

async fn heard(content_type: &'static str, body: Vec<u8>, change: impl Fn(&mut GenericVoice)) -> usize {
    let mut lengths = Vec::new();
    for size in [1, 5, 777, body.len()] {
        let parts = body.chunks(size).map(<[u8]>::to_vec).collect();
        let wire = Wire::answering(200, content_type, Body::Parts(parts)).await;
        let said = say(&*voice(&wire, &change), TEXT).await;
        assert_eq!(said.failure, None, "{content_type} in parts of {size}");
        lengths.push(said.samples.len());
    }
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
    lengths[0]
}

#[tokio::test]
async fn every_form_of_answer_is_understood() {
    let nothing = |_: &mut GenericVoice| {};
    assert_eq!(heard("audio/l16", tone(), nothing).await, 2_400);
    assert_eq!(heard("audio/wav", wav(&tone()), nothing).await, 2_400);
    assert_eq!(
        heard("application/octet-stream", wav_of(48_000, &tone()), nothing).await,
        1_200,
        "the header says its rate"
    );
    assert_eq!(
        heard("", tone(), |voice| voice.sample_rate = Some(SampleRate::new(8_000).unwrap())).await,
        2_400
    );

    let base64 = STANDARD.encode(wav(&tone()));
    let hex: String = tone().iter().map(|byte| format!("{byte:02X}")).collect();
    let field = |path: &'static str, encoding| {
        move |voice: &mut GenericVoice| {
            voice.audio_field = Some(path.to_owned());
            voice.encoding = encoding;
        }
    };
    let whole = json!({"result": {"audioContent": base64}, "other": [1]}).to_string().into_bytes();
    assert_eq!(heard("application/json", whole, field("result.audioContent", Encoding::Base64)).await, 2_400);
    let list = json!({"audios": [hex, hex]}).to_string().into_bytes();
    assert_eq!(
        heard("application/json; charset=utf-8", list.clone(), field("audios", Encoding::Hex)).await,
        4_800
    );
    assert_eq!(heard("application/json", list, field("audios.1", Encoding::Hex)).await, 2_400);

    let (one, other) = (STANDARD.encode(&tone()[..1_001]), STANDARD.encode(&tone()[1_001..]));
    let lines = format!("{}\n\n{}\n{}", json!({"a": one}), json!({"done": false}), json!({"a": other}));
    assert_eq!(
        heard("application/jsonl", lines.clone().into_bytes(), field("a", Encoding::Base64)).await,
        2_400
    );
    let told_otherwise = |voice: &mut GenericVoice| {
        field("a", Encoding::Base64)(voice);
        voice.mime_type = Some("application/jsonl".to_owned());
    };
    assert_eq!(heard("application/json", lines.into_bytes(), told_otherwise).await, 2_400);
}

#[tokio::test]
async fn the_body_is_filled_and_headers_are_sent_as_they_are() {
    let mut wire = Wire::answering(200, "audio/l16", Body::Parts(vec![tone()])).await;
    say(&*voice(&wire, |_| {}), "\"Hi\" {text}").await;
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/speak?token=canary-in-url HTTP/1.1"), "{}", seen.head);
    assert!(seen.head.contains(&format!("authorization: {KEY}")));
    assert_eq!(
        serde_json::from_slice::<Value>(&seen.body).unwrap(),
        json!({
            "input": {"text": "Say: \"Hi\" {text}"}, "api_key": "canary-in-body", "speed": 1,
            "list": ["\"Hi\" {text}", 2],
        }),
    );
}

#[tokio::test]
async fn a_failure_tells_status_answer_and_question_but_no_secret() {
    let body = r#"{"message": "no such voice for canary-77-token"}"#.repeat(50);
    let wire = Wire::answering(422, "text/plain", Body::Parts(vec![body.into_bytes()])).await;
    let failure = say(&*voice(&wire, |_| {}), "Hello there").await.failure.unwrap();
    for wanted in [
        "at 127.0.0.1",
        "answered 422",
        "no such voice for [hidden]",
        "Say: Hello there",
        "\"api_key\":\"[hidden]\"",
    ] {
        assert!(failure.contains(wanted), "{wanted} is not in {failure}");
    }
    assert!(!failure.contains("canary"), "{failure}");
    assert!(failure.len() < 1_000, "{} bytes", failure.len());
}

#[tokio::test]
async fn answers_without_usable_audio_say_what_to_change() {
    let check = async |content_type, body: &[u8], change: fn(&mut GenericVoice), wanted: &str| {
        let wire = Wire::answering(200, content_type, Body::Parts(vec![body.to_vec()])).await;
        let failure = say(&*voice(&wire, change), TEXT).await.failure.expect("a failure");
        assert!(failure.contains(wanted), "{failure}");
    };
    let field = |voice: &mut GenericVoice| voice.audio_field = Some("a".to_owned());
    check("application/json", b"{}", |_| {}, "jsonAudioFieldPath").await;
    check("application/json", b"{}", field, "gave no audio").await;
    check("application/json", b"{\"a\":{}}", field, "something else than audio in the field \"a\"").await;
    check("application/json", b"{\"a\":\"!\"}", field, "no base64").await;
    check("audio/mpeg", b"ID3", |_| {}, "ask it for WAV or 16-bit PCM").await;
    check("text/html", b"<html>", |_| {}, "responseMimeType").await;
    check("audio/wav", &wav_of(11_025, &tone()), |_| {}, "11025").await;
    let hex = |voice: &mut GenericVoice| {
        voice.audio_field = Some("a".to_owned());
        voice.encoding = Encoding::Hex;
    };
    check("application/json", b"{\"a\":\"abc\"}", hex, "hexadecimal").await;
}

#[tokio::test]
async fn words_are_paced_as_described_and_spread_at_the_end() {
    let wire = Wire::answering(200, "audio/l16", Body::Parts(vec![tone()])).await;
    let voice = voice(&wire, |voice| voice.words_per_minute = Some(300));
    assert!(voice.capabilities().word_times);
    let mut events = voice.speak(Request { text: "abcde fghij".into(), language: None, sample: None });
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        if let SpeechEvent::Words(words) = event {
            told.push(words.iter().map(|word| word.samples).collect::<Vec<_>>());
        }
    }
    // 300 words of six characters a minute: 30 characters a second, 800 samples each.
    assert_eq!(told[0], [4_000, 8_800]);
    assert_eq!(*told.last().unwrap(), [2_400 * 5 / 11, 2_400]);
}

#[tokio::test]
async fn a_server_of_piper_speaks_by_configuration() {
    // Its answer says that it is HTML.
    let answer = Body::Parts(vec![wav_of(22_050, &tone())]);
    let mut wire = Wire::answering(200, "text/html; charset=utf-8", answer).await;
    let config = format!(
        "default_voice = \"piper\"\n[voices.piper]\ntype = \"generic\"\nurl = \"{}/synthesize\"\n\
         body = {{ text = \"{{text}}\" }}\nmime_type = \"audio/wav\"\nsample_rate = 22050\n",
        wire.base
    );
    let voices = Backends::build(&toml::from_str(&config).unwrap()).unwrap().voices;
    let voice = &voices["piper"];
    assert_eq!(voice.capabilities().sample_rate.hz(), 22_050);
    let said = say(&**voice, TEXT).await;
    assert_eq!((said.failure, said.samples.len()), (None, 2_400));
    let seen = wire.request().await;
    assert!(seen.head.starts_with("POST /v1/synthesize HTTP/1.1"), "{}", seen.head);
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), json!({"text": TEXT}));
}

#[test]
fn a_configured_endpoint_that_cannot_speak_is_refused_by_field() {
    let refused = |fields: &str| {
        let config = format!("[voices.piper]\ntype = \"generic\"\n{fields}");
        Backends::build(&toml::from_str(&config).unwrap()).err().expect("it is refused").to_string()
    };
    let nowhere = refused("url = \"http://h\"\nbody = { text = \"text\" }");
    assert!(
        nowhere.starts_with("voices.piper.body: says nowhere what to speak; put \"{text}\""),
        "{nowhere}"
    );
    let address = refused("url = \"h:5000\"\nbody = { text = \"{text}\" }");
    assert!(
        address.starts_with("voices.piper.url: ") && address.contains("no http or https address"),
        "{address}"
    );
    let rate = refused("url = \"http://h\"\nbody = { text = \"{text}\" }\nsample_rate = 11025");
    assert!(rate.starts_with("voices.piper.sample_rate: "), "{rate}");
}
