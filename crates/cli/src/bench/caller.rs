//! One caller: sends a frame every 20 ms, speaks, listens, interrupts, asks for a tool, and notes how long everything takes.
//!
//! It knows the wire and no server: whatever speaks protocol.md 3 can be measured. Frames leave at absolute times, so that a
//! slow answer does not slow the caller down. It must not know how many callers there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::realtime::{
    AgentState, ClientMessage, ServerMessage, ToolInvocation, ToolResult, UserTextMessage,
};
use antiphon_audio::SampleRate;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::answer::Answer;
use super::figures::Tally;
use super::speech::{FRAME, Speech};

/// What a caller writes to have a tool called.
pub(super) const ASKS_FOR_THE_TOOL: &str = "Please look it up.";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer an interrupting caller listens to.
const FED_UP: Duration = Duration::from_millis(1_200);
/// Bytes read at once. Every call has its own.
const READ_BUFFER: usize = 8 * 1_024;

/// How callers behave.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) rate: SampleRate,
    /// Every so many turns the caller interrupts; 0 never.
    pub(super) interrupt_every: u32,
    /// Every so many turns the caller asks for a tool; 0 never.
    pub(super) tool_every: u32,
    /// Says nothing and expects nothing but frames: what a socket alone costs.
    pub(super) silent: bool,
}

/// What callers share while they run.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) manner: Arc<Manner>,
    pub(super) speech: Arc<Speech>,
    /// Whether what happens now counts.
    pub(super) measuring: Arc<AtomicBool>,
    pub(super) over: watch::Receiver<bool>,
}

/// What the caller does.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Until then.
    Quiet { until: Instant },
    /// A clip, so many frames of which are said.
    Speaking { clip: usize, done: usize },
    /// For an answer, since the end of the question.
    Waiting { since: Instant, written: bool },
    /// To an answer, until the agent has finished, or the caller has heard enough.
    Listening { until: Option<Instant> },
}

/// One call.
pub(super) struct Caller {
    shared: Shared,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    state: State,
    answer: Option<Answer>,
    turns: u32,
    /// When an interruption began that the server has not obeyed yet.
    interrupting: Option<Instant>,
    random: u64,
    tally: Tally,
}

impl Caller {
    /// Joins a call.
    pub(super) async fn join(url: &str, nth: u32, shared: Shared) -> Result<Self, WsError> {
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let (socket, _) = connect_async_tls_with_config(url, Some(config), true, None).await?;
        let mut caller = Self {
            shared,
            socket,
            state: State::Quiet { until: Instant::now() },
            answer: None,
            turns: nth,
            interrupting: None,
            random: u64::from(nth) + 1,
            tally: Tally::default(),
        };
        caller.rest();
        Ok(caller)
    }

