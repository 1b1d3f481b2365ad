//! Lists and their pages.

use antiphon_api::rest::calls::{Message, MessageRole};
use antiphon_api::{CallId, CallStageId};
use antiphon_server::storage::StoredMessage;
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
        ("sort=joined", "sort"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("fromDate=2026-11-20", "fromDate"),
        ("metadata.number=1", "metadata"),
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
    storage.calls.append_messages(id, &said).await.unwrap();
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
