//! Calls, the messages in them and what happened to them.

use antiphon_api::rest::calls::{Message, RetentionPolicy, StartCallRequest};
use antiphon_api::{AgentId, AgentRevisionId, CallId, CallStageId, ThrottleId, Timestamp};
use antiphon_engine::output::EndReason;
use futures::FutureExt as _;
use serde_json::Value;

use super::{AccountId, Pending, ScheduledPlace, Slice, Summary, Window};

/// A call as it is kept. What clients see of it is derived from this.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCall {
    /// Its id, which is also what joins it.
    pub id: CallId,
    /// Whose it is.
    pub account: AccountId,
    /// When it was created.
    pub created: Timestamp,
    /// When its first participant connected.
    pub joined: Option<Timestamp>,
    /// When it ended and why.
    pub ended: Option<(Timestamp, EndReason)>,
    /// The `clientVersion` of the participant's join URL.
    pub client_version: Option<String>,
    /// Whether the agent is made to greet when nothing else makes it speak first (protocol.md 1.2, `enableGreetingPrompt`).
    pub greeting_prompt: bool,
    /// The agent that it was created with, if it was.
    pub agent: Option<CallAgent>,
    /// What it was about, once somebody has summed it up.
    pub summary: Option<Summary>,
    /// The effective creation request: defaults filled in, prior call merged. It holds secrets.
    pub request: StartCallRequest,
}

impl StoredCall {
    /// Whether it asked to be deleted once it is billed and everybody has been told (protocol.md 2.1, `retentionPolicy`).
    #[must_use]
    pub fn is_deleted_after_billing(&self) -> bool {
        match self.request.retention_policy {
            Some(RetentionPolicy::AutoDelete) => true,
            Some(RetentionPolicy::Retain) | None => false,
        }
    }
}

/// The agent of a call as it was when the call was created, whatever became of it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAgent {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Its published revision.
    pub revision: AgentRevisionId,
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMessage {
    /// The stage it belongs to.
    pub stage: CallStageId,
    /// The number of that stage.
    pub stage_number: u32,
    /// Its index in the history that the stage goes on with.
    pub index: u32,
    /// Whether the stage began with it, so that it was not said in the call.
    pub initial: bool,
    /// The message.
    pub message: Message,
}

impl StoredMessage {
    /// The name of the tool whose failure this message tells.
    #[must_use]
    pub fn failed_tool(&self) -> Option<&str> {
        self.message.error_details.as_ref()?;
        self.message.tool_name.as_deref()
    }
}

/// A stage of a call as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStage {
    /// Its id.
    pub id: CallStageId,
    /// Its number; the first is 0, and is not kept, since the call's own request says it.
    pub number: u32,
    /// When it began.
    pub created: Timestamp,
    /// The number of the stage in which the history begins that it goes on with.
    pub history_from: u32,
    /// What it runs with, in the shape of a creation request, without the history. It holds secrets.
    pub request: StartCallRequest,
}

impl StoredStage {
    /// The messages of its history: those that it began with, and all since.
    #[must_use]
    pub fn messages(&self) -> MessageChoice {
        MessageChoice::Stages { from: self.history_from, to: self.number }
    }
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For whoever looks closely.
    Debug,
    /// Worth knowing.
    Info,
    /// The call went on, not quite as intended.
    Warning,
    /// Something in the call failed.
    Error,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that happened in a call (protocol.md 2.4, `CallEvent`).
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The stage it happened in, if one had begun.
    pub stage: Option<CallStageId>,
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// Its dotted lower-case name, at most 50 characters (protocol.md A-57).
    pub kind: String,
    /// What happened, for people.
    pub text: String,
    /// What happened, for programs: an object.
    pub extras: Option<Value>,
}

/// A call's place in a list ordered by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its id, which orders calls of one microsecond.
    pub id: CallId,
}

/// Which messages of a call are wanted (protocol.md 2.4, `mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageChoice {
    /// Of all stages, without those that a stage began with.
    InCall,
    /// Of these stages, with those that they began with.
    Stages {
        /// The number of the first of them.
        from: u32,
        /// The number of the last of them.
        to: u32,
    },
}

/// A message's place in its call, over all stages, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessagePlace(pub i64);

/// What became of a wish to delete a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, and a tombstone says so.
    Deleted,
    /// It has not ended, so it stays.
    Live,
    /// The account has no such call.
    Unknown,
}

/// What a new call has to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The throttle that has to let it pass, and then counts it.
    pub throttle: Option<ThrottleId>,
    /// The call of a batch that it is: its turn has to be possible and must not have come, and then has.
    pub scheduled: Option<ScheduledPlace>,
    /// How many calls its account may have that have not ended, on all nodes: it is one of them. As many as it likes, if none.
    pub most_at_a_time: Option<u32>,
}

