//! Call throttles: defining them, and calls that they let pass or not (protocol.md 7.10, A-70).

use serde_json::{Value, json};

use crate::server::{Server, answer};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

async fn throttle(server: &Server, name: &str, rules: Value) -> Value {
    let created = server.post("/api/call_throttles", json!({"name": name, "rules": rules}).to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

fn id(throttle: &Value) -> &str {
    throttle["throttleId"].as_str().unwrap()
}

#[tokio::test]
async fn a_throttle_is_created_read_changed_replaced_and_deleted() {
    let server = Server::start().await;
    let made = throttle(&server, "busy", json!([{"maxCalls": 2, "windowSeconds": "60"}])).await;
    assert_eq!(
        made,
        json!({
            "throttleId": made["throttleId"], "name": "busy", "created": made["created"],
            "rules": [{"maxCalls": 2, "windowSeconds": 60}]
        })
    );
    let path = format!("/api/call_throttles/{}", id(&made));
    assert_eq!(server.get(&path).await.json(), made);

    let renamed = server.patch(&path, json!({"name": "calm"})).await.json();
    assert_eq!((&renamed["name"], &renamed["rules"]), (&json!("calm"), &made["rules"]));
    let two = json!([{"maxCalls": 1, "windowSeconds": 1}, {"maxCalls": 100, "windowSeconds": 86400}]);
    let ruled = server.patch(&path, json!({"rules": two})).await.json();
    assert_eq!((&ruled["name"], &ruled["rules"]), (&json!("calm"), &two));
    let replaced = server.put(&path, json!({"name": "new", "rules": made["rules"]})).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    let replaced = replaced.json();
    assert_eq!((&replaced["name"], &replaced["rules"]), (&json!("new"), &made["rules"]));
    assert_eq!(replaced["created"], made["created"]);
    assert_eq!(server.get(&path).await.json(), replaced);

    assert_eq!(server.delete(&path).await.status, 204);
    let whole = json!({"name": "new", "rules": two});
    for path in [path, format!("/api/call_throttles/{NOBODY}")] {
        for answer in [
            server.get(&path).await,
            server.delete(&path).await,
            server.patch(&path, json!({})).await,
            server.put(&path, whole.clone()).await,
        ] {
            assert_eq!(answer.detail(404), "there is no such throttle");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn throttles_are_listed_in_pages_newest_first() {
    let server = Server::start().await;
    for name in ["a", "b", "c"] {
        throttle(&server, name, json!([{"maxCalls": 1, "windowSeconds": 1}])).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let results = page["results"].as_array().unwrap();
        results.iter().map(|throttle| throttle["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = server.get("/api/call_throttles?pageSize=2").await.json();
    assert_eq!(
        (names(&first), &first["total"], &first["previous"]),
        (vec!["c".into(), "b".into()], &json!(3), &Value::Null)
    );
    let next = first["next"].as_str().unwrap();
    let second = server.get(&next[next.find("/api").unwrap()..]).await.json();
    assert_eq!((names(&second), &second["next"]), (vec!["a".into()], &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_throttle_is_refused_by_name() {
    let server = Server::start().await;
    let rule = json!([{"maxCalls": 1, "windowSeconds": 1}]);
    let taken = throttle(&server, "taken", rule.clone()).await;
    let other = throttle(&server, "other", rule.clone()).await;
    for (body, field, why) in [
        (json!({"rules": rule}), "name", "is missing"),
        (json!({"name": "", "rules": rule}), "name", "must have 1 to 64 characters"),
        (json!({"name": "x".repeat(65), "rules": rule}), "name", "must have 1 to 64 characters"),
        (
            json!({"name": "taken", "rules": rule}),
            "name",
            "another throttle is called \"taken\"; choose another name",
        ),
        (json!({"name": "n"}), "rules", "has 0 items; use 1 to 10"),
        (json!({"name": "n", "rules": []}), "rules", "has 0 items; use 1 to 10"),
        (json!({"name": "n", "rules": 5}), "rules", "must be a list, not a number"),
        (json!({"name": "n", "rules": vec![rule[0].clone(); 11]}), "rules", "has 11 items; use 1 to 10"),
        (
            json!({"name": "n", "rules": [{"maxCalls": 101, "windowSeconds": 1}]}),
            "rules[0].maxCalls",
            "101 is out of range; choose from 1 to 100",
        ),
        (
            json!({"name": "n", "rules": [{"maxCalls": 0, "windowSeconds": 1}]}),
            "rules[0].maxCalls",
            "0 is out of range; choose from 1 to 100",
        ),
        (
            json!({"name": "n", "rules": [{"maxCalls": 1, "windowSeconds": 86401}]}),
            "rules[0].windowSeconds",
            "86401 is out of range; choose from 1 to 86400",
        ),
        (json!({"name": "n", "rules": [{"maxCalls": 1}]}), "rules[0].windowSeconds", "is missing"),
    ] {
        let refused = server.post("/api/call_throttles", body.to_string()).await;
        assert_eq!(refused.detail(400), format!("{field}: {why}"), "{body}");
        assert_eq!(refused.json()["errors"], json!({field: [why]}), "{body}");
        let path = format!("/api/call_throttles/{}", id(&other));
        let replaced = server.put(&path, body.clone()).await;
        assert_eq!(replaced.detail(400), format!("{field}: {why}"), "{body}");
    }
    let path = format!("/api/call_throttles/{}", id(&other));
    let renamed = server.patch(&path, json!({"name": "taken"})).await;
    assert_eq!(renamed.detail(400), "name: another throttle is called \"taken\"; choose another name");
    assert_eq!(server.patch(&path, json!({"rules": null})).await.status, 400);
    assert_eq!(server.get("/api/call_throttles").await.json()["results"], json!([other, taken]));
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    let refused = strict
        .post("/api/call_throttles", json!({"name": "n", "rules": rule, "colour": 1}).to_string())
        .await;
    assert_eq!(refused.detail(400), "colour: does not exist; leave it out");
    strict.stop().await;
}

#[tokio::test]
async fn calls_pass_until_the_window_is_full_by_name_or_by_id_and_whoever_makes_them() {
    let server = Server::start().await;
    let busy = throttle(&server, "busy hours", json!([{"maxCalls": 3, "windowSeconds": 86400}])).await;
    let agent = server.post("/api/agents", "{}").await.json();
    let agent_calls = format!("/api/agents/{}/calls", agent["agentId"].as_str().unwrap());
    let (by_name, by_id) = ("throttle=busy%20hours".to_owned(), format!("throttle={}", id(&busy)));
    for path in
        [format!("/api/calls?{by_name}"), format!("/api/calls?{by_id}"), format!("{agent_calls}?{by_id}")]
    {
        let created = server.post(&path, "").await;
        assert_eq!(created.status, 201, "{path}: {}", created.text);
    }
    for path in [format!("/api/calls?{by_id}"), format!("{agent_calls}?{by_name}")] {
        let refused = server.post(&path, "").await;
        let why = "the throttle lets no more calls pass for now; try again after the time in Retry-After";
        assert_eq!(refused.detail(429), why);
        assert_eq!(refused.json(), json!({"detail": why}));
        let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((80_000..=86_400).contains(&seconds), "when the first call leaves the window: {seconds}");
    }
    assert_eq!(server.get("/api/calls").await.json()["total"], 3, "what is refused leaves no call");
    assert_eq!(server.post("/api/calls", "").await.status, 201, "without it everything passes");

    // A mistake in the request does not count.
    let calm = throttle(&server, "calm", json!([{"maxCalls": 1, "windowSeconds": 86400}])).await;
    let wrong = server.post("/api/calls?throttle=calm", r#"{"model": "no-such-model"}"#).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    assert_eq!(server.post(&format!("/api/calls?throttle={}", id(&calm)), "").await.status, 201);

    // Another start, and it still counts.
    let directory = server.stop().await;
    let server = Server::start_in(directory, |_| {}).await;
    assert_eq!(server.post("/api/calls?throttle=calm", "").await.status, 429);
    for unknown in ["tea", NOBODY] {
        for path in ["/api/calls", &agent_calls] {
            let refused = server.post(&format!("{path}?throttle={unknown}"), "").await;
            assert_eq!(refused.detail(400), format!("throttle: {unknown:?} names no throttle"));
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_at_once_do_not_all_pass() {
    let server = Server::start().await;
    throttle(&server, "busy", json!([{"maxCalls": 4, "windowSeconds": 86400}])).await;
    let create = || {
        let request = server.request(reqwest::Method::POST, "/api/calls?throttle=busy");
        answer(request.header("X-API-Key", crate::server::KEY))
    };
    let answers = futures::future::join_all((0..12).map(|_| create())).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(429)), (4, 8));
    server.stop().await;
}
