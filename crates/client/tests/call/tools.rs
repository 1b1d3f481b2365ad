//! Tools that a client runs.

use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{AgentReaction, ServerMessage, ToolInvocation, ToolResult};
use antiphon_client::realtime::{Event, accept, connect_over};
use antiphon_client::tools::{Answer, NoParameters, ParametersError, Tool, ToolError, ToolRunner, Tools};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::server::{Server, call};

/// A wait.
#[derive(Deserialize, JsonSchema)]
struct Wait {
    /// How long, in milliseconds.
    ms: u64,
    #[serde(default)]
    word: String,
}

fn tools() -> Tools {
    let mut tools = Tools::new();
    tools
        .add(
            Tool::new("wait", "Waits.", async |wait: Wait| {
                sleep(Duration::from_millis(wait.ms)).await;
                Ok::<_, String>(format!("waited {}", wait.word))
            })
            .timeout(Duration::from_secs(5)),
        )
        .unwrap()
        .add(Tool::new("fail", "", async |_: NoParameters| Err::<(), _>("it cannot be done")))
        .unwrap()
        .add(Tool::new("panic", "", async |_: NoParameters| -> Result<(), String> { panic!("on purpose") }))
        .unwrap()
        .add(Tool::new("note", "", async |_: NoParameters| {
            let state = json!({"noted": true}).as_object().cloned().unwrap();
            Ok::<_, String>(Answer::from("noted").reaction(AgentReaction::Listens).update_state(state))
        }))
        .unwrap()
        .add(Tool::new("end", "", async |_: NoParameters| Ok::<_, String>(Answer::hang_up("Bye"))))
        .unwrap();
    tools
}

fn invocation(id: &str, name: &str, parameters: &Value) -> ToolInvocation {
    ToolInvocation {
        tool_name: name.into(),
        invocation_id: id.into(),
        parameters: parameters.as_object().cloned().unwrap(),
    }
}

async fn run(name: &str, parameters: &Value) -> Value {
    let result: ToolResult = tools().run(invocation("i", name, parameters)).await;
    serde_json::to_value(result).unwrap()
}

