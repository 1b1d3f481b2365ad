//! What every carrier is to a call: something that has what the client sent, and takes what the client is sent.
//!
//! Neither waits for the other for long: a carrier that brings more than the call takes is held back at its socket, and a client that
//! does not take what it is sent loses its call. A carrier runs in the call's task, so that a frame wakes nobody twice and goes through
//! no queue; what is left to do when the call has let go of it, it does in a task of its own. One that runs elsewhere, or has not come
//! yet, is reached through a pair of bounded queues. Knows nothing of sockets.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use antiphon_api::realtime::{ClientMessage, ServerMessage};
use antiphon_engine::input::LegClosed;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Frames and messages that may wait for the call. A carrier waits when it is full, which the client feels as back-pressure.
const FROM_CLIENT: usize = 32;
/// Frames and messages that may wait for the client besides the audio that it has room for: about 20 s of speech. A client for
/// whom it fills up does not take what it is sent.
const TO_CLIENT: usize = 1024;
/// The shortest pieces in which audio is sent, the ends of utterances aside.
const SHORTEST: Duration = Duration::from_millis(20);

/// What comes from a client.
#[derive(Debug)]
pub enum FromClient {
    /// Raw audio in the call's input format, a frame of any size.
    Audio(Bytes),
    /// A data message.
    Message(Box<ClientMessage>),
    /// A text frame that is no data message, and why.
    Malformed(String),
}

/// What goes to a client.
#[derive(Debug)]
pub enum ToClient {
    /// Raw audio in the call's output format.
    Audio(Bytes),
    /// A data message.
    Message(Box<ServerMessage>),
    /// A data message that was sent before, to a client that was away.
    Again(String),
    /// The end, with a close code of protocol.md 1.7 and A-10. Nothing follows.
    Close(CloseCode),
}

/// Why a connection is closed, as WebSocket clients are told (protocol.md 1.7, A-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The call ended as calls do.
    Normal,
    /// The server goes down.
    GoingAway,
    /// The peer broke the WebSocket protocol.
    ProtocolError,
    /// A text was not UTF-8.
    InvalidText,
    /// The peer broke the rules above the WebSocket protocol.
    ProtocolViolation,
    /// A message was larger than 1 MiB.
    TooBig,
    /// The join request makes no sense.
    BadRequest,
    /// There is no such call.
    UnknownCall,
    /// Somebody else is connected.
    InUse,
    /// The call is over, or nobody may join any more.
    Ended,
    /// Our own failure.
    Internal,
    /// There is no room for the call now.
    NoCapacity,
    /// No audio arrived for as long as the medium allows.
    MediaIdle,
}

impl CloseCode {
    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidText => 1007,
            Self::ProtocolViolation => 1008,
            Self::TooBig => 1009,
            Self::BadRequest => 4400,
            Self::UnknownCall => 4404,
            Self::InUse => 4409,
            Self::Ended => 4410,
            Self::Internal => 4500,
            Self::NoCapacity => 4503,
            Self::MediaIdle => 4598,
        }
    }

    /// The reason on the wire, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "call ended",
            Self::GoingAway => "server is shutting down",
            Self::ProtocolError => "WebSocket protocol error",
            Self::InvalidText => "text is not UTF-8",
            Self::ProtocolViolation => "protocol violation",
            Self::TooBig => "message larger than 1 MiB",
            Self::BadRequest => "bad join parameters",
            Self::UnknownCall => "no such call",
            Self::InUse => "another client is connected to this call",
            Self::Ended => "the call has ended or its join timeout has passed",
            Self::Internal => "internal error",
            Self::NoCapacity => "no capacity",
            Self::MediaIdle => "no audio for too long",
        }
    }
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// Our side of it failed.
    Failed,
    /// The client hung up, in the way that the protocol has for it.
    HungUp,
    /// It broke without a word.
    Lost,
    /// The client answered no keep-alive, or did not take what it was sent.
    Silent,
    /// The client broke the protocol.
    Violated,
}