/// What became of a new call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The account has as many calls as it may have at a time.
    Crowded,
    /// It is kept.
    Kept,
    /// The throttle has no room for it.
    Throttled {
        /// When it has room again, if nothing else is created meanwhile.
        until: Timestamp,
    },
    /// There is no such throttle.
    NoThrottle,
    /// Its batch is closed or gone, or its turn has come already.
    Unscheduled,
}

impl Admission {
    /// There is no room until so many microseconds after the beginning of 1970.
    pub(super) fn throttled(until_us: i64) -> Self {
        let last = || Timestamp::from(jiff::Timestamp::MAX);
        Self::Throttled { until: Timestamp::from_unix_micros(until_us).unwrap_or_else(|_| last()) }
    }
}

/// Whether the same was to be written before. A database that dies while it commits leaves open what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Nobody has tried it.
    First,
    /// It was tried, and may have been written: what is there is not written once more.
    Again,
}

/// What is to be added to the record of a call. A call has one of these at most among those that are added together.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// Whose record it is.
    pub call: CallId,
    /// What was said.
    pub messages: &'a [StoredMessage],
    /// What happened.
    pub events: &'a [StoredEvent],
    /// Whether it was to be added before.
    pub attempt: Attempt,
}

/// Where calls are kept.
pub trait CallStore: Send + Sync {
    /// Keeps a new call.
    fn insert<'a>(&'a self, call: &'a StoredCall) -> Pending<'a, ()>;
    /// Keeps a new call if it meets the terms, in one go: what is counted and what is kept are the same.
    fn insert_on<'a>(&'a self, call: &'a StoredCall, terms: &'a Terms) -> Pending<'a, Admission>;
    /// The call with this id, whosever it is.
    fn find(&self, id: CallId) -> Pending<'_, Option<StoredCall>>;
    /// All calls that have not ended, oldest first: what a server finds when it starts after a crash.
    fn unfinished(&self) -> Pending<'_, Vec<StoredCall>>;
    /// Records the join. False if the call was joined or ended before, or is unknown.
    fn mark_joined<'a>(
        &'a self,
        id: CallId,
        at: Timestamp,
        client_version: Option<&'a str>,
    ) -> Pending<'a, bool>;
    /// Records the end. False if the call ended before, or is unknown.
    fn mark_ended(&self, id: CallId, at: Timestamp, reason: EndReason) -> Pending<'_, bool>;
    /// Deletes an ended call of the account with all that belongs to it, and leaves a tombstone.
    fn delete(&self, account: AccountId, id: CallId, at: Timestamp) -> Pending<'_, Deletion>;

    /// Adds to the records of calls, behind what each has: all of it or, on an error, nothing, unless it is unclear what became of it.
    fn append<'a>(&'a self, additions: &'a [Addition<'a>]) -> Pending<'a, ()>;
    /// The same for one call.
    fn append_one<'a>(&'a self, addition: Addition<'a>) -> Pending<'a, ()> {
        async move { self.append(&[addition]).await }.boxed()
    }
    /// Adds messages to the record of one call.
    fn append_messages<'a>(
        &'a self,
        call: CallId,
        messages: &'a [StoredMessage],
        attempt: Attempt,
    ) -> Pending<'a, ()> {
        self.append_one(Addition { call, messages, events: &[], attempt })
    }
    /// Adds events to the record of one call.
    fn append_events<'a>(
        &'a self,
        call: CallId,
        events: &'a [StoredEvent],
        attempt: Attempt,
    ) -> Pending<'a, ()> {
        self.append_one(Addition { call, messages: &[], events, attempt })
    }
    /// Part of a call's messages, each with its place.
    fn messages(
        &self,
        call: CallId,
        choice: MessageChoice,
        window: Window<MessagePlace>,
    ) -> Pending<'_, Slice<(MessagePlace, StoredMessage)>>;
    /// The message at an index of a history, which these messages are.
    fn message(&self, call: CallId, choice: MessageChoice, index: u32) -> Pending<'_, Option<StoredMessage>>;
    /// How many messages that choice has.
    fn count_messages(&self, call: CallId, choice: MessageChoice) -> Pending<'_, u64>;

    /// Keeps a stage that began, behind those that the call has.
    fn insert_stage<'a>(&'a self, call: CallId, stage: &'a StoredStage) -> Pending<'a, ()>;
    /// A call's stages behind its first, in order.
    fn stages(&self, call: CallId) -> Pending<'_, Vec<StoredStage>>;

    /// A call's events of at least this severity, in order, at most `limit`.
    fn events(&self, call: CallId, minimum: Severity, limit: u32) -> Pending<'_, Vec<StoredEvent>>;
}
