//! Lists, retries, downloads and uploads against a server that answers each connection with what the test says, byte by byte.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::rest::agents::{CreateAgent, DeleteAgent, ListAgents, ListAgentsQuery};
use antiphon_api::rest::calls::ReadCallRecording;
use antiphon_api::rest::voices::{CreateVoice, Voice};
use antiphon_client::rest::{Client, Form, RestError, Retries};
use futures::TryStreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// A server that takes one request a connection, and its URL.
struct Server {
    url: String,
    listener: TcpListener,
}

impl Server {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), listener }
    }

    /// Gives these answers, one a connection, and returns the requests.
    fn answer(self, answers: Vec<String>) -> JoinHandle<Vec<String>> {
        tokio::spawn(async move {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut socket, _) = self.listener.accept().await.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") {
                    assert_eq!(socket.read(&mut byte).await.unwrap(), 1);
                    request.extend(byte);
                }
                let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap_or(0)];
                socket.read_exact(&mut body).await.unwrap();
                request.extend(body);
                requests.push(String::from_utf8_lossy(&request).into_owned());
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
            requests
        })
    }
}

/// A client that waits for nothing that it is not told to wait for.
fn client(url: &str) -> Client {
    let retries = Retries { most: 2, first_pause: Duration::ZERO, longest_pause: Duration::from_secs(5) };
    Client::builder().url(url).key("TESTTEST.key").retries(retries).build().unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

fn page(agents: &[&str], next: Option<&str>) -> String {
    let agents: Vec<_> = agents
        .iter()
        .map(|name| serde_json::json!({"agentId": ID, "name": name, "created": "2026-11-20T08:00:00Z"}))
        .collect();
    ok(&serde_json::json!({"next": next, "previous": null, "results": agents}).to_string())
}

async fn names(client: &Client) -> (Vec<String>, Option<RestError>) {
    let mut names = Vec::new();
    let mut items = pin!(client.items(ListAgents, &(), &ListAgentsQuery::default()));
    loop {
        match items.try_next().await {
            Ok(Some(agent)) => names.push(agent.name),
            Ok(None) => return (names, None),
            Err(error) => return (names, Some(error)),
        }
    }
}

fn lines(requests: &[String]) -> Vec<&str> {
    requests.iter().map(|request| request.lines().next().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_followed_page_after_page_and_never_to_another_origin() {
    let server = Server::new().await;
    let url = server.url.clone();
    let answers = vec![
        page(&["a", "b"], Some(&format!("{url}/api/agents?pageSize=2&cursor=x%3D"))),
        page(&[], Some("http://127.0.0.1:1/steal?cursor=y")),
        page(&["c"], None),
    ];
    let serving = server.answer(answers);
    assert!(matches!(names(&client(&url)).await, (names, None) if names == ["a", "b", "c"]));
    assert_eq!(
        lines(&serving.await.unwrap()),
        [
            "GET /api/agents HTTP/1.1",
            "GET /api/agents?pageSize=2&cursor=x%3D HTTP/1.1",
            "GET /api/agents?cursor=y HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn a_list_is_read_no_further_than_it_is_asked_for() {
    let server = Server::new().await;
    let url = server.url.clone();
    let serving = server.answer(vec![page(&["a", "b"], Some("?cursor=never-asked-for"))]);
    let client = client(&url);
    {
        let mut items = pin!(client.items(ListAgents, &(), &ListAgentsQuery::default()));
        assert_eq!(items.try_next().await.unwrap().unwrap().name, "a");
        assert_eq!(items.try_next().await.unwrap().unwrap().name, "b");
    }
    assert_eq!(serving.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_list_that_goes_in_circles_or_breaks_off_says_so_after_what_it_gave() {
    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec![page(&["a"], Some("?cursor=1")), page(&["b"], Some("?cursor=1"))]);
    let (names_, error) = names(&client(&url)).await;
    assert_eq!(names_, ["a"]);
    assert!(matches!(error, Some(RestError::Circle)), "{error:?}");

    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec![page(&["a"], Some("?cursor=1")), answer("404 Not Found", "", r#"{"detail":"gone"}"#)]);
    let (names_, error) = names(&client(&url)).await;
    assert_eq!(names_, ["a"]);
    assert!(matches!(error, Some(RestError::Refused { status: 404, .. })), "{error:?}");
}

#[tokio::test]
async fn what_may_be_sent_twice_is_sent_again_when_the_server_had_no_time() {
    let server = Server::new().await;
    let url = server.url.clone();
    let serving = server.answer(vec![
        answer("503 Service Unavailable", "Retry-After: 0\r\n", "{}"),
        // Says that it will answer, and goes away.
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(),
        page(&["a"], None),
    ]);
    let (names, error) = names(&client(&url)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(names, ["a"]);
    assert_eq!(serving.await.unwrap().len(), 3);

    // No more often than it was said, and then the refusal is the outcome.
    let server = Server::new().await;
    let url = server.url.clone();
    let busy = || answer("429 Too Many Requests", "Retry-After: 0\r\n", r#"{"detail":"slow down"}"#);
    let serving = server.answer(vec![busy(), busy(), busy()]);
    let id = ID.parse().unwrap();
    let refused = client(&url).send(DeleteAgent, &id, &NoQuery, &NoBody).await.unwrap_err();
    assert!(matches!(refused, RestError::Refused { status: 429, .. }), "{refused}");
    assert_eq!(serving.await.unwrap().len(), 3);
}

#[tokio::test]
async fn nothing_is_sent_again_that_could_be_done_twice_or_has_to_wait_for_too_long() {
    for (answer, create) in [
        (answer("503 Service Unavailable", "Retry-After: 0\r\n", "{}"), true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(), true),
        // Deleting what may be gone already would fail.
        ("HTTP/1.1 204 No Con".to_owned(), false),
        (answer("503 Service Unavailable", "Retry-After: 3600\r\n", "{}"), false),
        (answer("503 Service Unavailable", "Retry-After: Tue, 31 Dec 2999 23:59:59 GMT\r\n", "{}"), false),
        (answer("400 Bad Request", "Retry-After: 0\r\n", "{}"), false),
    ] {
        let server = Server::new().await;
        let url = server.url.clone();
        let serving = server.answer(vec![answer.clone()]);
        let client = client(&url);
        let outcome = match create {
            true => client.send(CreateAgent, &(), &NoQuery, &Default::default()).await.map(|_| ()),
            false => client.send(DeleteAgent, &ID.parse().unwrap(), &NoQuery, &NoBody).await.map(|_| ()),
        };
        let error = outcome.unwrap_err();
        assert!(!error.to_string().contains("cannot be reached"), "{answer}: {error}");
        assert_eq!(serving.await.unwrap().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    for (header, seconds) in [
        ("Retry-After: 7\r\n", Some(7)),
        ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n", Some(0)),
        ("Retry-After: soon\r\n", None),
        ("", None),
    ] {
        let server = Server::new().await;
        let url = server.url.clone();
        server.answer(vec![answer("429 Too Many Requests", header, "{}")]);
        let client = Client::builder().url(&url).key("k").retries(Retries::NONE).build().unwrap();
        let error = client.send(CreateAgent, &(), &NoQuery, &Default::default()).await.unwrap_err();
        let RestError::Refused { retry_after, .. } = error else { panic!("{error}") };
        assert_eq!(retry_after, seconds.map(Duration::from_secs), "{header}");
    }
}

/// Takes what is written in small pieces, and knows the largest one.
#[derive(Default)]
struct Sink {
    bytes: u64,
    largest: usize,
    full_at: Option<u64>,
}

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.full_at.is_some_and(|limit| self.bytes >= limit) {
            return Poll::Ready(Err(io::Error::other("the disk is full")));
        }
        self.bytes += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_download_is_written_as_it_comes_and_a_torn_one_is_an_error() {
    let audio = "x".repeat(8 * 1024 * 1024);
    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec![answer("503 Service Unavailable", "Retry-After: 0\r\n", "{}"), ok(&audio)]);
    let mut sink = Sink::default();
    let id = ID.parse().unwrap();
    let bytes = client(&url).download(ReadCallRecording, &id, &NoQuery, &mut sink).await.unwrap();
    assert_eq!((bytes, sink.bytes), (audio.len() as u64, audio.len() as u64));
    assert!(sink.largest < audio.len() / 4, "{} bytes came at once", sink.largest);

    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec!["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nRIFF".to_owned()]);
    let mut sink = Sink::default();
    let error = client(&url).download(ReadCallRecording, &id, &NoQuery, &mut sink).await.unwrap_err();
    assert!(matches!(error, RestError::Unreachable(_)), "{error}");
    assert_eq!(sink.bytes, 4);

    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec![ok(&audio)]);
    let mut sink = Sink { full_at: Some(1_000), ..Sink::default() };
    let error = client(&url).download(ReadCallRecording, &id, &NoQuery, &mut sink).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");

    let server = Server::new().await;
    let url = server.url.clone();
    server.answer(vec![answer("425 Too Early", "", r#"{"detail":"the call is live"}"#)]);
    let mut sink = Sink::default();
    let error = client(&url).download(ReadCallRecording, &id, &NoQuery, &mut sink).await.unwrap_err();
    assert!(error.to_string().contains("the call is live"), "{error}");
    assert_eq!(sink.bytes, 0);
}

#[tokio::test]
async fn a_form_is_sent_with_its_files_and_a_file_elsewhere_without_the_key() {
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("me.wav");
    std::fs::write(&path, "RIFF the sound").unwrap();
    let server = Server::new().await;
    let url = server.url.clone();
    let voice = serde_json::json!({
        "voiceId": ID, "name": "Me", "previewUrl": "", "ownership": "private", "definition": {},
        "billingStyle": "VOICE_BILLING_STYLE_INCLUDED",
    });
    let serving = server.answer(vec![answer("201 Created", "", &voice.to_string())]);
    let form = Form::new().text("name", "Me").file("file", &path).await.unwrap();
    let voice: Voice = client(&url).send_form(CreateVoice, &(), form).await.unwrap();
    assert_eq!(voice.name, "Me");
    let request = serving.await.unwrap().remove(0);
    assert!(request.starts_with("POST /api/voices HTTP/1.1\r\n"), "{request}");
    assert!(
        request.to_ascii_lowercase().contains("content-type: multipart/form-data; boundary="),
        "{request}"
    );
    assert!(request.contains("name=\"file\"; filename=\"me.wav\"\r\n"), "{request}");
    assert!(request.contains("RIFF the sound") && request.contains("TESTTEST.key"), "{request}");

    let elsewhere = Server::new().await;
    let presigned = format!("{}/bucket/x?signature=abc", elsewhere.url);
    let serving = elsewhere.answer(vec![ok("")]);
    client(&url).put_file(&presigned, "audio/wav", &path).await.unwrap();
    let request = serving.await.unwrap().remove(0);
    assert!(request.starts_with("PUT /bucket/x?signature=abc HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("content-length: 14\r\n"), "{request}");
    assert!(!request.contains("TESTTEST"), "{request}");
    assert!(request.ends_with("RIFF the sound"), "{request}");

    let missing = Form::new().file("file", "no/such/file").await.unwrap_err();
    assert!(missing.to_string().starts_with("no/such/file: "), "{missing}");
}
