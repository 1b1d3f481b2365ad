//! A call, joined over its WebSocket: text frames are data messages, binary frames are audio (protocol.md 3.1, 4.1).
//!
//! [`connect`] gives a [`Sender`], which may be cloned, and the one stream of [`Events`]. Each call has one task that owns the
//! socket; both ends speak to it over bounded queues. Nothing here knows how audio is played or what a tool does.
//!
//! ```
//! use antiphon_api::json::JsonObject;
//! use antiphon_client::realtime::{CloseReason, Event, Options, accept, connect_over};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // With a server, this is `connect(&join_url, &options)`. Here the other end of a pipe plays one.
//! let (ours, theirs) = tokio::io::duplex(64 * 1024);
//! let options = Options::default();
//! let (call, server) = tokio::join!(connect_over(ours, "ws://server/call", &options), accept(theirs));
//! let ((sender, mut events), (server, mut heard)) = (call?, server?);
//!
//! sender.user_text("Hello").await?;
//! sender.audio(&[0; 320])?;
//! assert!(matches!(heard.next().await, Some(Event::Message(_))));
//! assert!(matches!(heard.next().await, Some(Event::Audio(samples)) if samples.len() == 320));
//!
//! server.raw(&JsonObject::from_iter([("type".to_owned(), "playback_clear_buffer".into())])).await?;
//! server.close().await;
//! assert!(matches!(events.next().await, Some(Event::Message(_))));
//! assert!(matches!(events.next().await, Some(Event::Closed(CloseReason::Normal { .. }))));
//! # Ok(())
//! # }
//! ```

mod closing;
mod dial;
mod event;
mod join_url;
mod pings;
mod rejoining;
mod sender;
mod socket;
mod voice;
mod voice_queue;

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::SampleRate as WireRate;
use antiphon_api::rest::calls::{CallMedium, ServerWebSocketMedium};
use antiphon_audio::SampleRate;
use futures::FutureExt as _;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::TlsError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, accept_async_with_config, client_async_tls_with_config,
    client_async_with_config,
};

use crate::tls::{self, Authorities};

use pings::Pings;
use rejoining::Way;
use socket::Ends;
use voice_queue::VoiceQueue;

pub use closing::CloseReason;
pub(crate) use event::Received;
pub use event::{Event, Events};
pub use join_url::{JoinUrlError, Options};
pub use sender::{AudioRefused, CallOver, PingError, Sender};
pub use voice::Voice;

/// The longest message that is read; real ones stay under 1 MiB (protocol.md 8.12).
const LONGEST_MESSAGE: usize = 4 * 1024 * 1024;
/// What each direction is buffered in, which each call holds all the time: some frames of audio. Longer messages grow it.
const BUFFER: usize = 8 * 1024;
/// How long resolving, connecting, TLS and the upgrade may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Events that wait to be taken. When they are full the socket is not read, so that a slow reader slows the server down.
const EVENTS: usize = 256;
/// Data messages that wait to be sent. When they are full, sending waits.
const MESSAGES: usize = 64;

/// Why a call could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server does not take part in a WebSocket there.
    #[error("the server answered the join with HTTP status {status}; {}", remedy(*.status))]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The server was not reached in time.
    #[error("the server did not answer the join within {} s; try again", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    /// The server was not reached, or does not speak WebSocket.
    #[error("the call cannot be joined: {0}; is the server running, and is this the call's join URL?")]
    Unreachable(#[source] Box<WsError>),
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] JoinUrlError),
}

fn remedy(status: u16) -> &'static str {
    match status {
        404 => "is this the call's join URL?",
        410 => "the call is over; create another",
        429 | 503 => "try again later",
        _ => "look into the server's log",
    }
}

/// The medium to create a call with that is to be joined here: the rates of the user's and of the agent's audio, and how far the server
/// may send the agent's ahead. Zero is the server's default, 60 ms; the more it is, the less the network is heard, and whoever allows
/// it must clear what is void ([`Playback::clear`](crate::playback::Playback::clear)). At most ten minutes.
#[must_use]
pub fn medium(input: SampleRate, output: SampleRate, ahead: Duration) -> CallMedium {
    let wire = |rate: SampleRate| WireRate::new(rate.hz()).expect("both crates have the rates of A-33");
    let ahead_ms = ahead.as_millis().min(600_000) as u32;
    CallMedium::ServerWebSocket(ServerWebSocketMedium {
        input_sample_rate: wire(input),
        output_sample_rate: Some(wire(output)),
        client_buffer_size_ms: Some(ahead_ms).filter(|ms| *ms > 0),
        data_messages: None,
        media_idle_timeout: None,
    })
}

