//! The WebSocket to a data connection, in a task of its own: dials it, carries what both sides say, and dials again when it is
//! lost (A-52).
//!
//! A reader and a writer at once, so that an end that is slow to take does not keep what it says from being heard. Knows the
//! frames and nothing of what they mean. The only part of a call that knows a socket: everybody else comes through a leg.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use antiphon_api::{CallId, Timestamp};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tracing::debug;

use super::super::leg::CloseCode;
use super::plan::Plan;
use super::queue::{Item, Outgoing};
use super::signature::sign;
use super::sound::Sound;
use crate::outbound::{Bounds, Outbound, OutboundError, WebSocket};
use crate::pulse::{Pulse, SILENCE};

/// The pauses before each of the first tries: with [`TRY`], all of them are over within 5 s (A-52).
const FIRST_TRIES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(300)];
/// How long one try may take.
const TRY: Duration = Duration::from_millis(1_500);
/// The pause before a lost connection is dialled again, and the longest to which it doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A connection that lasted so long was a good one: the pause is short again.
const STEADY: Duration = Duration::from_secs(10);
/// The largest message that is taken from there (A-65).
const LARGEST: usize = 1024 * 1024;
/// Messages, and their bytes, that are kept while nobody is there. Of more, the latest.
const BACKLOG: usize = 256;
const BACKLOG_BYTES: usize = 1024 * 1024;
/// How often the other end is asked whether it is there, how long one message may take to go out, and how long a close may take to
/// be answered: as for clients.
const PING: Duration = Duration::from_secs(20);
const SEND: Duration = Duration::from_secs(20);
const CLOSE: Duration = Duration::from_secs(5);
/// How long our own answer to a close may take. A connection that has said goodbye is of no more use.
const ANSWER: Duration = Duration::from_secs(1);
/// Text frames that are no data messages, after which the other end does not speak the protocol (A-20).
const MALFORMED: u32 = 50;
/// How often the sound goes on while nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// What the call hears from its data connection.
#[derive(Debug)]
pub(in crate::call) enum News {
    /// Somebody is there.
    Connected,
    /// Nobody could be reached, and nobody is tried any more.
    Failed(String),
    /// The connection is lost, and dialled again.
    Lost(String),
    /// The other end has left on purpose.
    Left,
    /// It has taken what it was sent, and there is room again.
    CaughtUp,
    /// A data message.
    Message(Box<ClientMessage>),
    /// A text frame that is no data message, and why.
    Malformed(String),
}

/// Whom to dial, and how.
pub(super) struct Dialler {
    pub(super) call: CallId,
    pub(super) plan: Arc<Plan>,
    pub(super) outbound: Outbound,
}

/// The line to one data connection.
pub(super) struct Line {
    dialler: Dialler,
    /// What is sent first to somebody who is there again.
    hello: Option<Utf8Bytes>,
    /// What was told while nobody was there.
    backlog: VecDeque<Utf8Bytes>,
    sound: Option<Sound>,
    queue: Outgoing,
    news: mpsc::Sender<News>,
}

/// How a connection came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The call is over.
    Over,
    /// The other end closed it, and said that all is well.
    Left,
    Lost(String),
}

/// Why reading came to its end.
enum Unheard {
    Left,
    Lost(String),
    Violation(CloseCode),
}

impl Dialler {
    async fn dial(&self) -> Result<WebSocket, OutboundError> {
        let mut headers = self.plan.headers.clone();
        sign(&mut headers, self.call, &self.plan.secrets, Timestamp::from(jiff::Timestamp::now()));
        let bounds = Bounds { time: TRY, bytes: LARGEST };
        self.outbound.web_socket(&self.plan.url, headers, bounds).await
    }

    /// A pause of about this length. Connections that were lost together do not all come back in one moment.
    async fn pause(&self, length: Duration) {
        let spread = u32::from(self.call.uuid().as_bytes()[15]);
        sleep(length + length * spread / 1_024).await;
    }
}

