//! Calls that a bridge creates, against a REST API that answers as it is told.

use antiphon_client::bridge::{Bridge, BridgeError, Builder, Event, HttpResponse};
use antiphon_client::rest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

/// What was asked for: the line of the request and its body.
struct Asked {
    line: String,
    key: String,
    body: Value,
}

async fn request(socket: &mut TcpStream) -> Asked {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut byte = [0];
        socket.read_exact(&mut byte).await.unwrap();
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8(bytes.clone()).unwrap();
            let header = |name: &str| {
                head.lines().find_map(|line| Some(line.to_lowercase().strip_prefix(name)?.trim().to_owned()))
            };
            break (head.clone(), header("content-length:").unwrap().parse().unwrap());
        }
    };
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    let key = head.lines().find(|line| line.to_lowercase().starts_with("x-api-key:")).unwrap().to_owned();
    Asked { line: head.lines().next().unwrap().to_owned(), key, body: serde_json::from_slice(&body).unwrap() }
}

async fn answer(socket: &mut TcpStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nX-Request-Id: r1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
}

/// What is asked of a server that grants it, and what the bridge tells until the call is closed.
async fn created(settle: impl FnOnce(&Client) -> Builder) -> (Asked, Bridge, Vec<Event>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::builder().url(format!("http://{address}/prefix/api")).key("k1").build().unwrap();
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let asked = request(&mut socket).await;
        let body = json!({"callId": "c1", "joinUrl": format!("ws://{address}/calls/c1"), "new": 1});
        answer(&mut socket, "201 Created", &body.to_string()).await;
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = accept_async(socket).await.unwrap();
        socket.close(None).await.unwrap();
        asked
    };
    let (joined, asked) = tokio::join!(settle(&client).connect(), server);
    let (bridge, mut events) = joined.unwrap();
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event);
    }
    (asked, bridge, told)
}

/// The error of a server that answers so.
async fn refused(status: &str, body: &str) -> BridgeError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder().url(url).key("k1").build().unwrap();
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await;
        answer(&mut socket, status, body).await;
    };
    tokio::join!(Bridge::create_call(&client).connect(), server).0.unwrap_err()
}

#[tokio::test]
async fn a_call_is_created_with_what_was_said_and_a_medium() {
    let body = json!({"systemPrompt": "Be brief.", "own": {"x": [1]}});
    let (asked, bridge, told) = created(|client| {
        Bridge::create_call(client).body(body.as_object().cloned().unwrap()).query("priorCallId", "a b")
    })
    .await;
    assert_eq!(asked.line, "POST /prefix/api/calls?priorCallId=a+b HTTP/1.1");
    assert_eq!(asked.key.to_lowercase(), "x-api-key: k1");
    assert_eq!(
        asked.body,
        json!({
            "systemPrompt": "Be brief.", "own": {"x": [1]},
            "medium": {"serverWebSocket": {"inputSampleRate": 16000, "outputSampleRate": 16000}},
        })
    );
    assert_eq!(bridge.call_id(), Some("c1"));
    let names: Vec<&str> = told.iter().map(Event::name).collect();
    assert_eq!(names, ["HTTPResponse", "ConnectorInformation", "WebSocketClose"]);
    let payload = told[0].payload();
    assert_eq!((&payload["code"], &payload["text"]["new"]), (&json!(201), &json!(1)));
    assert!(payload["headers"].as_array().unwrap().contains(&json!({"key": "x-request-id", "value": "r1"})));
    assert_eq!(told[1].payload()["id"], bridge.web_socket_id());
    // The join URL is what permits to join.
    assert!(!format!("{told:?}").contains("/calls/c1"));
}

#[tokio::test]
async fn a_call_of_an_agent_is_created_and_its_own_medium_kept() {
    use antiphon_client::bridge::MediaUnit as _;

    let medium = json!({"serverWebSocket": {"inputSampleRate": 8000, "outputSampleRate": "24000", "clientBufferSizeMs": 30000}});
    let body = json!({ "medium": medium, "templateContext": {"name": "Ada"} });
    let (asked, bridge, _) = created(|client| {
        Bridge::create_agent_call(client, "agent/1").body(body.as_object().cloned().unwrap())
    })
    .await;
    assert_eq!(asked.line, "POST /prefix/api/agents/agent%2F1/calls HTTP/1.1");
    assert_eq!(asked.body, body);
    assert_eq!((bridge.port().takes().hz(), bridge.port().gives().hz()), (8_000, 24_000));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_the_whole_answer() {
    let error = refused("400 Bad Request", r#"{"detail":"Unknown voice."}"#).await;
    assert_eq!(error.to_string(), "the server refused to create the call (status 400): Unknown voice.");
    let response: &HttpResponse = error.response().unwrap();
    assert_eq!((response.status, response.is_success()), (400, false));
    assert_eq!(response.json().unwrap()["detail"], "Unknown voice.");

    let error = refused("201 Created", r#"{"callId":"c1"}"#).await;
    assert!(matches!(error, BridgeError::NoJoinUrl { .. }), "{error}");
    let error = refused("201 Created", r#"{"joinUrl":"ftp://x"}"#).await;
    assert!(matches!(error, BridgeError::Connect { response: Some(_), .. }), "{error}");
}

#[tokio::test]
async fn a_medium_that_no_bridge_can_speak_is_refused_before_anything_is_created() {
    let client = Client::builder().url("http://127.0.0.1:1").key("k1").build().unwrap();
    for (medium, complaint) in [
        (json!({"webRtc": {}}), "the medium of the request must be serverWebSocket"),
        (json!({"serverWebSocket": {"inputSampleRate": 11025}}), "inputSampleRate: 11025 is not a supported"),
    ] {
        let body = json!({ "medium": medium });
        let bridge = Bridge::create_call(&client).body(body.as_object().cloned().unwrap());
        let error = bridge.connect().await.unwrap_err().to_string();
        assert!(error.starts_with(complaint), "{error}");
    }
}

#[tokio::test]
async fn a_request_is_an_object_and_a_typed_one_goes_out_as_such() {
    use antiphon_api::rest::calls::StartCallRequest;

    let client = Client::builder().url("http://127.0.0.1:1").key("k1").build().unwrap();
    let error = Bridge::create_call(&client).request(&["no", "object"]).connect().await.unwrap_err();
    assert_eq!(error.to_string(), "the request must be a JSON object, such as {\"systemPrompt\": …}");

    let request = StartCallRequest { voice: Some("Mark".into()), ..StartCallRequest::default() };
    let (asked, _bridge, _) = created(|client| Bridge::create_call(client).request(&request)).await;
    assert_eq!(asked.body["voice"], "Mark");
    assert_eq!(asked.body["medium"]["serverWebSocket"]["inputSampleRate"], 16_000);
}
