//! The call's own WebSocket (protocol.md 3.1, 4.1): text frames are data messages, binary frames are raw audio.
//!
//! It is a carrier in the call's task: what the client sends is handed to the call when that asks for it, and what the call sends goes
//! to the operating system when the call has nothing else to do. Sends protocol pings and gives a client up that answers none.
//! Joins that cannot work are accepted and closed at once with a code that says why, because browsers cannot see a refused
//! handshake.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::{End, Received};
use super::handshake::Socket;
use super::line::Line;
use super::rfc6455::Opcode;
use super::writer::Writer;
use crate::call::leg::{
    Carrier, CarrierEnd, CloseCode, Departure, FromClient, LegEvent, Outgoing, Stuck, ToClient,
};

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// Text frames that are no data messages, after which the client does not speak the protocol.
const MALFORMED: u32 = 50;

/// Carries one leg over a WebSocket, until it ends.
pub fn carry(socket: Socket, end: CarrierEnd) {
    end.carried(|outgoing| Box::new(WebSocket::new(Line::new(socket.stream, socket.limit), outgoing)));
}

/// Accepts a join that cannot work, and closes it with the reason.
pub async fn refuse(socket: Socket, code: CloseCode) {
    let mut line = Line::new(socket.stream, socket.limit);
    line.writer.put_close(code);
    if line.flush().await.is_ok() {
        // The closing handshake: what the client still sends is of no interest.
        let _ = line.await_close().await;
    }
}

/// See the head of this file.
#[expect(
    clippy::large_enum_variant,
    reason = "it is open for as long as it is used, and each box is another line to fetch"
)]
enum WebSocket<S> {
    Open(Open<S>),
    /// Messages go no more, and how it ends comes out.
    Closing(Pin<Box<dyn Future<Output = Departure> + Send>>),
    Over,
}

/// A WebSocket over which messages go.
struct Open<S> {
    line: Line<S>,
    /// What the call sent before it had this carrier.
    before: Option<Outgoing>,
    /// What waits until the client has taken more, so much at most.
    waiting: VecDeque<ToClient>,
    most: usize,
    /// The call has closed the leg: nothing follows.
    closed: bool,
    /// Rings when the client is to be pinged, if it was asked.
    ping: Pin<Box<Sleep>>,
    /// When that is: the timer itself is not looked at for every frame.
    ping_at: Instant,
    asked: bool,
    /// Something has come since there was last nothing.
    heard: bool,
    malformed: u32,
}

