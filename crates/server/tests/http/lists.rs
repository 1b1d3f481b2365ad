//! Lists and their pages.

use antiphon_api::rest::calls::{Message, MessageRole};
use antiphon_api::{CallId, CallStageId};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{Attempt, Severity, StoredEvent, StoredMessage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::Server;

/// Follows a list from `path` on by `next` or `previous`, as a client does: verbatim.
async fn walk(server: &Server, path: &str, way: &str, name: impl Fn(&Value) -> String) -> Vec<Vec<String>> {
    let base = format!("http://{}", server.running.local_addr());
    let (mut path, mut pages) = (path.to_owned(), Vec::new());
    loop {
        let page = server.get(&path).await.json();
        pages.push(page["results"].as_array().unwrap().iter().map(&name).collect());
        match page[way].as_str() {
            Some(url) => path = url.strip_prefix(&base).unwrap().to_owned(),
            None => return pages,
        }
    }
}

fn number(call: &Value) -> String {
    call["metadata"]["number"].as_str().unwrap().to_owned()
}

async fn five_calls() -> Server {
    let server = Server::start().await;
    for number in ["1", "2", "3", "4", "5"] {
        server.create(json!({"metadata": {"number": number}})).await;
    }
    server
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let server = Server::start().await;
    let page = server.get("/api/calls").await;
    assert_eq!(page.text, r#"{"next":null,"previous":null,"results":[],"total":0}"#);
    server.stop().await;
}

#[tokio::test]
async fn calls_come_newest_first_and_pages_lead_on_and_back() {
    let server = five_calls().await;
    let path = "/api/calls?pageSize=2";
    assert_eq!(walk(&server, path, "next", number).await, [vec!["5", "4"], vec!["3", "2"], vec!["1"]]);
    let oldest = "/api/calls?pageSize=2&sort=created";
    assert_eq!(walk(&server, oldest, "next", number).await, [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);
    let all = server.get("/api/calls?sort=-created&limit=1&offset=3").await.json();
    assert_eq!(all["results"].as_array().unwrap().len(), 5, "limit and offset mean nothing");

    let first = server.get(path).await.json();
    assert_eq!((&first["previous"], &first["total"]), (&Value::Null, &json!(5)));
    let base = format!("http://{}", server.running.local_addr());
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with(&format!("{base}/api/calls?pageSize=2&cursor=")), "{next}");
    let second = server.get(next.strip_prefix(&base).unwrap()).await.json();
    let third = second["next"].as_str().unwrap().strip_prefix(&base).unwrap().to_owned();
    assert_eq!(walk(&server, &third, "previous", number).await, [vec!["1"], vec!["3", "2"], vec!["5", "4"]]);
    server.stop().await;
}

#[tokio::test]
async fn what_a_list_cannot_do_is_refused_by_name() {
    let server = five_calls().await;
    for (query, field) in [
        ("pageSize=0", "pageSize"),
        ("pageSize=1001", "pageSize"),
        ("pageSize=many", "pageSize"),
        ("sort=colour", "sort"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("fromDate=yesterday", "fromDate"),
        ("toDate=9999-12-32", "toDate"),
        ("agentIds=support", "agentIds[0]"),
        ("durationMin=5", "durationMin"),
        ("durationMax=-5s", "durationMax"),
        ("metadata=1", "metadata"),
        ("search=", "search"),
        ("timeOfDayStart=noon", "timeOfDayStart"),
        ("voiceId=Mark", "voiceId"),
    ] {
        let refused = server.get(&format!("/api/calls?{query}")).await;
        assert!(refused.detail(400).starts_with(&format!("{field}: ")), "{query}: {}", refused.text);
        assert!(refused.json()["errors"][field].is_array(), "{query}: {}", refused.text);
    }
    server.stop().await;
}

#[tokio::test]
async fn messages_are_listed_by_mode_with_their_places() {
    let server = Server::start().await;
    let call = server.create(json!({})).await;
    let id: CallId = call["callId"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/calls/{id}/messages");
    assert_eq!(server.get(&path).await.text, r#"{"next":null,"previous":null,"results":[],"total":0}"#);

    let (storage, _) = server.storage().await;
    let stage = CallStageId::new(Uuid::from_u128(7));
    let message = |index, initial, role, text| StoredMessage {
        stage,
        stage_number: 0,
        index,
        initial,
        message: Message::new(role, text),
    };
    let said = [
        message(0, true, MessageRole::User, "Before"),
        message(1, false, MessageRole::Agent, "Hello"),
        message(2, false, MessageRole::User, "Bye"),
    ];
    storage.calls.append_messages(id, &said, Attempt::First).await.unwrap();
    storage.close().await;

    let page = server.get(&format!("{path}?mode=in_call&pageSize=1")).await.json();
    assert_eq!(page["total"], 2);
    assert_eq!(
        page["results"],
        json!([{
            "role": "MESSAGE_ROLE_AGENT", "text": "Hello", "callStageMessageIndex": 1,
            "callStageId": "00000000-0000-0000-0000-000000000007"
        }])
    );
    let text = |message: &Value| message["text"].as_str().unwrap().to_owned();
    let in_call = format!("{path}?mode=in_call&pageSize=1");
    assert_eq!(walk(&server, &in_call, "next", text).await, [vec!["Hello"], vec!["Bye"]]);
    assert_eq!(walk(&server, &path, "next", text).await, [vec!["Before", "Hello", "Bye"]]);
    let refused = server.get(&format!("{path}?mode=all")).await;
    assert!(refused.detail(400).starts_with("mode: "), "{}", refused.text);
    server.stop().await;
}

#[tokio::test]
async fn calls_are_filtered_searched_and_sorted() {
    let server = five_calls().await;
    let found = async |query: &str| {
        let page = server.get(&format!("/api/calls?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text);
        let page = page.json();
        let found: Vec<String> = page["results"].as_array().unwrap().iter().map(number).collect();
        assert_eq!(page["total"], found.len(), "{query}");
        found.join("")
    };
    for (query, calls) in [
        ("metadata.number=4", "4"),
        ("metadata.number=6", ""),
        ("metadata.colour=4", ""),
        ("fromDate=2020-01-01&toDate=2020-12-31", ""),
        ("fromDate=2020-01-01&sort=created", "12345"),
        ("toDate=2020-01-01", ""),
        ("from_date=2020-01-01T00:00:00Z", "54321"),
        ("durationMin=0s", ""),
        ("agentIds=00000000-0000-0000-0000-000000000001", ""),
        ("agentIds=00000000-0000-0000-0000-000000000001&agentIds=00000000-0000-0000-0000-000000000002", ""),
        ("timeOfDayStart=00:00:00&timeOfDayEnd=23:59:59.999999", "54321"),
        ("search=nothing%20like%20it", ""),
        ("sort=joined&pageSize=5", ""),
    ] {
        if query.starts_with("sort=joined") {
            // Nobody joined, so that the ids decide: any order, and all of them.
            assert_eq!(found(query).await.len(), 5);
            continue;
        }
        assert_eq!(found(query).await, calls, "{query}");
    }
    let call = server.get("/api/calls?metadata.number=2").await.json();
    let id = call["results"][0]["callId"].as_str().unwrap().to_owned();
    assert_eq!(found(&format!("search={id}")).await, "2");

    let voices = server.get("/api/voices").await.json();
    let usual = voices["results"][0]["voiceId"].as_str().unwrap().to_owned();
    assert_eq!(
        found(&format!("voiceId={usual}")).await,
        "54321",
        "calls that ask for none have the default voice"
    );
    assert_eq!(found("voiceId=00000000-0000-0000-0000-000000000001").await, "");

    let pages =
        walk(&server, "/api/calls?pageSize=2&fromDate=2020-01-01&metadata.number=3", "next", number).await;
    assert_eq!(pages, [["3"]]);
    let pages = walk(&server, "/api/calls?pageSize=3&sort=-ended", "next", number).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    server.stop().await;
}

#[tokio::test]
async fn events_are_listed_from_info_on_with_their_times() {
    let server = Server::start().await;
    let id = server.keep(json!({})).await;
    let (storage, _) = server.storage().await;
    let at = |seconds: i64| antiphon_api::Timestamp::from_unix_micros(seconds * 1_000_000).unwrap();
    let event = |seconds, severity, kind: &str| StoredEvent {
        stage: None,
        at: at(seconds),
        severity,
        kind: kind.to_owned(),
        text: "It happened.".to_owned(),
        extras: Some(json!({"count": 1})),
    };
    let events = [
        event(1, Severity::Info, "request.ignored_fields"),
        event(12, Severity::Debug, "turn.latency"),
        event(15, Severity::Warning, "tool.timed_out"),
    ];
    storage.calls.append_events(id, &events, Attempt::First).await.unwrap();
    storage.calls.mark_joined(id, at(10), None).await.unwrap();
    storage.close().await;

    let path = format!("/api/calls/{id}/events");
    let page = server.get(&path).await.json();
    assert_eq!(page["total"], 2);
    let second = &page["results"][1];
    let stage = second["callStageId"].as_str().unwrap();
    assert_eq!(stage.len(), 36);
    assert_eq!(
        *second,
        json!({
            "callId": id.to_string(), "callStageId": stage, "callTimestamp": "5s", "severity": "warning",
            "type": "tool.timed_out", "text": "It happened.", "extras": {"count": 1}, "wallClockTimestamp": "5s"
        })
    );
    assert_eq!(page["results"][0]["callTimestamp"], "0s", "before the join the clock stands");
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    for (query, pages) in [
        (
            "minimum_severity=debug&pageSize=2",
            vec![vec!["request.ignored_fields", "turn.latency"], vec!["tool.timed_out"]],
        ),
        ("minimum_severity=error", vec![vec![]]),
        ("type=tool.timed_out", vec![vec!["tool.timed_out"]]),
        ("minimumSeverity=warning", vec![vec!["tool.timed_out"]]),
    ] {
        assert_eq!(walk(&server, &format!("{path}?{query}"), "next", kind).await, pages, "{query}");
    }
    let refused = server.get(&format!("{path}?minimum_severity=fatal")).await;
    assert!(refused.detail(400).starts_with("minimum_severity: "), "{}", refused.text);
    let unknown = "00000000-0000-0000-0000-000000000009";
    assert_eq!(
        server.get(&format!("/api/calls/{unknown}/events")).await.detail(404),
        "there is no such call"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_call_is_listed_by_what_is_left_of_it() {
    let server = Server::start().await;
    let id = server.keep(json!({"metadata": {"customer": "Jane"}, "maxDuration": "60s"})).await;
    assert_eq!(server.get(&format!("/api/deleted_calls/{id}")).await.status, 404);
    let (storage, account) = server.storage().await;
    let ended = antiphon_api::Timestamp::from_unix_micros(5_000_000).unwrap();
    storage.calls.mark_ended(id, ended, EndReason::Unjoined).await.unwrap();
    storage.close().await;
    assert_eq!(server.delete(&format!("/api/calls/{id}")).await.status, 204);

    let stone = server.get(&format!("/api/deleted_calls/{id}")).await.json();
    let deleted = stone["deletionTime"].as_str().unwrap();
    assert_eq!(
        stone,
        json!({
            "callId": id.to_string(), "accountId": account.to_string(), "created": "1970-01-01T00:00:00.000000Z",
            "deletionTime": deleted, "joined": null, "ended": "1970-01-01T00:00:05.000000Z", "maxDuration": "60s",
            "endReason": "unjoined", "recordingEnabled": false, "hadSummary": false
        })
    );
    let page = server.get("/api/deleted_calls?durationMax=1s").await.json();
    assert_eq!((&page["results"], &page["total"]), (&json!([stone]), &json!(1)));
    assert_eq!(server.get("/api/deleted_calls?search=Jane").await.json()["total"], 0);
    assert_eq!(server.get(&format!("/api/calls/{id}")).await.status, 404);
    server.stop().await;
}
