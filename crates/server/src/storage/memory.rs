//! The stores in memory: for tests in virtual time and for servers that shall leave nothing behind.
//!
//! Owns everything in one place behind one lock that is held for single operations, so that each is atomic and done at once.
//! Several nodes may share it, each by a line of its own that can be cut. Passes the same contract suite as the databases.

mod accounts;
mod agents;
mod batches;
mod catalog;
mod cluster;
mod corpora;
mod deliveries;
mod endings;
mod passages;
mod telephony;
mod throttles;
mod tools;
mod voices;
mod webhooks;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antiphon_api::rest::sip::SipSettings;
use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_api::{AgentId, BatchId, CallId, Secret, Timestamp, WebhookId};
use antiphon_engine::output::EndReason;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::watch;

use super::{
    AccountId, Addition, Admission, Attempt, CallStore, Database, Deletion, Direction, EventNumber,
    MessageChoice, MessagePlace, NodeId, Pending, Provider, ProviderSettings, ScheduledPlace, Severity,
    Slice, StorageError, StoredAccount, StoredAgent, StoredCall, StoredEvent, StoredKey, StoredMessage,
    StoredRegistration, StoredStage, StoredThrottle, StoredTool, StoredVoice, StoredWebhook, Terms,
    Tombstone, ToolUse, Window,
};
use deliveries::{KeptEnding, Outbox};

/// One node's way to what is kept.
#[derive(Default)]
pub(super) struct Memory {
    kept: Arc<Everything>,
    node: Mutex<Option<NodeId>>,
    line: Line,
    /// Tells that there may be letters.
    mail: watch::Sender<()>,
    closed: AtomicBool,
}

/// What all nodes share.
#[derive(Default)]
struct Everything {
    contents: Mutex<Contents>,
    /// Tells that there may be something to deliver.
    outbox: watch::Sender<()>,
    /// Tells that there may be scheduled calls to create.
    schedule: watch::Sender<()>,
}

/// A memory that several nodes share: a cluster in one process, for tests in virtual time.
#[derive(Clone, Default)]
pub struct SharedMemory(Arc<Everything>);

/// A node's line to a memory that it shares. All operations of the node fail while it is cut.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<AtomicBool>);

impl SharedMemory {
    /// Another node's store, and its line.
    pub(super) fn node(&self) -> (Memory, Line) {
        let line = Line::default();
        (Memory { kept: Arc::clone(&self.0), line: line.clone(), ..Memory::default() }, line)
    }
}

impl Line {
    /// Lets nothing through any more.
    pub fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Contents {
    accounts: Vec<StoredAccount>,
    /// Keys for other people's services.
    provider_keys: HashMap<AccountId, BTreeMap<String, Secret>>,
    keys: HashMap<String, StoredKey>,
    calls: HashMap<CallId, Kept>,
    agents: HashMap<AgentId, StoredAgent>,
    /// What is left of deleted calls, and whose agents' they were.
    tombstones: Vec<(Tombstone, Option<AgentId>)>,
    /// By age.
    tools: Vec<StoredTool>,
    corpora: corpora::Corpora,
    batches: BTreeMap<BatchId, batches::KeptBatch>,
    /// Each with the calls that it has counted.
    throttles: Vec<(StoredThrottle, Vec<Timestamp>)>,
    /// Each with its version, and so are the two below.
    sip_settings: HashMap<AccountId, (SipSettings, u64)>,
    sip_registrations: Vec<(StoredRegistration, u64)>,
    provider_settings: HashMap<(AccountId, Provider), (ProviderSettings, u64)>,
    /// By age.
    voices: Vec<StoredVoice>,
    webhooks: BTreeMap<WebhookId, StoredWebhook>,
    outbox: Outbox,
    cluster: cluster::Cluster,
}

/// A call with all that belongs to it.
struct Kept {
    call: StoredCall,
    messages: Vec<StoredMessage>,
    stages: Vec<StoredStage>,
    events: Vec<StoredEvent>,
    /// The lasting tools that it has, and how often each failed.
    uses: Vec<(ToolUse, u32)>,
    /// The batch that it comes from.
    scheduled: Option<ScheduledPlace>,
    /// Whose it is, where there are nodes.
    node: Option<NodeId>,
}

impl Memory {
    /// Does something at once, unless the stores are closed.
    fn at_once<'a, T: Send + 'a>(
        &self,
        operation: impl FnOnce(&mut Contents) -> Result<T, StorageError>,
    ) -> Pending<'a, T> {
        let result = match (self.closed.load(Ordering::Relaxed), self.line.0.load(Ordering::Relaxed)) {
            (true, _) => Err(StorageError::Database(sqlx::Error::PoolClosed)),
            (false, true) => Err(StorageError::Database(sqlx::Error::PoolTimedOut)),
            (false, false) => operation(&mut self.contents()),
        };
        ready(result).boxed()
    }

