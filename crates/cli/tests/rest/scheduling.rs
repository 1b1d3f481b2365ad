//! Throttles and batches: how many calls come, and when.

use serde_json::{Value, json};

use crate::server::{Server, id, said};

#[test]
fn a_throttle_is_made_changed_held_to_and_deleted() {
    let server = Server::start("throttles");
    let rules = "rules=[{\"maxCalls\": 1, \"windowSeconds\": 86400}]";
    let calm = server.one(&["throttles", "create", "--set", "name=calm", "--set", rules]);
    let calm_id = id(&calm, "throttleId");
    let table = server.run(&["throttles", "list"]);
    assert!(table.lines().nth(1).unwrap().contains("calm"), "{table}");
    let other = "rules=[{\"maxCalls\": 2, \"windowSeconds\": 86400}]";
    let changed = server.one(&["throttles", "update", calm_id, "--set", other]);
    assert_eq!((&changed["name"], &changed["rules"][0]["maxCalls"]), (&json!("calm"), &json!(2)));
    assert_eq!(server.one(&["throttles", "get", calm_id]), changed);

    for by in ["calm", calm_id] {
        assert!(id(&server.one(&["calls", "create", "--throttle", by]), "joinUrl").starts_with("ws"));
    }
    let refused = server.fail(1, &["calls", "create", "--throttle", "calm"]);
    assert!(refused.contains("the throttle lets no more calls pass for now"), "{refused}");
    assert!(refused.contains("(status 429)"), "{refused}");
    let unknown = server.fail(1, &["calls", "create", "--throttle", "tea"]);
    assert!(unknown.contains("throttle: \"tea\" names no throttle"), "{unknown}");
    assert_eq!(server.json(&["calls", "list"]).len(), 2);

    let wrong = server.fail(2, &["throttles", "create", "--set", "name=wild", "--set", "rules=[]"]);
    assert!(wrong.contains("rules: has 0 items; use 1 to 10"), "{wrong}");
    let gone = server.command(&["throttles", "delete", calm_id]).output().unwrap();
    assert_eq!((gone.status.code(), said(&gone)), (Some(0), format!("deleted throttle {calm_id}\n")));
    assert!(server.fail(1, &["throttles", "get", calm_id]).contains("(status 404)"));
}

#[test]
fn a_batch_is_scheduled_looked_after_paused_and_deleted() {
    let server = Server::start("batches");
    let agent = server.one(&["agents", "create", "--set", "callTemplate.systemPrompt=Hi {{name}}"]);
    let agent_id = id(&agent, "agentId");
    let calls = json!({
        "webhookUrl": "https://hooks.example.com/calls", "windowStart": "2099-01-01T00:00:00Z",
        "calls": [{"templateContext": {"name": "Jane"}}, {"templateContext": {"name": "Joe"}}],
    });
    std::fs::write(server.directory.join("calls.json"), calls.to_string()).unwrap();
    let batch = server.one(&["batches", "create", agent_id, "--file", "calls.json"]);
    let batch_id = id(&batch, "batchId");
    assert_eq!((&batch["totalCount"], &batch["completedCount"]), (&json!(2), &json!(0)));
    assert!(!id(&batch, "webhookSecret").is_empty(), "one is made");
    let table = server.run(&["batches", "list", agent_id]);
    let titles: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(titles, ["BATCH", "DONE", "OF", "PAUSED", "THROTTLE", "FROM", "UNTIL", "ENDED"]);
    assert!(table.contains(batch_id) && table.contains("2099-01-01"), "{table}");
    let waiting = server.run(&["batches", "calls", agent_id, batch_id]);
    assert_eq!(waiting.lines().count(), 3, "{waiting}");
    assert!(waiting.lines().skip(1).all(|line| line.trim() == "future"), "{waiting}");
    let none = server.command(&["batches", "calls", agent_id, batch_id, "--created"]).output().unwrap();
    assert_eq!((none.stdout.len(), said(&none)), (0, "there are no created calls\n".to_owned()));
    assert_eq!(
        server.json(&["batches", "calls", agent_id, batch_id, "--status", "ERROR"]),
        Vec::<Value>::new()
    );
    let status = server.fail(2, &["batches", "calls", agent_id, batch_id, "--status", "DONE"]);
    assert!(status.contains("status: "), "{status}");

    let paused = server.one(&["batches", "update", agent_id, batch_id, "--set", "paused=true"]);
    assert_eq!(paused["paused"], true);
    let resumed = server.fail(1, &["batches", "update", agent_id, batch_id, "--set", "paused=false"]);
    assert!(resumed.contains("paused: a batch that is paused cannot go on"), "{resumed}");
    assert_eq!(server.one(&["batches", "get", agent_id, batch_id]), paused);
    let empty = server.fail(2, &["batches", "create", agent_id, "--set", "webhookUrl=https://a.example"]);
    assert!(empty.contains("calls: has 0 items; use 1 to 100000"), "{empty}");
    server.run(&["batches", "delete", agent_id, batch_id, "--yes"]);
    assert_eq!(server.json(&["batches", "list", agent_id]), Vec::<Value>::new());

    // One whose window is open: nobody may be told at this address, and the call is there all the same.
    let now = server.one(&[
        "batches",
        "create",
        agent_id,
        "--set",
        "webhookUrl=https://localhost/",
        "--set",
        "calls[0].templateContext.name=Jane",
    ]);
    let now_id = id(&now, "batchId");
    let over = loop {
        let batch = server.one(&["batches", "get", agent_id, now_id]);
        if !batch["endedAt"].is_null() {
            break batch;
        }
    };
    assert_eq!(over["completedCount"], 1);
    let failed = server.one(&["batches", "calls", agent_id, now_id, "--status", "ERROR"]);
    assert!(id(&failed, "error").starts_with("the webhook was not told: "), "{failed}");
    let created = server.one(&["batches", "calls", agent_id, now_id, "--created"]);
    assert_eq!((&created["callId"], &created["systemPrompt"]), (&failed["callId"], &json!("Hi Jane")));
    let late = server.fail(1, &["batches", "update", agent_id, now_id, "--set", "paused=true"]);
    assert!(late.contains("the batch is over") && late.contains("(status 409)"), "{late}");
}
