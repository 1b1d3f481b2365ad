//! A client that knows nothing but WebSocket and JSON, and remembers everything that it was sent, in order.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::document;

/// Longer than anything in these tests takes; only a server that hangs gets here.
const PATIENCE: Duration = Duration::from_secs(20);

/// One frame from the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Audio(usize),
    Closed(u16),
    Text(Value),
}

pub(crate) struct Caller {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) seen: Vec<Seen>,
    /// All audio that came, frames joined.
    pub(crate) heard: Vec<u8>,
    /// Where in `seen` the next search begins.
    from: usize,
}

impl Caller {
    pub(crate) async fn join(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.unwrap();
        Self::on(socket)
    }

    /// Somebody who is at the other end of this.
    pub(crate) fn on(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        Self { socket, seen: Vec::new(), heard: Vec::new(), from: 0 }
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.say(json!({"type": "user_text_message", "text": text})).await;
    }

    pub(crate) async fn audio(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for frame in bytes.chunks(640) {
            self.send(Message::binary(frame.to_vec())).await;
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends what the server may refuse to take.
    pub(crate) async fn try_send(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    pub(crate) async fn hang_up(mut self) {
        let _ = self.socket.close(None).await;
    }

    /// Closes with this code.
    pub(crate) async fn hang_up_with(mut self, code: u16) {
        let _ = self.socket.close(Some(CloseFrame { code: code.into(), reason: Utf8Bytes::default() })).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits for the next frame.
    pub(crate) async fn next(&mut self) -> Seen {
        // Keep-alive does not count as news.
        let patience = Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(patience, self.socket.next()).await;
            let Ok(next) = next else { panic!("nothing came any more; so far:\n{}", self.story()) };
            let seen = match next {
                Some(Ok(Message::Binary(bytes))) => {
                    self.heard.extend_from_slice(&bytes);
                    Seen::Audio(bytes.len())
                }
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).unwrap();
                    document::hold(&message);
                    Seen::Text(message)
                }
                Some(Ok(Message::Close(frame))) => {
                    Seen::Closed(frame.map_or(1005, |frame| frame.code.into()))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Seen::Closed(1006),
                Some(Err(error)) => panic!("the connection broke: {error}; so far:\n{}", self.story()),
            };
            self.seen.push(seen.clone());
            return seen;
        }
    }

    /// Waits for a message that matches, and gives it. What was looked at before is not looked at again.
    pub(crate) async fn until(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            while self.from < self.seen.len() {
                self.from += 1;
                match &self.seen[self.from - 1] {
                    Seen::Text(message) if matches(message) => return message.clone(),
                    Seen::Closed(code) => panic!("closed with {code} before {what}:\n{}", self.story()),
                    Seen::Text(_) | Seen::Audio(_) => {}
                }
            }
            self.next().await;
        }
    }

    pub(crate) async fn until_state(&mut self, state: &str) {
        self.until(&format!("state {state}"), |message| {
            message["type"] == "state" && message["state"] == state
        })
        .await;
    }

    pub(crate) async fn until_type(&mut self, kind: &str) -> Value {
        self.until(kind, |message| message["type"] == kind).await
    }

    pub(crate) async fn until_final(&mut self, role: &str) -> String {
        let last = self
            .until(&format!("final {role} transcript"), |message| {
                message["type"] == "transcript" && message["role"] == role && message["final"] == true
            })
            .await;
        last["text"].as_str().unwrap().to_owned()
    }

    /// Waits for the server to close, and gives the code.
    pub(crate) async fn until_closed(&mut self) -> u16 {
        loop {
            if let Seen::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// How much audio has come.
    pub(crate) fn audio_bytes(&self) -> usize {
        let bytes = self.seen.iter().map(|seen| match seen {
            Seen::Audio(bytes) => *bytes,
            Seen::Closed(_) | Seen::Text(_) => 0,
        });
        bytes.sum()
    }

    /// Everything seen as lines; runs of audio are added up.
    pub(crate) fn story(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut audio = 0;
        for seen in self.seen.iter().chain([&Seen::Closed(0)]) {
            if let Seen::Audio(bytes) = seen {
                audio += bytes;
                continue;
            }
            if audio > 0 {
                lines.push(format!("audio {audio}"));
                audio = 0;
            }
            match seen {
                Seen::Text(message) => lines.push(message.to_string()),
                Seen::Closed(0) | Seen::Audio(_) => {}
                Seen::Closed(code) => lines.push(format!("closed {code}")),
            }
        }
        lines.join("\n")
    }

    /// The kinds of everything seen, with runs of audio and of deltas as one.
    pub(crate) fn outline(&self) -> Vec<String> {
        let mut outline: Vec<String> = Vec::new();
        for seen in &self.seen {
            let word = match seen {
                Seen::Audio(_) => "audio".to_owned(),
                Seen::Closed(code) => format!("closed {code}"),
                Seen::Text(message) => match message["type"].as_str().unwrap() {
                    "state" => message["state"].as_str().unwrap().to_owned(),
                    "transcript" => {
                        let end = if message["final"] == true { " final" } else { "" };
                        format!("{}{end}", message["role"].as_str().unwrap())
                    }
                    kind => kind.to_owned(),
                },
            };
            if outline.last() != Some(&word) {
                outline.push(word);
            }
        }
        outline
    }
}
