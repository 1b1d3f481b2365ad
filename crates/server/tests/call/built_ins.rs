//! The server's own tools in whole calls: what they do, what is heard of it, and what is refused (protocol.md 6.11).

use std::f64::consts::TAU;

use antiphon_audio::Wav;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::puppet::{call, call_with, goes_on, stand, told};
use crate::stand::Stand;

async fn recording(stand: &Stand, call: &Value, caller: Caller) -> Wav {
    caller.hang_up().await;
    stand.ended(call).await;
    let path = format!("/api/calls/{}/recording", call["callId"].as_str().unwrap());
    let (status, _, bytes) = stand.fetch(&path, None).await;
    assert_eq!(status, 200);
    Wav::read(&bytes[..]).unwrap()
}

/// The two loudest of the frequencies of keys in these samples, if there is any sound.
fn key(samples: &[i16], rate: f64) -> Option<(u32, u32)> {
    let level = |hz: u32| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let at = TAU * f64::from(hz) * index as f64 / rate;
            real += f64::from(*sample) * at.cos();
            imaginary += f64::from(*sample) * at.sin();
        }
        2.0 * f64::hypot(real, imaginary) / samples.len() as f64
    };
    let loudest = |group: [u32; 4]| {
        group
            .into_iter()
            .map(|hz| (level(hz), hz))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(l, _)| *l > 3_000.0)
    };
    Some((loudest([697, 770, 852, 941])?.1, loudest([1_209, 1_336, 1_477, 1_633])?.1))
}

#[tokio::test]
async fn keys_are_heard_as_they_are_pressed() {
    let stand = stand().await;
    let keys = json!({"toolName": "playDtmfSounds", "parameterOverrides": {"toneDuration": "0.1s", "spaceDuration": "0.05s"}});
    let (created, mut caller) =
        call_with(&stand, json!({"selectedTools": [keys], "recordingEnabled": true})).await;
    let before = caller.audio_bytes();
    caller.write(r#"call playDtmfSounds {"digits": "1 9#d"}"#).await;
    caller.until_state("speaking").await;
    caller.until_state("listening").await;
    // Four keys of 100 ms, three pauses of 50 ms, 16 kHz, two bytes a sample.
    assert_eq!(caller.audio_bytes() - before, 550 * 32);
    assert!(!caller.outline().contains(&"agent".to_owned()), "{}", caller.story());
    goes_on(&mut caller).await;

    let wav = recording(&stand, &created, caller).await;
    let rate = f64::from(wav.rate_hz);
    let agent = wav.channel(1);
    let start = agent.iter().position(|sample| *sample != 0).unwrap();
    let heard = |ms: usize| {
        let from = start + ms * 16;
        key(&agent[from..from + 30 * 16], rate)
    };
    let expected = [(697, 1_209), (852, 1_477), (941, 1_477), (941, 1_633)];
    for (index, frequencies) in expected.into_iter().enumerate() {
        assert_eq!(heard(index * 150 + 30), Some(frequencies), "key {index}");
        if index > 0 {
            assert_eq!(heard(index * 150 - 40), None, "the pause before key {index}");
        }
    }
}

#[tokio::test]
async fn wrong_keys_are_answered_and_the_call_goes_on() {
    let stand = stand().await;
    let (_, mut caller) = call(&stand, json!([{"toolName": "playDtmfSounds"}])).await;
    for arguments in [r#"{"digits": "call home"}"#, r#"{"digits": ""}"#, "{}"] {
        let answer = told(&mut caller, &format!("call playDtmfSounds {arguments}")).await;
        assert!(answer.starts_with("The arguments are not valid: "), "{arguments}: {answer}");
    }
    assert_eq!(caller.audio_bytes(), 0);
    goes_on(&mut caller).await;
}

#[tokio::test]
async fn a_voicemail_is_said_to_its_end_and_the_call_is_over() {
    let stand = stand().await;
    let tool = json!({"toolId": "8721c74d-af3f-4dfa-a736-3bc170ef917c", "nameOverride": "leave",
        "parameterOverrides": {"result": "(left a message)"}});
    let (created, mut caller) = call(&stand, json!([tool])).await;
    caller.write(r#"call leave {"message": "Please call us back."}"#).await;
    assert_eq!(caller.until_final("agent").await, "Please call us back.");
    assert_eq!(caller.until_closed().await, 1000);
    assert_eq!(stand.ended(&created).await["endReason"], "agent_hangup");
    let messages = stand.messages(&created).await;
    assert_eq!(messages[2..], ["tool_result: (left a message)", "agent: Please call us back."]);
}

#[tokio::test]
async fn a_reason_to_hang_up_stands_in_the_record() {
    let stand = stand().await;
    let (created, mut caller) = call(&stand, json!([{"toolName": "hangUp"}])).await;
    caller.write(r#"call hangUp {"reason": "all is said"}"#).await;
    assert_eq!(caller.until_closed().await, 1000);
    stand.ended(&created).await;
    assert_eq!(stand.messages(&created).await[1], r#"tool_call: {"reason": "all is said"}"#);
}

#[tokio::test]
async fn a_transfer_is_refused_where_there_is_no_telephone() {
    let stand = stand().await;
    for name in ["coldTransfer", "warmTransfer"] {
        let tool = json!({"toolName": name, "parameterOverrides": {"target": "sip:desk@example.com", "password": "s3cret"}});
        let (created, mut caller) = call(&stand, json!([tool])).await;
        let answer = told(&mut caller, &format!(r#"call {name} {{"context": "angry"}}"#)).await;
        assert_eq!(answer, "The call cannot be transferred: it is not a telephone call.");
        goes_on(&mut caller).await;
        let path = format!("/api/calls/{}/tools", created["callId"].as_str().unwrap());
        let tools = stand.get(&path).await;
        assert_eq!(tools[0]["name"], name);
        assert!(!tools.to_string().contains("s3cret"), "{tools}");
    }
}

#[tokio::test]
async fn what_a_selection_gets_wrong_is_refused_by_name() {
    let stand = stand().await;
    for (tool, field) in [
        (
            json!({"toolName": "hangUp", "parameterOverrides": {"strict": "very"}}),
            "parameterOverrides.strict",
        ),
        (json!({"toolName": "hangUp", "parameterOverrides": {"loud": true}}), "parameterOverrides.loud"),
        (
            json!({"toolName": "leaveVoicemail", "parameterOverrides": {"strict": 1}}),
            "parameterOverrides.strict",
        ),
        (
            json!({"toolName": "playDtmfSounds", "parameterOverrides": {"toneDuration": "1h"}}),
            "parameterOverrides.toneDuration",
        ),
        (json!({"toolName": "coldTransfer"}), "parameterOverrides.target"),
        (json!({"toolName": "queryCorpus"}), "parameterOverrides.corpus_id"),
        (
            json!({"toolName": "queryCorpus", "parameterOverrides": {"corpusId": "x"}}),
            "parameterOverrides.corpusId",
        ),
        (
            json!({"toolId": "84a31bac-5c1b-41c3-9058-f81acb7ffaa7", "parameterOverrides": {"corpus_id": "x"}}),
            "parameterOverrides.corpus_id",
        ),
    ] {
        let (status, error) = stand.post("/api/calls", json!({"selectedTools": [tool]})).await;
        assert_eq!(status, 400, "{error}");
        assert!(error["errors"].get(format!("selectedTools[0].{field}")).is_some(), "{field}: {error}");
    }
}
