//! Whoever is asked: remembers all of it, and refuses with all of it, or answers as a model.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Clone, Copy)]
enum Does {
    Refuse,
    Answer,
}

#[derive(Default)]
struct Memory {
    requests: Mutex<Vec<String>>,
    more: Notify,
}

pub(crate) struct Echo {
    root: String,
    memory: Arc<Memory>,
}

impl Echo {
    /// Repeats every request in its refusal.
    pub(crate) async fn refusing() -> Self {
        Self::start(Does::Refuse).await
    }

    /// A model that calls the tool once, and then says something.
    pub(crate) async fn model() -> Self {
        Self::start(Does::Answer).await
    }

    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let memory = Arc::<Memory>::default();
        let shared = Arc::clone(&memory);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, does, Arc::clone(&shared)));
            }
        });
        Self { root, memory }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// Everything that it was sent.
    pub(crate) fn heard(&self) -> String {
        self.memory.requests.lock().unwrap().join("\n")
    }

    /// What was posted to it as a receiver of events.
    pub(crate) fn posts(&self) -> Vec<String> {
        let requests = self.memory.requests.lock().unwrap();
        let to_receiver =
            |request: &&String| request.starts_with("POST /hook") || request.starts_with("POST /back");
        requests.iter().filter(to_receiver).cloned().collect()
    }

    /// Waits until somebody has posted to this path, with this in the post.
    pub(crate) async fn has_seen(&self, path: &str, what: &str) {
        let wanted = format!("POST {path} ");
        let is_it = |request: &String| request.starts_with(&wanted) && request.contains(what);
        loop {
            let more = self.memory.more.notified();
            if self.memory.requests.lock().unwrap().iter().any(is_it) {
                return;
            }
            more.await;
        }
    }
}

async fn serve(mut stream: TcpStream, does: Does, memory: Arc<Memory>) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let request = format!("{head}\r\n\r\n{}", String::from_utf8_lossy(&body));
    memory.requests.lock().unwrap().push(request.clone());
    memory.more.notify_one();
    let (status, kind, body) = match does {
        Does::Refuse => {
            let sentence = format!("you sent {}", request.replace("\r\n", " "));
            let sentence: String = sentence.chars().take(2_000).collect();
            (
                "401 Unauthorized",
                "application/json",
                serde_json::json!({"error": {"message": sentence}}).to_string(),
            )
        }
        Does::Answer => {
            let called = request.contains("\"role\":\"tool\"");
            let delta = if called {
                r#"{"content":"It is ready."}"#
            } else {
                r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"look","arguments":"{}"}}]}"#
            };
            let end = if called { "stop" } else { "tool_calls" };
            let body = format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\ndata: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\
                 \"finish_reason\":\"{end}\"}}]}}\n\ndata: [DONE]\n\n"
            );
            ("200 OK", "text/event-stream", body)
        }
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // The other end may have hung up.
    let _ = stream.write_all(answer.as_bytes()).await;
    let mut rest = [0; 1_024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

async fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    while body.len() < length.unwrap_or(0) {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            break;
        }
    }
    Some((head, body))
}
