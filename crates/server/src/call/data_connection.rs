//! The call's data connection: a further participant at the other end of a WebSocket that the call itself dials when it is joined
//! (protocol.md 7.7, A-52).
//!
//! This is the call's end of it. It never waits: what is sent goes through a bounded queue to a task of its own, the [`line`],
//! which dials, carries and dials again; what finds no room is dropped and told. Knows what a data connection is sent and what
//! runs on it; knows nothing of turns.

mod line;
mod plan;
mod queue;
mod signature;
mod sound;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::json::JsonObject;
use antiphon_api::realtime::ServerMessage;
use antiphon_api::rest::calls::ConnectionKind;
use antiphon_audio::SampleRate;
use antiphon_engine::CallTime;
use antiphon_engine::ids::InvocationId;
use antiphon_engine::input::ToolOutcome;
use antiphon_engine::output::{Event, Invocation, Notice, Severity};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::leg::CloseCode;
use super::recording::places::{Entry, Places, TooFarAhead, What};
use super::wire::Wire;
use crate::outbound::Outbound;
use crate::tools::outcome::failed;

pub(super) use line::News;
pub(crate) use plan::{Plan, plan};

use line::{Dialler, Line};
use queue::{Full, Item, Queue, queue};
use sound::Sound;

/// Messages and changes that may wait for the call. The line waits when it is full, which the other end feels as back-pressure.
const NEWS: usize = 32;
/// How often it is looked whether a queue that was full has room again.
const CATCHING_UP: Duration = Duration::from_millis(500);

/// What the model is told when a tool cannot be run there.
const UNAVAILABLE: &str = "The tool failed.";

/// The call's end of its data connection.
pub(super) struct DataConnection {
    /// What its messages mean, and which it is sent.
    pub(super) wire: Wire,
    queue: Queue,
    news: mpsc::Receiver<News>,
    /// Where the sound stands that it is sent, if it is sent any.
    places: Option<Places>,
    /// The instant of the join.
    joined: Instant,
    state: State,
    /// The tools that run there. What waits in the queue for one that is not here any more is not sent.
    running: BTreeMap<InvocationId, Arc<()>>,
    behind: Behind,
}

/// Whether anybody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not yet; what is sent waits.
    Dialling,
    Connected,
    /// Not now, and perhaps never again.
    Gone,
    /// The call is over.
    Closed,
}

/// What was dropped because the queue was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    No,
    /// That it began is to be told.
    Untold(Dropped),
    Told(Dropped),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dropped {
    messages: u64,
    audio: Duration,
}

/// What a call tells its data connection about itself.
pub(super) struct Caller<'a> {
    pub(super) call: CallId,
    /// When the call was joined, on its clock and on the machine's.
    pub(super) joined: (CallTime, Instant),
    pub(super) input_rate: SampleRate,
    pub(super) output_rate: SampleRate,
    pub(super) outbound: &'a Outbound,
    /// Where the line runs.
    pub(super) tasks: &'a TaskTracker,
}

impl DataConnection {
    /// Begins to dial. Must be called within a tokio runtime.
    pub(super) fn dial(plan: &Arc<Plan>, caller: &Caller<'_>) -> Self {
        let (joined, at) = caller.joined;
        let kind = ConnectionKind::DataConnection { audio: plan.audio.is_some() };
        let mut wire = Wire::of(kind, caller.call, plan.messages.clone());
        wire.joined(joined, false);
        let (queue, outgoing) = queue();
        let (sender, news) = mpsc::channel(NEWS);
        let dialler =
            Dialler { call: caller.call, plan: Arc::clone(plan), outbound: caller.outbound.clone() };
        let hello = wire.event(joined, &Event::Started).map(|message| message.to_text().into());
        let sound = plan.audio.map(|audio| Sound::new(audio, caller.input_rate, caller.output_rate, at));
        let line = Line::new(dialler, hello, sound, outgoing, sender);
        caller.tasks.spawn(line.run().in_current_span());
        Self {
            wire,
            queue,
            news,
            places: plan.audio.map(|_| Places::new(joined, caller.input_rate, caller.output_rate)),
            joined: at,
            state: State::Dialling,
            running: BTreeMap::new(),
            behind: Behind::No,
        }
    }

