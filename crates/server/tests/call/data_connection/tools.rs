//! Tools that run on the data connection.

use serde_json::{Value, json};

use super::{call, connected, event, tool};
use crate::caller::Caller;
use crate::participant::{Participant, extend};
use crate::puppet::{goes_on, stand, told};

/// Answers the next invocation with these fields beside its id, and gives the invocation.
async fn answers(peer: &mut Caller, fields: Value) -> Value {
    let invocation = peer.until_type("data_connection_tool_invocation").await;
    answer(peer, &invocation["invocationId"], fields).await;
    invocation
}

async fn answer(peer: &mut Caller, invocation: &Value, fields: Value) {
    let mut result = json!({"type": "data_connection_tool_result", "invocationId": invocation});
    extend(&mut result, fields);
    peer.say(result).await;
}

#[tokio::test]
async fn an_invocation_holds_all_parameters_and_its_result_is_told_and_kept() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let definition = json!({
        "dynamicParameters": [{"name": "id", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "integer"}, "required": true}],
        "staticParameters": [{"name": "lang", "location": "PARAMETER_LOCATION_BODY", "value": "de"}],
        "automaticParameters": [{"name": "state", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_CALL_STATE"}],
    });
    let fields = json!({"selectedTools": [tool(definition)], "initialState": {"step": 1}});
    let (created, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    let (text, invocation) = tokio::join!(
        told(&mut caller, r#"call look {"id":"5"}"#),
        answers(&mut peer, json!({"result": {"a": 1}, "updateCallState": {"step": 2}})),
    );
    assert_eq!(text, r#"{"a":1}"#);
    assert_eq!(invocation["toolName"], "look");
    assert_eq!(invocation["parameters"], json!({"id": 5, "lang": "de", "state": {"step": 1}}));
    let (_, invocation) =
        tokio::join!(told(&mut caller, r#"call look {"id":6}"#), answers(&mut peer, json!({"result": "b"})));
    assert_eq!(invocation["parameters"]["state"], json!({"step": 2}));
    // What does not fit never gets there.
    let text = told(&mut caller, r#"call look {"id":"five"}"#).await;
    assert!(text.starts_with("The arguments are not valid: "), "{text}");
    caller.hang_up().await;
    stand.ended(&created).await;
    assert!(stand.messages(&created).await.contains(&r#"tool_result: {"a":1}"#.to_owned()));
}

#[tokio::test]
async fn a_result_can_say_nothing_fail_or_end_the_call() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({}))]});
    let (created, mut caller, mut peer) = connected(&stand, &participant, fields).await;

    caller.write("call look").await;
    caller.until_state("thinking").await;
    answers(&mut peer, json!({"result": "noted", "agentReaction": "listens"})).await;
    caller.until_state("listening").await;

    let failure = json!({"errorType": "implementation-error", "errorMessage": "the disk is full"});
    let (text, _) = tokio::join!(told(&mut caller, "call look"), answers(&mut peer, failure));
    assert_eq!(text, "The tool failed.");
    goes_on(&mut caller).await;

    let hang_up = json!({"responseType": "hang-up", "result": r#"{"message": "Bye then."}"#});
    caller.write("call look").await;
    answers(&mut peer, hang_up).await;
    assert_eq!(caller.until_final("agent").await, "Bye then.");
    assert_eq!(peer.until_closed().await, 1000);
    assert_eq!(stand.ended(&created).await["endReason"], "agent_hangup");
}

#[tokio::test]
async fn late_and_double_results_are_told_and_ignored() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({"timeout": "1s"}))]});
    let (_, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    assert_eq!(told(&mut caller, "call look").await, "The tool did not answer in time.");
    let late = peer.until_type("data_connection_tool_invocation").await["invocationId"].clone();
    answer(&mut peer, &late, json!({"result": "late"})).await;
    event(&mut caller, "tool.result_ignored").await;

    let (text, invocation) =
        tokio::join!(told(&mut caller, "call look"), answers(&mut peer, json!({"result": "in time"})));
    assert_eq!(text, "in time");
    answer(&mut peer, &invocation["invocationId"], json!({"result": "again"})).await;
    event(&mut caller, "tool.result_ignored").await;
    goes_on(&mut caller).await;
}

#[tokio::test]
async fn nobody_answers_for_somebody_else() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let ask = json!({"temporaryTool": {"modelToolName": "ask", "client": {}}});
    let fields = json!({"selectedTools": [tool(json!({})), ask]});
    let (_, mut caller, mut peer) = connected(&stand, &participant, fields).await;

    caller.write("call look").await;
    let id = peer.until_type("data_connection_tool_invocation").await["invocationId"].clone();
    for kind in ["client_tool_result", "data_connection_tool_result"] {
        caller.say(json!({"type": kind, "invocationId": id, "result": "forged"})).await;
        event(&mut caller, "tool.result_ignored").await;
    }
    answer(&mut peer, &id, json!({"result": "true"})).await;
    assert_eq!(caller.until_final("agent").await, "Told: true");

    caller.write("call ask").await;
    let id = caller.until_type("client_tool_invocation").await["invocationId"].clone();
    for kind in ["client_tool_result", "data_connection_tool_result"] {
        peer.say(json!({"type": kind, "invocationId": id, "result": "forged"})).await;
        event(&mut caller, "tool.result_ignored").await;
    }
    caller.say(json!({"type": "client_tool_result", "invocationId": id, "result": "true, too"})).await;
    assert_eq!(caller.until_final("agent").await, "Told: true, too");
}