impl Departure {
    /// What it means to a call that waits for nobody.
    #[must_use]
    pub fn meaning(self) -> LegClosed {
        match self {
            Self::Failed => LegClosed::OurFault,
            Self::HungUp | Self::Lost => LegClosed::ByPeer,
            Self::Silent | Self::Violated => LegClosed::Unresponsive,
        }
    }

    /// Whether the client may want to come back.
    #[must_use]
    pub fn may_return(self) -> bool {
        match self {
            Self::Failed | Self::Lost | Self::Silent => true,
            Self::HungUp | Self::Violated => false,
        }
    }
}

/// Whoever carries a leg in the call's task: it is asked for what the client sent, and handed what the client is sent.
pub trait Carrier: Send {
    /// The next thing from the client; after `Closed` it is not to be asked again. Sends what there is to send on the way.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegEvent>;

    /// Takes something to send, which goes when it is next asked. A client that is gone takes everything.
    ///
    /// # Errors
    /// [`Stuck`] when too much waits for the client.
    fn send(&mut self, what: ToClient) -> Result<(), Stuck>;

    /// Drops all audio that was not sent yet.
    fn clear(&mut self);

    /// The call sends nothing more: the client is told, if it was not, and the carrier is asked on until it is `Closed`.
    fn let_go(&mut self);
}

/// The call's end of a leg.
pub struct CallEnd(Way);

/// How a call reaches its carrier.
enum Way {
    /// Through queues: it is in another task, or has not come yet.
    Queues(Queues),
    /// At once: it is in the call's task.
    Here(Box<dyn Carrier>),
    /// Not any more: the connection is over, or the call has let go.
    Gone,
}

/// The call's end of the queues.
struct Queues {
    from_client: mpsc::Receiver<FromClient>,
    closed: Option<oneshot::Receiver<Departure>>,
    to_client: mpsc::Sender<(u32, ToClient)>,
    /// Counts cleared buffers; audio from before the latest one is not sent any more.
    epoch: Arc<AtomicU32>,
    /// Where a carrier comes that runs with the call; none when there will be none.
    boarding: Option<oneshot::Receiver<Box<dyn Carrier>>>,
}

/// What came through the queues.
enum Arrival {
    Event(LegEvent),
    /// The carrier itself.
    Carrier(Box<dyn Carrier>),
}

/// The carrier's end of a leg.
pub struct CarrierEnd {
    /// Brings what the client sent.
    pub from_client: mpsc::Sender<FromClient>,
    /// Says once how the connection ended.
    pub closed: oneshot::Sender<Departure>,
    /// Gives what the client is sent.
    pub to_client: Outgoing,
    /// The way into the call's task, which a carrier may do without.
    boarding: oneshot::Sender<Box<dyn Carrier>>,
}

/// What a client is sent, in order.
#[derive(Debug)]
pub struct Outgoing {
    queue: mpsc::Receiver<(u32, ToClient)>,
    epoch: Arc<AtomicU32>,
}

/// The client does not take what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck;

/// What a call hears from its leg.
#[derive(Debug)]
pub enum LegEvent {
    /// Something came from the client.
    From(FromClient),
    /// The connection is over.
    Closed(Departure),
}

/// A leg: the call's end and the carrier's. The client holds up to `client_buffer` of audio, which may all be sent at once and
/// wait for the network.
#[must_use]
pub fn leg(client_buffer: Duration) -> (CallEnd, CarrierEnd) {
    let pieces = client_buffer.div_duration_f32(SHORTEST) as usize;
    let (from_sender, from_receiver) = mpsc::channel(FROM_CLIENT);
    let (to_sender, to_receiver) = mpsc::channel(TO_CLIENT + pieces);
    let (closed_sender, closed_receiver) = oneshot::channel();
    let (boarding, boarded) = oneshot::channel();
    let epoch = Arc::new(AtomicU32::new(0));
    let queues = Queues {
        from_client: from_receiver,
        closed: Some(closed_receiver),
        to_client: to_sender,
        epoch: Arc::clone(&epoch),
        boarding: Some(boarded),
    };
    let carrier_end = CarrierEnd {
        from_client: from_sender,
        closed: closed_sender,
        to_client: Outgoing { queue: to_receiver, epoch },
        boarding,
    };
    (CallEnd(Way::Queues(queues)), carrier_end)
}

