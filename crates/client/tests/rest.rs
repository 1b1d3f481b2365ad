//! REST against a server that answers each request with what the test says, byte by byte.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::rest::calls::{
    CreateCall, CreateCallQuery, DeleteCall, ListCalls, ListCallsQuery, StartCallRequest,
};
use antiphon_client::rest::{Client, RestError, Retries};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// A server that takes one request and gives `answer`. Its future is the request.
async fn server(answer: String) -> (Client, impl Future<Output = String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    let client = Client::builder().url(url).key("TESTTEST.key").retries(Retries::NONE).build().unwrap();
    (client, async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            assert_eq!(socket.read(&mut byte).await.unwrap(), 1);
            request.extend(byte);
        }
        let head = String::from_utf8(request).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        socket.read_exact(&mut body).await.unwrap();
        socket.write_all(answer.as_bytes()).await.unwrap();
        format!("{head}{}", String::from_utf8(body).unwrap())
    })
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nX-Request-Id: abc\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_call_is_created_and_read() {
    let call = format!(
        r#"{{"callId":"{ID}","created":"2026-11-20T08:00:00Z","billingStatus":"BILLING_STATUS_PENDING",
            "joinUrl":"ws://h/calls/{ID}/server_web_socket","somethingNew":{{}}}}"#
    );
    let (client, server) = server(answer("201 Created", &call)).await;
    let request = StartCallRequest { system_prompt: Some("Be brief.".into()), ..StartCallRequest::default() };
    let query = CreateCallQuery { enable_greeting_prompt: false, ..CreateCallQuery::default() };
    let (call, sent) = tokio::join!(client.send(CreateCall, &(), &query, &request), server);

    assert_eq!(call.unwrap().call_id.to_string(), ID);
    assert!(sent.starts_with("post /api/calls?enablegreetingprompt=false http/1.1\r\n"), "{sent}");
    assert!(sent.contains("\r\nx-api-key: testtest.key\r\n"), "{sent}");
    assert!(sent.contains("\r\ncontent-type: application/json\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n{\"systemPrompt\":\"Be brief.\"}"), "{sent}");
}

#[tokio::test]
async fn nothing_is_sent_and_read_where_there_is_no_body() {
    let (client, server) = server("HTTP/1.1 204 No Content\r\n\r\n".into()).await;
    let id = ID.parse().unwrap();
    let (deleted, sent) = tokio::join!(client.send(DeleteCall, &id, &NoQuery, &NoBody), server);
    deleted.unwrap();
    assert!(sent.starts_with(&format!("delete /api/calls/{ID} http/1.1\r\n")), "{sent}");
    assert!(!sent.contains("content-type"), "{sent}");
}

async fn list(answer: String) -> RestError {
    let (client, server) = server(answer).await;
    let query = ListCallsQuery::default();
    let (listed, _) = tokio::join!(client.send(ListCalls, &(), &query, &NoBody), server);
    listed.unwrap_err()
}

#[tokio::test]
async fn a_refusal_carries_status_detail_fields_and_request() {
    let body = r#"{"detail":"The request is not valid.","errors":{"pageSize":["is too much"]}}"#;
    let error = list(answer("400 Bad Request", body)).await;
    assert_eq!(
        error.to_string(),
        "the server refused (status 400): The request is not valid.; pageSize: is too much [request abc]"
    );
    let RestError::Refused { status, detail, fields, request_id, .. } = error else { panic!("{error}") };
    assert_eq!(
        (status, detail.as_str(), request_id.as_deref()),
        (400, "The request is not valid.", Some("abc"))
    );
    assert_eq!(fields["pageSize"], ["is too much"]);
}

#[tokio::test]
async fn what_is_no_answer_of_the_api_is_told_as_it_is() {
    let error = list(answer("502 Bad Gateway", "<html>oops</html>")).await;
    assert_eq!(error.to_string(), "the server refused (status 502): <html>oops</html> [request abc]");
    let error = list(answer("200 OK", "<html>hello</html>")).await;
    assert!(error.to_string().ends_with("; is this a server of the API?"), "{error}");
    let error = list("SSH-2.0-OpenSSH\r\n".into()).await;
    assert!(error.to_string().starts_with("the connection to the server failed: "), "{error}");
}

#[tokio::test]
async fn the_key_does_not_follow_a_redirect() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
    let error = list(redirect.into()).await;
    assert!(matches!(error, RestError::Refused { status: 302, .. }), "{error}");
}

#[tokio::test]
async fn errors_show_neither_key_nor_url() {
    let client = Client::builder().url("http://127.0.0.1:1/x").key("TESTTEST.key").build().unwrap();
    let error = client.send(ListCalls, &(), &ListCallsQuery::default(), &NoBody).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(error.to_string().starts_with("the server cannot be reached: "), "{shown}");
    assert!(!shown.contains("TESTTEST") && !shown.contains("/x"), "{shown}");
}
