//! The task that owns a call's socket: it writes what the senders queue and turns what comes into events.
//!
//! Reading and writing do not wait for each other, so a server that sends without reading cannot lock both sides up. Pings are
//! answered by the WebSocket library while the socket is read; a server that is not heard of is pinged, and given up when that is in
//! vain. It must not know what any message means.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_audio::PcmReader;
use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::event::Received;
use super::pings::Pings;
use super::rejoining::{Progress, Way};
use super::sender::Outgoing;
use super::voice_queue::VoiceQueue;
use super::{CloseReason, Event, Socket};

/// How long the server has to answer a close, and the last messages to leave.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);
/// How long the server may be silent before it is pinged, and then once more before it is given up. Time in which events wait to be
/// taken does not count.
const SILENCE: Duration = Duration::from_secs(20);
/// How long the server has to end the connection after both sides have said goodbye.
const LAST_READ: Duration = Duration::from_millis(500);

/// The task's ends of all queues of a call.
pub(super) struct Ends {
    pub(super) messages: mpsc::Receiver<Outgoing>,
    pub(super) voice: Arc<VoiceQueue>,
    pub(super) pings: Arc<Pings>,
    pub(super) closing: Arc<Notify>,
    pub(super) events: mpsc::Sender<Received>,
}

/// Serves the socket until either side closes it, and then says why.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>, mut ends: Ends) {
    let farewell = serve(socket, &mut ends, &Progress::default()).await;
    ends.close(farewell).await;
}

/// The same, and goes on with the call over another connection when one is lost.
pub(super) async fn run_rejoining(mut socket: Socket, way: Way, mut ends: Ends) {
    let progress = Progress::default();
    let farewell = loop {
        let farewell = serve(socket, &mut ends, &progress).await;
        let Some(window) = progress.window().filter(|_| farewell.is_lost()) else { break farewell };
        let back = tokio::select! {
            back = way.back(&progress, window) => back,
            () = ends.left() => break Farewell::ours(),
        };
        let Some(next) = back else { break farewell };
        // What was said meanwhile was said to nobody.
        while ends.voice.try_next().is_some() {}
        socket = next;
    };
    ends.close(farewell).await;
}

impl Ends {
    /// Waits until this side wants to leave.
    async fn left(&self) {
        tokio::select! {
            () = self.closing.notified() => {}
            () = self.events.closed() => {}
        }
    }

    /// Tells everybody that the call is over.
    async fn close(self, farewell: Farewell) {
        self.voice.close();
        self.pings.close();
        // Nobody may be listening any more.
        let _ = self.events.send(Received::closed(farewell.reason, farewell.code)).await;
    }
}

/// Serves a socket until either side closes it.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    ends: &mut Ends,
    progress: &Progress,
) -> Farewell {
    let Ends { messages, voice, pings, closing, events } = ends;
    let (sink, stream) = socket.split();
    let silent = Notify::new();
    let reading = read(stream, pings, &silent, events, progress);
    let writing = write(sink, messages, voice, &silent, events);
    // Whoever leaves does not wait for a server that takes nothing any more.
    let leaving = async {
        tokio::select! {
            () = closing.notified() => {}
            () = events.closed() => {}
        }
        sleep(2 * FAREWELL).await;
    };
    tokio::pin!(reading, writing);
    tokio::select! {
        farewell = &mut reading => farewell,
        () = leaving => Farewell::ours(),
        written = &mut writing => match written {
            // What the server still sends counts until it has closed too.
            Ok(()) => match timeout(FAREWELL, reading).await {
                Ok(Farewell { reason: CloseReason::Normal { .. } | CloseReason::Lost { .. }, .. }) | Err(_) => {
                    Farewell::ours()
                }
                Ok(farewell) => farewell,
            },
            // A server that closes while something is sent: the reader knows the reason, if there is one.
            Err(error) => timeout(FAREWELL, reading).await.unwrap_or_else(|_| lost(&error)),
        },
    }
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

    fn ours() -> Self {
        Self { reason: CloseReason::Ours, code: CloseCode::Normal.into() }
    }

    fn is_lost(&self) -> bool {
        matches!(self.reason, CloseReason::Lost { .. })
    }

    fn lost(cause: String) -> Self {
        Self { reason: CloseReason::Lost { cause }, code: CloseCode::Abnormal.into() }
    }
}

async fn read(
    mut stream: impl Stream<Item = Result<Message, WsError>> + Unpin,
    pings: &Pings,
    silent: &Notify,
    events: &mpsc::Sender<Received>,
    progress: &Progress,
) -> Farewell {
    let mut pcm = PcmReader::default();
    loop {
        let next = match timeout(SILENCE, stream.next()).await {
            Ok(next) => next,
            Err(_) => {
                silent.notify_one();
                match timeout(SILENCE, stream.next()).await {
                    Ok(next) => next,
                    Err(_) => {
                        let seconds = 2 * SILENCE.as_secs();
                        return Farewell::lost(format!("the server was not heard of for {seconds} s"));
                    }
                }
            }
        };
        let event = match next {
            Some(Ok(Message::Binary(bytes))) => {
                let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
                pcm.read(&bytes, &mut samples);
                if samples.is_empty() {
                    continue;
                }
                progress.audio(samples.len());
                Received::audio(samples)
            }
            Some(Ok(Message::Text(text))) => {
                let event = match ServerMessage::parse(&text) {
                    Ok(parsed) => {
                        progress.message(&parsed.value);
                        if let ServerMessage::Pong(pong) = &parsed.value {
                            pings.pong(&pong.timestamp);
                        }
                        Event::Message(parsed.value)
                    }
                    Err(problem) => {
                        progress.text();
                        Event::Unreadable { text: text.as_str().to_owned(), problem }
                    }
                };
                Received::text(event, text)
            }
            Some(Ok(Message::Close(frame))) => {
                // The answer to it leaves while reading on, and a polite server then ends the connection.
                let _ = timeout(LAST_READ, stream.next()).await;
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
    messages: &mut mpsc::Receiver<Outgoing>,
    voice: &VoiceQueue,
    silent: &Notify,
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
            () = silent.notified() => Some(Message::Ping(Bytes::new())),
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
