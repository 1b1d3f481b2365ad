//! Scheduled batches over REST: defining them, what is refused, and what becomes of their calls (protocol.md 7.9). When which call
//! is created is `tests/batches`' subject.

use antiphon_server::config::Config;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::server::{Server, answer};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const HOOK: &str = "https://receiver.example/hook";
const SOME_DAY: &str = "2099-01-01T00:00:00.000000Z";
const THE_DAY_AFTER: &str = "2099-01-02T00:00:00.000000Z";
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An agent, and the path of its batches.
async fn agent(server: &Server, template: Value) -> (String, String) {
    let created =
        server.post("/api/agents", json!({"name": "Support", "callTemplate": template}).to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.json()["agentId"].as_str().unwrap().to_owned();
    let path = format!("/api/agents/{id}/scheduled_batches");
    (id, path)
}

async fn batch(server: &Server, path: &str, body: Value) -> Value {
    let created = server.post(path, body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

fn id(batch: &Value) -> &str {
    batch["batchId"].as_str().unwrap()
}

/// A batch that nothing comes of before somebody changes it.
fn idle(calls: &Value) -> Value {
    json!({"webhookUrl": HOOK, "windowStart": SOME_DAY, "calls": calls})
}

/// Receivers on this machine may be dialled.
fn at_home(config: &mut Config) {
    config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
}

/// A batch, once it is over.
async fn ended(server: &Server, path: &str) -> Value {
    loop {
        let batch = server.get(path).await.json();
        if !batch["endedAt"].is_null() {
            return batch;
        }
        tokio::task::yield_now().await;
    }
}

fn column(page: &Value, field: &str) -> Vec<Value> {
    page["results"].as_array().unwrap().iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn a_batch_is_created_read_changed_and_deleted() {
    let server = Server::start().await;
    let (agent_id, path) = agent(&server, json!({"systemPrompt": "Hi {{name}}"})).await;
    let calls = json!([
        {"templateContext": {"name": "Jane"}, "metadata": {"order": "7"}, "experimentalSettings": [1]},
        {"templateContext": {"name": "Joe"}, "medium": {"serverWebSocket": {"inputSampleRate": 8000}}},
    ]);
    let made = batch(
        &server,
        &path,
        json!({"webhookUrl": HOOK, "windowStart": SOME_DAY, "windowEnd": THE_DAY_AFTER, "calls": calls}),
    )
    .await;
    let secret = made["webhookSecret"].as_str().unwrap();
    assert_eq!(secret.len(), 64, "one is made that nobody can guess");
    assert_eq!(
        made,
        json!({
            "batchId": made["batchId"], "created": made["created"], "windowStart": SOME_DAY,
            "windowEnd": THE_DAY_AFTER, "throttle": null, "webhookUrl": HOOK, "webhookSecret": secret,
            "paused": false, "totalCount": 2, "completedCount": 0, "endedAt": null,
        })
    );
    let own = format!("{path}/{}", id(&made));
    assert_eq!(server.get(&own).await.json(), made);

    let scheduled = server.get(&format!("{own}/scheduled_calls")).await.json();
    let shown = |call: &Value| {
        let absent = |field: &str| call.get(field).cloned().unwrap_or_default();
        json!({
            "status": "FUTURE", "batchId": made["batchId"], "callId": null, "error": null,
            "medium": absent("medium"), "metadata": absent("metadata"),
            "templateContext": absent("templateContext"),
            "experimentalSettings": absent("experimentalSettings"),
        })
    };
    assert_eq!(scheduled["results"], json!([shown(&calls[0]), shown(&calls[1])]));
    assert_eq!(scheduled["total"], 2);
    let created = server.get(&format!("{own}/created_calls")).await.json();
    assert_eq!((&created["results"], &created["total"]), (&json!([]), &json!(0)));

    let other_hook = "http://other.example/";
    let changed = server.patch(&own, json!({"windowEnd": null, "webhookUrl": other_hook})).await.json();
    assert_eq!((&changed["windowEnd"], &changed["webhookUrl"]), (&Value::Null, &json!(other_hook)));
    assert_eq!(
        (&changed["windowStart"], &changed["webhookSecret"]),
        (&made["windowStart"], &made["webhookSecret"])
    );
    let secret = server.patch(&own, json!({"webhookSecret": "mine"})).await.json();
    assert_eq!(secret["webhookSecret"], "mine");
    let renewed = server.patch(&own, json!({"webhookSecret": null})).await.json();
    assert_eq!(renewed["webhookSecret"].as_str().unwrap().len(), 64, "there is always one");
    assert_eq!(server.patch(&own, json!({})).await.json(), renewed, "nothing to change is no mistake");
    assert_eq!(server.get(&own).await.json(), renewed);

    let paused = server.patch(&own, json!({"paused": true})).await.json();
    assert_eq!((&paused["paused"], &paused["endedAt"]), (&json!(true), &Value::Null));
    for on in [json!(false), Value::Null] {
        let refused = server.patch(&own, json!({"paused": on})).await;
        let why = "a batch that is paused cannot go on; create another one with the calls that are left";
        assert_eq!(refused.detail(400), format!("paused: {why}"));
    }

    let (_, elsewhere) = agent(&server, json!({})).await;
    let (stranger, unknown) =
        (format!("{elsewhere}/{}", id(&made)), format!("/api/agents/{NOBODY}/scheduled_batches"));
    let not_there = format!("{path}/{NOBODY}");
    for batch in [&stranger, &not_there] {
        for answer in [
            server.get(batch).await,
            server.patch(batch, json!({"paused": true})).await,
            server.delete(batch).await,
            server.get(&format!("{batch}/scheduled_calls")).await,
            server.get(&format!("{batch}/created_calls")).await,
        ] {
            assert_eq!(answer.detail(404), "there is no such batch", "{batch}");
        }
    }
    for answer in [
        server.get(&unknown).await,
        server.post(&unknown, idle(&json!([{}])).to_string()).await,
        server.get(&format!("{unknown}/{}", id(&made))).await,
    ] {
        assert_eq!(answer.detail(404), "there is no such agent");
    }

    assert_eq!(server.delete(&own).await.status, 204);
    assert_eq!(server.delete(&own).await.detail(404), "there is no such batch");
    assert_eq!(server.get(&path).await.json()["total"], 0);
    batch(&server, &path, idle(&json!([{"templateContext": {"name": "Jane"}}]))).await;
    assert_eq!(server.delete(&format!("/api/agents/{agent_id}")).await.status, 204);
    assert_eq!(server.get(&path).await.detail(404), "there is no such agent");
    server.stop().await;
}

#[tokio::test]
async fn batches_and_their_calls_are_listed_in_pages() {
    let server = Server::start().await;
    let (_, path) = agent(&server, json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, batch(&server, &path, idle(&json!([{}]))).await["batchId"].clone());
    }
    let (_, other) = agent(&server, json!({})).await;
    batch(&server, &other, idle(&json!([{}]))).await;
    let walk = async |path: String, field: &str| {
        let (mut pages, mut next) = (Vec::new(), Some(path));
        while let Some(path) = next {
            let page = server.get(&path).await.json();
            pages.push(column(&page, field));
            next = page["next"].as_str().map(|next| next[next.find("/api").unwrap()..].to_owned());
        }
        pages
    };
    assert_eq!(
        walk(format!("{path}?pageSize=2"), "batchId").await,
        [ids[..2].to_vec(), ids[2..].to_vec()],
        "newest first"
    );
    assert_eq!(server.get(&path).await.json()["total"], 3);

    let calls: Vec<Value> =
        (0..5).map(|number| json!({"metadata": {"number": number.to_string()}})).collect();
    let long = batch(&server, &path, idle(&json!(calls))).await;
    let own = format!("{path}/{}", id(&long));
    let walked = walk(format!("{own}/scheduled_calls?pageSize=2&status=FUTURE"), "metadata").await;
    let expected: Vec<Value> = calls.iter().map(|call| call["metadata"].clone()).collect();
    assert_eq!(walked.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(walked.concat(), expected, "in the batch's order");
    let none = server.get(&format!("{own}/scheduled_calls?status=ERROR")).await.json();
    assert_eq!((&none["results"], &none["total"]), (&json!([]), &json!(0)));
    for (query, field) in [
        ("scheduled_calls?status=DONE", "status"),
        ("scheduled_calls?pageSize=0", "pageSize"),
        ("scheduled_calls?cursor=x", "cursor"),
        ("created_calls?pageSize=1001", "pageSize"),
        ("created_calls?cursor=x", "cursor"),
    ] {
        let refused = server.get(&format!("{own}/{query}")).await;
        assert!(refused.detail(400).starts_with(&format!("{field}: ")), "{query}: {}", refused.text);
    }
    assert!(server.get(&format!("{path}?cursor=x")).await.detail(400).starts_with("cursor: "));
    server.stop().await;
}

#[tokio::test]
async fn what_makes_no_batch_is_refused_by_name() {
    let server = Server::start().await;
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}});
    let template = json!({"systemPrompt": "Hi {{name}}", "contextSchema": schema});
    let (_, path) = agent(&server, template).await;
    let throttle = json!({"name": "slow", "rules": [{"maxCalls": 1, "windowSeconds": 60}]});
    assert_eq!(server.post("/api/call_throttles", throttle.to_string()).await.status, 201);
    let fitting = json!({"templateContext": {"name": "Jane"}});
    let with = |second: Value| json!({"calls": [fitting, second]});
    let long = format!("https://receiver.example/{}", "x".repeat(200));
    for (change, field, why) in [
        (json!({"calls": null}), "calls", "has 0 items; use 1 to 100000"),
        (json!({"calls": []}), "calls", "has 0 items; use 1 to 100000"),
        (json!({"calls": vec![json!({}); 100_001]}), "calls", "has 100001 items; use 1 to 100000"),
        (json!({"calls": {}}), "calls", "must be a list"),
        (json!({"calls": [5]}), "calls[0]", "must be an object"),
        (json!({"windowStart": "tomorrow"}), "windowStart", "is not a moment; write RFC 3339"),
        (json!({"windowEnd": 5}), "windowEnd", ""),
        (json!({"windowEnd": SOME_DAY}), "windowEnd", "must be later than \"windowStart\""),
        (
            json!({"windowStart": null, "windowEnd": "2020-01-01T00:00:00Z"}),
            "windowEnd",
            "is over already; choose a later time",
        ),
        (json!({"throttle": "tea"}), "throttle", "\"tea\" names no throttle"),
        (json!({"throttle": NOBODY}), "throttle", "names no throttle"),
        (json!({"throttle": ""}), "throttle", "must have 1 to 64 characters"),
        (
            json!({"throttle": "slow", "windowEnd": "2099-01-01T00:01:59Z", "calls": vec![&fitting; 3]}),
            "windowEnd",
            "is too early: 3 calls under this throttle take at least 120s, and the window has 119s; choose a later time, or \
             fewer calls",
        ),
        (
            json!({"webhookUrl": null}),
            "webhookUrl",
            "is missing: calls[0] has no outgoing medium, so that somebody has to be told to join it",
        ),
        (json!({"webhookUrl": "receiver.example"}), "webhookUrl", "begins with https://"),
        (json!({"webhookUrl": long}), "webhookUrl", "at most 200 characters"),
        (json!({"webhookUrl": "https://me:s3cret-word@receiver.example/"}), "webhookUrl", "password"),
        (json!({"webhookUrl": "http://169.254.169.254/"}), "webhookUrl", "outbound.allow"),
        (json!({"webhookSecret": ""}), "webhookSecret", "must have 1 to 120 characters"),
        (json!({"webhookSecret": "x".repeat(121)}), "webhookSecret", "must have 1 to 120 characters"),
        (
            json!({"paused": true}),
            "paused",
            "would never begin, since a pause cannot be undone; leave it out",
        ),
        (json!({"paused": "perhaps"}), "paused", ""),
        (with(json!({"metadata": {"ultravox.x": "1"}})), "calls[1].metadata.ultravox.x", "reserved"),
        (with(json!({"metadata": {"x": 1}})), "calls[1].metadata.x", ""),
        (with(json!({"templateContext": "Jane"})), "calls[1].templateContext", "must be an object"),
        (
            with(json!({"templateContext": {"name": "Joe", "age": "old"}})),
            "calls[1].templateContext",
            "does not fit the agent: ",
        ),
        (
            with(json!({"medium": {"serverWebSocket": {}}})),
            "calls[1].medium.serverWebSocket.inputSampleRate",
            "missing",
        ),
        (with(json!({"medium": {"webRtc": {}, "twilio": {}}})), "calls[1].medium", "twilio"),
        (
            with(json!({"medium": {"twilio": {"outgoing": {"to": "+1"}}}})),
            "calls[1].medium.twilio.outgoing.from",
            "missing",
        ),
        (
            with(json!({"medium": {"twilio": {"outgoing": {"to": "+15550001", "from": "+15550002"}}}})),
            "calls[1].medium.twilio",
            "",
        ),
        // What only the first call tells is held against the agent as a whole.
        (json!({"calls": [{}]}), "calls[0].systemPrompt", "uses {{name}}, which has no value"),
    ] {
        let mut body = json!({"webhookUrl": HOOK, "windowStart": SOME_DAY, "calls": [fitting]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = server.post(&path, body.to_string()).await;
        let detail = refused.detail(400);
        let about: String = change.to_string().chars().take(200).collect();
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{about}: {detail}");
        assert!(!detail.contains("s3cret-word"), "{detail}");
        assert!(refused.json()["errors"][field].is_array(), "{}", refused.text);
    }
    // Only outgoing calls, which need nobody to be told. That this server cannot place any is the next thing to say.
    let outgoing = json!({"twilio": {"outgoing": {"to": "+15550001", "from": "+15550002"}}});
    let told = json!({"webhookUrl": HOOK, "calls": [{"medium": outgoing}]});
    let refused = server.post(&path, told.to_string()).await.detail(400);
    assert!(refused.starts_with("webhookUrl: has no use: all calls have outgoing media"), "{refused}");
    let untold = server.post(&path, json!({"calls": [{"medium": outgoing}]}).to_string()).await.detail(400);
    assert!(untold.starts_with("calls[0].medium.twilio: "), "{untold}");
    assert!(server.post(&path, "[]").await.detail(400).contains("object"));
    assert_eq!(server.get(&path).await.json()["total"], 0, "nothing is left behind");

    // As many seconds as they take at least are enough.
    let body = json!({
        "webhookUrl": HOOK, "throttle": "slow", "windowStart": SOME_DAY, "windowEnd": "2099-01-01T00:02:00Z",
        "calls": vec![&fitting; 3],
    });
    assert_eq!(batch(&server, &path, body).await["throttle"], "slow");
    server.stop().await;

    let strict = Server::start_with(|config| config.server.strict_fields = true).await;
    let (_, path) = agent(&strict, json!({})).await;
    let refused = strict.post(&path, idle(&json!([{"colour": 1}])).to_string()).await;
    assert_eq!(refused.detail(400), "calls[0].colour: does not exist; leave it out");
    strict.stop().await;
}

#[tokio::test]
async fn a_change_that_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let server = Server::start().await;
    let (_, path) = agent(&server, json!({})).await;
    let rules = json!([{"maxCalls": 1, "windowSeconds": 60}]);
    let throttle = |name: &str| json!({"name": name, "rules": rules}).to_string();
    let slow = server.post("/api/call_throttles", throttle("slow")).await.json();
    let made = batch(&server, &path, idle(&json!([{}, {}, {}]))).await;
    let own = format!("{path}/{}", id(&made));
    for (change, field, why) in [
        (json!({"calls": [{}]}), "calls", "cannot be changed once they are scheduled"),
        (json!({"windowEnd": "2020-01-01T00:00:00Z"}), "windowEnd", "must be later than \"windowStart\""),
        (
            json!({"windowStart": null, "windowEnd": "2020-01-01T00:00:00Z"}),
            "windowEnd",
            "is over already; choose a later time",
        ),
        (
            json!({"throttle": "slow", "windowEnd": "2099-01-01T00:01:00Z"}),
            "windowEnd",
            "3 calls under this throttle take at least 120s, and the window has 60s",
        ),
        (json!({"throttle": "tea"}), "throttle", "\"tea\" names no throttle"),
        (json!({"webhookUrl": null}), "webhookUrl", "is needed"),
        (json!({"webhookUrl": "http://10.0.0.1/"}), "webhookUrl", "outbound.allow"),
        (json!({"webhookUrl": "x"}), "webhookUrl", "begins with https://"),
        (json!({"webhookSecret": ""}), "webhookSecret", "must have 1 to 120 characters"),
        (json!({"paused": 5}), "paused", ""),
    ] {
        let refused = server.patch(&own, change.clone()).await;
        let detail = refused.detail(400);
        assert!(detail.starts_with(&format!("{field}: ")) && detail.contains(why), "{change}: {detail}");
        assert!(refused.json()["errors"][field].is_array(), "{}", refused.text);
    }
    assert_eq!(server.get(&own).await.json(), made);

    // It counts on the throttle that it was given, whatever is called like that by now.
    let slow_path = format!("/api/call_throttles/{}", slow["throttleId"].as_str().unwrap());
    let counting = server.patch(&own, json!({"throttle": "slow", "calls": null})).await;
    assert_eq!(counting.status, 200, "{}", counting.text);
    assert_eq!(server.delete(&slow_path).await.status, 409, "it is in use");
    assert_eq!(server.patch(&slow_path, json!({"name": "calm"})).await.status, 200);
    let fast = json!({"name": "slow", "rules": [{"maxCalls": 100, "windowSeconds": 1}]});
    assert_eq!(server.post("/api/call_throttles", fast.to_string()).await.status, 201);
    let short = server.patch(&own, json!({"windowEnd": "2099-01-01T00:01:00Z"})).await;
    assert!(short.detail(400).contains("take at least 120s"), "{}", short.text);
    let long = server.patch(&own, json!({"windowEnd": THE_DAY_AFTER})).await.json();
    assert_eq!((&long["throttle"], &long["windowEnd"]), (&json!("slow"), &json!(THE_DAY_AFTER)));
    assert_eq!(server.patch(&own, json!({"throttle": null})).await.json()["throttle"], Value::Null);
    assert_eq!(server.delete(&slow_path).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn calls_are_created_and_each_says_what_became_of_it() {
    let server = Server::start_with(at_home).await;
    let receiver = Endpoint::answering([TAKEN; 3]).await;
    let (agent_id, path) = agent(
        &server,
        json!({"systemPrompt": "Help {{name}}.", "medium": {"serverWebSocket": {"inputSampleRate": 16000}}}),
    )
    .await;
    let calls = json!([
        {"templateContext": {"name": "Jane"}, "metadata": {"order": "1"}},
        {"templateContext": {"nom": "Joe"}, "metadata": {"order": "2"}},
        {"templateContext": {"name": "Jack"}, "metadata": {"order": "3"}, "medium": {"webRtc": {}}},
        {"templateContext": {"name": "Jill"}, "metadata": {"order": "4"}, "experimentalSettings": {"x": 1}},
    ]);
    let made = batch(
        &server,
        &path,
        json!({"webhookUrl": receiver.url("/hook?of=batch"), "webhookSecret": "s3cret", "calls": calls}),
    )
    .await;
    let own = format!("{path}/{}", id(&made));
    let over = ended(&server, &own).await;
    assert_eq!((&over["totalCount"], &over["completedCount"]), (&json!(4), &json!(4)));

    let scheduled = server.get(&format!("{own}/scheduled_calls")).await.json();
    assert_eq!(column(&scheduled, "status"), ["SUCCESS", "ERROR", "SUCCESS", "SUCCESS"]);
    assert_eq!(scheduled["results"][0]["error"], Value::Null);
    let failed = &scheduled["results"][1];
    assert_eq!(failed["callId"], Value::Null);
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("systemPrompt: uses {{name}}, which has no value"), "{error}");
    let errors = server.get(&format!("{own}/scheduled_calls?status=ERROR")).await.json();
    assert_eq!((&errors["results"], &errors["total"]), (&json!([failed]), &json!(1)));

    let created = server.get(&format!("{own}/created_calls")).await.json();
    assert_eq!(created["total"], 3);
    let ids: Vec<Value> = column(&scheduled, "callId").into_iter().filter(|call| !call.is_null()).collect();
    assert_eq!(column(&created, "callId"), ids, "in the batch's order");
    let two = server.get(&format!("{own}/created_calls?pageSize=2")).await.json();
    assert_eq!((column(&two, "callId"), &two["total"]), (ids[..2].to_vec(), &json!(3)));
    assert_eq!(column(&created, "systemPrompt"), ["Help Jane.", "Help Jack.", "Help Jill."]);
    assert_eq!(created["results"][0]["medium"], json!({"serverWebSocket": {"inputSampleRate": 16000}}));
    assert_eq!(created["results"][1]["medium"], json!({"webRtc": {}}));
    assert_eq!(created["results"][2]["experimentalSettings"], json!({"x": 1}));
    assert_eq!(created["results"][2]["agent"], json!({"agentId": agent_id, "name": "Support"}));
    let of_agent = server.get(&format!("/api/calls?agentIds={agent_id}&metadata.order=3")).await.json();
    assert_eq!(column(&of_agent, "callId"), [ids[1].clone()]);

    // Each was told with the call as it was when it was created.
    let posts = receiver.requests();
    assert_eq!(posts.len(), 3, "a call that could not be created is told to nobody");
    for (post, call) in posts.iter().zip(created["results"].as_array().unwrap()) {
        let (head, body) = post.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /hook?of=batch HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("x-ultravox-webhook-signature: "), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["event"], "call.started");
        assert_eq!(&body["call"], call);
    }

    // It is over: nothing of it changes any more, and its calls outlive it.
    let late = server.patch(&own, json!({"paused": true})).await;
    assert!(late.detail(409).starts_with("the batch is over"), "{}", late.text);
    assert_eq!(server.patch(&own, json!({"paused": false})).await.status, 200, "that changes nothing");
    assert_eq!(server.delete(&own).await.status, 204);
    for call in ids {
        let kept = server.get(&format!("/api/calls/{}", call.as_str().unwrap())).await;
        assert_eq!(kept.status, 200, "{}", kept.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn only_the_body_of_a_batch_may_have_32_mebibytes() {
    const MEBIBYTE: usize = 1 << 20;
    let server = Server::start().await;
    let (_, path) = agent(&server, json!({})).await;
    let large = |bytes: usize| {
        let empty = idle(&json!([{"experimentalSettings": ""}])).to_string();
        let filling = "x".repeat(bytes - empty.len());
        let body = idle(&json!([{"experimentalSettings": filling}])).to_string();
        assert_eq!(body.len(), bytes);
        body
    };
    assert_eq!(server.post(&path, large(32 * MEBIBYTE)).await.status, 201);
    let refused = server.post(&path, large(32 * MEBIBYTE + 1)).await;
    assert_eq!(
        refused.detail(413),
        "the body is larger than 33554432 bytes, which is the most this server takes"
    );
    // A body that does not say how long it is.
    let chunks = futures::stream::iter((0..33).map(|_| Ok::<_, std::io::Error>(vec![b' '; MEBIBYTE])));
    let request = server.request(reqwest::Method::POST, &path).header("X-API-Key", crate::server::KEY);
    let request = request.header("Content-Type", "application/json").body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(answer(request).await.status, 413);
    for elsewhere in ["/api/calls", "/api/agents", "/api/call_throttles"] {
        let refused = server.post(elsewhere, large(MEBIBYTE + 1)).await;
        assert_eq!(
            refused.detail(413),
            "the body is larger than 1048576 bytes, which is the most this server takes",
            "{elsewhere}"
        );
    }
    let own = format!("{path}/{}", id(&server.get(&path).await.json()["results"][0]));
    let patch = server.patch(&own, json!({"webhookSecret": "x".repeat(MEBIBYTE)})).await;
    assert_eq!(patch.status, 413, "{}", patch.text);
    server.stop().await;
}