impl CallEnd {
    /// The next thing from the client; after `Closed`, nothing for ever.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<LegEvent> {
        loop {
            match &mut self.0 {
                Way::Queues(queues) => match ready!(queues.poll_next(cx)) {
                    Arrival::Event(event) => return Poll::Ready(event),
                    Arrival::Carrier(carrier) => self.0 = Way::Here(carrier),
                },
                Way::Here(carrier) => {
                    let event = ready!(carrier.poll_next(cx));
                    if let LegEvent::Closed(_) = event {
                        self.0 = Way::Gone;
                    }
                    return Poll::Ready(event);
                }
                Way::Gone => return Poll::Pending,
            }
        }
    }

    /// The same, for whoever waits for nothing else. Cancel-safe.
    pub async fn next(&mut self) -> LegEvent {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Sends something. A client that is gone takes everything.
    ///
    /// # Errors
    /// [`Stuck`] when too much waits for the client.
    pub fn send(&mut self, what: ToClient) -> Result<(), Stuck> {
        match &mut self.0 {
            Way::Queues(queues) => queues.send(what),
            Way::Here(carrier) => carrier.send(what),
            Way::Gone => Ok(()),
        }
    }

    /// Drops all audio that the carrier has not sent yet.
    pub fn clear(&mut self) {
        match &mut self.0 {
            Way::Queues(queues) => {
                queues.epoch.fetch_add(1, Ordering::Relaxed);
            }
            Way::Here(carrier) => carrier.clear(),
            Way::Gone => {}
        }
    }
}

impl Drop for CallEnd {
    fn drop(&mut self) {
        let carrier = match std::mem::replace(&mut self.0, Way::Gone) {
            Way::Queues(mut queues) => queues.last_call(),
            Way::Here(carrier) => Some(carrier),
            Way::Gone => None,
        };
        if let Some(carrier) = carrier {
            see_off(carrier);
        }
    }
}

impl Queues {
    fn poll_boarding(&mut self, cx: &mut Context<'_>) -> Poll<Box<dyn Carrier>> {
        let Some(boarding) = &mut self.boarding else { return Poll::Pending };
        let carrier = ready!(Pin::new(boarding).poll(cx));
        self.boarding = None;
        carrier.map_or(Poll::Pending, Poll::Ready)
    }

    /// The carrier that came and was not asked yet; none comes any more.
    fn last_call(&mut self) -> Option<Box<dyn Carrier>> {
        let mut boarding = self.boarding.take()?;
        boarding.close();
        boarding.try_recv().ok()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        let received = self.from_client.poll_recv(cx);
        if let Poll::Ready(Some(event)) = received {
            return Poll::Ready(Arrival::Event(LegEvent::From(event)));
        }
        // A carrier that comes aboard is there before the queue is closed, so it is looked for after that.
        if let Poll::Ready(carrier) = self.poll_boarding(cx) {
            return Poll::Ready(Arrival::Carrier(carrier));
        }
        ready!(received);
        let Some(closed) = &mut self.closed else { return Poll::Pending };
        // A carrier that vanished without a word is our own fault.
        let how = ready!(Pin::new(closed).poll(cx)).unwrap_or(Departure::Failed);
        self.closed = None;
        Poll::Ready(Arrival::Event(LegEvent::Closed(how)))
    }

    fn send(&self, what: ToClient) -> Result<(), Stuck> {
        let epoch = self.epoch.load(Ordering::Relaxed);
        match self.to_client.try_send((epoch, what)) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Stuck),
        }
    }
}

