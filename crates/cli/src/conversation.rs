//! One conversation, from the client's side of it: a clock of 20 ms frames on which the user speaks, the agent is heard and both
//! are recorded; what the server says is shown and obeyed, and its tools are run.
//!
//! Who the user is, what plays the audio and where the tools come from is said by the commands. Knows no server.

mod recording;
mod timing;
mod tools;

use std::time::Duration;

use antiphon_api::realtime::{
    AgentState, ClientMessage, ServerMessage, Speaker as Side, ToolErrorType, ToolResult, UserTextMessage,
};
use antiphon_audio::SampleRate;
use antiphon_client::playback::Playback;
use antiphon_client::realtime::{AudioRefused, CloseReason, Event, Events, Sender};
use antiphon_client::tools::Tools;
use antiphon_client::transcript::Transcripts;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::screen::Screen;
use crate::stop::Stop;

pub(crate) use recording::{Layout, Recording};
pub(crate) use timing::Timing;
pub(crate) use tools::program;

/// What the audio is cut into (protocol.md 4.2).
pub(crate) const FRAME: Duration = Duration::from_millis(20);
/// Audio of an utterance that is gathered before it sounds, so that small delays go unheard.
const LEAD: Duration = Duration::from_millis(40);
/// Tool invocations under way at a time; a server that wants more is refused.
const MOST_TOOLS: usize = 16;
/// How long to wait for the rest of a call that ended while its last words were still to be played.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// The user's side.
pub(crate) trait User {
    /// Fills one frame with what the user says now, and tells what else the user does.
    fn act(&mut self, frame: &mut [i16], scene: &Scene<'_>) -> Deed;

    /// Whether the user has a voice at all; no audio is sent otherwise.
    fn speaks(&self) -> bool {
        true
    }
}

/// What the user does beside speaking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    HangUp,
    Nothing,
    Write(String),
}

/// What the user perceives.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    /// Since the call was joined.
    pub(crate) at: Duration,
    /// How long the agent has been neither thinking nor to be heard nor in the middle of a sentence.
    pub(crate) quiet_for: Duration,
    /// How long the agent has been speaking aloud.
    pub(crate) speaking_for: Duration,
    /// All that was said.
    pub(crate) transcripts: &'a Transcripts,
}

impl Scene<'_> {
    /// How many utterances the agent has finished.
    pub(crate) fn answers(&self) -> usize {
        self.transcripts.utterances().filter(|said| said.role == Side::Agent && said.is_final).count()
    }
}

/// What makes the agent audible.
pub(crate) trait Loudspeaker {
    /// Plays a frame; never waits.
    fn play(&mut self, frame: &[i16]);
}

/// A conversation that is about to begin.
pub(crate) struct Conversation {
    pub(crate) sender: Sender,
    pub(crate) events: Events,
    pub(crate) rate: SampleRate,
    pub(crate) user: Box<dyn User>,
    pub(crate) loudspeaker: Option<Box<dyn Loudspeaker>>,
    pub(crate) recording: Option<Recording>,
    pub(crate) tools: Tools,
    pub(crate) screen: Screen,
    pub(crate) stop: Stop,
}

/// How a conversation went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reason: CloseReason,
    pub(crate) transcripts: Transcripts,
    pub(crate) timing: Timing,
    /// Ordinals of agent utterances that were cut off, by their playback being cleared.
    pub(crate) interrupted: Vec<u32>,
    /// Names of the tools that were run.
    pub(crate) tools_run: Vec<String>,
}

impl Conversation {
    /// Holds the conversation until either side ends it.
    pub(crate) async fn hold(self) -> anyhow::Result<Outcome> {
        let rate = self.rate;
        let mut talk = Talk {
            playback: Playback::new(rate, LEAD),
            transcripts: Transcripts::default(),
            timing: Timing::new(rate),
            state: AgentState::Idle,
            ticks: 0,
            quiet_since: 0,
            speaking_since: None,
            leaving: false,
            running: JoinSet::new(),
            outcome_tools: Vec::new(),
            interrupted: Vec::new(),
            parts: self,
        };
        let reason = talk.run().await?;
        talk.parts.screen.closed(&reason)?;
        talk.play_out().await?;
        let Talk { transcripts, mut timing, playback, interrupted, outcome_tools, parts, .. } = talk;
        timing.underruns = playback.underruns();
        if let Some(recording) = parts.recording {
            recording.finish()?;
        }
        Ok(Outcome { reason, transcripts, timing, interrupted, tools_run: outcome_tools })
    }
}

