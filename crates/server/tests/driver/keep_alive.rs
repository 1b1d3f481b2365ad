//! The WebSocket's own care for its connection, with a real peer over a pipe in memory.

use std::io;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_engine::output::EndReason;
use antiphon_server::call::Join;
use antiphon_server::transport::handshake::Handshake;
use antiphon_server::transport::websocket;
use axum::Router;
use axum::routing::any;
use axum::serve::Listener;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::stand::{Stand, greeting, story};

/// What a pipe holds of what nobody reads, like a socket's buffers.
const PIPE: usize = 64 * 1024;

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: antiphon.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

type Peer = WebSocketStream<DuplexStream>;

/// Connections that are made in memory.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Joins a call over a WebSocket.
async fn join(stand: &Stand, call: CallId) -> Peer {
    client_async("ws://antiphon.test/", serve(stand, call)).await.unwrap().0
}

/// The client's end of a connection to a server at which everybody joins this call.
fn serve(stand: &Stand, call: CallId) -> DuplexStream {
    let calls = stand.calls.clone();
    let upgrade = async move |handshake: Handshake| {
        handshake.accept(1 << 20, async move |socket| {
            let end = calls.join(call, Join::default()).await.unwrap();
            websocket::carry(socket, end);
        })
    };
    let (connect, pipes) = mpsc::unbounded_channel();
    tokio::spawn(async { axum::serve(Pipes(pipes), Router::new().route("/", any(upgrade))).await });
    let (ours, theirs) = tokio::io::duplex(PIPE);
    connect.send(theirs).unwrap();
    ours
}

async fn next(peer: &mut Peer) -> Option<Message> {
    match peer.next().await {
        Some(Ok(message)) => Some(message),
        None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_))) => None,
        Some(Err(error)) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_is_pinged_every_20_s_and_kept() {
    let stand = Stand::new();
    let call = stand.create(json!({"maxDuration": "610s"})).await;
    let mut peer = join(&stand, call).await;
    let joined = Instant::now();
    let mut pings = Vec::new();
    let code = loop {
        match next(&mut peer).await {
            Some(Message::Ping(_)) => pings.push(joined.elapsed().as_secs()),
            Some(Message::Close(frame)) => break frame.unwrap().code,
            Some(_) => {}
            None => panic!("no close frame"),
        }
    };
    assert_eq!(pings, (1..=30).map(|nth| nth * 20).collect::<Vec<u64>>());
    assert_eq!((code, joined.elapsed().as_secs()), (CloseCode::Normal, 610));
    assert_eq!(stand.ended(call).await, EndReason::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_for_60_s_is_given_up() {
    let stand = Stand::new();
    let call = stand.create(json!({})).await;
    // A peer answers pings when it reads, and this one does not.
    let peer = join(&stand, call).await;
    let joined = Instant::now();
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
    assert_eq!(joined.elapsed().as_secs(), 60);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_while_the_agent_speaks_is_given_up() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(300));
    let call = stand.create(json!({"firstSpeakerSettings": greeting(&text)})).await;
    let peer = join(&stand, call).await;
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_and_does_not_read_is_heard_as_long_as_there_is_room() {
    let stand = Stand::new();
    let call = stand.create(json!({})).await;
    let mut peer = join(&stand, call).await;
    let joined = Instant::now();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        peer.send(Message::text(
            json!({"type": "user_text_message", "text": "hi", "urgency": "later"}).to_string(),
        ))
        .await
        .unwrap();
    }
    assert!(stand.calls.is_live(call), "what it says counts as a sign of life");
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
    assert_eq!(joined.elapsed().as_secs(), 360);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_is_answered_and_has_hung_up() {
    let stand = Stand::new();
    let call = stand.create(json!({})).await;
    let mut peer = join(&stand, call).await;
    let bye = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    peer.send(Message::Close(Some(bye))).await.unwrap();
    let answer = loop {
        match next(&mut peer).await {
            Some(Message::Close(frame)) => break frame.unwrap().code,
            Some(_) => {}
            None => panic!("closed without an answer"),
        }
    };
    assert_eq!(answer, CloseCode::Normal);
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_has_hung_up() {
    let stand = Stand::new();
    let call = stand.create(json!({})).await;
    let peer = join(&stand, call).await;
    let joined = Instant::now();
    drop(peer);
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert!(joined.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_frame_now_and_then_does_not_outlive_its_call() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(300));
    let call = stand.create(json!({"firstSpeakerSettings": greeting(&text)})).await;
    let mut pipe = serve(&stand, call);
    pipe.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    // About a frame every ten seconds, for longer than the whole of the agent's message would take.
    let (mut frame, mut taken) = ([0; 644], 0);
    let joined = Instant::now();
    loop {
        match pipe.read(&mut frame).await {
            Ok(0) | Err(_) => break,
            Ok(count) => taken += count,
        }
        if joined.elapsed() < Duration::from_secs(400) {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
    assert!(taken < 4 * PIPE, "{taken} bytes: what waited for the peer was sent when the call was long over");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_with_pings_is_left_alone_for_a_while_and_closed_as_a_violation() {
    let stand = Stand::new();
    let call = stand.create(json!({})).await;
    let (mut reader, mut writer) = tokio::io::split(serve(&stand, call));
    let joined = Instant::now();
    writer.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    // An empty ping, masked with zeros, for as long as the server takes them.
    let flood = async { while writer.write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.is_ok() {} };
    let mut bytes = Vec::new();
    let (_, read) = tokio::join!(flood, reader.read_to_end(&mut bytes));
    read.unwrap();
    let code = bytes.windows(4).rposition(|bytes| bytes[0] == 0x88 && bytes[2..] == 1008_u16.to_be_bytes());
    let tail = &bytes[bytes.len().saturating_sub(40)..];
    assert!(code.is_some(), "the last frame is a close with 1008: {tail:?}");
    assert_eq!(joined.elapsed().as_secs(), 5, "whoever comes back at once is no faster than this");
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
}