    /// Calls until it is over, and says what was found.
    pub(super) async fn call(mut self) -> Tally {
        let mut over = self.shared.over.clone();
        // Callers begin at any time within a frame, as they do in life.
        let mut due = Instant::now() + FRAME.mul_f64(self.chance());
        let tick = tokio::time::sleep_until(due);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                biased;
                () = ended(&mut over) => break,
                () = &mut tick => {
                    let now = Instant::now();
                    if self.counts() {
                        self.tally.own_lateness.push(now - due);
                        self.tally.frames_sent += 1;
                    }
                    if let Err(error) = self.frame(due).await {
                        self.tally.problem(format!("sending failed: {error}"));
                        break;
                    }
                    due += FRAME;
                    tick.as_mut().reset(due);
                }
                message = self.socket.next() => if let Err(why) = self.receive(message).await {
                    self.tally.problem(why);
                    break;
                }
            }
        }
        // The measurement is over, and with it whatever the server has to say to this.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.socket.close(None)).await;
        self.tally
    }

    fn counts(&self) -> bool {
        self.shared.measuring.load(Ordering::Relaxed)
    }

    /// From 0 to 1: the same for the same caller (xorshift64*).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f64 / (1 << 24) as f64
    }

    /// Says nothing for half a second to two and a half.
    fn rest(&mut self) {
        let pause = Duration::from_secs_f64(0.5 + 2.0 * self.chance());
        self.state = State::Quiet { until: Instant::now() + pause };
    }

    /// Sends the frame that is due, and what else there is to do at its time.
    async fn frame(&mut self, due: Instant) -> Result<(), WsError> {
        if self.shared.manner.silent {
            return self.socket.send(Message::Binary(self.shared.speech.silence.clone())).await;
        }
        match self.state {
            State::Quiet { until } if due >= until => self.take_the_turn(due).await?,
            State::Listening { until: Some(until) } if due >= until => {
                self.turns += 1;
                self.interrupting = Some(due);
                self.speak();
            }
            State::Waiting { since, .. } if due >= since + PATIENCE => {
                self.tally.problem(format!("no answer within {} s", PATIENCE.as_secs()));
                self.rest();
            }
            State::Quiet { .. }
            | State::Listening { .. }
            | State::Waiting { .. }
            | State::Speaking { .. } => {}
        }
        let mut frame = self.shared.speech.silence.clone();
        if let State::Speaking { clip, done } = self.state {
            let clip_said = &self.shared.speech.clips[clip];
            frame = clip_said.frames[done].clone();
            self.tally.frames_spoken += u64::from(self.counts());
            self.state = State::Speaking { clip, done: done + 1 };
            if done + 1 == clip_said.frames.len() {
                // The last frame ends with silence, so the speech may have ended within it.
                let began = due - FRAME * done as u32;
                self.state = State::Waiting { since: began + clip_said.length, written: false };
            }
        }
        self.socket.send(Message::Binary(frame)).await
    }

    async fn take_the_turn(&mut self, due: Instant) -> Result<(), WsError> {
        self.turns += 1;
        if !is_nth(self.turns, self.shared.manner.tool_every) {
            self.speak();
            return Ok(());
        }
        let question = ClientMessage::UserText(UserTextMessage::new(ASKS_FOR_THE_TOOL));
        self.socket.send(Message::text(question.to_text())).await?;
        self.state = State::Waiting { since: due.max(Instant::now()), written: true };
        Ok(())
    }

    fn speak(&mut self) {
        let clip = (self.chance() * self.shared.speech.clips.len() as f64) as usize;
        self.state = State::Speaking { clip, done: 0 };
    }

    /// Takes what the server sent; says why the call is over if it is.
    async fn receive(&mut self, message: Option<Result<Message, WsError>>) -> Result<(), String> {
        match message {
            Some(Ok(Message::Binary(bytes))) => self.hear(bytes.len()),
            Some(Ok(Message::Text(text))) => self.read(&text).await?,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                let code = frame.map_or(1005, |frame| frame.code.into());
                return Err(format!("the server closed with {code}"));
            }
            Some(Err(error)) => return Err(format!("the connection broke: {error}")),
            None => return Err("the connection ended".to_owned()),
        }
        Ok(())
    }

    async fn read(&mut self, text: &str) -> Result<(), String> {
        let Ok(message) = ServerMessage::parse(text) else {
            self.tally.problem("a data message that cannot be read");
            return Ok(());
        };
        let message = message.value;
        if let ServerMessage::ClientToolInvocation(invocation) = message {
            return self.run_the_tool(invocation).await;
        }
        if message == ServerMessage::PlaybackClearBuffer {
            self.clear();
        } else if matches!(&message, ServerMessage::State(state) if state.state == AgentState::Listening) {
            self.answer = None;
            self.interrupting = None;
            if let State::Listening { .. } = self.state {
                self.rest();
            }
        }
        Ok(())
    }

    async fn run_the_tool(&mut self, invocation: ToolInvocation) -> Result<(), String> {
        if let State::Waiting { since, written: true } = self.state {
            if self.counts() {
                self.tally.tools.push(since.elapsed());
            }
            self.state = State::Waiting { since: Instant::now(), written: true };
        }
        let result = ToolResult::new(invocation.invocation_id, "It is on the shelf.");
        let answer = ClientMessage::ClientToolResult(result).to_text();
        self.socket.send(Message::text(answer)).await.map_err(|error| error.to_string())
    }

    /// Drops what is not played yet.
    fn clear(&mut self) {
        let answer = self.answer.take();
        if let (Some(began), true) = (self.interrupting.take(), self.counts()) {
            self.tally.cleared.push(began.elapsed());
            if let Some(answer) = answer {
                // What has come may have been played before it could be dropped.
                let silent = answer.plays_until().min(Instant::now());
                self.tally.silenced.push(silent.saturating_duration_since(began));
            }
        }
    }

    /// Takes a frame of the agent's.
    fn hear(&mut self, bytes: usize) {
        let now = Instant::now();
        let counts = self.counts();
        let length = self.shared.manner.rate.duration_of(bytes as u64 / 2);
        self.tally.frames_received += u64::from(counts);
        if self.shared.manner.silent {
            return;
        }
        let Some(answer) = &mut self.answer else {
            self.begin_to_listen(now, length, counts);
            return;
        };
        let (arrival, underran) = answer.frame(now, length);
        if counts {
            if let Some(arrival) = arrival {
                self.tally.lateness.push(arrival.lateness);
                self.tally.jitter.push(arrival.jitter);
            }
            self.tally.underruns += u64::from(underran);
        }
    }

    /// The first frame of an answer.
    fn begin_to_listen(&mut self, now: Instant, length: Duration, counts: bool) {
        self.answer = Some(Answer::begin(now, length));
        match self.state {
            State::Waiting { since, written } => {
                if counts {
                    let replies =
                        if written { &mut self.tally.written_replies } else { &mut self.tally.replies };
                    replies.push(now.saturating_duration_since(since));
                }
                let fed_up = is_nth(self.turns, self.shared.manner.interrupt_every);
                self.state = State::Listening { until: fed_up.then(|| now + FED_UP) };
            }
            State::Quiet { .. } => self.state = State::Listening { until: None },
            State::Speaking { .. } => self.tally.cut_in += u64::from(counts),
            State::Listening { .. } => {}
        }
    }
}

/// Waits until the measurement is over, or whoever measures is gone.
async fn ended(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

fn is_nth(turn: u32, every: u32) -> bool {
    every > 0 && turn.is_multiple_of(every)
}
