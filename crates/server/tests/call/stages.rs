//! Stages in whole calls: tools of any kind begin one, and everything that is kept says which it belongs to (protocol.md 7.1, 2.4,
//!

use std::sync::Arc;

use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::endpoint::Endpoint;
use crate::puppet::{call_with, goes_on, puppet_backends, stand, stand_of, told};
use crate::stand::Stand;

/// A tool of the client.
fn tool(name: &str) -> Value {
    json!({"temporaryTool": {"modelToolName": name, "client": {}}})
}

/// A call by text with a client tool `move`, whose events come to the client.
async fn a_call(stand: &Stand, fields: Value) -> (Value, Caller) {
    let mut request = json!({
        "systemPrompt": "the desk",
        "selectedTools": [tool("move")],
        "medium": {"serverWebSocket": {"inputSampleRate": 16000, "dataMessages": {"callEvent": true}}},
    });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    call_with(stand, request).await
}

/// Lets the model call `move`, answers with a new stage, and gives what the model was told.
async fn moves(caller: &mut Caller, body: &Value) -> String {
    caller.write("call move").await;
    answers(caller, body).await;
    let text = caller.until_final("agent").await;
    text.strip_prefix("Told: ").map_or(text.clone(), str::to_owned)
}

async fn answers(caller: &mut Caller, body: &Value) {
    let invocation = caller.until_type("client_tool_invocation").await;
    caller
        .say(json!({
            "type": "client_tool_result",
            "invocationId": invocation["invocationId"],
            "result": body.to_string(),
            "responseType": "new-stage",
        }))
        .await;
}

async fn event(caller: &mut Caller, kind: &str) -> String {
    let event = caller.until(kind, |message| message["eventType"] == kind || message["type"] == kind).await;
    event["text"].as_str().unwrap().to_owned()
}

fn path(call: &Value, rest: &str) -> String {
    format!("/api/calls/{}{rest}", call["callId"].as_str().unwrap())
}

/// The stages of a call, once there are so many: they are written beside the call.
async fn stages(stand: &Stand, call: &Value, count: usize) -> Vec<Value> {
    loop {
        let page = stand.get(&path(call, "/stages")).await;
        let stages = page["results"].as_array().unwrap();
        assert!(stages.len() <= count, "{page}");
        if stages.len() == count {
            return stages.clone();
        }
        tokio::task::yield_now().await;
    }
}

fn texts(page: &Value) -> Vec<&str> {
    page["results"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_client_tool_begins_a_stage_that_keeps_what_it_does_not_change() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({"temperature": 0.25})).await;
    let body = json!({
        "systemPrompt": "billing",
        "selectedTools": [tool("pay"), {"toolName": "hangUp", "nameOverride": "bye"}],
        "toolResultText": "You are with billing now.",
    });
    assert_eq!(moves(&mut caller, &body).await, "You are with billing now.");
    assert_eq!(
        told(&mut caller, "who are you?").await,
        "I am billing; I know call move / (move) / You are with billing now. / \
         Told: You are with billing now. / who are you?; I have pay, bye"
    );
    let kinds: Vec<String> = caller.outline();
    assert!(kinds.iter().all(|kind| kind != "new_stage"), "{kinds:?}");

    let stages = stages(&stand, &call, 2).await;
    assert_eq!(stages[0]["systemPrompt"], "the desk");
    assert_eq!(stages[1]["systemPrompt"], "billing");
    assert_eq!(stages[1]["temperature"], 0.25);
    assert_eq!(stages[1]["callId"], call["callId"]);
    assert_eq!(stages[1]["errorCount"], 0);
    let (first, second) =
        (stages[0]["callStageId"].as_str().unwrap(), stages[1]["callStageId"].as_str().unwrap());
    assert_ne!(first, second);
    assert_eq!(stand.get(&path(&call, &format!("/stages/{second}"))).await, stages[1]);

    caller.hang_up().await;
    stand.ended(&call).await;
    let all =
        ["call move", "{}", "You are with billing now.", "Told: You are with billing now.", "who are you?"];
    let of = async |rest: String| stand.get(&path(&call, &rest)).await;
    assert_eq!(texts(&of(format!("/stages/{first}/messages")).await), all[..3]);
    let last = of(format!("/stages/{second}/messages")).await;
    assert_eq!(texts(&last)[..5], all);
    assert_eq!(of("/messages".to_owned()).await["results"], last["results"], "the last stage is the default");
    let stage_of = |index: usize| last["results"][index]["callStageId"].as_str().unwrap();
    assert_eq!((stage_of(2), stage_of(3)), (first, second));
    let indexes = last["results"].as_array().unwrap().iter().map(|message| &message["callStageMessageIndex"]);
    assert!(indexes.eq((0..6).collect::<Vec<_>>().iter()), "{last}");
    assert_eq!(of("/messages?mode=in_call".to_owned()).await["total"], 6);
}

