//! Voices that calls define themselves (protocol.md 2.6, 2.7): who is dialled, what is heard, and what is told when it fails.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_backends::http::ApiKey;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::Patience;
use antiphon_backends::text_to_speech::eleven_labs::ElevenLabsVoice;
use antiphon_backends::text_to_speech::provider::{Access, Definition, Provider, Providers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::endpoint::Endpoint;
use crate::stand::{Stand, backends};

const CANARY: &str = "canary-5d1e-key";
const GREETING: &str = "One two three.";

/// Half a second of a loud tone at 16 kHz, as JSON in an HTTP answer.
fn spoken() -> String {
    answer("200 OK", &json!({"audio": tone()}).to_string())
}

fn tone() -> String {
    let samples = (0..8_000).flat_map(|n| (if n / 20 % 2 == 0 { 6_000_i16 } else { -6_000 }).to_le_bytes());
    STANDARD.encode(samples.collect::<Vec<u8>>())
}

fn answer(status: &str, body: &str) -> String {
    let head = "Connection: close\r\nContent-Type: application/json";
    format!("HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn generic(url: &str) -> Value {
    json!({"generic": {
        "url": url,
        "headers": {"X-Key": CANARY},
        "body": {"say": "{text}", "password": "canary-in-body"},
        "responseSampleRate": 16_000,
        "jsonAudioFieldPath": "audio",
    }})
}

fn greets(fields: &Value) -> Value {
    let mut request = json!({"firstSpeakerSettings": {"agent": {"text": GREETING}}});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

async fn stand(backends: Backends) -> Stand {
    let directory = std::env::temp_dir().join(format!("antiphon-voices-{}", Uuid::new_v4()));
    Stand::start_with(backends, directory, |config| config.outbound.allow_private = true).await
}

/// Providers of which one is here, with a key.
fn providers(provider: Provider, endpoint: &Endpoint) -> Providers {
    let access = Access::new(provider, Some(&endpoint.url("")), Some(ApiKey::new(CANARY))).unwrap();
    Providers::new(BTreeMap::from([(provider, access)]), Patience::default())
}

/// What a call's events say, from warnings on.
async fn events(stand: &Stand, call: &Value) -> Vec<(String, String)> {
    let path = format!("/api/calls/{}/events?minimumSeverity=warning", call["callId"].as_str().unwrap());
    let page = stand.get(&path).await;
    let text = |event: &Value, field: &str| event[field].as_str().unwrap().to_owned();
    page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (text(event, "type"), text(event, "text")))
        .collect()
}

#[tokio::test]
async fn a_generic_voice_is_asked_as_described_and_heard() {
    let endpoint = Endpoint::answering([spoken()]).await;
    let stand = stand(backends(&[])).await;
    let (call, mut caller) =
        stand.call(greets(&json!({"externalVoice": generic(&endpoint.url("/say"))}))).await;
    assert_eq!(caller.until_final("agent").await, GREETING);
    // Half a second at 16 kHz in 16 bits; a loud tone has no silence to take away.
    assert_eq!(caller.heard.len(), 16_000);
    caller.hang_up().await;
    let call = stand.ended(&call).await;
    assert_eq!(events(&stand, &call).await, []);
    assert_eq!(stand.messages(&call).await, ["agent: One two three."]);
    let request = &endpoint.requests()[0];
    assert!(request.starts_with("POST /say HTTP/1.1"), "{request}");
    assert!(request.contains(&format!("x-key: {CANARY}")), "{request}");
    assert!(request.ends_with(r#"{"say":"One two three.","password":"canary-in-body"}"#), "{request}");
    stand.stop().await;
}

#[tokio::test]
async fn a_generic_voice_is_dialled_by_the_rules_for_what_users_have_dialled() {
    let endpoint = Endpoint::answering([spoken()]).await;
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) =
        stand.call(greets(&json!({"externalVoice": generic(&endpoint.url("/say"))}))).await;
    caller.until_state("listening").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    let events = events(&stand, &call).await;
    assert_eq!(events[0].0, "voice.failed");
    assert!(events[0].1.contains("outbound.allow"), "{}", events[0].1);
    assert!(endpoint.requests().is_empty(), "nobody was dialled");
    stand.stop().await;
}

#[tokio::test]
async fn definitions_that_make_no_sense_are_refused_with_their_field() {
    let stand = stand(backends(&[])).await;
    let without_text =
        json!({"generic": {"url": "http://localhost/", "headers": {}, "body": {"say": "nothing"}}});
    for (voice, field) in [
        (json!({"lmnt": {"speed": 1.0}}), "externalVoice.lmnt.voiceId"),
        (json!({"lmnt": {"voiceId": "x", "speed": 9.0}}), "externalVoice.lmnt.speed"),
        (without_text, "externalVoice.generic.body"),
        (
            json!({"generic": {"url": "ftp://x", "headers": {}, "body": {"say": "{text}"}}}),
            "externalVoice.generic.url",
        ),
    ] {
        let body = json!({"medium": {"serverWebSocket": {"inputSampleRate": 16000}}, "externalVoice": voice});
        let (status, refused) = stand.post("/api/calls", body).await;
        assert_eq!(status, 400, "{refused}");
        assert!(refused["errors"].get(field).is_some(), "{field}: {refused}");
    }
    stand.stop().await;
}

#[tokio::test]
async fn a_provider_without_a_key_leaves_a_call_that_is_silent_and_says_why() {
    let stand = stand(backends(&[])).await;
    let (call, mut caller) =
        stand.call(greets(&json!({"externalVoice": {"elevenLabs": {"voiceId": "x"}}}))).await;
    caller.until_state("listening").await;
    assert_eq!(caller.heard.len(), 0);
    caller.hang_up().await;
    stand.ended(&call).await;
    let events = events(&stand, &call).await;
    assert_eq!(events[0].0, "voice.failed");
    for wanted in ["there is no key for ElevenLabs", "tts_api_keys", "[voice_providers.eleven_labs]"] {
        assert!(events[0].1.contains(wanted), "{}", events[0].1);
    }
    stand.stop().await;
}

#[tokio::test]
async fn where_others_stand_in_they_speak_and_it_is_told_once() {
    let mut backends = backends(&[]);
    let hum = (Arc::from("hum"), Arc::clone(&backends.voices["hum"]));
    let storm = answer("429 Too Many Requests\r\nRetry-After: 60", r#"{"error": {"message": "too many"}}"#);
    let endpoint = Endpoint::answering([storm]).await;
    let providers =
        providers(Provider::Inworld, &endpoint).with_fallbacks(vec![hum], Duration::from_secs(30));
    backends.voice_providers = Arc::new(providers);
    let stand = stand(backends).await;
    let (call, mut caller) =
        stand.call(greets(&json!({"externalVoice": {"inworld": {"voiceId": "x"}}}))).await;
    assert_eq!(caller.until_final("agent").await, GREETING);
    for _ in 0..2 {
        caller.write("hello").await;
        assert_eq!(caller.until_final("agent").await, "Pardon?");
    }
    caller.hang_up().await;
    stand.ended(&call).await;
    let events = events(&stand, &call).await;
    let [(kind, text)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(kind, "voice.fallback");
    assert!(text.starts_with("\"hum\" speaks instead of"), "{text}");
    assert!(text.contains("answered 429: too many"), "{text}");
    assert_eq!(endpoint.requests().len(), 1, "who asks to be left alone is");
    stand.stop().await;
}

#[tokio::test]
async fn overrides_change_a_providers_voice_and_nothing_else() {
    let line = format!("{}\n", json!({"audio_base64": tone(), "alignment": null}));
    let endpoint = Endpoint::answering([answer("200 OK", &line)]).await;
    let providers = providers(Provider::ElevenLabs, &endpoint);
    let voice = ElevenLabsVoice {
        voice_id: "r".into(),
        speed: Some(0.9),
        stability: Some(0.5),
        max_sample_rate: Some(16_000),
        ..Default::default()
    };
    let definition = Definition::ElevenLabs(voice);
    let mut backends = backends(&[]);
    backends.voices.insert(Arc::from("rachel"), providers.voice(definition.clone(), None).unwrap());
    backends.voice_definitions.insert(Arc::from("rachel"), definition);
    backends.voice_providers = Arc::new(providers);
    let stand = stand(backends).await;

    let fields = json!({"voice": "rachel", "voiceOverrides": {"elevenLabs": {"speed": 1.1}}});
    let (call, mut caller) = stand.call(greets(&fields)).await;
    assert_eq!(caller.until_final("agent").await, GREETING);
    caller.hang_up().await;
    assert_eq!(stand.ended(&call).await["voiceOverrides"]["elevenLabs"]["speed"], 1.1);
    let request = &endpoint.requests()[0];
    assert!(request.contains(r#""voice_settings":{"stability":0.5,"speed":1.1}"#), "{request}");

    for (overrides, wanted) in [
        (json!({"lmnt": {"speed": 1.1}}), "are for voices of LMNT, and this one is of ElevenLabs"),
        (json!({"elevenLabs": {"voiceId": "other"}}), "may not change \"voiceId\""),
        (json!({"elevenLabs": {"model": "other"}}), "may not change \"model\""),
        (generic("http://127.0.0.1:1/"), "are no settings of ElevenLabs"),
    ] {
        let body = json!({"voice": "rachel", "voiceOverrides": overrides});
        let (status, refused) = stand.request(Method::POST, "/api/calls", Some(body)).await;
        assert_eq!(status, 400, "{refused}");
        let message = refused["errors"]["voiceOverrides"][0].as_str().unwrap();
        assert!(message.contains(wanted), "{message}");
    }
    let listed = stand.get("/api/voices?provider=eleven_labs").await;
    assert_eq!((&listed["total"], &listed["results"][0]["name"]), (&json!(1), &json!("rachel")));
    // Clients carry settings of the hosted service's voices with them.
    let call = stand.create(json!({"voice": "Mark", "voiceOverrides": {"elevenLabs": {"speed": 1.1}}})).await;
    // What is noticed while a call is created is written by the call itself.
    let told = loop {
        let told = events(&stand, &call).await;
        if !told.is_empty() {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(told[0].0, "voice.overrides_ignored");
    stand.stop().await;
}

#[tokio::test]
async fn registered_voices_speak_too() {
    let endpoint = Endpoint::answering([spoken()]).await;
    let stand = stand(backends(&[])).await;
    let voice = json!({"name": "Anna", "definition": generic(&endpoint.url("/say"))});
    let (status, created) = stand.post("/api/voices", voice).await;
    assert_eq!(status, 201, "{created}");
    let (call, mut caller) = stand.call(greets(&json!({"voice": "Anna"}))).await;
    assert_eq!(caller.until_final("agent").await, GREETING);
    assert_eq!(caller.heard.len(), 16_000);
    caller.hang_up().await;
    stand.ended(&call).await;
    let overrides = json!({"voice": "Anna", "voiceOverrides": {"lmnt": {"speed": 1.0}}});
    let (status, refused) = stand.post("/api/calls", overrides).await;
    assert_eq!(status, 400, "{refused}");
    stand.stop().await;
}

#[tokio::test]
async fn an_accounts_own_key_comes_before_the_servers() {
    let event = format!(
        "data: {}\n\ndata: {}\n\n",
        json!({"type": "chunk", "data": tone()}),
        json!({"type": "done"})
    );
    let speaks = answer("200 OK", &event);
    let endpoint = Endpoint::answering([speaks.clone(), speaks]).await;
    let mut backends = backends(&[]);
    backends.voice_providers = Arc::new(providers(Provider::Cartesia, &endpoint));
    let stand = stand(backends).await;
    for key in [json!("their-own-key"), Value::Null] {
        let body = Some(json!({"cartesia": key}));
        let (status, kept) = stand.request(Method::PATCH, "/api/accounts/me/tts_api_keys", body).await;
        assert_eq!(status, 200, "{kept}");
        let (call, mut caller) =
            stand.call(greets(&json!({"externalVoice": {"cartesia": {"voiceId": "x"}}}))).await;
        assert_eq!(caller.until_final("agent").await, GREETING);
        caller.hang_up().await;
        stand.ended(&call).await;
    }
    let requests = endpoint.requests();
    assert!(requests[0].contains("x-api-key: their-own-key\r\n"), "{}", requests[0]);
    assert!(requests[1].contains(&format!("x-api-key: {CANARY}\r\n")), "{}", requests[1]);
    stand.stop().await;
}

/// Everything that is written to a log.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn keys_are_nowhere_but_in_the_request_they_are_for() {
    let log = Logged::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Both repeat the key that they were sent, as some do.
    let refusal =
        answer("401 Unauthorized", &json!({"error": {"message": format!("bad key {CANARY}")}}).to_string());
    let endpoint = Endpoint::answering([refusal.clone(), refusal]).await;
    let mut backends = backends(&[]);
    backends.voice_providers = Arc::new(providers(Provider::Cartesia, &endpoint));
    let stand = stand(backends).await;
    for voice in [json!({"cartesia": {"voiceId": "x"}}), generic(&endpoint.url("/say?token=canary-in-url"))] {
        let (call, mut caller) = stand.call(greets(&json!({"externalVoice": voice}))).await;
        caller.until_state("listening").await;
        caller.hang_up().await;
        let ended = stand.ended(&call).await;
        let events = events(&stand, &call).await;
        assert!(events[0].1.contains("answered 401: bad key [hidden]"), "{events:?}");
        let journal = std::fs::read(stand.journal(&call)).unwrap();
        let journal = String::from_utf8_lossy(&journal).into_owned();
        for (place, text) in [("events", &format!("{events:?}")), ("journal", &journal)] {
            assert!(!text.contains("canary"), "in the {place}: {text}");
        }
        // What a developer put into the URL or the body comes back to that developer; headers do not.
        assert!(!ended.to_string().contains(CANARY), "{ended}");
    }
    assert!(endpoint.requests().iter().all(|request| request.contains(CANARY)), "and they were sent");
    stand.stop().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("voice"), "something was logged");
    let leaks: Vec<&str> = log.lines().filter(|line| line.contains("canary")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
