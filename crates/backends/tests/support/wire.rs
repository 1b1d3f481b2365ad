//! An HTTP server that says exactly what a test wants, byte by byte, and tells what it was asked and when the client left.

#![allow(dead_code, reason = "each suite that uses it needs another part of it")]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What follows the status line.
#[derive(Clone)]
pub(crate) enum Body {
    /// These parts, each as one chunk, then a proper end.
    Parts(Vec<Vec<u8>>),
    /// These parts, then nothing, with the connection open.
    Hangs(Vec<Vec<u8>>),
    /// These parts, then the connection breaks in the middle.
    Breaks(Vec<Vec<u8>>),
}

/// A request as it arrived.
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Wire {
    pub(crate) base: String,
    seen: mpsc::UnboundedReceiver<Seen>,
    left: mpsc::UnboundedReceiver<()>,
}

/// What a request is answered.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
    /// Further headers, each with its line's end.
    pub(crate) headers: &'static str,
    pub(crate) body: Body,
}

impl Wire {
    /// Answers every request the same.
    pub(crate) async fn answering(status: u16, content_type: &'static str, body: Body) -> Self {
        Self::replying(vec![Reply { status, content_type, headers: "", body }]).await
    }

    /// Answers one request after the other, and all further ones like the last.
    pub(crate) async fn replying(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (see, seen) = mpsc::unbounded_channel();
        let (leave, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let last = replies.last().cloned().expect("a reply");
            let mut replies = replies.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let reply = replies.next().unwrap_or_else(|| last.clone());
                tokio::spawn(serve(stream, reply, see.clone(), leave.clone()));
            }
        });
        Self { base, seen, left }
    }

    /// An address at which nobody listens.
    pub(crate) async fn nowhere() -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", taken.local_addr().unwrap());
        Self { base, seen: mpsc::unbounded_channel().1, left: mpsc::unbounded_channel().1 }
    }

    /// Answers a request and keeps its connection, but closes that when the next request comes over it, and answers the one that
    /// comes over another.
    pub(crate) async fn closing_what_it_kept(content_type: &'static str, body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (see, seen) = mpsc::unbounded_channel();
        let (leave, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (mut kept, _) = listener.accept().await.unwrap();
            let first = read_request(&mut kept).await.expect("a first request");
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
            kept.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
            let second = read_request(&mut kept).await.expect("a second request over the same connection");
            drop(kept);
            let (stream, _) = listener.accept().await.unwrap();
            for seen in [first, second] {
                let _ = see.send(seen);
            }
            let reply = Reply { status: 200, content_type, headers: "", body: Body::Parts(vec![body]) };
            serve(stream, reply, see, leave).await;
        });
        Self { base, seen, left }
    }

    /// The requests that have been read so far, but for those that were asked for.
    pub(crate) fn requests(&mut self) -> usize {
        std::iter::from_fn(|| self.seen.try_recv().ok()).count()
    }

    pub(crate) async fn request(&mut self) -> Seen {
        self.seen.recv().await.expect("the server runs")
    }

    /// Waits until a client has closed a connection whose answer hangs.
    pub(crate) async fn client_left(&mut self) {
        self.left.recv().await.expect("the server runs");
    }
}

async fn serve(
    mut stream: TcpStream,
    Reply { status, content_type, headers, body }: Reply,
    see: mpsc::UnboundedSender<Seen>,
    leave: mpsc::UnboundedSender<()>,
) {
    stream.set_nodelay(true).unwrap();
    let Some(seen) = read_request(&mut stream).await else { return };
    // The test may be over.
    let _ = see.send(seen);
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{headers}transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    if stream.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let (Body::Parts(parts) | Body::Hangs(parts) | Body::Breaks(parts)) = &body;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
        chunk.extend_from_slice(part);
        chunk.extend_from_slice(b"\r\n");
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    match body {
        Body::Parts(_) => {
            let _ = stream.write_all(b"0\r\n\r\n").await;
        }
        Body::Hangs(_) => {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            let _ = leave.send(());
        }
        Body::Breaks(_) => {}
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length: usize = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { head, body })
}