/// What became of an open WebSocket.
enum Over {
    /// What the client sends came to its end.
    Read(End),
    /// What the call had for it has been sent, its close at the end, or cannot be sent.
    Written(Result<(), Departure>),
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> WebSocket<S> {
    fn new(line: Line<S>, before: Outgoing) -> Self {
        let ping_at = Instant::now() + PING;
        Self::Open(Open {
            line,
            waiting: VecDeque::new(),
            most: before.capacity(),
            before: Some(before),
            closed: false,
            ping: Box::pin(sleep_until(ping_at)),
            ping_at,
            asked: false,
            heard: false,
            malformed: 0,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Carrier for WebSocket<S> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegEvent> {
        loop {
            match self {
                Self::Open(open) => match ready!(open.poll_next(cx)) {
                    Ok(from_client) => return Poll::Ready(LegEvent::From(from_client)),
                    Err(over) => {
                        if let Self::Open(open) = std::mem::replace(self, Self::Over) {
                            *self = Self::Closing(Box::pin(close(open.line, over)));
                        }
                    }
                },
                Self::Closing(closing) => {
                    let how = ready!(closing.as_mut().poll(cx));
                    *self = Self::Over;
                    return Poll::Ready(LegEvent::Closed(how));
                }
                Self::Over => return Poll::Pending,
            }
        }
    }

    fn send(&mut self, what: ToClient) -> Result<(), Stuck> {
        match self {
            Self::Open(open) => open.send(what),
            // A client that is gone takes everything.
            Self::Closing(_) | Self::Over => Ok(()),
        }
    }

    fn clear(&mut self) {
        if let Self::Open(open) = self {
            open.waiting.retain(|what| !matches!(what, ToClient::Audio(_)));
        }
    }

    fn let_go(&mut self) {
        if let Self::Open(open) = self {
            open.take_over();
            // A call that lets go of the leg without a word has failed.
            let _ = open.send(ToClient::Close(CloseCode::Internal));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<FromClient, Over>> {
        self.take_over();
        loop {
            if let Poll::Ready(received) = self.line.poll_receive(cx) {
                self.heard = true;
                return Poll::Ready(received.and_then(|received| self.read(received)).map_err(Over::Read));
            }
            self.fill();
            if !self.line.writer.is_empty() {
                match self.line.poll_flush(cx) {
                    Poll::Ready(Ok(())) if self.closed => return Poll::Ready(Err(Over::Written(Ok(())))),
                    Poll::Ready(Ok(())) if !self.waiting.is_empty() => continue,
                    Poll::Ready(Err(how)) => return Poll::Ready(Err(Over::Written(Err(how)))),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
            }
            ready!(self.poll_ping(cx));
            if self.line.frames.is_lost() {
                return Poll::Ready(Err(Over::Written(Err(Departure::Silent))));
            }
            self.line.writer.put(Opcode::Ping, &[]);
        }
    }

    /// Whether it is time for a ping. The timer is not asked when something has come and it is too early: it rings, if nothing comes.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.heard) && self.asked && self.line.frames.last() < self.ping_at {
            return Poll::Pending;
        }
        self.asked = true;
        ready!(self.ping.as_mut().poll(cx));
        self.ping_at += PING;
        self.ping.as_mut().reset(self.ping_at);
        self.asked = false;
        Poll::Ready(())
    }

    /// What a message means, if the client speaks the protocol.
    fn read(&mut self, received: Received) -> Result<FromClient, End> {
        match received {
            Received::Binary(audio) => Ok(FromClient::Audio(audio)),
            Received::Text(text) => match ClientMessage::parse(&text) {
                Ok(message) => Ok(FromClient::Message(Box::new(message.value))),
                Err(_) if self.malformed >= MALFORMED => Err(End::Violated(CloseCode::ProtocolViolation)),
                Err(why) => {
                    self.malformed += 1;
                    Ok(FromClient::Malformed(why.to_string()))
                }
            },
        }
    }

    /// Takes over what the call sent before it had this carrier, once.
    fn take_over(&mut self) {
        if let Some(mut before) = self.before.take() {
            while let Some(what) = before.try_next() {
                self.waiting.push_back(what);
            }
        }
    }

    fn send(&mut self, what: ToClient) -> Result<(), Stuck> {
        if self.closed {
            return Ok(());
        }
        if self.waiting.len() >= self.most {
            return Err(Stuck);
        }
        self.waiting.push_back(what);
        self.fill();
        Ok(())
    }

    /// Has as much go out together as may.
    fn fill(&mut self) {
        while !self.closed && self.line.writer.has_room() {
            let Some(what) = self.waiting.pop_front() else { return };
            self.closed = put(&mut self.line.writer, what);
        }
    }
}

/// Adds what the call has for the client, and says whether it is the last.
fn put(writer: &mut Writer, what: ToClient) -> bool {
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

/// Does what is left to do, and says how the connection came to its end.
async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut line: Line<S>, over: Over) -> Departure {
    match over {
        Over::Read(end) => {
            if let Some(answer) = end.answer() {
                line.writer.put(Opcode::Close, &answer);
                line.flush_close().await;
            }
            match end {
                End::Goodbye(_) => Departure::HungUp,
                End::Lost => Departure::Lost,
                End::Violated(_) => Departure::Violated,
            }
        }
        // The call closed the leg; the client gets a moment to close its side.
        Over::Written(Ok(())) => {
            let _ = line.await_close().await;
            Departure::HungUp
        }
        // A client that says goodbye takes nothing any more, and is read to its end before it counts as lost.
        Over::Written(Err(Departure::Lost)) => match line.await_close().await {
            Some(End::Goodbye(_)) => Departure::HungUp,
            Some(End::Lost | End::Violated(_)) | None => Departure::Lost,
        },
        Over::Written(Err(how)) => how,
    }
}
