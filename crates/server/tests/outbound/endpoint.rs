//! An HTTP endpoint that answers with given bytes and remembers what it was asked.

#![allow(dead_code, reason = "each suite that uses it needs another part of it")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub(crate) struct Endpoint {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    /// How many connections of a silent endpoint were asked something, and how many were left then.
    asked: watch::Receiver<(u32, u32)>,
    task: AbortHandle,
}

impl Endpoint {
    /// Answers each request with the next of these, one connection at a time.
    pub(crate) async fn answering(answers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut answers: Vec<String> = answers.into_iter().map(Into::into).collect();
        answers.reverse();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answers = Arc::new(Mutex::new(answers));
        Self::serving(requests, move |mut stream| {
            let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
            async move {
                while let Some(request) = read(&mut stream).await {
                    seen.lock().unwrap().push(request);
                    let Some(answer) = answers.lock().unwrap().pop() else { return };
                    let sent = stream.write_all(answer.as_bytes()).await;
                    if sent.is_err() || !answer.contains("Content-Length: 2\r") {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers with a body without end.
    pub(crate) async fn endless() -> Self {
        Self::serving(Arc::default(), |mut stream| async move {
            read(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 700]).await.is_ok() {}
        })
        .await
    }

    /// Takes requests and says nothing.
    pub(crate) async fn silent() -> Self {
        let (tell, asked) = watch::channel((0, 0));
        let tell = Arc::new(tell);
        let mut endpoint = Self::serving(Arc::default(), move |mut stream| {
            let tell = Arc::clone(&tell);
            async move {
                while read(&mut stream).await.is_some() {
                    tell.send_modify(|(asked, _)| *asked += 1);
                }
                tell.send_modify(|(_, left)| *left += 1);
            }
        })
        .await;
        endpoint.asked = asked;
        endpoint
    }

    /// The URL of an endpoint that is not there.
    pub(crate) async fn gone() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    }

    async fn serving<F: Future<Output = ()> + Send>(
        requests: Arc<Mutex<Vec<String>>>,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream).await;
            }
        });
        Self { port, requests, asked: watch::channel((0, 0)).1, task: task.abort_handle() }
    }

    /// Waits until a silent endpoint was asked something.
    pub(crate) async fn until_asked(&self) {
        self.asked.clone().wait_for(|(asked, _)| *asked > 0).await.unwrap();
    }

    /// Waits until whoever asked a silent endpoint has gone.
    pub(crate) async fn until_left(&self) {
        self.asked.clone().wait_for(|(_, left)| *left > 0).await.unwrap();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What was asked, whole requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request, head and body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if text.len() >= end + 4 + length {
                return Some(String::from_utf8(text).unwrap());
            }
        }
        let mut part = [0; 1_024];
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => text.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}
