//! What a create-call body may hold, and what is said about one that may not.

use antiphon_api::json::{Source, from_request, from_value};
use antiphon_api::rest::calls::{
    CallMedium, CallRetention, ExternalVoice, FirstSpeaker, FirstSpeakerSettings, MessageMedium,
    RetentionPolicy, SipDirection, StartCallRequest, ToolReference,
};
use antiphon_api::{ErrorBody, WireDuration};
use serde_json::json;

/// The request that `body` makes, nothing in it being ignored.
fn request(body: &serde_json::Value) -> StartCallRequest {
    let parsed =
        from_request::<StartCallRequest>(body.to_string().as_bytes()).expect("a client may send this");
    assert_eq!(parsed.ignored, Vec::<String>::new(), "{body}");
    parsed.value
}

/// Every problem of `body`, one a line.
fn problems(body: &serde_json::Value) -> Vec<String> {
    let invalid = from_request::<StartCallRequest>(body.to_string().as_bytes()).expect_err("it is invalid");
    invalid.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn every_bad_field_is_named_with_its_remedy() {
    let web_socket = |field: &str, value: serde_json::Value| {
        let mut medium = json!({"inputSampleRate": 16000});
        medium[field] = value;
        json!({"medium": {"serverWebSocket": medium}})
    };
    let tool = |tool: serde_json::Value| json!({"selectedTools": [tool]});
    for (body, problem) in [
        (json!([]), "the JSON text must be an object, not a list"),
        (
            json!({"joinTimeout": "5 minutes"}),
            r#"joinTimeout: "5 minutes" is not a duration; write seconds with an s, for example "300s""#,
        ),
        (
            json!({"joinTimeout": 30}),
            r#"joinTimeout: "30" is not a duration; write seconds with an s, for example "300s""#,
        ),
        (json!({"maxDuration": "0s"}), "maxDuration: must be longer than 0s"),
        (json!({"maxDuration": "-1s"}), "maxDuration: -1s is negative; choose 0s or more"),
        (json!({"temperature": 1.5}), "temperature: 1.5 is out of range; choose from 0 to 1"),
        (json!({"temperature": "warm"}), "temperature: must be a number, not a string"),
        (json!({"systemPrompt": 7}), "systemPrompt: must be a string, not a number"),
        (json!({"recordingEnabled": "yes"}), "recordingEnabled: must be true or false, not a string"),
        (
            json!({"languageHint": "en-GB-oxendict-xx"}),
            "languageHint: is too long; use at most 16 characters",
        ),
        (
            json!({"firstSpeaker": "FIRST_SPEAKER_DOG"}),
            r#"firstSpeaker: "FIRST_SPEAKER_DOG" is not known; choose one of FIRST_SPEAKER_AGENT, FIRST_SPEAKER_USER"#,
        ),
        (
            json!({"firstSpeaker": "FIRST_SPEAKER_USER", "firstSpeakerSettings": {"agent": {}}}),
            r#"firstSpeaker: disagrees with "firstSpeakerSettings"; leave it out"#,
        ),
        (
            json!({"firstSpeakerSettings": {"agent": {"text": "Hi", "prompt": "Greet."}}}),
            r#"firstSpeakerSettings.agent: has both "text" and "prompt"; keep one"#,
        ),
        (
            json!({"firstSpeakerSettings": {"user": {"fallback": {"text": "Hello?"}}}}),
            "firstSpeakerSettings.user.fallback.delay: is missing",
        ),
        (
            json!({"firstSpeakerSettings": {"user": {}, "agent": {}}}),
            r#"firstSpeakerSettings: has "agent", "user"; keep one"#,
        ),
        (
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 8000}, "twilio": {}, "plivo": null}}),
            r#"medium: has "twilio", "serverWebSocket"; keep one"#,
        ),
        (
            json!({"medium": {"carrierPigeon": {}}}),
            r#"medium: needs one of "webRtc", "twilio", "serverWebSocket", "telnyx", "plivo", "exotel", "sip""#,
        ),
        (json!({"medium": {"serverWebSocket": {}}}), "medium.serverWebSocket.inputSampleRate: is missing"),
        (
            web_socket("inputSampleRate", json!(7000)),
            "medium.serverWebSocket.inputSampleRate: 7000 is not a supported sample rate; choose one of 8000, 12000, \
             16000, 22050, 24000, 32000, 44100, 48000",
        ),
        (
            web_socket("clientBufferSizeMs", json!("60.5")),
            r#"medium.serverWebSocket.clientBufferSizeMs: "60.5" is not a whole number"#,
        ),
        (
            web_socket("clientBufferSizeMs", json!(60.5)),
            "medium.serverWebSocket.clientBufferSizeMs: 60.5 is not a whole number",
        ),
        (
            web_socket("clientBufferSizeMs", json!(-1)),
            "medium.serverWebSocket.clientBufferSizeMs: must be from 0 to 4294967295",
        ),
        (
            web_socket("clientBufferSizeMs", json!(0)),
            "medium.serverWebSocket.clientBufferSizeMs: 0 is out of range; choose from 1 to 600000",
        ),
        (
            json!({"medium": {"twilio": {"dtmfHandling": {"ignore": true, "userTextMessage": {}}}}}),
            r#"medium.twilio.dtmfHandling: has "ignore" and "userTextMessage"; keep one"#,
        ),
        (json!({"medium": {"sip": {}}}), r#"medium.sip: needs one of "incoming", "outgoing""#),
        (
            json!({"vadSettings": {"frameActivationThreshold": 0.05}}),
            "vadSettings.frameActivationThreshold: 0.05 is out of range; choose from 0.1 to 1",
        ),
        (json!({"inactivityMessages": [{"duration": "30s"}]}), "inactivityMessages[0].message: is missing"),
        (json!({"initialMessages": [{"text": "Hi"}]}), "initialMessages[0].role: is missing"),
        (json!({"initialMessages": {"role": "x"}}), "initialMessages: must be a list, not an object"),
        (json!({"metadata": {"size": 3}}), "metadata.size: must be a string, not a number"),
        (
            json!({"metadata": {"ultravox.x": "1"}}),
            r#"metadata.ultravox.x: keys that begin with "ultravox." are reserved; choose another key"#,
        ),
        (
            json!({"voice": "Mark", "externalVoice": {"lmnt": {}}}),
            r#"externalVoice: excludes "voice"; keep one"#,
        ),
        (
            json!({"externalVoice": {"lmnt": {}}, "voiceOverrides": {"lmnt": {"speed": 1}}}),
            r#"voiceOverrides: changes "voice" and not "externalVoice"; set it there"#,
        ),
        (
            json!({"externalVoice": {"elevenLabs": {"speed": 2}}}),
            "externalVoice.elevenLabs.speed: 2 is out of range; choose from 0.7 to 1.2",
        ),
        (
            json!({"externalVoice": {"respeecher": {"topK": 0}}}),
            "externalVoice.respeecher.topK: 0 is out of range; choose -1, or 1 or more",
        ),
        (
            json!({"externalVoice": {"respeecher": {"topP": 0}}}),
            "externalVoice.respeecher.topP: 0 is out of range; choose more than 0 and at most 1",
        ),
        (
            json!({"externalVoice": {"generic": {"url": "file:///etc/passwd", "body": {}}}}),
            "externalVoice.generic.url: must be a URL that begins with https:// or http://",
        ),
        (json!({"sharedSecrets": ["short"]}), "sharedSecrets[0]: must have 16 to 127 characters"),
        (
            json!({"dataConnection": {"websocketUrl": "https://example.com"}}),
            "dataConnection.websocketUrl: must be a URL that begins with wss:// or ws://",
        ),
        (tool(json!({})), r#"selectedTools[0]: needs one of "toolId", "toolName", "temporaryTool""#),
        (
            tool(json!({"toolName": "hangUp", "temporaryTool": {"client": {}}})),
            r#"selectedTools[0]: has "toolName", "temporaryTool"; keep one"#,
        ),
        (
            tool(json!({"toolId": "hangUp"})),
            r#"selectedTools[0].toolId: "hangUp" is not an id; write a UUID, for example "11111111-2222-4333-8444-555555555555""#,
        ),
        (
            tool(json!({"temporaryTool": {"modelToolName": "look up", "client": {}}})),
            r#"selectedTools[0].temporaryTool.modelToolName: "look up" is not a tool name; use 1 to 64 letters, digits, _ and -"#,
        ),
        (
            tool(json!({"temporaryTool": {"modelToolName": "a", "timeout": "41s", "client": {}}})),
            "selectedTools[0].temporaryTool.timeout: 41s is out of range; choose more than 0s and at most 40s",
        ),
        (
            tool(json!({"temporaryTool": {"modelToolName": "a", "client": {}, "dynamicParameters": [
                {"name": "q", "location": "PARAMETER_LOCATION_QUERY"}
            ]}})),
            "selectedTools[0].temporaryTool.dynamicParameters[0].location: must be PARAMETER_LOCATION_BODY, since only HTTP \
             tools have other places",
        ),
        (
            tool(json!({"temporaryTool": {
                "modelToolName": "a",
                "http": {"baseUrlPattern": "https://x.example/{id}", "httpMethod": "GET"},
                "staticParameters": [{"name": "q", "value": 1}]
            }})),
            "selectedTools[0].temporaryTool.staticParameters[0].location: is missing; say where the parameter goes",
        ),
        (
            json!({"selectedTools": [{"toolName": "a", "nameOverride": "x"}, {"toolName": "b", "nameOverride": "x"}]}),
            r#"selectedTools[1]: is a second tool called "x"; give one of them a "nameOverride""#,
        ),
    ] {
        assert_eq!(problems(&body), [problem], "{body}");
    }
}