    /// The same for what may leave something to deliver.
    fn changing<'a, T: Send + 'a>(
        &self,
        operation: impl FnOnce(&mut Contents) -> Result<T, StorageError>,
    ) -> Pending<'a, T> {
        let done = self.at_once(operation);
        self.kept.outbox.send_replace(());
        done
    }

    /// No operation leaves anything half done, whatever panicked meanwhile.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.kept.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self) -> Option<NodeId> {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database for Memory {
    fn check(&self) -> Pending<'_, ()> {
        self.at_once(|_| Ok(()))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.closed.store(true, Ordering::Relaxed);
        ready(()).boxed()
    }
}

impl CallStore for Memory {
    fn insert<'a>(&'a self, call: &'a StoredCall) -> Pending<'a, ()> {
        self.changing(|contents| contents.insert(call, self.node()))
    }

    fn insert_on<'a>(&'a self, call: &'a StoredCall, terms: &'a Terms) -> Pending<'a, Admission> {
        self.changing(|contents| {
            if terms.most_at_a_time.is_some_and(|most| contents.unended(call.account) >= most as usize) {
                return Ok(Admission::Crowded);
            }
            // What is refused may leave nothing behind, so that counting comes last.
            if let Some(place) = terms.scheduled
                && let Err(refused) = contents.is_its_turn(place, call.created)
            {
                return Ok(refused);
            }
            if let Some(throttle) = terms.throttle
                && let Err(refused) = contents.count(throttle, call.created)
            {
                return Ok(refused);
            }
            contents.insert(call, self.node())?;
            if let Some(place) = terms.scheduled {
                contents.mark_created(place, call.id);
                contents.kept_mut(call.id)?.scheduled = Some(place);
            }
            Ok(Admission::Kept)
        })
    }

    fn find(&self, id: CallId) -> Pending<'_, Option<StoredCall>> {
        self.at_once(|contents| Ok(contents.calls.get(&id).map(|kept| kept.call.clone())))
    }

    fn unfinished(&self) -> Pending<'_, Vec<StoredCall>> {
        self.at_once(|contents| {
            let unfinished = contents.calls.values().filter(|kept| kept.call.ended.is_none());
            let by_age: BTreeMap<_, _> =
                unfinished.map(|kept| ((kept.call.created, kept.call.id), kept.call.clone())).collect();
            Ok(by_age.into_values().collect())
        })
    }

    fn mark_joined<'a>(
        &'a self,
        id: CallId,
        at: Timestamp,
        client_version: Option<&'a str>,
    ) -> Pending<'a, bool> {
        self.changing(|contents| {
            let Some(kept) = contents.calls.get_mut(&id) else { return Ok(false) };
            if kept.call.joined.is_some() || kept.call.ended.is_some() || kept.node != self.node() {
                return Ok(false);
            }
            kept.call.joined = Some(at);
            kept.call.client_version = client_version.map(str::to_owned);
            contents.tell(id, WebhookEvent::Joined, at);
            Ok(true)
        })
    }

    fn mark_ended(&self, id: CallId, at: Timestamp, reason: EndReason) -> Pending<'_, bool> {
        self.changing(|contents| {
            let own = contents.calls.get_mut(&id).filter(|kept| kept.node == self.node());
            let live = own.filter(|kept| kept.call.ended.is_none());
            let Some(kept) = live else { return Ok(false) };
            kept.call.ended = Some((at, reason));
            let auto_delete = kept.call.is_deleted_after_billing();
            contents.outbox.endings.insert(id, KeptEnding::new(at, auto_delete));
            for event in EventNumber::AT_THE_END {
                contents.tell(id, event, at);
            }
            Ok(true)
        })
    }

    fn delete(&self, account: AccountId, id: CallId, at: Timestamp) -> Pending<'_, Deletion> {
        self.changing(|contents| match contents.calls.get(&id) {
            Some(kept) if kept.call.account == account && kept.call.ended.is_none() => Ok(Deletion::Live),
            Some(kept) if kept.call.account == account => {
                let agent = kept.call.agent.as_ref().map(|agent| agent.id);
                contents.tombstones.push((kept.call.tombstone(at), agent));
                contents.calls.remove(&id);
                contents.outbox.forget(id, at);
                Ok(Deletion::Deleted)
            }
            Some(_) | None => Ok(Deletion::Unknown),
        })
    }

    fn append<'a>(&'a self, additions: &'a [Addition<'a>]) -> Pending<'a, ()> {
        self.at_once(|contents| {
            for Addition { call, .. } in additions {
                contents.kept_mut(*call)?;
            }
            for Addition { call, messages, events, attempt } in additions {
                let kept = contents.kept_mut(*call)?;
                let is_new = *attempt == Attempt::First;
                if is_new || !messages.iter().all(|message| kept.messages.contains(message)) {
                    for name in messages.iter().filter_map(StoredMessage::failed_tool) {
                        if let Some((_, errors)) = kept.uses.iter_mut().find(|(used, _)| used.name == name) {
                            *errors += 1;
                        }
                    }
                    kept.messages.extend_from_slice(messages);
                }
                if is_new || !events.iter().all(|event| kept.events.contains(event)) {
                    kept.events.extend_from_slice(events);
                }
            }
            Ok(())
        })
    }

    fn messages(
        &self,
        call: CallId,
        choice: MessageChoice,
        window: Window<MessagePlace>,
    ) -> Pending<'_, Slice<(MessagePlace, StoredMessage)>> {
        self.at_once(|contents| {
            let chosen = contents.chosen(call, choice);
            let (own, first_behind) = match window.after {
                None => (0, 0),
                Some(after) => (
                    chosen.partition_point(|(place, _)| *place < after),
                    chosen.partition_point(|(place, _)| *place <= after),
                ),
            };
            Ok(slice(&chosen, &window, own..first_behind)
                .map(|(place, message)| (*place, StoredMessage::clone(message))))
        })
    }

    fn message(&self, call: CallId, choice: MessageChoice, index: u32) -> Pending<'_, Option<StoredMessage>> {
        self.at_once(|contents| {
            let chosen = contents.chosen(call, choice);
            Ok(chosen.into_iter().find(|(_, message)| message.index == index).map(|(_, it)| it.clone()))
        })
    }

    fn count_messages(&self, call: CallId, choice: MessageChoice) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.chosen(call, choice).len() as u64))
    }

    fn insert_stage<'a>(&'a self, call: CallId, stage: &'a StoredStage) -> Pending<'a, ()> {
        self.at_once(|contents| {
            let stages = &mut contents.kept_mut(call)?.stages;
            if stages.iter().all(|other| other.number != stage.number) {
                stages.push(stage.clone());
            }
            Ok(())
        })
    }

    fn stages(&self, call: CallId) -> Pending<'_, Vec<StoredStage>> {
        self.at_once(|contents| {
            Ok(contents.calls.get(&call).map_or_else(Vec::new, |kept| kept.stages.clone()))
        })
    }

    fn events(&self, call: CallId, minimum: Severity, limit: u32) -> Pending<'_, Vec<StoredEvent>> {
        self.at_once(|contents| {
            let Some(kept) = contents.calls.get(&call) else { return Ok(Vec::new()) };
            let severe = kept.events.iter().filter(|event| event.severity >= minimum);
            Ok(severe.take(limit as usize).cloned().collect())
        })
    }
}

