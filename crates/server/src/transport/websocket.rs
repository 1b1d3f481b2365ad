//! The call's own WebSocket (protocol.md 3.1, 4.1): text frames are data messages, binary frames are raw audio.
//!
//! A reader and a writer in one task, so that a client that is slow to take does not keep what it says from being heard. Sends
//! protocol pings and gives a client up that answers none. Joins that cannot work are accepted and closed at once with
//! a code that says why, because browsers cannot see a refused handshake.

use std::task::Poll;
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::frames::{CLOSE, End, Frames, Received};
use super::handshake::Socket;
use super::rfc6455::Opcode;
use super::writer::{Pong, Writer};
use crate::call::leg::{CarrierEnd, CloseCode, Departure, FromClient, Outgoing, ToClient};
use crate::pulse::Pulse;
use crate::readiness::{Readiness, Source};

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// Text frames that are no data messages, after which the client does not speak the protocol.
const MALFORMED: u32 = 50;
/// What waits for the client goes out together, up to so many bytes: more would be on its way when the agent falls silent.
const TOGETHER: usize = 2 << 10;

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
    Read(End),
    Written(Result<(), Departure>),
}

/// Carries one leg until it ends.
pub async fn carry(socket: Socket, end: CarrierEnd) {
    let CarrierEnd { from_client, closed, to_client, .. } = end;
    let Socket { stream, limit } = socket;
    let (reader, writer) = tokio::io::split(stream);
    let (pulse, pong) = (Pulse::new(), Pong::default());
    let (say, last_word) = oneshot::channel();
    let reading = read(Frames::new(reader, limit, &pulse, &pong), &from_client);
    let writing = write(Writer::new(writer), to_client, last_word, &pulse, &pong);
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
        Over::Read(end) => {
            if let Some(answer) = end.answer() {
                let _ = say.send(answer);
                let _ = timeout(CLOSE, writing).await;
            }
            match end {
                End::Goodbye(_) => Departure::HungUp,
                End::Lost => Departure::Lost,
                End::Violated(_) => Departure::Violated,
            }
        }
        // The call closed the leg; the client gets a moment to close its side.
        Over::Written(Ok(())) => {
            let _ = timeout(CLOSE, reading).await;
            Departure::HungUp
        }
        // A client that says goodbye takes nothing any more, and is read to its end before it counts as lost.
        Over::Written(Err(Departure::Lost)) => match timeout(CLOSE, reading).await {
            Ok(End::Goodbye(_)) => Departure::HungUp,
            Ok(End::Lost | End::Violated(_)) | Err(_) => Departure::Lost,
        },
        Over::Written(Err(how)) => how,
    };
    let _ = closed.send(how);
}

/// Accepts a join that cannot work, and closes it with the reason.
pub async fn refuse(socket: Socket, code: CloseCode) {
    let Socket { stream, limit } = socket;
    let (reader, writer) = tokio::io::split(stream);
    let (mut writer, pulse, pong) = (Writer::new(writer), Pulse::new(), Pong::default());
    writer.put_close(code);
    if writer.flush().await.is_ok() {
        // The closing handshake: what the client still sends is of no interest.
        let _ = timeout(CLOSE, Frames::new(reader, limit, &pulse, &pong).discard()).await;
    }
}

/// Brings what the client sends to the call until that ends.
async fn read<R: AsyncRead + Unpin>(mut frames: Frames<'_, R>, to_call: &mpsc::Sender<FromClient>) -> End {
    let mut malformed = 0;
    loop {
        let event = match frames.next().await {
            Ok(Received::Binary(audio)) => FromClient::Audio(audio),
            Ok(Received::Text(text)) => match ClientMessage::parse(&text) {
                Ok(message) => FromClient::Message(Box::new(message.value)),
                Err(why) => {
                    malformed += 1;
                    if malformed > MALFORMED {
                        return End::Violated(CloseCode::ProtocolViolation);
                    }
                    FromClient::Malformed(why.to_string())
                }
            },
            Err(end) => return end,
        };
        if to_call.send(event).await.is_err() {
            // The call has let go; what the client still says is of no interest, but for its close.
            return frames.discard().await;
        }
    }
}

/// Sends what the call has for the client until the call closes the leg, the client is lost, or the reader has a last word.
async fn write<W: AsyncWrite + Unpin>(
    mut writer: Writer<W>,
    mut outgoing: Outgoing,
    mut last_word: oneshot::Receiver<Bytes>,
    pulse: &Pulse,
    pong: &Pong,
) -> Result<(), Departure> {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    loop {
        let mut last = tokio::select! {
            biased;
            said = &mut last_word => {
                match said {
                    Ok(said) => writer.put(Opcode::Close, &said),
                    Err(_) => writer.put_close(CloseCode::Internal),
                }
                true
            }
            payload = pong.next() => {
                writer.put(Opcode::Pong, &payload);
                false
            }
            // A call that lets go of the leg without a word has failed.
            next = outgoing.next() => put(&mut writer, next.unwrap_or(ToClient::Close(CloseCode::Internal))),
            _ = ping.tick() => {
                if pulse.is_lost() {
                    return Err(Departure::Silent);
                }
                writer.put(Opcode::Ping, &[]);
                false
            }
        };
        while !last && writer.waiting() < TOGETHER {
            let Some(next) = outgoing.try_next() else { break };
            last = put(&mut writer, next);
        }
        writer.flush().await?;
        if last {
            return Ok(());
        }
    }
}

/// Adds what the call has for the client, and says whether it is the last.
fn put<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, what: ToClient) -> bool {
    match what {
        ToClient::Audio(audio) => writer.put(Opcode::Binary, &audio),
        ToClient::Message(message) => writer.put(Opcode::Text, message.to_text().as_bytes()),
        ToClient::Again(text) => writer.put(Opcode::Text, text.as_bytes()),
        ToClient::Close(code) => {
            writer.put_close(code);
            return true;
        }
    }
    false
}