#[test]
fn all_problems_of_a_body_are_reported_together() {
    let body = json!({
        "temperature": 3,
        "joinTimeout": "soon",
        "medium": {"serverWebSocket": {"inputSampleRate": 1, "outputSampleRate": "x"}},
        "selectedTools": [{"toolName": "ok"}, 5]
    });
    let invalid = from_request::<StartCallRequest>(body.to_string().as_bytes()).unwrap_err();
    let error = serde_json::to_value(ErrorBody::from(&invalid)).unwrap();
    let fields: Vec<_> = error["errors"].as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "joinTimeout",
            "medium.serverWebSocket.inputSampleRate",
            "medium.serverWebSocket.outputSampleRate",
            "selectedTools[1]",
            "temperature"
        ]
    );
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.starts_with("temperature: 3 is out of range"), "{detail}");
    assert!(detail.ends_with("(and 4 more problems)"), "{detail}");
}

#[test]
fn a_body_that_is_no_json_is_one_problem() {
    for body in ["{", "nonsense", "\u{1}", "{\"a\":1e999}"] {
        let invalid = from_request::<StartCallRequest>(body.as_bytes()).unwrap_err();
        assert!(invalid.to_string().starts_with("the JSON text cannot be parsed: "), "{invalid}");
        assert!(ErrorBody::from(&invalid).errors.is_empty());
    }
}

