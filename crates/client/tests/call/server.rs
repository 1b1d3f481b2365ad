//! A joined call whose server is the test.

use antiphon_audio::{PcmReader, SampleRate, write_pcm};
use antiphon_client::bridge::{Bridge, Builder, Event, Events};
use antiphon_client::realtime::{self, Options, Sender, connect_over};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// The server's end of a call.
pub(crate) struct Server {
    socket: WebSocketStream<DuplexStream>,
    pcm: PcmReader,
}

/// A call without a bridge.
pub(crate) async fn call() -> (Sender, realtime::Events, Server) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (url, options) = ("ws://call/calls/1/server_web_socket", Options::default());
    let (joined, socket) = tokio::join!(connect_over(ours, url, &options), accept_async(theirs));
    let (sender, events) = joined.unwrap();
    (sender, events, Server { socket: socket.unwrap(), pcm: PcmReader::default() })
}

/// A bridged call at 8000 Hz both ways.
pub(crate) async fn joined() -> (Bridge, Events, Server) {
    joined_with(|builder| builder.rates(SampleRate::PHONE, SampleRate::PHONE)).await
}

/// A call as the builder says.
pub(crate) async fn joined_with(settle: impl FnOnce(Builder) -> Builder) -> (Bridge, Events, Server) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let bridge = settle(Bridge::join("ws://call/calls/1/server_web_socket"));
    let (joined, socket) = tokio::join!(bridge.connect_over(ours), accept_async(theirs));
    let (bridge, mut events) = joined.unwrap();
    assert!(matches!(events.next().await, Some(Event::ConnectorInformation(_))));
    (bridge, events, Server { socket: socket.unwrap(), pcm: PcmReader::default() })
}

impl Server {
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn speak(&mut self, samples: &[i16]) {
        let mut bytes = Vec::new();
        write_pcm(samples, &mut bytes);
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
    }

    /// The next data message.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The next data message as text.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return text.as_str().to_owned();
            }
        }
    }

    /// The next frame of the user's audio.
    pub(crate) async fn hear(&mut self) -> Vec<i16> {
        loop {
            if let Message::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                let mut samples = Vec::new();
                self.pcm.read(&bytes, &mut samples);
                return samples;
            }
        }
    }

    /// So many frames of the user's audio.
    pub(crate) async fn hear_frames(&mut self, frames: usize) -> Vec<i16> {
        let mut heard = Vec::new();
        for _ in 0..frames {
            heard.extend(self.hear().await);
        }
        heard
    }

    /// The code with which the bridge closes.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.socket.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }
}