/// A conversation under way.
struct Talk {
    parts: Conversation,
    playback: Playback,
    transcripts: Transcripts,
    timing: Timing,
    state: AgentState,
    /// Frames since the join: the clock of the conversation.
    ticks: u32,
    /// The tick since which nothing is to be expected from the agent.
    quiet_since: u32,
    /// The tick since which the agent sounds.
    speaking_since: Option<u32>,
    leaving: bool,
    running: JoinSet<(String, ToolResult)>,
    outcome_tools: Vec<String>,
    interrupted: Vec<u32>,
}

impl Talk {
    async fn run(&mut self) -> anyhow::Result<CloseReason> {
        let mut clock = clock();
        loop {
            tokio::select! {
                biased;
                () = self.parts.stop.wanted(), if !self.leaving => self.leave().await?,
                _ = clock.tick() => self.tick().await?,
                Some(done) = self.running.join_next() => {
                    if let Ok((name, result)) = done {
                        self.parts.screen.tool_result(&name, &result)?;
                        self.outcome_tools.push(name);
                        self.send(ClientMessage::ClientToolResult(result)).await?;
                    }
                }
                event = self.parts.events.next() => match event {
                    Some(Event::Audio(samples)) => self.playback.push(&samples),
                    Some(Event::Message(message)) => self.obey(message).await?,
                    Some(Event::Unreadable { text, problem }) => {
                        self.parts.screen.unreadable(self.at(), &text, &problem)?;
                    }
                    Some(Event::Closed(reason)) => return Ok(reason),
                    None => return Ok(CloseReason::Lost { cause: "it ended".to_owned() }),
                },
            }
        }
    }

    /// One frame: the user speaks, the agent is heard, both are recorded.
    async fn tick(&mut self) -> anyhow::Result<()> {
        let samples = self.parts.rate.samples_in(FRAME) as usize;
        let mut said = vec![0; samples];
        let mut heard = vec![0; samples];
        let at = self.at();

        let deed = match self.leaving {
            true => Deed::Nothing,
            false => {
                let since = |tick: u32| FRAME * (self.ticks - tick);
                let scene = Scene {
                    at,
                    quiet_for: since(self.quiet_since),
                    speaking_for: self.speaking_since.map_or(Duration::ZERO, since),
                    transcripts: &self.transcripts,
                };
                self.parts.user.act(&mut said, &scene)
            }
        };
        if self.parts.user.speaks() && !self.leaving {
            match self.parts.sender.audio(&said) {
                // That the call is over is told by the events, with the reason.
                Ok(()) | Err(AudioRefused::CallOver) => {}
                Err(AudioRefused::Behind) => self.timing.lost_frames += 1,
            }
        }
        let sounding = self.playback.play(&mut heard) > 0;
        if sounding {
            self.speaking_since.get_or_insert(self.ticks);
        } else {
            self.speaking_since = None;
        }
        self.timing.frame(at, &said, &heard[..if sounding { samples } else { 0 }]);
        if let Some(recording) = &mut self.parts.recording {
            recording.write(&said, &heard)?;
        }
        if let Some(loudspeaker) = &mut self.parts.loudspeaker {
            loudspeaker.play(&heard);
        }
        self.ticks += 1;
        if self.is_busy() {
            self.quiet_since = self.ticks;
        }
        match deed {
            Deed::HangUp => self.leave().await,
            Deed::Nothing => Ok(()),
            Deed::Write(text) => {
                // What is written counts as answered only once the agent had the time to begin.
                self.quiet_since = self.ticks;
                self.send(ClientMessage::UserText(UserTextMessage::new(text))).await
            }
        }
    }

    fn at(&self) -> Duration {
        FRAME * self.ticks
    }

    fn is_busy(&self) -> bool {
        let is_at_work = match self.state {
            AgentState::Speaking | AgentState::Thinking => true,
            AgentState::Idle | AgentState::Listening | AgentState::Other(_) => false,
        };
        is_at_work || self.playback.unplayed() > 0 || !self.running.is_empty() || self.agent_is_mid_sentence()
    }

    fn agent_is_mid_sentence(&self) -> bool {
        self.open_utterance().is_some()
    }

