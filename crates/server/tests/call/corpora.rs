//! `queryCorpus` in whole calls: corpora filled over REST, asked by the model of a call (protocol.md 6.11, A-47).

use serde_json::{Value, json};

use crate::puppet::{call, call_with, goes_on, stand, told};
use crate::stand::Stand;

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// A corpus of these texts, each a file with a name, once it is loaded. Gives its id.
async fn corpus(stand: &Stand, texts: &[(&str, &str)]) -> String {
    let (_, corpus) = stand.post("/api/corpora", json!({})).await;
    let id = corpus["corpusId"].as_str().unwrap().to_owned();
    let path = format!("/api/corpora/{id}");
    let mut documents = Vec::new();
    for (name, text) in texts {
        let announced = json!({"mimeType": "text/markdown", "fileName": name});
        let (_, upload) = stand.post(&format!("{path}/uploads"), announced).await;
        let status = stand.put_file(upload["presignedUrl"].as_str().unwrap(), "text/markdown", text).await;
        assert_eq!(status, 200);
        documents.push(upload["documentId"].clone());
    }
    let (status, source) =
        stand.post(&format!("{path}/sources"), json!({"upload": {"documentIds": documents}})).await;
    assert_eq!(status, 201, "{source}");
    while stand.get(&path).await["stats"]["status"] != "CORPUS_STATUS_READY" {
        tokio::task::yield_now().await;
    }
    id
}

async fn bakery(stand: &Stand) -> String {
    let hours = "# Opening hours\n\n## Sundays\n\nOn Sundays we open at eight.\n\n## Weekdays\n\nOn weekdays we open at six.";
    corpus(stand, &[("hours.md", hours), ("bread.md", "Rye bread costs four euros.")]).await
}

fn tool(corpus: &str, more: Value) -> Value {
    let mut overrides = json!({ "corpus_id": corpus });
    let Value::Object(more) = more else { panic!("{more} is an object") };
    overrides.as_object_mut().unwrap().extend(more);
    json!({"toolName": "queryCorpus", "parameterOverrides": overrides})
}

/// What the model was told that was found, best first.
async fn found(caller: &mut crate::caller::Caller, arguments: Value) -> Vec<Value> {
    let told = told(caller, &format!("call queryCorpus {arguments}")).await;
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told} is no JSON"));
    told["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_in_a_corpus_is_told_to_the_model_with_where_it_is_from() {
    let stand = stand().await;
    let corpus = bakery(&stand).await;
    let (created, mut caller) = call(&stand, json!([tool(&corpus, json!({}))])).await;
    let results = found(&mut caller, json!({"query": "When do you open on Sundays?"})).await;
    let best = &results[0];
    assert_eq!(best["content"], "Opening hours > Sundays\n\nOn Sundays we open at eight.");
    assert_eq!(best["citation"], json!({"title": "Opening hours"}));
    assert!(best["score"].as_f64().unwrap() > results[1]["score"].as_f64().unwrap());
    assert_eq!(found(&mut caller, json!({"query": "open", "max_results": 1})).await.len(), 1);
    // What does not quite fit is taken as it is meant; what cannot be meant is told.
    assert_eq!(found(&mut caller, json!({"query": "open", "max_results": "1"})).await.len(), 1);
    assert_eq!(found(&mut caller, json!({"query": "zebras"})).await, Vec::<Value>::new());
    for arguments in [json!({}), json!({"query": " "}), json!({"query": "open", "max_results": "many"})] {
        let answer = told(&mut caller, &format!("call queryCorpus {arguments}")).await;
        assert!(answer.starts_with("The arguments are not valid: "), "{arguments}: {answer}");
    }
    // The model cannot look elsewhere.
    assert_eq!(found(&mut caller, json!({"query": "rye", "corpus_id": NOBODY})).await.len(), 1);
    let path = format!("/api/calls/{}/tools", created["callId"].as_str().unwrap());
    assert_eq!(stand.get(&path).await[0]["toolId"], "84a31bac-5c1b-41c3-9058-f81acb7ffaa7");
    goes_on(&mut caller).await;

    let (status, _) = stand.request(reqwest::Method::DELETE, &format!("/api/corpora/{corpus}"), None).await;
    assert_eq!(status, 204);
    assert_eq!(found(&mut caller, json!({"query": "open"})).await, Vec::<Value>::new());
    caller.hang_up().await;
    stand.ended(&created).await;
    stand.stop().await;
}

