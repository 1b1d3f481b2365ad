//! The providers' voices against servers that speak their wire formats, from the providers' documentation.

use std::collections::BTreeMap;

use antiphon_backends::http::ApiKey;
use antiphon_backends::text_to_speech::cartesia::{CartesiaVoice, GenerationConfig};
use antiphon_backends::text_to_speech::eleven_labs::{ElevenLabsVoice, PronunciationDictionary};
use antiphon_backends::text_to_speech::google::GoogleVoice;
use antiphon_backends::text_to_speech::inworld::InworldVoice;
use antiphon_backends::text_to_speech::lmnt::LmntVoice;
use antiphon_backends::text_to_speech::provider::{Access, Definition, Provider, Providers};
use antiphon_backends::text_to_speech::respeecher::RespeecherVoice;
use antiphon_backends::text_to_speech::{Patience, TextToSpeech};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::remote::Kind;
use super::*;

const KEY: &str = "canary-3f9a-key";
/// A tenth of a second of the test tone.
const SAMPLES: usize = 2_400;

/// What each provider's voice is to the suite of all voices behind HTTP.
pub(crate) fn kinds() -> Vec<Kind> {
    let kind = |provider: Provider| Kind {
        name: provider.name(),
        key: KEY,
        content_type: answer(provider, SAMPLES).0,
        body: Box::new(move |samples| answer(provider, samples).1),
        voice: Box::new(move |wire, patience| patient_voice(wire, definition(provider), patience)),
        idle: match provider {
            Provider::Cartesia | Provider::Respeecher => Some(": still here\n\n"),
            Provider::ElevenLabs | Provider::Inworld => Some("\n\n"),
            Provider::Google | Provider::Lmnt => None,
        },
        streams: provider != Provider::Google,
    };
    Provider::ALL.map(kind).into()
}

fn provider_voice(wire: &Wire, definition: Definition) -> Arc<dyn TextToSpeech> {
    patient_voice(wire, definition, Patience::default())
}

fn patient_voice(wire: &Wire, definition: Definition, patience: Patience) -> Arc<dyn TextToSpeech> {
    let provider = definition.provider();
    let base = wire.base.trim_end_matches("/v1");
    let access = Access::new(provider, Some(base), Some(ApiKey::new(KEY))).unwrap();
    let providers = Providers::new(BTreeMap::from([(provider, access)]), patience);
    providers.voice(definition, None).unwrap()
}

/// The words of the test's text, as long in all as the tone, as providers tell them.
fn timed_words(samples: usize) -> Vec<(&'static str, f64, f64)> {
    let words: Vec<&str> = TEXT.split_whitespace().filter(|word| *word != "—").collect();
    let each = samples as f64 / 24_000.0 / words.len() as f64;
    words.into_iter().enumerate().map(|(n, word)| (word, each * n as f64, each * (n + 1) as f64)).collect()
}