impl CarrierEnd {
    /// Has the leg carried by this, in the task of the call as long as the call holds its end. It is given what the call sends before
    /// it has come there.
    pub fn carried(self, by: impl FnOnce(Outgoing) -> Box<dyn Carrier>) {
        let Self { from_client, closed, to_client, boarding } = self;
        let sent = boarding.send(by(to_client));
        // Only now, so that the call never finds neither.
        drop((from_client, closed));
        // A call that has let go by now has something for the client all the same.
        if let Err(carrier) = sent {
            see_off(carrier);
        }
    }
}

impl fmt::Debug for CallEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallEnd").finish_non_exhaustive()
    }
}

impl fmt::Debug for CarrierEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarrierEnd").finish_non_exhaustive()
    }
}

/// Has a carrier do what is left to do when the call has let go of it, in a task of its own.
fn see_off(mut carrier: Box<dyn Carrier>) {
    // Without a runtime there is nothing that could be sent.
    let Ok(runtime) = Handle::try_current() else { return };
    carrier.let_go();
    runtime.spawn(async move {
        while let LegEvent::From(_) = std::future::poll_fn(|cx| carrier.poll_next(cx)).await {}
    });
}

impl Outgoing {
    /// How much may wait for the client at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.max_capacity()
    }

    /// The next thing to send; `None` when the call has let go of the leg. Cancel-safe.
    pub async fn next(&mut self) -> Option<ToClient> {
        loop {
            let (epoch, what) = self.queue.recv().await?;
            if !self.is_stale(epoch, &what) {
                return Some(what);
            }
        }
    }

    /// The next thing to send, if there is one now.
    pub fn try_next(&mut self) -> Option<ToClient> {
        loop {
            let (epoch, what) = self.queue.try_recv().ok()?;
            if !self.is_stale(epoch, &what) {
                return Some(what);
            }
        }
    }

    /// Whether it is audio from before the buffer was last cleared.
    fn is_stale(&self, epoch: u32, what: &ToClient) -> bool {
        match what {
            ToClient::Audio(_) => epoch != self.epoch.load(Ordering::Relaxed),
            ToClient::Message(_) | ToClient::Again(_) | ToClient::Close(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn audio(byte: u8) -> ToClient {
        ToClient::Audio(Bytes::from(vec![byte; 2]))
    }

    #[tokio::test]
    async fn cleared_audio_is_not_sent_and_messages_are() {
        let (mut call, mut carrier) = leg(Duration::ZERO);
        call.send(audio(1)).unwrap();
        call.send(ToClient::Close(CloseCode::Normal)).unwrap();
        call.clear();
        call.send(audio(2)).unwrap();
        assert!(matches!(carrier.to_client.next().await, Some(ToClient::Close(CloseCode::Normal))));
        assert!(matches!(carrier.to_client.next().await, Some(ToClient::Audio(bytes)) if bytes[0] == 2));
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_stuck_and_one_that_is_gone_is_not() {
        let (mut call, carrier) = leg(Duration::ZERO);
        for _ in 0..TO_CLIENT {
            call.send(audio(1)).unwrap();
        }
        assert_eq!(call.send(audio(1)), Err(Stuck));
        drop(carrier);
        assert_eq!(call.send(audio(1)), Ok(()));
    }

    /// Sends back what the call sends, until the call closes the leg, and says then that it is over.
    struct Echo {
        before: Option<Outgoing>,
        said: VecDeque<ToClient>,
        over: Option<oneshot::Sender<()>>,
        /// Shows whether it is still there.
        _pass: Arc<()>,
    }

    impl Carrier for Echo {
        fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<LegEvent> {
            while let Some(what) = self.before.as_mut().and_then(Outgoing::try_next) {
                self.said.push_back(what);
            }
            self.before = None;
            match self.said.pop_front() {
                Some(ToClient::Audio(audio)) => Poll::Ready(LegEvent::From(FromClient::Audio(audio))),
                Some(_) => {
                    let _ = self.over.take().map(|over| over.send(()));
                    Poll::Ready(LegEvent::Closed(Departure::HungUp))
                }
                None => Poll::Pending,
            }
        }

        fn send(&mut self, what: ToClient) -> Result<(), Stuck> {
            self.said.push_back(what);
            Ok(())
        }

        fn clear(&mut self) {
            self.said.clear();
        }

        fn let_go(&mut self) {}
    }

    /// Has a leg carried by an echo. Gives what says that it is over.
    fn carried_by_echo(carrier: CarrierEnd) -> oneshot::Receiver<()> {
        carried_by_echo_with(Arc::default(), carrier)
    }

    fn carried_by_echo_with(pass: Arc<()>, carrier: CarrierEnd) -> oneshot::Receiver<()> {
        let (over, is_over) = oneshot::channel();
        carrier.carried(|outgoing| {
            Box::new(Echo { before: Some(outgoing), said: VecDeque::new(), over: Some(over), _pass: pass })
        });
        is_over
    }

    #[tokio::test]
    async fn a_carrier_runs_with_the_call_and_goes_on_when_the_call_lets_go() {
        let (mut call, carrier) = leg(Duration::ZERO);
        // What is sent before the carrier has come is not lost, and comes first.
        call.send(audio(0)).unwrap();
        let mut is_over = carried_by_echo(carrier);
        call.send(audio(1)).unwrap();
        for byte in 0..4 {
            let back = call.next().await;
            assert!(matches!(back, LegEvent::From(FromClient::Audio(bytes)) if bytes[0] == byte));
            call.send(audio(byte + 2)).unwrap();
        }
        call.clear();
        let next = std::future::poll_fn(|cx| Poll::Ready(call.poll_next(cx).is_ready())).await;
        assert!(!next, "what is cleared is not sent any more");
        call.send(ToClient::Close(CloseCode::Normal)).unwrap();
        tokio::task::yield_now().await;
        assert!(is_over.try_recv().is_err(), "there is no other task that carries it");
        drop(call);
        assert_eq!(is_over.await, Ok(()));
    }

    #[tokio::test]
    async fn a_carrier_whose_connection_is_over_is_gone_at_once() {
        let (mut call, carrier) = leg(Duration::ZERO);
        let aboard = Arc::new(());
        let _is_over = carried_by_echo_with(Arc::clone(&aboard), carrier);
        call.send(ToClient::Close(CloseCode::Normal)).unwrap();
        assert!(matches!(call.next().await, LegEvent::Closed(Departure::HungUp)));
        assert_eq!(Arc::strong_count(&aboard), 1);
        assert_eq!(call.send(audio(1)), Ok(()), "a client that is gone takes everything");
    }

    #[tokio::test]
    async fn a_carrier_that_comes_late_still_says_goodbye() {
        let (mut call, carrier) = leg(Duration::ZERO);
        call.send(ToClient::Close(CloseCode::Normal)).unwrap();
        drop(call);
        assert_eq!(carried_by_echo(carrier).await, Ok(()));
        // One that came, and was not asked before the call went.
        let (mut call, carrier) = leg(Duration::ZERO);
        let is_over = carried_by_echo(carrier);
        call.send(ToClient::Close(CloseCode::Normal)).unwrap();
        drop(call);
        assert_eq!(is_over.await, Ok(()));
    }

    #[tokio::test]
    async fn everything_that_was_sent_arrives_before_the_close() {
        let (mut call, carrier) = leg(Duration::ZERO);
        carrier.from_client.send(FromClient::Audio(Bytes::new())).await.unwrap();
        carrier.closed.send(Departure::HungUp).unwrap();
        drop(carrier.from_client);
        assert!(matches!(call.next().await, LegEvent::From(FromClient::Audio(_))));
        assert!(matches!(call.next().await, LegEvent::Closed(Departure::HungUp)));
    }
}