/// Joins a call. `join_url` is what creating the call gave; `http` and `https` count as `ws` and `wss`.
///
/// Must be called within a tokio runtime. The call goes on until it is closed from either side or the events are
/// dropped; whoever only listens may drop the sender.
///
/// # Errors
///
/// The URL is none, or the server was not reached or did not accept a WebSocket there. A join that the server accepts and then
/// declines (protocol.md A-10) is no error here: it ends the events with its [`CloseReason`].
pub async fn connect(join_url: &str, options: &Options) -> Result<(Sender, Events), ConnectError> {
    tls::prepare();
    let url = options.url(join_url)?;
    let socket = dial_call(&url, options).await?;
    let way = options.rejoin.then(|| Way { url, options: options.clone() });
    Ok(begin_on(|ends| match way {
        Some(way) => socket::run_rejoining(socket, way, ends).left_future(),
        None => socket::run(socket, ends).right_future(),
    }))
}

/// What a call is held over that is dialled here.
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects to a call's URL.
async fn dial_call(url: &Url, options: &Options) -> Result<Socket, ConnectError> {
    // Boxed, since a task keeps the room of all that it ever waited for, and this is most of a call's.
    let connecting = Box::pin(async {
        let stream = dial::dial(url).await?;
        let secured = options.authorities.as_ref().map(Authorities::config).transpose();
        let connector = secured.map_err(|error| WsError::Tls(TlsError::from(error)))?.map(Connector::Rustls);
        client_async_tls_with_config(url.as_str(), stream, Some(limits()), connector).await
    });
    let (socket, _) = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| ConnectError::Timeout)?
        .map_err(refused)?;
    Ok(socket)
}

/// Joins a call over a stream that is connected already, such as a tunnel; TLS, if any, is the stream's. `join_url` says what is
/// asked for there.
///
/// # Errors
///
/// The URL is none, or there is no WebSocket at the stream's other end.
pub async fn connect_over<S>(
    stream: S,
    join_url: &str,
    options: &Options,
) -> Result<(Sender, Events), ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let url = options.url(join_url)?;
    let (socket, _) =
        client_async_with_config(url.as_str(), stream, Some(limits())).await.map_err(refused)?;
    Ok(begin(socket))
}

/// Takes the connection that a server opens to a call's data connection (protocol.md 7.7): the same messages, in the same two
/// directions. `stream` is what the server connected with, before anything was read; TLS, if any, is the stream's.
///
/// What the request said, such as signatures, is to be looked at before, by whoever routes it here.
///
/// # Errors
///
/// The other end does not ask for a WebSocket.
pub async fn accept<S>(stream: S) -> Result<(Sender, Events), ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let accepting = accept_async_with_config(stream, Some(limits()));
    let socket = tokio::time::timeout(CONNECT_TIMEOUT, accepting)
        .await
        .map_err(|_| ConnectError::Timeout)?
        .map_err(refused)?;
    Ok(begin(socket))
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE))
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
}

fn begin<S>(socket: WebSocketStream<S>) -> (Sender, Events)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    begin_on(|ends| socket::run(socket, ends))
}

/// Spawns the task that owns the socket, with its ends of all queues.
fn begin_on<F>(run: impl FnOnce(Ends) -> F) -> (Sender, Events)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (messages, outgoing_messages) = mpsc::channel(MESSAGES);
    let (events, incoming) = mpsc::channel(EVENTS);
    let (voice, pings) = (Arc::<VoiceQueue>::default(), Arc::<Pings>::default());
    let closing = Arc::<Notify>::default();
    let ends = Ends {
        messages: outgoing_messages,
        voice: voice.clone(),
        pings: pings.clone(),
        closing: closing.clone(),
        events,
    };
    tokio::spawn(run(ends));
    (Sender::new(messages, voice, pings, closing), Events::new(incoming))
}

fn refused(error: WsError) -> ConnectError {
    if let WsError::Http(answer) = &error {
        return ConnectError::Refused { status: answer.status().as_u16() };
    }
    ConnectError::Unreachable(Box::new(error))
}
