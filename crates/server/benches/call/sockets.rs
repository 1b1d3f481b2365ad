//! What only real sockets show: their memory, and when audio really arrives.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::server::Server;
use crate::stage::{self, PER_CHARACTER, SENTENCE, resident_bytes};

/// Resident bytes of a joined call with its connection. The clients are bare sockets, which cost this process next to nothing.
pub(crate) fn memory(count: usize) -> f64 {
    real_time().block_on(async {
        let server = Server::start(stage::backends()).await;
        let request =
            json!({"firstSpeakerSettings": {"user": {}}, "medium": {"serverWebSocket": {"inputSampleRate": 16_000}}});
        let mut clients = Vec::with_capacity(count * 2);
        let mut before = 0.0;
        // The first half warms up what is made once.
        for nth in 0..count * 2 {
            if nth == count {
                before = resident_bytes();
            }
            let (_, url) = server.create(&request).await;
            clients.push(upgraded(server.address(), &url).await);
        }
        let each = (resident_bytes() - before) / count as f64;
        drop(clients);
        server.stop().await;
        each
    })
}

/// Joins by hand and waits for the first frame.
async fn upgraded(address: SocketAddr, url: &str) -> TcpStream {
    let path = url.splitn(4, '/').nth(3).unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(12).any(|part| part == b"call_started") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the server closed");
    }
    stream
}

/// How far audio ran ahead of real time at most, since its first byte, while the agent spoke.
pub(crate) fn lead(client_buffer_ms: u32, speech: Duration) -> Duration {
    const RATE: u32 = 24_000;
    real_time().block_on(async {
        let server = Server::start(stage::backends()).await;
        let sentence = SENTENCE.len() as u128 * PER_CHARACTER.as_millis();
        let text = SENTENCE.repeat((speech.as_millis() / sentence).max(1) as usize);
        let request = json!({
            "firstSpeakerSettings": {"agent": {"text": text}},
            "medium": {"serverWebSocket": {"inputSampleRate": RATE, "clientBufferSizeMs": client_buffer_ms}},
        });
        let (_, url) = server.create(&request).await;
        let (mut socket, _) = connect_async(url).await.unwrap();
        let (mut began, mut bytes, mut most) = (None, 0_u64, Duration::ZERO);
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Binary(audio) => {
                    let began = *began.get_or_insert_with(Instant::now);
                    bytes += audio.len() as u64;
                    let received = Duration::from_micros(bytes * 1_000_000 / 2 / u64::from(RATE));
                    most = most.max(received.saturating_sub(began.elapsed()));
                }
                Message::Text(text) if text.contains("\"final\":true") => break,
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                Message::Close(_) => break,
            }
            // With a large buffer all of interest is at the beginning.
            if began.is_some_and(|began| began.elapsed() > speech / 4) && client_buffer_ms > 1_000 {
                break;
            }
        }
        drop(socket);
        server.stop().await;
        most
    })
}

fn real_time() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