    fn open_utterance(&self) -> Option<u32> {
        let mut said = self.transcripts.utterances().rev();
        said.find(|said| said.role == Side::Agent).filter(|said| !said.is_final).map(|said| said.ordinal)
    }

    async fn leave(&mut self) -> anyhow::Result<()> {
        self.leaving = true;
        self.parts.sender.close().await;
        Ok(())
    }

    async fn send(&mut self, message: ClientMessage) -> anyhow::Result<()> {
        self.parts.screen.sent(self.at(), &message)?;
        // That the call is over is told by the events, with the reason.
        let _ = self.parts.sender.message(message).await;
        Ok(())
    }

    async fn obey(&mut self, message: ServerMessage) -> anyhow::Result<()> {
        self.parts.screen.received(self.at(), &message)?;
        match message {
            ServerMessage::ClientToolInvocation(invocation) => {
                self.parts.screen.tool_wanted(&invocation)?;
                if self.running.len() < MOST_TOOLS {
                    let name = invocation.tool_name.clone();
                    let running = self.parts.tools.run(invocation);
                    self.running.spawn(async move { (name, running.await) });
                } else {
                    let complaint = "this client runs too many tools already; try again";
                    let kind = ToolErrorType::ImplementationError;
                    let refusal = ToolResult::failed(invocation.invocation_id, kind, complaint);
                    self.send(ClientMessage::ClientToolResult(refusal)).await?;
                }
            }
            ServerMessage::PlaybackClearBuffer => {
                if self.playback.clear() > 0 {
                    self.timing.cleared(self.at());
                }
                if let Some(ordinal) = self.open_utterance()
                    && !self.interrupted.contains(&ordinal)
                {
                    self.interrupted.push(ordinal);
                }
            }
            ServerMessage::State(state) => {
                if state.state != AgentState::Speaking {
                    self.playback.finish();
                }
                self.state = state.state;
                self.parts.screen.state(&self.state)?;
            }
            ServerMessage::Transcript(piece) => {
                if let Some(said) = self.transcripts.merge(&piece) {
                    let interrupted = self.interrupted.contains(&said.ordinal);
                    self.parts.screen.utterance(said, interrupted)?;
                }
            }
            ServerMessage::Debug(debug) => self.parts.screen.note(&debug.message)?,
            ServerMessage::Rejoined(rejoined) => {
                let lost = match (rejoined.lost_messages, rejoined.lost_audio_ms) {
                    (0, 0) => String::new(),
                    (messages, audio) => format!("; {messages} messages and {audio} ms of audio were lost"),
                };
                self.parts.screen.note(&format!("the connection was lost and is back{lost}"))?;
            }
            ServerMessage::Error(error) => {
                self.parts.screen.note(&format!("server error: {}", error.error))?
            }
            ServerMessage::CallEvent(_)
            | ServerMessage::CallStarted(_)
            | ServerMessage::DataConnectionToolInvocation(_)
            | ServerMessage::InvokingTool(_)
            | ServerMessage::Pong(_)
            | ServerMessage::RoomInfo(_)
            | ServerMessage::SideGenerationCompleted(_)
            | ServerMessage::SideGenerationDelta(_)
            | ServerMessage::ThreadRejected(_)
            | ServerMessage::ThreadSpawned(_)
            | ServerMessage::ThreadTerminated(_)
            | ServerMessage::ToolUsed(_)
            | ServerMessage::Unknown(_)
            | ServerMessage::UserStartedSpeaking(_)
            | ServerMessage::UserStoppedSpeaking(_) => {}
        }
        Ok(())
    }

    /// Lets what the agent said last be heard to its end, unless this side hung up.
    async fn play_out(&mut self) -> anyhow::Result<()> {
        let wanted = self.parts.loudspeaker.is_some() || self.parts.recording.is_some();
        if self.leaving || !wanted {
            return Ok(());
        }
        self.playback.finish();
        self.leaving = true;
        let mut clock = clock();
        for _ in 0..LAST_WORDS.as_millis() / FRAME.as_millis() {
            if self.playback.unplayed() == 0 {
                break;
            }
            if self.parts.loudspeaker.is_some() {
                clock.tick().await;
            }
            self.tick().await?;
        }
        Ok(())
    }
}

/// Ticks at absolute deadlines: a tick that comes late does not delay the next.
fn clock() -> Interval {
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    clock
}
