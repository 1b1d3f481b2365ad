//! Side threads as clients meet them: what they send, and what comes back (protocol.md 3.2, 3.3, 7.11).

use serde_json::{Value, json};

use crate::caller::Seen;
use crate::stand::Stand;

/// A client tool that is told which thread calls it, and what the threads do.
fn lookup() -> Value {
    json!([{"temporaryTool": {
        "modelToolName": "lookup",
        "dynamicParameters": [{"name": "request", "location": "PARAMETER_LOCATION_BODY", "schema": {"type": "string"}}],
        "automaticParameters": [
            {"name": "thread", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_THREAD_ID"},
            {"name": "threads", "location": "PARAMETER_LOCATION_BODY", "knownValue": "KNOWN_PARAM_THREAD_STATES"},
        ],
        "client": {},
    }}])
}

fn fields() -> Value {
    json!({"firstSpeakerSettings": {"user": {}}, "selectedTools": lookup()})
}

#[tokio::test]
async fn a_thread_answers_its_client_and_leaves_the_conversation_alone() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(fields()).await;
    caller
        .say(json!({"type": "spawn_thread", "newThreadId": "notes", "additionalMessages": [
            {"type": "user_text_message", "text": "Tell me a story."},
        ]}))
        .await;
    assert_eq!(caller.until_type("thread_spawned").await["threadId"], "notes");
    let completed = caller.until_type("side_generation_completed").await;
    assert_eq!(completed["threadId"], "notes");
    assert!(completed["text"].as_str().unwrap().starts_with("Once upon a time"), "{completed}");
    assert_eq!(completed["toolCalls"], json!([]));
    let deltas: String = caller
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Text(message) if message["type"] == "side_generation_delta" => {
                Some(message["delta"].as_str().unwrap())
            }
            Seen::Audio(_) | Seen::Closed(_) | Seen::Text(_) => None,
        })
        .collect();
    assert_eq!(deltas, completed["text"].as_str().unwrap());
    caller.write("bye").await;
    caller.until_final("agent").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    assert_eq!(stand.messages(&call).await[..2], ["user: bye", "agent: Goodbye then."]);
}

#[tokio::test]
async fn a_tool_knows_its_thread_and_its_result_is_answered_there() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(fields()).await;
    let spawn = json!({"type": "spawn_thread", "newThreadId": "job", "additionalMessages": [
        {"type": "user_text_message", "text": "What about my order?"},
    ]});
    caller.say(spawn).await;
    let invocation = caller.until_type("client_tool_invocation").await;
    assert_eq!(
        invocation["parameters"],
        json!({
            "request": "What about my order?",
            "thread": "job",
            "threads": {"job": {"state": "CALLING_TOOL"}},
        })
    );
    caller
        .say(json!({"type": "client_tool_result", "invocationId": invocation["invocationId"], "result": "ready"}))
        .await;
    let answered =
        |message: &Value| message["type"] == "side_generation_completed" && message["text"] != "One moment.";
    let completed = caller.until("the answer in the thread", answered).await;
    assert_eq!(completed["text"], "Found: ready.");
    caller.hang_up().await;
    stand.ended(&call).await;
}

#[tokio::test]
async fn a_tool_of_the_conversation_begins_a_thread_as_the_protocols_example_does() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(fields()).await;
    caller.write("Where is my order?").await;
    let invocation = caller.until_type("client_tool_invocation").await;
    assert_eq!(invocation["parameters"]["thread"], "UI");
    let begin = json!({
        "callingThreadResultText": "Started in the background.",
        "dataMessage": {"type": "spawn_thread", "newThreadId": "job-1", "limits": {"generationLimit": 0}, "additionalMessages": [
            {"type": "forced_agent_message", "toolCalls": [{"name": "lookup", "arguments": {"request": "x"}}]},
        ]},
    });
    caller
        .say(json!({
            "type": "client_tool_result",
            "invocationId": invocation["invocationId"],
            "responseType": "send-to-thread",
            "agentReaction": "speaks",
            "result": begin.to_string(),
        }))
        .await;
    let slow = caller.until_type("client_tool_invocation").await;
    assert_eq!(slow["parameters"]["thread"], "job-1");
    caller
        .say(json!({"type": "client_tool_result", "invocationId": slow["invocationId"], "result": "done"}))
        .await;
    let terminated = caller.until_type("thread_terminated").await;
    assert_eq!(terminated["threadId"], "job-1");
    assert!(terminated["reason"].as_str().unwrap().contains("generations"), "{terminated}");
    caller.until_final("agent").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    assert!(
        stand.messages(&call).await.contains(&"tool_result: Started in the background.".to_owned()),
        "{:?}",
        stand.messages(&call).await
    );
}

#[tokio::test]
async fn what_makes_no_thread_is_told_and_the_call_goes_on() {
    let stand = Stand::hearing(&[]).await;
    let (call, mut caller) = stand.call(fields()).await;
    for (spawn, why) in [
        (json!({"newThreadId": "UI"}), "cannot be the name"),
        (json!({"newThreadId": "a", "parentThreadId": "nobody"}), "there is no thread"),
        (json!({"newThreadId": "a", "parentThreadId": "_PARENT"}), "there is no thread"),
    ] {
        let mut message = json!({"type": "spawn_thread"});
        message.as_object_mut().unwrap().extend(spawn.as_object().unwrap().clone());
        caller.say(message).await;
        let rejected = caller.until_type("thread_rejected").await;
        assert!(rejected["reason"].as_str().unwrap().contains(why), "{rejected}");
    }
    caller.say(json!({"type": "user_text_message", "text": "Hello?", "threadId": "nobody"})).await;
    caller.say(json!({"type": "forced_agent_message", "content": "Hello.", "threadId": "nobody"})).await;
    caller.write("bye").await;
    assert_eq!(caller.until_final("agent").await, "Goodbye then.");
    caller.hang_up().await;
    stand.ended(&call).await;
}
