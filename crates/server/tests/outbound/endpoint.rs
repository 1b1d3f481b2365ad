//! An HTTP endpoint that answers with given bytes and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

pub(crate) struct Endpoint {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
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
        Self::serving(Arc::default(), |mut stream| async move { while read(&mut stream).await.is_some() {} })
            .await
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
        Self { port, requests, task: task.abort_handle() }
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
