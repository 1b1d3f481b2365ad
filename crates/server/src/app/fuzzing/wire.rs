//! Bytes on a call's WebSocket, behind the handshake: frames, and what are none.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::Runtime;

use crate::call::leg::{CloseCode, FromClient, LegEvent, ToClient, leg};
use crate::config;
use crate::connections::Connections;
use crate::telemetry::metrics::Metrics;
use crate::transport::handshake::Handshake;
use crate::transport::websocket::carry;

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// Longer than any time-out that there is.
const PATIENCE: Duration = Duration::from_secs(600);

/// A server of WebSockets, in virtual time.
#[derive(Debug)]
pub struct Wire(Runtime);

impl Default for Wire {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without IO can be made");
        Self(runtime)
    }
}

impl Wire {
    /// Sends these bytes, cut where they say, and then nothing: the connection has to end, with its call told how. If the first
    /// is 0, they are raw; else they are contents of frames, so that no mask has to be right.
    pub fn run(&self, data: &[u8]) {
        let ended = self.0.block_on(async { tokio::time::timeout(PATIENCE, connection(data)).await });
        assert!(ended.is_ok(), "the connection does not end");
    }
}

async fn connection(data: &[u8]) {
    let (call, carrier) = leg(Duration::from_millis(60));
    let carrier = std::sync::Mutex::new(Some(carrier));
    let carrier = std::sync::Arc::new(carrier);
    let router = Router::new().route(
        "/",
        get(async move |handshake: Handshake| {
            handshake.accept(1 << 16, async move |socket| {
                let end = carrier.lock().ok().and_then(|mut carrier| carrier.take());
                if let Some(end) = end {
                    carry(socket, end);
                }
            })
        }),
    );
    let connections = Connections::new(config::Connections::default(), 10, Metrics::default());
    let (near, far) = duplex(4 << 10);
    let _ = connections.serve_stream(far, router).await;
    let (mut reader, mut writer) = tokio::io::split(near);
    let sending = async {
        if writer.write_all(UPGRADE).await.is_err() {
            return;
        }
        let (size, bytes) = match data {
            [0, size, raw @ ..] => (usize::from(*size), raw.to_vec()),
            contents => (usize::MAX, framed(contents)),
        };
        for piece in bytes.chunks(size.max(1)) {
            if writer.write_all(piece).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    let mut back = Vec::new();
    tokio::join!(sending, reader.read_to_end(&mut back), told(call)).1.ok();
}

/// A call that says something now and then, until its client is gone.
async fn told(mut call: crate::call::leg::CallEnd) {
    loop {
        match call.next().await {
            LegEvent::From(FromClient::Audio(audio)) => {
                let _ = call.send(ToClient::Audio(audio));
            }
            LegEvent::From(FromClient::Malformed(_)) => call.clear(),
            LegEvent::From(FromClient::Message(_)) => {
                let _ = call.send(ToClient::Close(CloseCode::Normal));
            }
            LegEvent::Closed(_) => return,
        }
    }
}

/// Frames of these contents: a byte for FIN, reserved bits and opcode, one for the length, and as many bytes as there are.
fn framed(mut contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, length, rest @ ..] = contents {
        let (payload, after) = rest.split_at(usize::from(*length & 0x7f).min(125).min(rest.len()));
        // Most are whole and without reserved bits, since those that are not end the connection.
        let first = if length & 0x80 == 0 { first & 0x8f } else { *first };
        let length = u8::try_from(payload.len()).expect("it is 125 at most");
        bytes.extend([first, 0x80 | length, 0, 0, 0, 0]);
        bytes.extend(payload);
        contents = after;
    }
    bytes
}