#[tokio::test]
async fn an_invocation_waits_for_the_first_connection_and_one_given_up_is_never_sent() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let quick = json!({"modelToolName": "quick", "timeout": "0.05s"});
    let fields = json!({"selectedTools": [tool(json!({})), tool(quick)]});
    // The connection is made only when the second tool has been called and the first was given up.
    let (_, mut caller) = call(&stand, participant.config(json!({})), fields).await;
    assert_eq!(told(&mut caller, "call quick").await, "The tool did not answer in time.");
    caller.write("call look").await;
    caller.until_state("thinking").await;
    let mut peer = participant.accept().await;
    let invocation = answers(&mut peer, json!({"result": "there"})).await;
    assert_eq!(invocation["toolName"], "look");
    assert_eq!(caller.until_final("agent").await, "Told: there");
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_the_name_of_its_field() {
    let stand = stand().await;
    let url = "wss://example.com/data";
    let dial = json!({"websocketUrl": url});
    let header = |name: &str| json!({"websocketUrl": url, "headers": {name: "x"}});
    let place = json!({"name": "a", "location": "PARAMETER_LOCATION_QUERY"});
    for (body, field) in [
        (json!({"selectedTools": [tool(json!({}))]}), "selectedTools[0]"),
        (
            json!({"selectedTools": [tool(json!({"dynamicParameters": [place]}))], "dataConnection": dial}),
            "selectedTools[0].temporaryTool.dynamicParameters[0].location",
        ),
        (json!({"dataConnection": {"websocketUrl": "https://example.com"}}), "dataConnection.websocketUrl"),
        (json!({"dataConnection": {"websocketUrl": "wss://"}}), "dataConnection.websocketUrl"),
        (json!({"dataConnection": {"websocketUrl": "wss://a:b@example.com"}}), "dataConnection.websocketUrl"),
        (json!({"dataConnection": header("Host")}), "dataConnection.headers.Host"),
        (json!({"dataConnection": header("Sec-WebSocket-Key")}), "dataConnection.headers.Sec-WebSocket-Key"),
        (json!({"dataConnection": header("a b")}), "dataConnection.headers.a b"),
    ] {
        let (status, answer) = stand.post("/api/calls", body.clone()).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["errors"][field].is_array(), "{body}: {answer}");
        assert!(!answer.to_string().contains("a:b"), "{answer}");
    }
}

#[tokio::test]
async fn a_result_can_begin_a_stage_that_has_tools_there_as_well() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({}))], "systemPrompt": "the desk"});
    let (_, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    let next = tool(json!({"modelToolName": "pay"}));
    let body = json!({"systemPrompt": "billing", "selectedTools": [next], "toolResultText": "moved"});
    let stage = json!({"responseType": "new-stage", "result": body.to_string()});
    let (text, _) = tokio::join!(told(&mut caller, "call look"), answers(&mut peer, stage));
    assert_eq!(text, "moved");
    let (text, invocation) =
        tokio::join!(told(&mut caller, "call pay"), answers(&mut peer, json!({"result": "paid"})));
    assert_eq!((text.as_str(), &invocation["toolName"]), ("paid", &json!("pay")));
    let text = told(&mut caller, "who are you?").await;
    assert!(text.starts_with("I am billing; ") && text.ends_with("; I have pay"), "{text}");
}