#[tokio::test]
async fn what_is_overridden_holds_in_either_spelling() {
    let stand = stand().await;
    let corpus = bakery(&stand).await;
    let camel = json!({
        "toolId": "84a31bac-5c1b-41c3-9058-f81acb7ffaa7", "nameOverride": "queryCorpus",
        "parameterOverrides": {"corpusId": corpus, "maxResults": 1},
    });
    let (_, mut caller) = call(&stand, json!([camel])).await;
    assert_eq!(found(&mut caller, json!({"query": "open"})).await.len(), 1);
    let strict = tool(&corpus, json!({"minimum_score": 1}));
    let (_, mut caller) = call(&stand, json!([strict])).await;
    assert_eq!(found(&mut caller, json!({"query": "open"})).await, Vec::<Value>::new());
    stand.stop().await;
}

#[tokio::test]
async fn a_corpus_that_is_not_there_makes_no_call_and_no_stage() {
    let stand = stand().await;
    let corpus = bakery(&stand).await;
    for (overrides, field) in [
        (json!({}), "corpus_id"),
        (json!({"corpus_id": NOBODY}), "corpus_id"),
        (json!({"corpusId": NOBODY}), "corpusId"),
        (json!({"corpus_id": "{{corpus}}"}), "corpus_id"),
        (json!({"corpus_id": "bakery"}), "corpus_id"),
        (json!({"corpus_id": null}), "corpus_id"),
        (json!({"corpus_id": corpus, "max_results": 50}), "max_results"),
    ] {
        let tools =
            json!([{"toolName": "hangUp"}, {"toolName": "queryCorpus", "parameterOverrides": overrides}]);
        let (status, refused) = stand.post("/api/calls", json!({ "selectedTools": tools })).await;
        let field = format!("selectedTools[1].parameterOverrides.{field}");
        assert_eq!(status, 400, "{overrides}");
        assert!(refused["errors"][&field].is_array(), "{overrides}: {refused}");
    }
    let stage = |corpus: &str| {
        let body = json!({"selectedTools": [tool(corpus, json!({}))]});
        json!({"temporaryTool": {"modelToolName": "next", "client": {}}, "body": body})
    };
    let next = json!({"temporaryTool": {"modelToolName": "next", "client": {}}});
    let (_, mut caller) = call(&stand, json!([next])).await;
    let mut answered = async |corpus: &str| {
        caller.write("call next {}").await;
        let invocation = caller.until_type("client_tool_invocation").await;
        let result = stage(corpus)["body"].to_string();
        caller
            .say(json!({"type": "client_tool_result", "invocationId": invocation["invocationId"], "result": result,
                "responseType": "new-stage"}))
            .await;
        caller.until_final("agent").await
    };
    assert_eq!(answered(NOBODY).await, "Told: The tool asked for something that is not possible.");
    assert_eq!(answered(&corpus).await, "Told: OK");
    assert_eq!(found(&mut caller, json!({"query": "rye"})).await.len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn an_agent_leaves_its_corpus_to_each_of_its_calls() {
    let stand = stand().await;
    let corpus = bakery(&stand).await;
    let template = json!({
        "initialOutputMedium": "MESSAGE_MEDIUM_TEXT", "firstSpeakerSettings": {"user": {}},
        "medium": {"serverWebSocket": {"inputSampleRate": 16000}},
        "selectedTools": [tool("{{shop.corpus}}", json!({}))],
    });
    let (status, agent) = stand.post("/api/agents", json!({ "callTemplate": template })).await;
    assert_eq!(status, 201, "{agent}");
    let path = format!("/api/agents/{}/calls", agent["agentId"].as_str().unwrap());
    let context = |corpus: &str| json!({"templateContext": {"shop": {"corpus": corpus}}});
    let (status, refused) = stand.post(&path, context(NOBODY)).await;
    assert_eq!(status, 400);
    assert!(refused["errors"]["selectedTools[0].parameterOverrides.corpus_id"].is_array(), "{refused}");
    let (status, created) = stand.post(&path, context(&corpus)).await;
    assert_eq!(status, 201, "{created}");
    let mut caller = crate::caller::Caller::join(created["joinUrl"].as_str().unwrap()).await;
    caller.until_state("listening").await;
    assert_eq!(found(&mut caller, json!({"query": "rye"})).await.len(), 1);
    stand.stop().await;
}

#[tokio::test]
async fn a_side_thread_looks_things_up_as_well() {
    let stand = stand().await;
    let corpus = bakery(&stand).await;
    let (_, mut caller) = call_with(&stand, json!({"selectedTools": [tool(&corpus, json!({}))]})).await;
    caller
        .say(json!({"type": "spawn_thread", "newThreadId": "side", "additionalMessages": [
            {"type": "user_text_message", "text": "call queryCorpus {\"query\": \"rye\"}"}]}))
        .await;
    let answered = |message: &Value| {
        message["type"] == "side_generation_completed"
            && message["text"].as_str().is_some_and(|text| text.starts_with("Told"))
    };
    let completed = caller.until("the answer in the thread", answered).await;
    assert!(completed.to_string().contains("Rye bread costs four euros."), "{completed}");
    goes_on(&mut caller).await;
    stand.stop().await;
}