    /// The next news from there; once it is gone for good, nothing for ever. Cancel-safe.
    pub(super) async fn next(&mut self) -> News {
        loop {
            let settles = self.places.as_ref().and_then(|places| places.user.settles_at());
            let settles = settles.map(|at| self.joined + at);
            let settled = async {
                match settles {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let behind = matches!(self.behind, Behind::Told(_)).then_some(CATCHING_UP);
            let caught_up = async {
                match behind {
                    Some(pause) => sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => return news,
                    None if self.state == State::Gone => std::future::pending().await,
                    None => return News::Failed("its line broke, which is a bug of the server".to_owned()),
                },
                () = settled => self.settle(),
                () = caught_up => if self.queue.has_room() {
                    return News::CaughtUp;
                },
            }
        }
    }

    /// Takes note of news, and gives the outcome of every tool that cannot answer any more.
    pub(super) fn changed(&mut self, news: &News) -> Vec<(InvocationId, ToolOutcome)> {
        match news {
            News::Connected => self.state = State::Connected,
            News::Failed(_) | News::Lost(_) | News::Left => self.state = State::Gone,
            News::CaughtUp | News::Message(_) | News::Malformed(_) => {}
        }
        if self.state != State::Gone {
            return Vec::new();
        }
        let outcome = || failed(UNAVAILABLE, "the data connection went while the tool ran there");
        std::mem::take(&mut self.running).into_keys().map(|id| (id, outcome())).collect()
    }

    /// Sends what `words` makes of its dictionary.
    pub(super) fn tell(&mut self, words: impl Fn(&Wire) -> Option<ServerMessage>) {
        if let Some(message) = words(&self.wire) {
            self.send(&message);
        }
    }

    /// Sends a message, whatever its switch.
    pub(super) fn send(&mut self, message: &ServerMessage) {
        self.put(Item::Message(message.to_text().into()));
    }

    /// Has a tool run there.
    ///
    /// # Errors
    /// Its outcome, if it cannot.
    pub(super) fn invoke(
        &mut self,
        invocation: &Invocation,
        parameters: JsonObject,
    ) -> Result<ServerMessage, ToolOutcome> {
        if self.state == State::Gone {
            return Err(failed(UNAVAILABLE, "there is no data connection now; see the call's events"));
        }
        let message = self.wire.invocation(invocation, parameters);
        let waiting = Arc::new(());
        let item = Item::Invocation(message.to_text().into(), Arc::downgrade(&waiting));
        if self.queue.put(item) == Err(Full) {
            return Err(failed(UNAVAILABLE, "the data connection does not take what it is sent"));
        }
        self.running.insert(invocation.id, waiting);
        Ok(message)
    }

    /// Nobody waits for this tool any more: it has answered, or has been given up.
    pub(super) fn forget(&mut self, id: InvocationId) {
        self.running.remove(&id);
    }

    /// Sends what came from the user now, in samples at the call's input rate.
    pub(super) fn hear(&mut self, now: CallTime, samples: &[i16]) {
        let (queue, behind) = (&self.queue, &mut self.behind);
        let Some(places) = &mut self.places else { return };
        let rate = places.user.rate();
        places.hear(now, samples, |entry| put_sound(queue, behind, rate, entry));
    }

    /// Sends what goes to the client now, in the call's output format. It stands where the client plays it.
    pub(super) fn play(&mut self, now: CallTime, audio: &Bytes) {
        let Some(places) = &mut self.places else { return };
        let rate = places.agent.rate();
        match places.play(now, audio) {
            Ok(entry) => put_sound(&self.queue, &mut self.behind, rate, entry),
            Err(TooFarAhead(length)) => self.behind.add(Dropped { messages: 0, audio: length }),
        }
    }

    /// The client drops what it has not played by now.
    pub(super) fn clear(&mut self, now: CallTime) {
        let Some(places) = &mut self.places else { return };
        let rate = places.agent.rate();
        put_sound(&self.queue, &mut self.behind, rate, places.clear(now));
    }

    /// The call's sound ends: what the client has not played by now is not heard.
    pub(super) fn end_sound(&mut self, now: CallTime) {
        self.settle();
        self.clear(now);
        let Some(places) = self.places.take() else { return };
        let end = Entry { now: places.since_join(now), what: What::End };
        put_sound(&self.queue, &mut self.behind, places.agent.rate(), end);
    }

    /// The call is over: what was sent is still sent, and then the connection is closed. Nothing that comes later is sent.
    pub(super) fn close(&mut self, code: CloseCode) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.queue.close(code);
        }
    }

    /// Whatever is worth an event and was not told yet.
    pub(super) fn trouble(&mut self) -> Option<Notice> {
        let kind = "data_connection.behind";
        match self.behind {
            Behind::Untold(dropped) => {
                self.behind = Behind::Told(dropped);
                let text = "the data connection does not take what it is sent; what does not fit is dropped";
                Some(Notice { severity: Severity::Warning, kind, text: text.to_owned() })
            }
            Behind::Told(Dropped { messages, audio })
                if self.queue.has_room() || self.state == State::Closed =>
            {
                self.behind = Behind::No;
                let text = format!(
                    "{messages} messages and {audio:.1?} of audio for the data connection were dropped"
                );
                Some(Notice { severity: Severity::Warning, kind, text })
            }
            Behind::Told(_) | Behind::No => None,
        }
    }

    fn settle(&mut self) {
        let (queue, behind) = (&self.queue, &mut self.behind);
        let Some(places) = &mut self.places else { return };
        let (now, rate) = (places.joined + self.joined.elapsed(), places.user.rate());
        places.settle(now, |entry| put_sound(queue, behind, rate, entry));
    }

    fn put(&mut self, item: Item) {
        if self.state != State::Closed && self.queue.put(item) == Err(Full) {
            self.behind.add(Dropped { messages: 1, audio: Duration::ZERO });
        }
    }
}

fn put_sound(queue: &Queue, behind: &mut Behind, rate: SampleRate, entry: Entry) {
    let samples = entry.samples();
    if queue.put(Item::Sound(entry)) == Err(Full) {
        behind.add(Dropped { messages: 0, audio: rate.duration_of(samples) });
    }
}

impl Behind {
    fn add(&mut self, more: Dropped) {
        let sum = |dropped: Dropped| Dropped {
            messages: dropped.messages + more.messages,
            audio: dropped.audio + more.audio,
        };
        *self = match *self {
            Self::No => Self::Untold(more),
            Self::Untold(dropped) => Self::Untold(sum(dropped)),
            Self::Told(dropped) => Self::Told(sum(dropped)),
        };
    }
}