#[tokio::test]
async fn a_stage_with_messages_begins_with_them_and_the_tool_of_the_old_stage_is_gone() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let body = json!({
        "systemPrompt": "billing",
        "initialMessages": [
            {"role": "MESSAGE_ROLE_USER", "text": "I am Anna."},
            {"role": "MESSAGE_ROLE_AGENT", "text": "Hello Anna."},
            {"role": "MESSAGE_ROLE_USER", "text": "who are you?"},
        ],
        "selectedTools": [],
    });
    assert_eq!(
        moves(&mut caller, &body).await,
        "I am billing; I know I am Anna. / Hello Anna. / who are you?; I have "
    );
    assert!(told(&mut caller, "call move").await.starts_with("There is no tool named"));
    caller.hang_up().await;
    stand.ended(&call).await;

    let last = stand.get(&path(&call, "/messages")).await;
    assert_eq!(texts(&last)[..3], ["I am Anna.", "Hello Anna.", "who are you?"]);
    assert_eq!(last["results"][0]["callStageMessageIndex"], 0);
    let in_call = stand.get(&path(&call, "/messages?mode=in_call")).await;
    assert_eq!(texts(&in_call)[..3], ["call move", "{}", "OK"]);
    assert!(!texts(&in_call).contains(&"I am Anna."), "{in_call}");
    let stages = stand.get(&path(&call, "/stages?pageSize=1")).await;
    assert_eq!((stages["total"].as_u64(), stages["results"].as_array().unwrap().len()), (Some(2), 1));
    let next = stages["next"].as_str().unwrap();
    let next = stand.get(&next[next.find("/api").unwrap()..]).await;
    assert_eq!(next["results"][0]["systemPrompt"], "billing");
    assert_eq!(next["next"], Value::Null);
}

#[tokio::test]
async fn an_http_tool_begins_a_stage_by_its_header_and_the_reaction_holds() {
    let stand = stand().await;
    let body = json!({"systemPrompt": "billing"}).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\nX-Ultravox-Response-Type: new-stage\r\n\
         X-Ultravox-Agent-Reaction: listens\r\n\r\n{body}",
        body.len()
    );
    let endpoint = Endpoint::answering([answer]).await;
    let http = json!({"temporaryTool": {"modelToolName": "move", "http": {"baseUrlPattern": endpoint.url("/"), "httpMethod": "GET"}}});
    let (_, mut caller) = a_call(&stand, json!({"selectedTools": [http]})).await;
    caller.write("call move").await;
    caller.until_state("thinking").await;
    caller.until_state("listening").await;
    assert!(told(&mut caller, "who are you?").await.starts_with("I am billing; "));
}

#[tokio::test]
async fn what_a_stage_cannot_change_is_told_and_the_rest_is_done() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let body = json!({
        "systemPrompt": "billing",
        "medium": {"telegraph": {}},
        "max_duration": "1s",
        "firstSpeaker": "nobody",
        "sytemPrompt": "x",
    });
    caller.write("call move").await;
    answers(&mut caller, &body).await;
    let told_of = event(&mut caller, "stage.ignored_fields").await;
    assert_eq!(
        told_of,
        "fields that a new stage cannot change, or that mean nothing: medium, max_duration, firstSpeaker, sytemPrompt"
    );
    caller.until_final("agent").await;
    assert!(told(&mut caller, "who are you?").await.starts_with("I am billing; "));
    let resource = stand.get(&path(&call, "")).await;
    assert_eq!(resource["maxDuration"], "3600s");
}