#[test]
fn depth_and_number_of_problems_are_bounded() {
    let deep = format!("{{\"initialState\":{}", "[".repeat(1_000_000));
    assert!(from_request::<StartCallRequest>(deep.as_bytes()).is_err());

    let many = json!({"selectedTools": vec![0; 100_000]});
    let invalid = from_request::<StartCallRequest>(many.to_string().as_bytes()).unwrap_err();
    assert_eq!(invalid.problems().len(), 64);
    assert!(invalid.to_string().ends_with("(and 99999 more problems)"), "{invalid}");

    let unknown: serde_json::Map<_, _> = (0..1000).map(|n| (n.to_string(), json!(1))).collect();
    let body = serde_json::Value::Object(unknown).to_string();
    assert_eq!(from_request::<StartCallRequest>(body.as_bytes()).unwrap().ignored.len(), 64);

    let long = json!({"firstSpeaker": "x".repeat(1_000_000), "y".repeat(1_000_000): 1});
    let invalid = from_request::<StartCallRequest>(long.to_string().as_bytes()).unwrap_err();
    assert!(invalid.to_string().len() < 300);
}

#[test]
fn an_empty_body_is_a_call_with_all_defaults() {
    for body in ["", " \n", "{}"] {
        let parsed = from_request::<StartCallRequest>(body.as_bytes()).unwrap();
        assert_eq!(parsed.value, StartCallRequest::default());
    }
}

#[test]
fn unset_comes_in_many_forms() {
    for body in [
        json!({"medium": null}),
        json!({"medium": {}}),
        json!({"medium": {"serverWebSocket": null, "twilio": null}}),
        json!({"firstSpeakerSettings": {}}),
        json!({"firstSpeaker": "FIRST_SPEAKER_UNSPECIFIED"}),
        json!({"initialOutputMedium": "MESSAGE_MEDIUM_UNSPECIFIED", "retentionPolicy": "CALL_RETENTION_POLICY_UNSPECIFIED"}),
        json!({"systemPrompt": null, "model": null, "voice": null, "temperature": null, "metadata": null}),
    ] {
        assert_eq!(request(&body), StartCallRequest::default(), "{body}");
    }
    let empty_lists = request(&json!({"selectedTools": [], "metadata": {}}));
    assert_eq!(empty_lists.selected_tools, Some(Vec::new()), "an empty list replaces what a prior call had");
}

