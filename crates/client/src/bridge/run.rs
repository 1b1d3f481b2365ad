//! The two tasks of a bridge: one carries what the units say to the agent, on a clock of 20 ms; the other carries what the agent says
//! and tells what happens.
//!
//! Neither waits for the other, so that slow readers of events do not make the user unheard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antiphon_api::realtime::{AgentState, ServerMessage};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::event::{Closed, Event, MediaEnded, MediaStarted, WebSocketError};
use super::port::{Port, SendMedia};
use super::sounding::Sounding;
use crate::realtime::{self, AudioRefused, CloseReason, Received, Sender};

/// What the user's audio is cut into (protocol.md 4.2).
const FRAME: Duration = Duration::from_millis(20);
/// A clock that stood still for longer, as that of a computer that slept, is not made up for.
const LATEST: Duration = Duration::from_secs(1);

/// What both tasks and the handles know of the agent's audio.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) port: Port,
    sounding: Mutex<Sounding>,
    changed: Notify,
}

impl Voice {
    pub(super) fn new(port: Port) -> Self {
        Self { port, sounding: Mutex::default(), changed: Notify::new() }
    }

    /// Drops what was said and not played in the streams with this tag, or in all.
    pub(super) fn clear(&self, tag: Option<&str>) -> Duration {
        let tag = tag.filter(|tag| !tag.is_empty());
        let dropped = self.port.clear(tag);
        if tag.is_none() {
            self.sounding().cleared(Instant::now());
            self.changed.notify_one();
        }
        dropped
    }

    fn sounding(&self) -> MutexGuard<'_, Sounding> {
        self.sounding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries what the units say until the call is over.
pub(super) async fn listen(port: Port, sender: Sender) {
    let mut frame = vec![0; port.takes().samples_in(FRAME) as usize];
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        let due = clock.tick().await;
        if due.elapsed() > LATEST {
            clock.reset();
        }
        port.take(&mut frame);
        match sender.audio(&frame) {
            // What is lost is counted by the sender.
            Ok(()) | Err(AudioRefused::Behind) => {}
            Err(AudioRefused::CallOver) => return,
        }
    }
}

/// The agent's side of a bridge.
pub(super) struct Agent {
    pub(super) incoming: realtime::Events,
    pub(super) voice: Arc<Voice>,
    /// How the agent's audio comes in.
    pub(super) stream: SendMedia,
    /// Whether what is void is cleared at once.
    pub(super) clears: bool,
    pub(super) outbox: mpsc::Sender<Event>,
}

impl Agent {
    /// Tells `first`, and then what happens until the call is over.
    pub(super) async fn run(mut self, first: Vec<Event>) {
        for event in first {
            self.tell(event).await;
        }
        loop {
            let ends = self.voice.sounding().ends();
            let quiet = async {
                match ends {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                received = self.incoming.received() => match received {
                    Some(received) => {
                        if let Some(closed) = self.take(received).await {
                            self.tell(Event::Closed(closed)).await;
                            return;
                        }
                    }
                    None => return,
                },
                () = quiet => self.end_stream().await,
                () = self.voice.changed.notified() => {}
            }
        }
    }

    /// Gives how the call was closed, if this is it.
    async fn take(&mut self, received: Received) -> Option<Closed> {
        let Received { event, text, close_code } = received;
        let text = text.as_deref().unwrap_or_default();
        match event {
            realtime::Event::Audio(samples) => self.play(&samples).await,
            realtime::Event::Message(message) => {
                self.obey(&message);
                self.tell(Event::of_text(text, Some(message))).await;
            }
            realtime::Event::Unreadable { text, .. } => self.tell(Event::of_text(&text, None)).await,
            realtime::Event::Closed(cause) => {
                self.end_stream().await;
                if let CloseReason::Lost { cause } = &cause {
                    self.tell(Event::WebSocketError(WebSocketError { cause: cause.clone() })).await;
                }
                return Some(Closed::new(cause, close_code.unwrap_or(1005)));
            }
        }
        None
    }

    async fn play(&mut self, samples: &[i16]) {
        self.voice.port.give(samples);
        let duration = self.voice.port.gives().duration_of(samples.len() as u64);
        let begins = self.voice.sounding().audio(Instant::now(), duration);
        if begins {
            self.tell(Event::MediaStarted(MediaStarted { stream: self.stream.clone() })).await;
        }
    }

    fn obey(&self, message: &ServerMessage) {
        if self.clears && *message == ServerMessage::PlaybackClearBuffer {
            self.voice.clear(None);
        }
        if let ServerMessage::State(state) = message
            && state.state != AgentState::Speaking
        {
            self.voice.port.utterance_ended();
        }
    }

    async fn end_stream(&self) {
        let ended = self.voice.sounding().end(Instant::now());
        if let Some(duration) = ended {
            let tag = self.stream.tag.clone();
            self.tell(Event::MediaEnded(MediaEnded { tag, duration })).await;
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody may want to know.
        let _ = self.outbox.send(event).await;
    }
}