#[tokio::test]
async fn what_makes_no_sense_fails_the_tool_and_the_call_goes_on_as_it_was() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let impossible = "The tool asked for something that is not possible.";
    let cases = [
        (json!("billing"), "it is no JSON object"),
        (json!({"temperature": 7}), "temperature: "),
        (json!({"model": "nothing"}), "model: "),
        (json!({"selectedTools": [{"toolName": "nothing"}]}), "selectedTools[0].toolName: "),
        (
            json!({"selectedTools": [{"toolId": "11111111-1111-4111-8111-111111111111"}]}),
            "selectedTools[0].toolId: ",
        ),
        (json!({"selectedTools": [tool("pay"), tool("pay")]}), "is a second tool called \"pay\""),
        (json!({"vadSettings": {"turnEndpointDelay": "99s"}}), "vadSettings.turnEndpointDelay: "),
        (
            json!({"externalVoice": {"elevenLabs": {"model": "x"}}}),
            "externalVoice.elevenLabs.voiceId: is missing",
        ),
        (json!({"toolResultText": 7}), "toolResultText: must be a text"),
        (json!({"initialState": []}), "initialState: "),
    ];
    for (body, _) in &cases {
        assert_eq!(moves(&mut caller, body).await, impossible, "{body}");
    }
    assert!(told(&mut caller, "who are you?").await.starts_with("I am the desk; "));
    caller.hang_up().await;
    stand.ended(&call).await;
    let page = stand.get(&path(&call, "/messages")).await;
    let details: Vec<&str> = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["errorDetails"].as_str())
        .collect();
    assert_eq!(details.len(), cases.len());
    for ((body, expected), detail) in cases.iter().zip(details) {
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    assert_eq!(stand.get(&path(&call, "/stages")).await["results"][0]["errorCount"], cases.len());
}

#[tokio::test]
async fn a_stage_speaks_with_its_own_voice() {
    let mut backends = puppet_backends();
    let slow: Arc<dyn TextToSpeech> = Arc::new(Humming { ms_per_character: 90, ..Humming::default() });
    backends.voices.insert(Arc::from("slow"), slow);
    let stand = stand_of(backends, |_| {}).await;
    let (call, mut caller) = a_call(&stand, json!({"initialOutputMedium": "MESSAGE_MEDIUM_VOICE"})).await;
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let before = caller.audio_bytes();
        assert_eq!(told(&mut caller, "hi").await, "You said: hi");
        caller.until_state("listening").await;
        lengths.push(caller.audio_bytes() - before);
        if lengths.len() == 1 {
            caller.write("call move").await;
            answers(&mut caller, &json!({"voice": "slow"})).await;
            caller.until_state("listening").await;
        }
    }
    assert_eq!(lengths[1], 3 * lengths[0], "{lengths:?}");
    assert_eq!(stages(&stand, &call, 2).await[1]["voice"], "slow");
}

#[tokio::test]
async fn a_forced_message_begins_a_stage_by_a_result_that_is_known() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let forced = |prompt: &str| {
        json!({
            "type": "forced_agent_message",
            "toolCalls": [{"name": "move", "id": prompt, "arguments": {}}],
            "knownToolResults": [{
                "invocationId": prompt,
                "result": json!({"systemPrompt": prompt}).to_string(),
                "responseType": "new-stage",
                "agentReaction": "listens",
            }],
        })
    };
    caller.say(forced("billing")).await;
    event(&mut caller, "stage.changed").await;
    assert!(told(&mut caller, "who are you?").await.starts_with("I am billing; "));
    let (status, _) = stand.post(&path(&call, "/send_data_message"), forced("repairs")).await;
    assert_eq!(status, 204);
    event(&mut caller, "stage.changed").await;
    assert!(told(&mut caller, "who are you?").await.starts_with("I am repairs; "));
    stages(&stand, &call, 3).await;
}