#[test]
fn both_spellings_are_taken_and_camel_case_wins() {
    let body = json!({
        "system_prompt": "snake",
        "time_exceeded_message": "snake",
        "timeExceededMessage": "camel",
        "medium": {"server_web_socket": {"input_sample_rate": 8000}}
    });
    let request = request(&body);
    assert_eq!(request.system_prompt.as_deref(), Some("snake"));
    assert_eq!(request.time_exceeded_message.as_deref(), Some("camel"));
    assert!(
        matches!(request.medium, Some(CallMedium::ServerWebSocket(medium)) if medium.input_sample_rate.hz() == 8000)
    );
}

#[test]
fn whole_numbers_are_taken_in_every_form() {
    for form in [json!(60), json!(60.0), json!("60"), json!("60.0"), json!(6e1)] {
        let body =
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 8000, "clientBufferSizeMs": form}}});
        let Some(CallMedium::ServerWebSocket(medium)) = request(&body).medium else { panic!("{body}") };
        assert_eq!(medium.client_buffer_size_ms, Some(60));
    }
}

#[test]
fn older_and_shorter_words_are_taken() {
    let request = request(&json!({
        "initialOutputMedium": "text",
        "retentionPolicy": "auto_delete",
        "firstSpeaker": "FIRST_SPEAKER_USER",
        "firstSpeakerSettings": {"user": {}}
    }));
    assert_eq!(request.initial_output_medium, Some(MessageMedium::Text));
    assert_eq!(request.retention_policy, Some(RetentionPolicy::AutoDelete));
    assert_eq!(request.first_speaker, Some(FirstSpeaker::User));
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["initialOutputMedium"], "MESSAGE_MEDIUM_TEXT");
    assert_eq!(written["retentionPolicy"], "CALL_RETENTION_POLICY_AUTO_DELETE");
    assert_eq!(
        serde_json::to_value(CallRetention::from(RetentionPolicy::AutoDelete)).unwrap(),
        "auto_delete"
    );
}

#[test]
fn either_form_says_who_speaks_first() {
    let opening = |body| request(&body).opening();
    assert_eq!(opening(json!({})), None);
    let user = Some(FirstSpeakerSettings::from(FirstSpeaker::User));
    assert_eq!(opening(json!({"firstSpeaker": "FIRST_SPEAKER_USER"})), user);
    assert_eq!(opening(json!({"firstSpeakerSettings": {"user": {}}})), user);
}

#[test]
fn ignored_fields_are_listed_by_path() {
    let body = json!({
        "colour": "blue",
        "medium": {"webRtc": {"dataMessages": {"smell": true}}},
        "selectedTools": [{"toolName": "a", "weight": 3}]
    });
    let parsed = from_request::<StartCallRequest>(body.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.ignored, ["selectedTools[0].weight", "medium.webRtc.dataMessages.smell", "colour"]);
}

#[test]
fn what_is_written_is_read_again_with_nothing_lost() {
    let body = json!({
        "externalVoice": {"generic": {
            "url": "https://tts.example/say", "headers": {"Authorization": "Bearer hush-hush"},
            "body": {"text": "{text}"}, "responseSampleRate": 24000, "jsonByteEncoding": "JSON_BYTE_ENCODING_HEX"
        }},
        "medium": {"sip": {"outgoing": {"to": "sip:a@b.example", "username": "u", "password": "hush-hush"}}},
        "selectedTools": [{
            "nameOverride": "find", "authTokens": {"key": "hush-hush"}, "parameterOverrides": {"a": null, "b": [1]},
            "temporaryTool": {
                "description": "d", "requirements": {"httpSecurityOptions": {"options": [
                    {"requirements": {"key": {"headerApiKey": {"name": "X-Key"}}}},
                    {"requirements": {"key": {"httpAuth": {"scheme": "Bearer"}}},
                     "ultravoxCallTokenRequirement": {"scopes": ["s"]}}
                ]}, "requiredParameterOverrides": ["a"]},
                "dynamicParameters": [{"name": "q", "location": "PARAMETER_LOCATION_PATH", "schema": {}, "required": true}],
                "precomputable": true, "defaultReaction": "AGENT_REACTION_SPEAKS_ONCE",
                "staticResponse": {"responseText": "ok"},
                "http": {"baseUrlPattern": "https://x.example/{q}", "httpMethod": "POST"}
            }
        }],
        "callbacks": {"ended": {"url": "https://x.example", "secrets": ["hush-hush"]}},
        "sharedSecrets": ["hush-hush-hush-hush"],
        "dataConnection": {"websocketUrl": "wss://x.example", "audioConfig": {"channelMode": "CHANNEL_MODE_MIXED"},
                           "headers": {"X": "hush-hush"}}
    });
    let request = request(&body);
    let written = serde_json::to_value(&request).unwrap();
    let again: StartCallRequest = from_value(&written, Source::RequestBody).unwrap().value;
    assert_eq!(again, request);
    // Order aside, nothing was added and nothing dropped.
    assert_eq!(written, body);
}

