//! The call's own WebSocket (protocol.md 3.1, 4.1): text frames are data messages, binary frames are raw audio.
//!
//! A reader and a writer in one task, so that a client that is slow to take does not keep what it says from being heard. Sends
//! protocol pings and gives a client up that answers none. Joins that cannot work are accepted and closed at once with
//! a code that says why, because browsers cannot see a refused handshake.

use std::task::Poll;
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::frames::{CLOSE, Frames, Received};
use crate::call::leg::{CarrierEnd, CloseCode, Departure, FromClient, Outgoing, ToClient};
use crate::pulse::Pulse;
use crate::readiness::{Readiness, Source};

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// How long one message may take to go out before the client counts as gone.
const SEND: Duration = Duration::from_secs(20);
/// Text frames that are no data messages, after which the client does not speak the protocol.
const MALFORMED: u32 = 50;

/// The two that share the connection's task: whichever has nothing to do is not asked because the other one has.
#[derive(Debug, Clone, Copy)]
enum Half {
    Reader,
    Writer,
}

impl Source for Half {
    const COUNT: u8 = 2;

    fn index(self) -> u8 {
        self as u8
    }
}

/// Which of them is done, and how.
enum Over {
    Read(Result<Departure, CloseCode>),
    Written(Result<(), Departure>),
}

/// Carries one leg until it ends.
pub async fn carry(socket: WebSocket, end: CarrierEnd) {
    let CarrierEnd { from_client, closed, to_client } = end;
    let (sink, stream) = socket.split();
    let pulse = Pulse::new();
    let (violated, violation) = oneshot::channel();
    let reading = read(Frames::new(stream, &pulse), &from_client);
    let writing = write(sink, to_client, violation, &pulse);
    tokio::pin!(reading, writing);
    let mut readiness = Readiness::new();
    let first = std::future::poll_fn(|cx| {
        readiness.look(cx);
        if let Poll::Ready(read) = readiness.ask(Half::Reader, |cx| reading.as_mut().poll(cx)) {
            return Poll::Ready(Over::Read(read));
        }
        readiness.ask(Half::Writer, |cx| writing.as_mut().poll(cx)).map(Over::Written)
    });
    let how = match first.await {
        Over::Read(Ok(how)) => how,
        Over::Read(Err(code)) => {
            let _ = violated.send(code);
            let _ = tokio::time::timeout(CLOSE, writing).await;
            Departure::Violated
        }
        // The call closed the leg; the client gets a moment to close its side.
        Over::Written(Ok(())) => {
            let _ = tokio::time::timeout(CLOSE, reading).await;
            Departure::HungUp
        }
        // A client that says goodbye takes nothing any more, and is read to its end before it counts as lost.
        Over::Written(Err(Departure::Lost)) => match tokio::time::timeout(CLOSE, reading).await {
            Ok(Ok(how)) => how,
            Ok(Err(_)) | Err(_) => Departure::Lost,
        },
        Over::Written(Err(how)) => how,
    };
    let _ = closed.send(how);
}

/// Accepts a join that cannot work, and closes it with the reason.
pub async fn refuse(mut socket: WebSocket, code: CloseCode) {
    if socket.send(close_frame(code)).await.is_ok() {
        // The closing handshake: what the client still sends is of no interest.
        let _ = tokio::time::timeout(CLOSE, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}

/// Brings what the client sends to the call until the connection ends, or until the client breaks the protocol: then the
/// error is the code to close with.
async fn read(mut frames: Frames<'_>, to_call: &mpsc::Sender<FromClient>) -> Result<Departure, CloseCode> {
    let mut malformed = 0;
    while let Some(received) = frames.next().await {
        let event = match received? {
            Received::Binary(audio) => FromClient::Audio(audio),
            Received::Text(text) => match ClientMessage::parse(&text) {
                Ok(message) => FromClient::Message(Box::new(message.value)),
                Err(why) => {
                    malformed += 1;
                    if malformed > MALFORMED {
                        return Err(CloseCode::ProtocolViolation);
                    }
                    FromClient::Malformed(why.to_string())
                }
            },
        };
        if to_call.send(event).await.is_err() {
            // The call has let go; what the client still says is of no interest.
            frames.discard().await;
            return Ok(Departure::HungUp);
        }
    }
    Ok(if frames.said_goodbye() { Departure::HungUp } else { Departure::Lost })
}

/// Sends what the call has for the client until the call closes the leg, the client is lost, or it broke the protocol.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut outgoing: Outgoing,
    mut violation: oneshot::Receiver<CloseCode>,
    pulse: &Pulse,
) -> Result<(), Departure> {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    loop {
        let message = tokio::select! {
            biased;
            code = &mut violation => close_frame(code.unwrap_or(CloseCode::Internal)),
            next = outgoing.next() => match next {
                Some(ToClient::Audio(audio)) => Message::Binary(audio),
                Some(ToClient::Message(message)) => Message::Text(Utf8Bytes::from(message.to_text())),
                Some(ToClient::Again(text)) => Message::Text(Utf8Bytes::from(text)),
                Some(ToClient::Close(code)) => close_frame(code),
                None => close_frame(CloseCode::Internal),
            },
            _ = ping.tick() => {
                if pulse.is_lost() {
                    return Err(Departure::Silent);
                }
                Message::Ping(Bytes::new())
            }
        };
        let last = matches!(message, Message::Close(_));
        send(&mut sink, message).await?;
        if last {
            return Ok(());
        }
    }
}

pub(super) async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    message: Message,
) -> Result<(), Departure> {
    match tokio::time::timeout(SEND, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Departure::Lost),
        Err(_) => Err(Departure::Silent),
    }
}

pub(super) fn close_frame(code: CloseCode) -> Message {
    Message::Close(Some(CloseFrame { code: code.code(), reason: Utf8Bytes::from_static(code.reason()) }))
}