#[tokio::test]
async fn a_stage_has_lasting_tools_and_its_tools_are_listed_without_secrets() {
    let stand = stand().await;
    let endpoint = Endpoint::answering(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]).await;
    let request = json!({"name": "look", "definition": {
        "requirements": {"httpSecurityOptions": {"options": [{"requirements": {"k": {"headerApiKey": {"name": "X-Key"}}}}]}},
        "http": {"baseUrlPattern": endpoint.url("/"), "httpMethod": "GET"},
    }});
    let (status, lasting) = stand.post("/api/tools", request).await;
    assert_eq!(status, 201, "{lasting}");
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let body = json!({"selectedTools": [
        {"toolId": lasting["toolId"], "authTokens": {"k": "secret-4711"}},
        {"toolName": "hangUp"},
    ]});
    assert_eq!(moves(&mut caller, &body).await, "OK");
    assert_eq!(told(&mut caller, "call look").await, "hi");
    assert!(endpoint.requests()[0].contains("x-key: secret-4711"), "{:?}", endpoint.requests());

    let stages = stages(&stand, &call, 2).await;
    let of = |index: usize| {
        path(&call, &format!("/stages/{}/tools", stages[index]["callStageId"].as_str().unwrap()))
    };
    let first = stand.get(&of(0)).await;
    assert_eq!(first[0]["name"], "move");
    assert_eq!(first[0]["toolId"], Value::Null);
    assert_eq!(first[0]["definition"]["client"], json!({}));
    let second = stand.get(&of(1)).await;
    assert_eq!(second, stand.get(&path(&call, "/tools")).await);
    assert_eq!(second[0]["name"], "look");
    assert_eq!(second[0]["toolId"], lasting["toolId"]);
    assert_eq!(second[0]["definition"]["http"]["authHeaders"], json!(["X-Key"]));
    assert_eq!(second[1]["toolId"], "56294126-5a7d-4948-b67d-3b7e13d55ea7");
    assert!(!second.to_string().contains("4711"), "{second}");
    let history = stand.get(&format!("/api/tools/{}/history", lasting["toolId"].as_str().unwrap())).await;
    assert_eq!(history["results"][0]["call"]["callId"], call["callId"]);
}

#[tokio::test]
async fn tools_know_the_stage_they_are_called_in() {
    let stand = stand().await;
    let mut knowing = tool("move");
    knowing["temporaryTool"]["automaticParameters"] = json!([
        {"name": "stage", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_CALL_STAGE_ID"},
        {"name": "state", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_CALL_STATE"},
    ]);
    let (call, mut caller) =
        a_call(&stand, json!({"selectedTools": [knowing], "initialState": {"a": 1}})).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        caller.write("call move").await;
        let invocation = caller.until_type("client_tool_invocation").await;
        seen.push(invocation["parameters"].clone());
        let result = json!({"type": "client_tool_result", "invocationId": invocation["invocationId"],
            "result": json!({"initialState": {"b": 2}}).to_string(), "responseType": "new-stage"});
        caller.say(result).await;
        caller.until_final("agent").await;
    }
    let stages = stages(&stand, &call, 3).await;
    assert_eq!(seen[0], json!({"stage": stages[0]["callStageId"], "state": {"a": 1}}));
    assert_eq!(seen[1], json!({"stage": stages[1]["callStageId"], "state": {"b": 2}}));
    assert_eq!(stages[1]["initialState"], json!({"b": 2}));
}

#[tokio::test]
async fn a_call_that_goes_on_from_another_begins_where_its_last_stage_ended() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let messages = json!([{"role": "MESSAGE_ROLE_USER", "text": "I am Anna."}]);
    moves(&mut caller, &json!({"systemPrompt": "billing", "initialMessages": messages})).await;
    caller.hang_up().await;
    stand.ended(&call).await;
    let id = call["callId"].as_str().unwrap();
    let (status, next) = stand.post(&format!("/api/calls?priorCallId={id}"), json!({})).await;
    assert_eq!(status, 201, "{next}");
    assert_eq!(next["systemPrompt"], "billing");
    let mut caller = Caller::join(next["joinUrl"].as_str().unwrap()).await;
    caller.until_state("listening").await;
    let known = told(&mut caller, "who are you?").await;
    assert!(known.starts_with("I am billing; I know I am Anna. / "), "{known}");
    assert!(!known.contains("call move"), "{known}");
}

#[tokio::test]
async fn stages_of_others_and_stages_that_never_were_are_not_found() {
    let stand = stand().await;
    let (call, mut caller) = a_call(&stand, json!({})).await;
    let (other, _caller) = a_call(&stand, json!({})).await;
    let foreign = stand.get(&path(&other, "/stages")).await["results"][0]["callStageId"].clone();
    for rest in ["", "/messages", "/tools", "/messages/0/audio"] {
        let path = path(&call, &format!("/stages/{}{rest}", foreign.as_str().unwrap()));
        let (status, body) = stand.request(Method::GET, &path, None).await;
        assert_eq!(status, 404, "{path}: {body}");
    }
    goes_on(&mut caller).await;
}