#[test]
fn the_server_is_told_what_the_type_says() {
    let mut tools = Tools::new();
    tools
        .add(
            Tool::new("wait", "Waits.", async |_: Wait| Ok::<_, String>(""))
                .timeout(Duration::from_millis(2_500)),
        )
        .unwrap();
    let told = serde_json::to_value(tools.selected()).unwrap();
    let tool = &told[0]["temporaryTool"];
    assert_eq!(
        (&tool["modelToolName"], &tool["description"], &tool["timeout"]),
        (&json!("wait"), &json!("Waits."), &json!("2.5s"))
    );
    assert_eq!(tool["client"], json!({}));
    let parameters = tool["dynamicParameters"].as_array().unwrap();
    assert_eq!((&parameters[0]["name"], &parameters[0]["required"]), (&json!("ms"), &json!(true)));
    assert_eq!(parameters[0]["location"], "PARAMETER_LOCATION_BODY");
    assert_eq!(parameters[0]["schema"]["type"], "integer");
    assert_eq!(parameters[0]["schema"]["description"], "How long, in milliseconds.");
    assert_eq!((&parameters[1]["name"], &parameters[1]["required"]), (&json!("word"), &json!(false)));
    let told = serde_json::to_value(tools.selected_for_data_connection()).unwrap();
    assert_eq!(told[0]["temporaryTool"]["dataConnection"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_comes_to_is_told_as_the_protocol_says() {
    assert_eq!(
        run("wait", &json!({"ms": 10, "word": "long", "extra": 1})).await,
        json!({"invocationId": "i", "result": "waited long", "responseType": "tool-response"})
    );
    assert_eq!(
        run("note", &json!({})).await,
        json!({
            "invocationId": "i", "result": "noted", "responseType": "tool-response",
            "agentReaction": "listens", "updateCallState": {"noted": true},
        })
    );
    assert_eq!(
        run("end", &json!({})).await,
        json!({"invocationId": "i", "result": r#"{"message":"Bye"}"#, "responseType": "hang-up"})
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_is_an_answer() {
    for (name, parameters, kind, complaint) in [
        ("fail", json!({}), "implementation-error", "it cannot be done"),
        ("panic", json!({}), "implementation-error", "the tool panicked; see the program's own log"),
        ("wait", json!({"ms": 5_001}), "implementation-error", "the tool took more than 5000 ms"),
        ("wait", json!({}), "implementation-error", "the arguments do not fit: missing field `ms`"),
        (
            "wait",
            json!({"ms": "long"}),
            "implementation-error",
            "the arguments do not fit: invalid type: string \"long\", expected u64",
        ),
        ("dance", json!({}), "undefined", "this client has no tool \"dance\""),
    ] {
        let result = run(name, &parameters).await;
        assert_eq!((&result["errorType"], &result["errorMessage"]), (&json!(kind), &json!(complaint)));
        assert_eq!(result.get("result"), None);
    }
}

#[test]
fn a_tool_that_cannot_be_told_of_is_refused_with_the_reason() {
    let tool = |name: &str| Tool::new(name, "", async |_: NoParameters| Ok::<_, String>(""));
    let mut tools = Tools::new();
    tools.add(tool("one")).unwrap();
    assert_eq!(tools.add(tool("one")).unwrap_err(), ToolError::Duplicate("one".into()));
    for name in ["", "no blanks", "ö", &"x".repeat(65)] {
        assert_eq!(tools.add(tool(name)).unwrap_err(), ToolError::Name(name.into()));
    }
    for timeout in [0, 41] {
        let error = tools.add(tool("slow").timeout(Duration::from_secs(timeout))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tool \"slow\" must have a timeout of more than 0 s and at most 40 s"
        );
    }
    let untyped = Tool::untyped("any", "", &json!([1]), async |_: JsonObject| Ok::<_, String>(""));
    assert_eq!(
        tools.add(untyped).unwrap_err(),
        ToolError::Parameters { tool: "any".into(), error: ParametersError::NotAnObject }
    );
    assert_eq!(tools.names().collect::<Vec<_>>(), ["one"]);
}

async fn invoke(server: &mut Server, id: &str, name: &str, parameters: Value) {
    let message = json!({"type": "client_tool_invocation", "toolName": name, "invocationId": id, "parameters": parameters});
    server.say(&message.to_string()).await;
}

#[tokio::test(start_paused = true)]
async fn tools_run_beside_each_other_and_answer_when_they_are_done() {
    let (sender, mut events, mut server) = call().await;
    let mut runner = ToolRunner::new(tools(), sender);
    let began = Instant::now();
    for (id, ms) in [("a", 300), ("b", 100), ("c", 200)] {
        invoke(&mut server, id, "wait", json!({"ms": ms, "word": id})).await;
    }
    server.say(r#"{"type":"state","state":"thinking"}"#).await;
    for _ in 0..4 {
        let Some(Event::Message(message)) = events.next().await else { panic!("it is another event") };
        assert_eq!(runner.handle(&message), !matches!(message, ServerMessage::State(_)));
    }
    assert_eq!(runner.running(), 3);
    for id in ["b", "c", "a"] {
        let result = server.message().await;
        assert_eq!((&result["type"], &result["invocationId"]), (&json!("client_tool_result"), &json!(id)));
        assert_eq!(result["result"], format!("waited {id}"));
    }
    assert_eq!(began.elapsed().as_millis() / 10, 30);
}

#[tokio::test(start_paused = true)]
async fn more_tools_than_a_client_can_run_are_refused_and_not_queued() {
    let (sender, _events, mut server) = call().await;
    let mut runner = ToolRunner::new(tools(), sender);
    for at in 0..66 {
        let invocation = invocation(&at.to_string(), "wait", &json!({"ms": 100}));
        runner.handle(&ServerMessage::ClientToolInvocation(invocation));
    }
    for id in ["64", "65"] {
        let result = server.message().await;
        assert_eq!(
            (&result["invocationId"], &result["errorType"]),
            (&json!(id), &json!("implementation-error"))
        );
    }
    for _ in 0..64 {
        assert_eq!(server.message().await["result"], "waited ");
    }
    for _ in 0..10_000 {
        runner.handle(&ServerMessage::ClientToolInvocation(invocation("x", "wait", &json!({"ms": 100}))));
    }
    assert_eq!(runner.running(), 128);
}

#[tokio::test(start_paused = true)]
async fn a_tool_of_a_call_that_is_left_stops() {
    let (sender, _events, _server) = call().await;
    let mut tools = Tools::new();
    let (begun, mut running) = tokio::sync::mpsc::channel::<()>(1);
    tools
        .add(Tool::new("for_ever", "", move |_: NoParameters| {
            let begun = begun.clone();
            async move {
                begun.send(()).await.unwrap();
                std::future::pending::<Result<(), String>>().await
            }
        }))
        .unwrap();
    let mut runner = ToolRunner::new(tools, sender);
    runner.handle(&ServerMessage::ClientToolInvocation(invocation("i", "for_ever", &json!({}))));
    running.recv().await.unwrap();
    drop(runner);
    // Its channel goes with it.
    assert_eq!(running.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_data_connection_runs_its_tools_in_its_own_words() {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let options = antiphon_client::realtime::Options::default();
    // The server dials a data connection, so the two are the other way round.
    let (accepted, dialled) = tokio::join!(accept(ours), connect_over(theirs, "ws://us/", &options));
    let ((sender, mut events), (server, mut seen_by_server)) = (accepted.unwrap(), dialled.unwrap());
    let mut runner = ToolRunner::new(tools(), sender);
    let invoked = json!({"type": "data_connection_tool_invocation", "toolName": "note", "invocationId": "i", "parameters": {}});
    server.raw(invoked.as_object().unwrap()).await.unwrap();
    server.audio(&[1, 2]).unwrap();
    let mut messages = 0;
    for _ in 0..2 {
        match events.next().await.unwrap() {
            Event::Message(message) => messages += usize::from(runner.handle(&message)),
            event @ (Event::Audio(_) | Event::Closed(_) | Event::Unreadable { .. }) => {
                assert_eq!(event, Event::Audio(vec![1, 2]));
            }
        }
    }
    assert_eq!(messages, 1);
    // The result is none of a server's words.
    let Some(Event::Message(ServerMessage::Unknown(result))) = seen_by_server.next().await else {
        panic!("it is another event")
    };
    assert_eq!((result.kind(), &result.json["result"]), ("data_connection_tool_result", &json!("noted")));
}