impl Contents {
    fn insert(&mut self, call: &StoredCall, node: Option<NodeId>) -> Result<(), StorageError> {
        if self.calls.contains_key(&call.id) {
            return Err(nonsense(call.id, "the id is taken"));
        }
        let kept = Kept {
            call: call.clone(),
            messages: Vec::new(),
            stages: Vec::new(),
            events: Vec::new(),
            uses: Vec::new(),
            scheduled: None,
            node,
        };
        self.calls.insert(call.id, kept);
        if let Some(agent) = call.agent.as_ref().and_then(|agent| self.agents.get_mut(&agent.id)) {
            agent.calls += 1;
        }
        self.tell(call.id, WebhookEvent::Started, call.created);
        Ok(())
    }

    /// How many calls of an account have not ended.
    fn unended(&self, account: AccountId) -> usize {
        let of_account = self.calls.values().filter(|kept| kept.call.account == account);
        of_account.filter(|kept| kept.call.ended.is_none()).count()
    }

    /// Keeps what happened to a call for everybody who wants to know.
    fn tell(&mut self, call: CallId, event: WebhookEvent, at: Timestamp) {
        if let Some(kept) = self.calls.get(&call) {
            self.outbox.enqueue(&kept.call, event, at, self.webhooks.values());
        }
    }

