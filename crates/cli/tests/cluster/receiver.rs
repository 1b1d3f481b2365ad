//! Whom webhooks are posted to. It takes everything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a post is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Receiver {
    pub(crate) url: String,
    /// Event and call of each post.
    posts: Arc<Mutex<Vec<(String, String)>>>,
    more: watch::Receiver<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let posts = Arc::<Mutex<Vec<_>>>::default();
        let (rings, more) = watch::channel(());
        let kept = Arc::clone(&posts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, rings) = (Arc::clone(&kept), rings.clone());
                tokio::spawn(async move {
                    if let Some(post) = take(stream).await {
                        kept.lock().unwrap().push(post);
                        rings.send_replace(());
                    }
                });
            }
        });
        Self { url, posts, more }
    }

    /// Waits until it was told of this event of a call.
    pub(crate) async fn until(&self, event: &str, call: &str) {
        let mut more = self.more.clone();
        let told = async {
            while !self.posts.lock().unwrap().iter().any(|post| post.0 == event && post.1 == call) {
                more.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("{event} of {call} was not told"));
    }
}

async fn take(mut stream: TcpStream) -> Option<(String, String)> {
    let mut request = Vec::new();
    let post: Value = loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        let body = text.split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str(body));
        if let Some(Ok(post)) = body {
            break post;
        }
    };
    let answer = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).await.ok()?;
    let word = |value: &Value| value.as_str().map(str::to_owned);
    Some((word(&post["event"])?, word(&post["call"]["callId"])?))
}