impl Line {
    pub(super) fn new(
        dialler: Dialler,
        hello: Option<Utf8Bytes>,
        sound: Option<Sound>,
        queue: Outgoing,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self { dialler, hello, backlog: VecDeque::new(), sound, queue, news }
    }

    /// Runs until the call is over, the other end has left, or nobody could be reached. What the call sends before the first
    /// connection waits for it, even if the call is over by then.
    pub(super) async fn run(mut self) {
        let mut socket = match self.dial_first().await {
            Ok(socket) => socket,
            Err(error) => return self.tell(News::Failed(error.to_string())).await,
        };
        let mut pause = SHORTEST_PAUSE;
        // On the first connection the call's own words come first.
        let mut hello = None;
        loop {
            let since = Instant::now();
            self.tell(News::Connected).await;
            match self.carry(socket, hello).await {
                End::Over => return,
                End::Left => return self.tell(News::Left).await,
                End::Lost(why) => self.tell(News::Lost(why)).await,
            }
            if since.elapsed() >= STEADY {
                pause = SHORTEST_PAUSE;
            }
            socket = match self.dial_again(&mut pause).await {
                Some(socket) => socket,
                None => return,
            };
            hello = self.hello.clone();
            // The first connection hears the call from its beginning; a later one from when it is there.
            if let Some(sound) = &mut self.sound {
                sound.tick();
                sound.skip();
            }
        }
    }

    async fn dial_first(&self) -> Result<WebSocket, OutboundError> {
        let mut last = None;
        for pause in FIRST_TRIES {
            sleep(pause).await;
            match self.dialler.dial().await {
                Ok(socket) => return Ok(socket),
                Err(error) if error.is_passing() => {
                    debug!(%error, "the data connection could not be made");
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.expect("there was a try"))
    }

    /// Tries until somebody is there; `None` when the call is over before.
    async fn dial_again(&mut self, pause: &mut Duration) -> Option<WebSocket> {
        loop {
            let length = *pause;
            let attempt = async {
                self.dialler.pause(length).await;
                self.dialler.dial().await
            };
            tokio::pin!(attempt);
            let result = loop {
                tokio::select! {
                    result = &mut attempt => break result,
                    item = self.queue.next() => keep(item, &mut self.backlog, self.sound.as_mut())?,
                }
            };
            // What fails again and again, and be it after a handshake, is tried ever more rarely.
            *pause = (*pause * 2).min(LONGEST_PAUSE);
            match result {
                Ok(socket) => return Some(socket),
                Err(error) => debug!(%error, "the data connection could not be made again"),
            }
        }
    }

    /// Carries one connection until it ends; `hello` is what it begins with.
    async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: WebSocketStream<S>,
        hello: Option<Utf8Bytes>,
    ) -> End {
        let (sink, stream) = socket.split();
        let pulse = Pulse::new();
        let (violated, violation) = oneshot::channel();
        let reading = read(stream, &self.news, &pulse);
        let mut writer = Writer { sink, pulse: &pulse };
        let (backlog, queue, sound) = (&mut self.backlog, &mut self.queue, self.sound.as_mut());
        let writing = async {
            writer.catch_up(hello, backlog).await?;
            writer.write(queue, sound, violation).await
        };
        tokio::pin!(reading, writing);
        tokio::select! {
            unheard = &mut reading => match unheard {
                Unheard::Left => End::Left,
                Unheard::Lost(why) => End::Lost(why),
                Unheard::Violation(code) => {
                    let _ = violated.send(code);
                    let _ = timeout(CLOSE, &mut writing).await;
                    End::Lost(format!("it broke the protocol: {}", code.reason()))
                }
            },
            written = &mut writing => match written {
                // The other end gets a moment to close its side.
                Ok(()) => {
                    let _ = timeout(CLOSE, &mut reading).await;
                    End::Over
                }
                Err(why) => End::Lost(why),
            },
        }
    }

    /// A call that is gone does not want to know.
    async fn tell(&self, news: News) {
        let _ = self.news.send(news).await;
    }
}

/// Keeps what will still be of interest when somebody is there again; `None` at the end of the call.
fn keep(item: Option<Item>, backlog: &mut VecDeque<Utf8Bytes>, sound: Option<&mut Sound>) -> Option<()> {
    match item {
        None | Some(Item::Close(_)) => return None,
        // The call has given it up.
        Some(Item::Invocation(..)) => {}
        Some(Item::Message(text)) => {
            backlog.push_back(text);
            let mut bytes: usize = backlog.iter().map(|text| text.len()).sum();
            while backlog.len() > BACKLOG || bytes > BACKLOG_BYTES {
                bytes -= backlog.pop_front().map_or(bytes, |text| text.len());
            }
        }
        Some(Item::Sound(entry)) => {
            if let Some(sound) = sound {
                sound.take(entry);
                sound.skip();
            }
        }
    }
    Some(())
}

/// Brings what the other end says to the call. Audio from there means nothing (protocol.md 4.6).
async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: SplitStream<WebSocketStream<S>>,
    to_call: &mpsc::Sender<News>,
    pulse: &Pulse,
) -> Unheard {
    let mut malformed = 0;
    loop {
        let message = stream.next().await;
        pulse.beat(Instant::now());
        let news = match message {
            Some(Ok(Message::Text(text))) => match ClientMessage::parse(&text) {
                Ok(message) => News::Message(Box::new(message.value)),
                Err(why) => {
                    malformed += 1;
                    if malformed > MALFORMED {
                        return Unheard::Violation(CloseCode::ProtocolViolation);
                    }
                    News::Malformed(why.to_string())
                }
            },
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                continue;
            }
            Some(Ok(Message::Close(frame))) => {
                // Reading on sends the answer that the other end waits for.
                let _ = timeout(ANSWER, stream.next()).await;
                return match frame {
                    Some(frame) if u16::from(frame.code) == CloseCode::Normal.code() => Unheard::Left,
                    Some(frame) => {
                        Unheard::Lost(format!("it was closed with code {}", u16::from(frame.code)))
                    }
                    None => Unheard::Lost("it was closed without a code".to_owned()),
                };
            }
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                return Unheard::Violation(CloseCode::TooBig);
            }
            Some(Err(error)) => return Unheard::Lost(error.to_string()),
            None => return Unheard::Lost("it broke".to_owned()),
        };
        // A call that is gone closes the connection itself.
        let _ = to_call.send(news).await;
    }
}