    fn kept_mut(&mut self, call: CallId) -> Result<&mut Kept, StorageError> {
        self.calls.get_mut(&call).ok_or_else(|| nonsense(call, "there is no such call"))
    }

    /// The messages that are wanted, in order, each with its place in the call.
    fn chosen(&self, call: CallId, choice: MessageChoice) -> Vec<(MessagePlace, &StoredMessage)> {
        let Some(kept) = self.calls.get(&call) else { return Vec::new() };
        let wanted = |message: &StoredMessage| match choice {
            MessageChoice::InCall => !message.initial,
            MessageChoice::Stages { from, to } => (from..=to).contains(&message.stage_number),
        };
        let placed = (0..).map(MessagePlace).zip(&kept.messages);
        placed.filter(|(_, message)| wanted(message)).collect()
    }
}

/// The window of an ordered list in which the place to go on from covers `own` (nothing, if there is none).
fn slice<'l, T, K>(list: &'l [T], window: &Window<K>, own: std::ops::Range<usize>) -> Slice<&'l T> {
    let limit = window.limit as usize;
    let (part, more) = match (window.direction, &window.after) {
        (Direction::Forward, _) => {
            let rest = &list[own.end..];
            (&rest[..limit.min(rest.len())], rest.len() > limit)
        }
        (Direction::Backward, after) => {
            let rest = if after.is_some() { &list[..own.start] } else { list };
            (&rest[rest.len().saturating_sub(limit)..], rest.len() > limit)
        }
    };
    Slice { items: part.iter().collect(), more }
}

impl<T> Slice<T> {
    fn map<U>(self, convert: impl FnMut(T) -> U) -> Slice<U> {
        Slice { items: self.items.into_iter().map(convert).collect(), more: self.more }
    }
}

fn nonsense(call: CallId, reason: &str) -> StorageError {
    nonsense_about("calls", &call, reason)
}

fn nonsense_about(table: &'static str, id: &dyn ToString, reason: &str) -> StorageError {
    StorageError::Inconsistent { table, column: "id", row: id.to_string(), reason: reason.to_owned() }
}