fn column<T: serde::Serialize>(
    words: &[(&'static str, f64, f64)],
    of: fn(&(&'static str, f64, f64)) -> T,
) -> Value {
    json!(words.iter().map(of).collect::<Vec<T>>())
}

/// A sentence as each provider answers it, with so much audio: the content type, and the body.
fn answer(provider: Provider, samples: usize) -> (&'static str, Vec<u8>) {
    let audio = square_wave(samples);
    // Cut at an odd byte: a sample may lie across two pieces.
    let (one, other) = audio.split_at(samples + 1);
    let (one, other) = (STANDARD.encode(one), STANDARD.encode(other));
    let words = timed_words(samples);
    let (first, rest) = words.split_at(4);
    match provider {
        Provider::ElevenLabs => {
            let letters: Vec<String> = TEXT.chars().map(String::from).collect();
            let each = samples as f64 / 24_000.0 / letters.len() as f64;
            let at =
                |from: usize, to: usize| json!((from..to).map(|n| each * n as f64).collect::<Vec<f64>>());
            let count = letters.len();
            let lines = [
                json!({"audio_base64": one, "alignment": {
                    "characters": letters[..30],
                    "character_start_times_seconds": at(0, 30), "character_end_times_seconds": at(1, 31)},
                    "normalized_alignment": null}),
                json!({"audio_base64": other, "alignment": {
                    "characters": letters[30..],
                    "character_start_times_seconds": at(30, count), "character_end_times_seconds": at(31, count + 1)}}),
                json!({"audio_base64": "", "alignment": null}),
            ];
            (
                "application/json",
                lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes(),
            )
        }
        Provider::Cartesia => {
            let told = |words: &[(&'static str, f64, f64)]| {
                json!({"type": "timestamps", "done": false, "status_code": 206, "context_id": "c", "word_timestamps": {
                    "words": column(words, |word| word.0),
                    "start": column(words, |word| word.1), "end": column(words, |word| word.2)}})
            };
            let chunk = |data: &str| json!({"type": "chunk", "data": data, "done": false, "status_code": 206, "step_time": 3.5});
            let events = [
                ("timestamps", told(first)),
                ("chunk", chunk(&one)),
                ("timestamps", told(rest)),
                ("chunk", chunk(&other)),
                ("done", json!({"type": "done", "done": true, "status_code": 206})),
            ];
            let events = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"));
            ("text/event-stream", format!(": keep-alive\n\n{}", events.collect::<String>()).into_bytes())
        }
        Provider::Lmnt => ("application/octet-stream", audio),
        Provider::Google => {
            let file = STANDARD.encode(wav(&audio));
            let body = serde_json::to_string_pretty(&json!({"audioContent": file})).unwrap();
            ("application/json; charset=UTF-8", body.into_bytes())
        }
        Provider::Inworld => {
            // A piece is a file of its own.
            let (one, other) = audio.split_at(samples);
            let told = |audio: &[u8], words: &[(&'static str, f64, f64)]| {
                json!({"result": {
                    "audioContent": STANDARD.encode(wav(audio)),
                    "usage": {"processedCharactersCount": 70, "modelId": "inworld-tts-1"},
                    "timestampInfo": {"wordAlignment": {
                        "words": column(words, |word| word.0),
                        "wordStartTimeSeconds": column(words, |word| word.1),
                        "wordEndTimeSeconds": column(words, |word| word.2)}}}})
            };
            ("application/json", format!("{}\n{}\n", told(one, first), told(other, rest)).into_bytes())
        }
        Provider::Respeecher => {
            let chunk = |data: &str| json!({"type": "chunk", "data": data});
            ("application/json", format!("{}\n\n{}\n", chunk(&one), chunk(&other)).into_bytes())
        }
    }
}

fn definition(provider: Provider) -> Definition {
    let voice_id = || "v 1/é".to_owned();
    match provider {
        Provider::ElevenLabs => {
            Definition::ElevenLabs(ElevenLabsVoice { voice_id: voice_id(), ..Default::default() })
        }
        Provider::Cartesia => {
            Definition::Cartesia(CartesiaVoice { voice_id: voice_id(), ..Default::default() })
        }
        Provider::Lmnt => Definition::Lmnt(LmntVoice { voice_id: voice_id(), ..Default::default() }),
        Provider::Google => {
            let voice_id = "de-DE-Chirp3-HD-Kore".to_owned();
            Definition::Google(GoogleVoice { voice_id, ..Default::default() })
        }
        Provider::Inworld => Definition::Inworld(InworldVoice { voice_id: voice_id(), ..Default::default() }),
        Provider::Respeecher => {
            Definition::Respeecher(RespeecherVoice { voice_id: voice_id(), ..Default::default() })
        }
    }
}

async fn speaking(provider: Provider, status: u16, body: Body) -> (Wire, Arc<dyn TextToSpeech>) {
    let (content_type, _) = answer(provider, SAMPLES);
    let wire = Wire::answering(status, content_type, body).await;
    let voice = provider_voice(&wire, definition(provider));
    (wire, voice)
}

fn parts(body: &[u8], size: usize) -> Body {
    Body::Parts(body.chunks(size).map(<[u8]>::to_vec).collect())
}

#[tokio::test]
async fn words_end_where_the_provider_says() {
    for provider in [Provider::Cartesia, Provider::Inworld] {
        let (_wire, voice) = speaking(provider, 200, parts(&answer(provider, SAMPLES).1, 500)).await;
        let said = say(&*voice, TEXT).await;
        let each = SAMPLES as f64 / timed_words(SAMPLES).len() as f64;
        for (nth, word) in said.words.iter().enumerate() {
            assert!(
                (f64::from(word.samples) - each * (nth + 1) as f64).abs() < 2.0,
                "{provider:?}: {word:?}"
            );
        }
        assert_eq!(said.words.len(), timed_words(SAMPLES).len());
    }
    let (_wire, voice) =
        speaking(Provider::ElevenLabs, 200, parts(&answer(Provider::ElevenLabs, SAMPLES).1, 500)).await;
    let said = say(&*voice, TEXT).await;
    let heard: Vec<&str> = said.words.iter().map(|word| &TEXT[..word.text as usize]).collect();
    assert_eq!(heard[..3], ["We", "We open", "We open at"]);
    assert_eq!(heard.len(), TEXT.split_whitespace().count());
}

#[tokio::test]
async fn errors_within_a_stream_are_told() {
    let check = async |provider, body: &str, wanted: &str| {
        let (_wire, voice) = speaking(provider, 200, Body::Parts(vec![body.as_bytes().to_vec()])).await;
        let failure = say(&*voice, TEXT).await.failure.expect("a failure");
        assert!(failure.contains(wanted), "{failure}");
    };
    check(
        Provider::ElevenLabs,
        "{\"detail\":{\"status\":\"quota\",\"message\":\"no more\"}}\n",
        "failed: no more",
    )
    .await;
    check(
        Provider::Cartesia,
        "data: {\"type\":\"error\",\"done\":true,\"title\":\"Bad\",\"message\":\"No such model\"}\n\n",
        "failed: No such model",
    )
    .await;
    check(
        Provider::Cartesia,
        "data: {\"type\":\"error\",\"error\":\"older words\",\"status_code\":400}\n\n",
        "failed: older words",
    )
    .await;
    check(
        Provider::Inworld,
        "{\"error\":{\"code\":5,\"message\":\"Unknown voice\"}}\n",
        "failed: Unknown voice",
    )
    .await;
    check(
        Provider::Respeecher,
        "{\"type\":\"error\",\"error\":\"busy\",\"status_code\":500}\n",
        "failed: busy",
    )
    .await;
    check(Provider::Google, "{\"error\":{\"message\":\"bad voice\"}}", "failed: bad voice").await;
    // What is no base64, and no audio.
    check(Provider::Respeecher, "{\"type\":\"chunk\",\"data\":\"***\"}\n", "no base64").await;
}

#[tokio::test]
async fn every_option_is_forwarded() {
    let check = async |definition: Definition, language: Option<&str>, head: &[&str], body: Value| {
        let (content_type, answer) = answer(definition.provider(), SAMPLES);
        let mut wire = Wire::answering(200, content_type, parts(&answer, answer.len())).await;
        let voice = provider_voice(&wire, definition);
        let mut events =
            voice.speak(Request { text: "Hi.".into(), language: language.map(Arc::from), sample: None });
        while events.next().await.is_some() {}
        let seen = wire.request().await;
        for line in head {
            assert!(
                seen.head.to_lowercase().contains(&line.to_lowercase()),
                "{line} is not in {}",
                seen.head
            );
        }
        assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), body);
    };
    check(
        Definition::ElevenLabs(ElevenLabsVoice {
            voice_id: "v 1/é".into(),
            model: Some("eleven_flash_v2_5".into()),
            speed: Some(1.1),
            use_speaker_boost: Some(true),
            style: Some(0.2),
            similarity_boost: Some(0.7),
            stability: Some(0.4),
            pronunciation_dictionaries: vec![PronunciationDictionary {
                dictionary_id: "d".into(),
                version_id: Some("1".into()),
            }],
            optimize_streaming_latency: Some(3),
            max_sample_rate: Some(16_500),
            enable_ssml_parsing: None,
        }),
        Some("en-GB"),
        &[
            "POST /v1/text-to-speech/v%201%2F%C3%A9/stream/with-timestamps?output_format=pcm_16000&optimize_streaming_latency=3 ",
            &format!("xi-api-key: {KEY}"),
        ],
        json!({
            "text": "Hi.", "model_id": "eleven_flash_v2_5", "language_code": "en",
            "voice_settings": {"stability": 0.4, "similarity_boost": 0.7, "style": 0.2, "speed": 1.1, "use_speaker_boost": true},
            "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "d", "version_id": "1"}],
        }),
    )
    .await;
    let format = json!({"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000});
    check(
        Definition::Cartesia(CartesiaVoice {
            voice_id: "c".into(),
            model: Some("sonic-3".into()),
            generation_config: Some(GenerationConfig {
                volume: Some(1.5),
                speed: Some(0.9),
                emotion: Some("calm".into()),
                pronunciation_dict_id: Some("d".into()),
            }),
            ..Default::default()
        }),
        Some("de-DE"),
        &["POST /tts/sse ", &format!("x-api-key: {KEY}"), "cartesia-version: 2025-04-16"],
        json!({
            "model_id": "sonic-3", "transcript": "Hi.", "voice": {"mode": "id", "id": "c"},
            "output_format": format, "add_timestamps": true, "language": "de",
            "generation_config": {"volume": 1.5, "speed": 0.9, "emotion": "calm"}, "pronunciation_dict_id": "d",
        }),
    )
    .await;
    check(
        Definition::Cartesia(CartesiaVoice {
            voice_id: "c".into(),
            speed: Some(-0.5),
            emotion: Some("sad".into()),
            emotions: vec!["calm".into()],
            ..Default::default()
        }),
        None,
        &["cartesia-version: 2024-11-13"],
        json!({
            "model_id": "sonic-3", "transcript": "Hi.", "output_format": format, "add_timestamps": true,
            "voice": {"mode": "id", "id": "c", "__experimental_controls": {"speed": -0.5, "emotion": ["sad", "calm"]}},
        }),
    )
    .await;
    check(
        Definition::Lmnt(LmntVoice {
            voice_id: "leah".into(),
            model: Some("blizzard".into()),
            speed: Some(1.5),
            conversational: Some(true),
        }),
        Some("fr"),
        &["POST /v1/ai/speech/bytes ", &format!("x-api-key: {KEY}")],
        json!({
            "voice": "leah", "text": "Hi.", "format": "pcm_s16le", "sample_rate": 24_000, "model": "blizzard",
            "speed": 1.5, "conversational": true, "language": "fr",
        }),
    )
    .await;
    check(
        Definition::Google(GoogleVoice {
            voice_id: "de-DE-Chirp3-HD-Kore".into(),
            speaking_rate: Some(1.25),
        }),
        None,
        &["POST /v1/text:synthesize ", &format!("x-goog-api-key: {KEY}")],
        json!({
            "input": {"text": "Hi."}, "voice": {"languageCode": "de-DE", "name": "de-DE-Chirp3-HD-Kore"},
            "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": 24_000, "speakingRate": 1.25},
        }),
    )
    .await;
    check(
        Definition::Inworld(InworldVoice {
            voice_id: "Dennis".into(),
            model_id: Some("inworld-tts-1-max".into()),
            speaking_rate: Some(1.2),
            temperature: Some(0.8),
            apply_text_normalization: Some(false),
        }),
        None,
        &["POST /tts/v1/voice:stream ", &format!("authorization: Basic {KEY}")],
        json!({
            "text": "Hi.", "voiceId": "Dennis", "modelId": "inworld-tts-1-max", "temperature": 0.8,
            "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": 24_000, "speakingRate": 1.2},
            "timestampType": "WORD", "applyTextNormalization": "OFF",
        }),
    )
    .await;
    check(
        Definition::Respeecher(RespeecherVoice {
            voice_id: "samantha".into(),
            seed: Some(7),
            temperature: Some(0.5),
            top_k: Some(-1),
            top_p: Some(0.9),
            min_p: Some(0.1),
            presence_penalty: Some(1.0),
            repetition_penalty: Some(1.5),
            frequency_penalty: Some(2.0),
            model: None,
        }),
        Some("uk"),
        &["POST /v1/public/tts/ua-rt/tts/sse ", &format!("x-api-key: {KEY}")],
        json!({
            "transcript": "Hi.", "output_format": {"encoding": "pcm_s16le", "sample_rate": 24_000},
            "voice": {"id": "samantha", "sampling_params": {
                "seed": 7, "top_k": -1, "temperature": 0.5, "top_p": 0.9, "min_p": 0.1,
                "presence_penalty": 1.0, "repetition_penalty": 1.5, "frequency_penalty": 2.0}},
        }),
    )
    .await;
}

#[test]
fn values_out_of_range_are_named() {
    let check = |definition: Definition, field: &str| {
        assert_eq!(definition.check().unwrap_err().0, field);
    };
    check(Definition::Lmnt(LmntVoice::default()), "voice_id");
    check(
        Definition::Lmnt(LmntVoice { voice_id: "v".into(), speed: Some(2.1), ..Default::default() }),
        "speed",
    );
    check(
        Definition::Google(GoogleVoice { voice_id: "v".into(), speaking_rate: Some(0.1) }),
        "speaking_rate",
    );
    let voice = RespeecherVoice { voice_id: "v".into(), top_p: Some(0.0), ..Default::default() };
    check(Definition::Respeecher(voice), "top_p");
}