/// Sends what the call has for the other end.
struct Writer<'a, S> {
    sink: SplitSink<WebSocketStream<S>, Message>,
    pulse: &'a Pulse,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<'_, S> {
    /// Sends what was kept while nobody was there.
    async fn catch_up(
        &mut self,
        hello: Option<Utf8Bytes>,
        backlog: &mut VecDeque<Utf8Bytes>,
    ) -> Result<(), String> {
        if let Some(hello) = hello {
            self.send(Message::Text(hello)).await?;
        }
        while let Some(text) = backlog.front() {
            self.send(Message::Text(text.clone())).await?;
            backlog.pop_front();
        }
        Ok(())
    }

    /// Sends until the call is over or the other end broke the protocol.
    ///
    /// # Errors
    /// Why the other end is not there any more.
    async fn write(
        &mut self,
        queue: &mut Outgoing,
        mut sound: Option<&mut Sound>,
        mut violation: oneshot::Receiver<CloseCode>,
    ) -> Result<(), String> {
        let mut ping = interval_at(Instant::now() + PING, PING);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                code = &mut violation => return self.close(code.unwrap_or(CloseCode::Internal)).await,
                item = queue.next() => match item {
                    Some(Item::Invocation(text, _) | Item::Message(text)) => self.send(Message::Text(text)).await?,
                    Some(Item::Sound(entry)) => if let Some(sound) = &mut sound {
                        sound.take(entry);
                        self.frames(sound).await?;
                    },
                    end @ (Some(Item::Close(_)) | None) => {
                        if let Some(sound) = &mut sound {
                            sound.end();
                            self.frames(sound).await?;
                        }
                        let code = match end { Some(Item::Close(code)) => code, _ => CloseCode::Internal };
                        return self.close(code).await;
                    }
                },
                _ = tick.tick(), if sound.is_some() => if let Some(sound) = &mut sound {
                    sound.tick();
                    self.frames(sound).await?;
                },
                _ = ping.tick() => {
                    if self.pulse.is_lost() {
                        return Err(format!("nothing was heard of it for {SILENCE:?}"));
                    }
                    self.send(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    async fn frames(&mut self, sound: &mut Sound) -> Result<(), String> {
        while let Some(frame) = sound.frame() {
            self.send(Message::Binary(frame)).await?;
        }
        Ok(())
    }

    async fn close(&mut self, code: CloseCode) -> Result<(), String> {
        let reason = Utf8Bytes::from_static(code.reason());
        self.send(Message::Close(Some(CloseFrame { code: code.code().into(), reason }))).await
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        match timeout(SEND, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it took nothing for {SEND:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use antiphon_api::json::from_request;
    use antiphon_api::rest::calls::StartCallRequest;
    use tokio::io::DuplexStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::super::plan::plan;
    use super::super::queue::{Queue, queue};
    use super::*;
    use crate::config;

    /// What a pipe holds of what nobody reads, like a socket's buffers.
    const PIPE: usize = 64 * 1024;

    /// A line that is dialled already, and both ends of it.
    async fn line() -> (Line, Queue, mpsc::Receiver<News>, [WebSocketStream<DuplexStream>; 2]) {
        let request = br#"{"dataConnection": {"websocketUrl": "wss://example.com"}}"#;
        let request: StartCallRequest = from_request(request).unwrap().value;
        let dialler = Dialler {
            call: CallId::new(uuid::Uuid::nil()),
            plan: Arc::new(plan(&request, &[]).unwrap().unwrap()),
            outbound: Outbound::new(&config::Outbound::default()),
        };
        let (queue, outgoing) = queue();
        let (sender, news) = mpsc::channel(8);
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        (Line::new(dialler, None, None, outgoing, sender), queue, news, [ours, theirs])
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_does_not_answer_is_lost_after_a_minute() {
        let (mut line, _queue, _news, [ours, _theirs]) = line().await;
        let began = Instant::now();
        assert_eq!(line.carry(ours, None).await, End::Lost("nothing was heard of it for 60s".to_owned()));
        assert_eq!(began.elapsed(), SILENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_answers_stays_as_long_as_the_call() {
        let (mut line, queue, _news, [ours, mut theirs]) = line().await;
        let began = Instant::now();
        let peer = async move {
            let mut pings = 0;
            while let Some(Ok(message)) = theirs.next().await {
                pings += u32::from(message.is_ping());
                if pings == 15 {
                    queue.close(CloseCode::Normal);
                }
            }
            pings
        };
        let (end, pings) = tokio::join!(line.carry(ours, None), peer);
        assert_eq!((end, pings, began.elapsed()), (End::Over, 15, PING * 15));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_takes_nothing_is_lost_and_what_waits_is_kept_for_the_next() {
        let (mut line, queue, _news, [ours, _theirs]) = line().await;
        queue.put(Item::Message("x".repeat(2 * PIPE).into())).unwrap();
        queue.put(Item::Message("the next".into())).unwrap();
        assert_eq!(line.carry(ours, None).await, End::Lost("it took nothing for 20s".to_owned()));
        assert!(matches!(line.queue.next().await, Some(Item::Message(text)) if text == "the next"));
    }

    #[test]
    fn while_nobody_is_there_the_latest_messages_are_kept() {
        let mut backlog = VecDeque::new();
        for at in 0..BACKLOG + 10 {
            keep(Some(Item::Message(at.to_string().into())), &mut backlog, None).unwrap();
        }
        assert_eq!((backlog.len(), backlog[0].as_str()), (BACKLOG, "10"));
        keep(Some(Item::Message("x".repeat(BACKLOG_BYTES).into())), &mut backlog, None).unwrap();
        assert_eq!(backlog.len(), 1);
        assert_eq!(keep(Some(Item::Close(CloseCode::Normal)), &mut backlog, None), None);
    }
}
