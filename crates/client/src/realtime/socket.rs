//! The task that owns a call's socket: it writes what the senders queue and turns what comes into events.
//!
//! Reading and writing do not wait for each other, so a server that sends without reading cannot lock both sides up. Pings are
//! answered by the WebSocket library while the socket is read. It must not know what any message means.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_audio::PcmReader;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::event::Received;
use super::pings::Pings;
use super::sender::Outgoing;
use super::voice_queue::VoiceQueue;
use super::{CloseReason, Event};

/// How long the server has to answer a close, and the last messages to leave.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the server has to end the connection after both sides have said goodbye.
const LAST_READ: Duration = Duration::from_millis(500);

/// Serves the socket until either side closes it, and then says why.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    messages: mpsc::Receiver<Outgoing>,
    voice: Arc<VoiceQueue>,
    pings: Arc<Pings>,
    events: mpsc::Sender<Received>,
) {
    let (sink, stream) = socket.split();
    let reading = read(stream, &pings, &events);
    let writing = write(sink, messages, &voice, &events);
    tokio::pin!(reading, writing);
    let farewell = tokio::select! {
        farewell = &mut reading => farewell,
        written = &mut writing => match written {
            // What the server still sends counts until it has closed too.
            Ok(()) => match tokio::time::timeout(FAREWELL, reading).await {
                Ok(Farewell { reason: CloseReason::Normal { .. } | CloseReason::Lost { .. }, .. }) | Err(_) => {
                    Farewell { reason: CloseReason::Ours, code: CloseCode::Normal.into() }
                }
                Ok(farewell) => farewell,
            },
            // A server that closes while something is sent: the reader knows the reason, if there is one.
            Err(error) => tokio::time::timeout(FAREWELL, reading).await.unwrap_or_else(|_| lost(&error)),
        },
    };
    voice.close();
    pings.close();
    // Nobody may be listening any more.
    let _ = events.send(Received::closed(farewell.reason, farewell.code)).await;
}

/// How the connection ended.
struct Farewell {
    reason: CloseReason,
    /// The code of the close frame, or what stands for there having been none (RFC 6455, 7.4.1).
    code: u16,
}

impl Farewell {
    fn said(code: CloseCode, reason: &str) -> Self {
        let code = code.into();
        Self { reason: CloseReason::from_frame(code, reason), code }
    }

    fn lost(cause: String) -> Self {
        Self { reason: CloseReason::Lost { cause }, code: CloseCode::Abnormal.into() }
    }
}

async fn read(
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    pings: &Pings,
    events: &mpsc::Sender<Received>,
) -> Farewell {
    let mut pcm = PcmReader::default();
    loop {
        let event = match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
                pcm.read(&bytes, &mut samples);
                if samples.is_empty() {
                    continue;
                }
                Received::audio(samples)
            }
            Some(Ok(Message::Text(text))) => {
                let event = match ServerMessage::parse(&text) {
                    Ok(parsed) => {
                        if let ServerMessage::Pong(pong) = &parsed.value {
                            pings.pong(&pong.timestamp);
                        }
                        Event::Message(parsed.value)
                    }
                    Err(problem) => Event::Unreadable { text: text.as_str().to_owned(), problem },
                };
                Received::text(event, text)
            }
            Some(Ok(Message::Close(frame))) => {
                // The answer to it leaves while reading on, and a polite server then ends the connection.
                let _ = tokio::time::timeout(LAST_READ, stream.next()).await;
                return frame.map_or_else(
                    || Farewell::said(CloseCode::Status, ""),
                    |frame| Farewell::said(frame.code, &frame.reason),
                );
            }
            Some(Ok(Message::Frame(_) | Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Err(error)) => return lost(&error),
            None => return Farewell::lost("it ended".to_owned()),
        };
        if events.send(event).await.is_err() {
            // Nobody listens, so the call is left. The writer sees it too and says goodbye.
            std::future::pending::<()>().await;
        }
    }
}

/// Sends what is queued, messages before audio, until it is told to close or nobody listens any more.
async fn write(
    mut sink: impl Sink<Message, Error = WsError> + Unpin,
    mut messages: mpsc::Receiver<Outgoing>,
    voice: &VoiceQueue,
    events: &mpsc::Sender<Received>,
) -> Result<(), WsError> {
    loop {
        let next = tokio::select! {
            biased;
            () = events.closed() => None,
            Some(message) = messages.recv() => match message {
                Outgoing::Message(message) => Some(Message::text(message.to_text())),
                Outgoing::Raw(text) => Some(Message::text(text)),
                Outgoing::Close => {
                    // Audio that was taken before is still said.
                    while let Some(bytes) = voice.try_next() {
                        sink.feed(Message::Binary(bytes)).await?;
                    }
                    None
                }
            },
            bytes = voice.next() => Some(Message::Binary(bytes)),
        };
        let Some(next) = next else {
            let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            return sink.send(Message::Close(Some(goodbye))).await;
        };
        sink.send(next).await?;
    }
}

fn lost(error: &WsError) -> Farewell {
    Farewell::lost(error.to_string())
}