#[test]
fn secrets_are_never_shown() {
    let request = request(&json!({
        "externalVoice": {"generic": {"url": "https://x.example", "headers": {"A": "hush-hush"}, "body": {}}},
        "medium": {"sip": {"outgoing": {"to": "sip:a@b.example", "password": "hush-hush"}}},
        "selectedTools": [{"toolName": "t", "authTokens": {"key": "hush-hush"}}],
        "callbacks": {"ended": {"url": "https://x.example", "secrets": ["hush-hush"]}},
        "sharedSecrets": ["hush-hush-hush-hush"],
        "dataConnection": {"websocketUrl": "wss://x.example", "headers": {"X": "hush-hush"}}
    }));
    assert!(!format!("{request:?}").contains("hush"));
    // The parts that come back in a Call.
    let returned = serde_json::to_string(&(
        request.external_voice.map(|voice| voice.without_secrets()),
        request.medium.map(|medium| medium.without_secrets()),
        request.callbacks.map(|callbacks| callbacks.without_secrets()),
        request.data_connection.map(|connection| connection.without_secrets()),
    ))
    .unwrap();
    assert!(!returned.contains("hush"), "{returned}");
    assert!(returned.contains(r#""headers":{"A":"[hidden]"}"#), "{returned}");

    let short = problems(&json!({"sharedSecrets": ["hush"], "callbacks": {"ended": {"url": "hush://"}}}));
    assert!(!short.concat().contains("hush"), "{short:?}");
}

#[test]
fn a_response_is_read_more_kindly_than_a_request() {
    let from_the_future = json!({
        "medium": {"carrierPigeon": {}},
        "firstSpeaker": "FIRST_SPEAKER_DOG",
        "temperature": 2,
        "selectedTools": [{"holographicTool": {}}, {"toolName": "a"}]
    });
    let read: StartCallRequest = serde_json::from_value(from_the_future).unwrap();
    assert_eq!(read.medium, None);
    assert_eq!(read.first_speaker, None);
    assert_eq!(read.temperature, Some(2.0));
    let tools = read.selected_tools.unwrap();
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0].tool, ToolReference::ToolName("a".into()));
}

#[test]
fn every_medium_and_voice_is_known() {
    for key in ["webRtc", "twilio", "telnyx", "plivo", "exotel"] {
        let medium = request(&json!({"medium": {key: {}}})).medium.unwrap();
        assert_eq!(medium.key(), key);
    }
    let incoming = request(&json!({"medium": {"sip": {"incoming": {}}}})).medium;
    assert!(matches!(incoming, Some(CallMedium::Sip(SipDirection::Incoming(_)))));
    for key in ["elevenLabs", "cartesia", "lmnt", "google", "inworld", "respeecher"] {
        let voice: ExternalVoice = request(&json!({"externalVoice": {key: {}}})).external_voice.unwrap();
        assert_eq!(voice.key(), key);
    }
}

#[test]
fn idle_timeouts_and_delays_may_be_any_length() {
    let body = json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 8000, "mediaIdleTimeout": "1s"}},
        "vadSettings": {"turnEndpointDelay": "0.001s", "minimumTurnDuration": "0s"}
    });
    let vad = request(&body).vad_settings.unwrap();
    assert_eq!(vad.turn_endpoint_delay, Some(WireDuration::from_millis(1)));
    assert_eq!(vad.minimum_turn_duration, Some(WireDuration::ZERO));
}
