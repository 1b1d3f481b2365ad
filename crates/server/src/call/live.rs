//! The calls in progress: who may reach which, and how a call begins, is joined and comes to its end.
//!
//! Owns the list of live calls and nothing of any call: each is a task of its own that is sent messages. A call that panics
//! ends alone, with an end reason. Calls that other nodes have are `elsewhere`; those that were begun elsewhere, `taking_up`.

mod correspondence;
mod elsewhere;
mod roster;
mod taking_up;

use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use antiphon_api::rest::calls::{CallMedium, Message, ServerWebSocketMedium, StartCallRequest, WebRtcMedium};
use antiphon_api::{CallId, SampleRate, ThrottleId, Timestamp};
use antiphon_backends::registry::Backends;
use antiphon_engine::output::EndReason;
use futures::FutureExt as _;
use futures::future::OptionFuture;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info, info_span, warn};

use super::agents::{AgentCall, ToolPlaces};
use super::handover::Left;
use super::inheritance::overlay;
use super::journal::{self, EarSettings, Header, Journals};
use super::leg::CloseCode;
use super::limits::{CallLimits, TooManyCalls};
use super::record::Desk;
use super::recording::Recordings;
use super::run::{Command, Driver, Subject};
use super::setup::{self, Remark, Setup, SetupError};
use super::spans::Spans;
use super::stages::{Means, first_stage, last_stage_of};
use super::voices::own::OwnVoice;
use super::voices::samples::Samples;
use super::wire::{Meaning, Wire};
use super::witness::Witness;
use super::{callbacks, corpora, lasting_tools, record};
use crate::config::{self, Calls as Settings, DefaultMedium, TurnTaking};
use crate::current::Current;
use crate::objects::{Name, Objects, StoreError};
use crate::outbound::Outbound;
use crate::retrieval::Retrieval;
use crate::storage::{
    AccountId, Admission, Deletion, Direction, ScheduledPlace, Storage, StorageError, StoredCall,
    StoredStage, Terms, ToolUse, Window,
};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::Traces;

use correspondence::Post;
use roster::{Handle, Roster};

/// Commands that may wait for a call. Whoever sends one waits when it is full.
const COMMANDS: usize = 32;
/// When to try again while the server is full: calls end all the time.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// Messages of a prior call that a new one starts with; of more, the latest.
const PRIOR_MESSAGES: u32 = 1_000;

/// The calls in progress. Cheap to clone.
#[derive(Clone)]
pub struct Calls(Arc<Inner>);

struct Inner {
    /// What new calls are made with.
    means: Current<Means>,
    files: Files,
    outbound: Outbound,
    storage: Storage,
    /// Where the records of calls are written, from the first call on.
    desk: OnceLock<Desk>,
    retrieval: Retrieval,
    limits: CallLimits,
    /// The way to other nodes, if there can be any.
    post: Option<Post>,
    live: Mutex<Roster>,
    /// Those of which something is still being written.
    leaving: Mutex<HashSet<CallId>>,
    tasks: TaskTracker,
}

/// What lies in files and not in the store: what calls leave behind, and what their voices are made from.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Of every call, if there is a place for it: what went into the engine.
    pub journals: Option<Journals>,
    /// Of calls that ask for it, if there is a place for it: what they sounded like.
    pub recordings: Option<Recordings>,
    /// Of every call, if somebody collects them: spans.
    pub traces: Option<Traces>,
    /// What cloned voices were cloned from, if there is a place for it.
    pub samples: Option<Samples>,
    /// Where what calls have left goes, if it does not stay where they write it.
    pub objects: Option<Objects>,
    /// What all calls are counted into.
    pub metrics: Metrics,
}

/// How a call is created, beside its request.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// Whether an agent that has nothing to answer is made to greet.
    pub greeting_prompt: bool,
    /// The call to inherit from.
    pub prior_call: Option<CallId>,
    /// The agent whose call it is, and what that makes of the request.
    pub agent: Option<AgentCall>,
    /// Fields of the request that mean nothing here, by their dotted paths.
    pub ignored_fields: Vec<String>,
    /// The throttle that the creation counts against.
    pub throttle: Option<ThrottleId>,
    /// The call of a batch that it is.
    pub scheduled: Option<ScheduledPlace>,
    /// When it counts as created; now, if it is not said.
    pub at: Option<Timestamp>,
}

/// Why a call is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There are as many calls as there may be: the caller tries again.
    #[error("there are as many calls as there may be")]
    Capacity {
        /// When.
        retry_after: Duration,
    },
    /// A field asks for what cannot be: the caller changes it.
    #[error(transparent)]
    Invalid(#[from] SetupError),
    /// The account asks for more calls than it may have: the caller tries again.
    #[error(transparent)]
    Limited(#[from] TooManyCalls),
    /// The account has no such prior call.
    #[error("there is no such prior call")]
    NoPriorCall,
    /// The throttle is gone: the caller names another one, or none.
    #[error("there is no such throttle")]
    NoThrottle,
    /// As many calls were created as the throttle lets pass: the caller tries again.
    #[error("the throttle lets no more calls pass for now")]
    Throttled {
        /// When.
        retry_after: Duration,
    },
    /// The batch that it was to be a call of is closed or gone, or has created it already.
    #[error("the call is not scheduled any more")]
    Unscheduled,
    /// Calls are woken later than they may be: the caller tries again, perhaps elsewhere.
    #[error("the server has too much to do")]
    Overloaded {
        /// When.
        retry_after: Duration,
    },
    /// The server is stopping: the caller tries again, perhaps elsewhere.
    #[error("the server is stopping")]
    Stopping,
    /// The call could not be kept: the caller tries again.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl CreateError {
    /// A word for whoever counts.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Capacity { .. } => "capacity",
            Self::Invalid(_) => "invalid",
            Self::Limited(_) => "limit",
            Self::NoPriorCall => "no_prior_call",
            Self::NoThrottle => "no_throttle",
            Self::Throttled { .. } => "throttle",
            Self::Unscheduled => "unscheduled",
            Self::Overloaded { .. } => "overloaded",
            Self::Stopping => "stopping",
            Self::Storage(_) => "storage",
        }
    }
}

/// Why a call is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Its recording cannot be removed: the operator looks at the directory.
    #[error("the recording cannot be removed: {0}")]
    Recording(io::Error),
    /// What lies of it in object storage cannot be removed now: the caller tries again.
    #[error("what lies of it in object storage cannot be removed: {0}")]
    Objects(StoreError),
    /// The store failed: the caller tries again.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A call into which nothing can be sent: nobody has joined it, or it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is not active: nobody has joined it, or it has ended")]
pub struct NotActive;

/// A message that makes no sense in a live call, and why.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The call is not active.
    #[error(transparent)]
    NotActive(#[from] NotActive),
    /// The message asks for what is not there.
    #[error("{0}")]
    Refused(String),
    /// The store failed: the caller tries again.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The node that has the call did not say in time whether it took the message. It does not any more: the caller tries again.
    #[error("the node that has the call does not answer; try again")]
    Unanswered,
}

impl Calls {
    /// No calls yet. They will leave no files.
    #[must_use]
    pub fn new(
        settings: Settings,
        turn_taking: TurnTaking,
        backends: Arc<Backends>,
        storage: Storage,
    ) -> Self {
        let outbound = Outbound::new(&config::Outbound::default());
        let retrieval = Retrieval::new(storage.clone(), None);
        Self::with_files(settings, turn_taking, Files::default(), outbound, backends, storage, retrieval)
    }

    /// The same with files of their own, where it is said how, another way to whatever users have them dial, and one to what is in
    /// corpora.
    #[must_use]
    pub fn with_files(
        settings: Settings,
        turn_taking: TurnTaking,
        files: Files,
        outbound: Outbound,
        backends: Arc<Backends>,
        storage: Storage,
        retrieval: Retrieval,
    ) -> Self {
        Self(Arc::new(Inner {
            means: Current::new(Means {
                settings,
                turn_taking,
                backends,
                samples: files.samples.clone(),
                outbound: outbound.clone(),
                metrics: files.metrics.clone(),
            }),
            post: storage.cluster.clone().map(|cluster| Post::new(cluster, files.metrics.clone())),
            files,
            outbound,
            storage,
            desk: OnceLock::new(),
            retrieval,
            limits: CallLimits::default(),
            live: Mutex::new(Roster::default()),
            leaving: Mutex::new(HashSet::new()),
            tasks: TaskTracker::new(),
        }))
    }

    /// The same with limits to what accounts may have, before there are any calls.
    ///
    /// # Panics
    /// It was cloned already.
    #[must_use]
    pub fn limited(mut self, limits: CallLimits) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else has it before it is in use");
        inner.limits = limits;
        self
    }

    /// Creates a call: checks the request, keeps it, and waits for somebody to join.
    ///
    /// # Errors
    /// See [`CreateError`]; nothing is left behind.
    pub async fn create(
        &self,
        account: AccountId,
        request: StartCallRequest,
        options: CreateOptions,
    ) -> Result<StoredCall, CreateError> {
        // Whoever waits for all calls waits for this one, even while it is still being created.
        let _waited_for = self.0.tasks.token();
        let created = self.create_or_refuse(account, request, options).await;
        let metrics = self.metrics();
        match &created {
            Ok(_) => metrics.created(),
            Err(error) => metrics.refused(error.name()),
        }
        metrics.live(self.count());
        created
    }

    async fn create_or_refuse(
        &self,
        account: AccountId,
        mut request: StartCallRequest,
        options: CreateOptions,
    ) -> Result<StoredCall, CreateError> {
        if self.0.tasks.is_closed() {
            return Err(CreateError::Stopping);
        }
        self.hold_back()?;
        let (setup, uses) = self.make_ready(account, &mut request, &options).await?;
        request.medium.get_or_insert_with(|| self.default_medium());
        let call = StoredCall {
            id: CallId::new(uuid::Uuid::new_v4()),
            account,
            created: options.at.unwrap_or_else(|| Timestamp::from(jiff::Timestamp::now())),
            joined: None,
            ended: None,
            client_version: None,
            greeting_prompt: options.greeting_prompt,
            agent: options.agent.map(|call| call.agent),
            summary: None,
            request,
        };
        let commands = self.admit(call.id, account)?;
        let terms = Terms {
            throttle: options.throttle,
            scheduled: options.scheduled,
            // Where there are other nodes, only the store knows how many calls there are.
            most_at_a_time: self.0.limits.at_a_time(account).filter(|_| self.0.post.is_some()),
        };
        let mut kept = self.keep(&call, &terms).await;
        if kept.is_ok() && !uses.is_empty() {
            kept = self.0.storage.tools.note_uses(call.id, &uses).await.map_err(CreateError::from);
        }
        if let Err(error) = kept {
            self.live().remove(call.id);
            self.0.limits.discount(account);
            return Err(error);
        }
        self.start(&call, setup, commands, Duration::ZERO);
        Ok(call)
    }

    /// What all calls are counted into.
    pub fn metrics(&self) -> &Metrics {
        &self.0.files.metrics
    }

    /// What thinks and speaks in new calls.
    pub(crate) fn backends(&self) -> Arc<Backends> {
        Arc::clone(&self.0.means.get().backends)
    }

    /// Makes new calls of other settings and backends from now on. Those there are keep what they were made of.
    pub(crate) fn renew(&self, settings: Settings, turn_taking: TurnTaking, backends: Arc<Backends>) {
        let old = self.0.means.get();
        self.0.means.replace(Means {
            settings,
            turn_taking,
            backends,
            samples: old.samples.clone(),
            outbound: old.outbound.clone(),
            metrics: old.metrics.clone(),
        });
    }

    /// Lets no further call in while those there are suffer.
    fn hold_back(&self) -> Result<(), CreateError> {
        let most = self.means().settings.maximum_lateness;
        match self.metrics().lateness().present() {
            Some(lateness) if !most.is_zero() && lateness > most => {
                Err(CreateError::Overloaded { retry_after: RETRY_AFTER })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a call could be created like this now, but for how many there may be. Nothing comes of it.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn check(
        &self,
        account: AccountId,
        mut request: StartCallRequest,
        options: &CreateOptions,
    ) -> Result<(), CreateError> {
        self.make_ready(account, &mut request, options).await.map(|_| ())
    }

    /// Whether there is a backend for a medium; none is the default one.
    ///
    /// # Errors
    /// The medium's field, with what is missing.
    pub fn check_medium(&self, medium: Option<&CallMedium>) -> Result<(), SetupError> {
        setup::check_medium(medium, &self.means().settings)
    }

    /// Completes a request and works out what its call runs with, and which lasting tools it has.
    async fn make_ready(
        &self,
        account: AccountId,
        request: &mut StartCallRequest,
        options: &CreateOptions,
    ) -> Result<(Setup, Vec<ToolUse>), CreateError> {
        if let Some(prior) = options.prior_call {
            self.inherit(account, prior, request).await?;
        }
        let (uses, places) = match &options.agent {
            None => (lasting_tools::resolve(&self.0.storage, account, request).await?, ToolPlaces::default()),
            Some(agent) => agent.complete(&self.0.storage, account, request).await?,
        };
        let setup = self.set_up(account, request, options).await;
        Ok((setup.map_err(|error| places.named(error))?, uses))
    }

    /// Works out what the call of a complete request runs with.
    async fn set_up(
        &self,
        account: AccountId,
        request: &StartCallRequest,
        options: &CreateOptions,
    ) -> Result<Setup, CreateError> {
        corpora::check(&self.0.storage, account, request).await?;
        let own_voice = self.means().own_voice(&self.0.storage, account, request).await?;
        let mut setup = self.prepare(request, options.greeting_prompt, own_voice)?;
        if let Some(callbacks) = &request.callbacks {
            callbacks::check(callbacks, &self.0.outbound)?;
        }
        if !options.ignored_fields.is_empty() {
            let fields = options.ignored_fields.join(", ");
            setup.remarks.push(Remark {
                kind: "request.ignored_fields",
                text: format!("fields of the request that mean nothing here: {fields}"),
            });
        }
        Ok(setup)
    }

    /// Sends a data message into a call on behalf of its owner (protocol.md 3.5).
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(&self, call: CallId, message: ClientMessage) -> Result<(), RequestError> {
        match self.handle(call) {
            Some(handle) => self.request_here(call, &handle, message).await,
            None => self.request_elsewhere(call, &message).await,
        }
    }

    async fn request_here(
        &self,
        call: CallId,
        handle: &Handle,
        message: ClientMessage,
    ) -> Result<(), RequestError> {
        if !handle.joined {
            return Err(NotActive.into());
        }
        let command = match Wire::new(call, Default::default()).read(message) {
            Meaning::Request(request) => Command::Request(request),
            Meaning::Staging(staging) => Command::Staging(staging),
            Meaning::Ignored(_, why) => return Err(RequestError::Refused(why)),
            Meaning::Tool(..) | Meaning::Answer(_) => {
                return Err(RequestError::Refused(
                    "this message can only be sent by the client of the call".into(),
                ));
            }
        };
        handle.commands.send(Box::new(command)).await.map_err(|_| NotActive)?;
        Ok(())
    }

    /// Deletes an ended call of the account with all that it left, but for a tombstone.
    ///
    /// # Errors
    /// See [`DeleteError`]; the call is there as before.
    pub async fn delete(
        &self,
        account: AccountId,
        call: CallId,
        at: Timestamp,
    ) -> Result<Deletion, DeleteError> {
        // The recording first: if it cannot be removed, the call stays, and whoever asked can ask again.
        if let Some(recordings) = &self.0.files.recordings {
            recordings.delete(call).await.map_err(DeleteError::Recording)?;
        }
        self.delete_objects(call).await.map_err(DeleteError::Objects)?;
        let deletion = self.0.storage.calls.delete(account, call, at).await?;
        if deletion == Deletion::Deleted {
            self.forget(call).await;
            self.forget_elsewhere(call).await;
            // What was on its way there meanwhile has arrived; what arrives later, its sender deletes.
            if let Err(error) = self.delete_objects(call).await {
                error!(%call, %error, "whether something of a deleted call arrived in object storage is not known; look for it by hand");
            }
        }
        Ok(deletion)
    }

    /// Deletes what lies of a call in object storage, if there is one.
    async fn delete_objects(&self, call: CallId) -> Result<(), StoreError> {
        let Some(objects) = &self.0.files.objects else { return Ok(()) };
        objects.delete(Name::recording(call)).await?;
        objects.delete(Name::journal(call)).await
    }

    /// Deletes what lies in files of a call that was deleted elsewhere.
    async fn forget_files(&self, call: CallId) {
        if let Some(recordings) = &self.0.files.recordings
            && let Err(error) = recordings.delete(call).await
        {
            error!(%call, %error, "the recording of a deleted call could not be deleted; delete it by hand");
        }
        self.forget(call).await;
    }

    /// Deletes the journal of a deleted call.
    async fn forget(&self, call: CallId) {
        let Some(journals) = &self.0.files.journals else { return };
        if let Err(error) = journals.delete(call).await {
            error!(%call, %error, "the journal of a deleted call could not be deleted; delete it by hand");
        }
    }

    /// Whether a call has not ended yet.
    #[must_use]
    pub fn is_live(&self, call: CallId) -> bool {
        self.live().get(call).is_some()
    }

    /// Whether something of a call is still being written: it may have ended already.
    #[must_use]
    pub fn is_leaving(&self, call: CallId) -> bool {
        self.leaving().contains(&call)
    }

    /// How many calls have not ended yet.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live().count()
    }

    /// How many calls the account may have at a time.
    #[must_use]
    pub fn most(&self, account: AccountId) -> usize {
        let all = self.means().settings.maximum_live;
        self.0.limits.at_a_time(account).map_or(all, |own| all.min(own as usize))
    }

    /// How many calls all accounts together may have at a time.
    #[must_use]
    pub fn most_of_all(&self) -> usize {
        self.means().settings.maximum_live
    }

    /// Takes no new calls from here on, and waits until those there are have come to their own end, but not longer than `deadline`.
    /// Meanwhile they go on as ever, and may be joined.
    pub async fn drain(&self, deadline: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(deadline, self.0.tasks.wait()).await.is_err() {
            warn!(left = self.count(), "calls have gone on for as long as they may, and end now");
        }
    }

    /// Ends all calls and waits until their records are written, but not longer than `deadline`.
    pub async fn shut_down(&self, deadline: Duration) {
        self.0.tasks.close();
        let handles: Vec<Handle> = self.live().all().cloned().collect();
        for handle in handles {
            // A call that takes no commands has many waiting; it ends when its task is dropped.
            let _ = handle.commands.try_send(Box::new(Command::ShutDown));
        }
        if tokio::time::timeout(deadline, self.0.tasks.wait()).await.is_err() {
            error!(left = self.0.tasks.len(), "calls did not end in time");
        }
    }

    /// The medium of a call that asks for none.
    fn default_medium(&self) -> CallMedium {
        let means = self.means();
        let settings = &means.settings;
        match (settings.default_medium, SampleRate::new(settings.default_sample_rate)) {
            (DefaultMedium::ServerWebSocket, Some(rate)) => {
                CallMedium::ServerWebSocket(ServerWebSocketMedium {
                    input_sample_rate: rate,
                    output_sample_rate: None,
                    client_buffer_size_ms: None,
                    data_messages: None,
                    media_idle_timeout: None,
                })
            }
            (DefaultMedium::WebRtc | DefaultMedium::ServerWebSocket, _) => {
                CallMedium::WebRtc(WebRtcMedium::default())
            }
        }
    }

    /// A prior call lends every property that the request leaves open, and its messages (protocol.md 1.2, A-2), as they were in its
    /// last stage.
    async fn inherit(
        &self,
        account: AccountId,
        prior: CallId,
        request: &mut StartCallRequest,
    ) -> Result<(), CreateError> {
        let call = self.0.storage.calls.find(prior).await?;
        let call = call.filter(|call| call.account == account).ok_or(CreateError::NoPriorCall)?;
        let stage = last_stage_of(&self.0.storage, &call).await?;
        let history = match request.initial_messages.take() {
            Some(messages) => messages,
            None => self.history_of(&call, &stage).await?,
        };
        *request = overlay(request, &stage.request);
        request.initial_messages = Some(history);
        Ok(())
    }

    async fn history_of(&self, call: &StoredCall, stage: &StoredStage) -> Result<Vec<Message>, StorageError> {
        let window = Window { after: None, direction: Direction::Backward, limit: PRIOR_MESSAGES };
        let slice = self.0.storage.calls.messages(call.id, stage.messages(), window).await?;
        if slice.items.is_empty() && stage.number == 0 {
            return Ok(call.request.initial_messages.clone().unwrap_or_default());
        }
        let strip = |message: Message| Message {
            call_stage_id: None,
            call_stage_message_index: None,
            timespan: None,
            wall_clock_timespan: None,
            metadata: None,
            ..message
        };
        Ok(slice.items.into_iter().map(|(_, stored)| strip(stored.message)).collect())
    }

    async fn keep(&self, call: &StoredCall, terms: &Terms) -> Result<(), CreateError> {
        match self.0.storage.calls.insert_on(call, terms).await? {
            Admission::Crowded => Err(TooManyCalls::AtATime(terms.most_at_a_time.unwrap_or(0)).into()),
            Admission::Kept => Ok(()),
            Admission::NoThrottle => Err(CreateError::NoThrottle),
            Admission::Unscheduled => Err(CreateError::Unscheduled),
            Admission::Throttled { until } => {
                let micros = until.unix_micros().saturating_sub(call.created.unix_micros());
                let retry_after = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                Err(CreateError::Throttled { retry_after })
            }
        }
    }

    /// Takes a place among the live calls, if there is one.
    fn admit(&self, id: CallId, account: AccountId) -> Result<mpsc::Receiver<Box<Command>>, CreateError> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let mut live = self.live();
        if live.count() >= self.means().settings.maximum_live {
            return Err(CreateError::Capacity { retry_after: RETRY_AFTER });
        }
        self.0.limits.admits(account, live.count_of(account))?;
        self.0.limits.count(account)?;
        live.insert(id, Handle { commands, joined: false, account });
        Ok(receiver)
    }

    /// Takes a place among the live calls, whether there is room or not, but for a call that has one.
    fn enter(&self, id: CallId, account: AccountId) -> Option<mpsc::Receiver<Box<Command>>> {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let mut live = self.live();
        if live.get(id).is_some() {
            return None;
        }
        live.insert(id, Handle { commands, joined: false, account });
        Some(receiver)
    }

    fn prepare(
        &self,
        request: &StartCallRequest,
        greeting_prompt: bool,
        own_voice: Option<OwnVoice>,
    ) -> Result<Setup, SetupError> {
        let Means { settings, turn_taking, backends, .. } = &*self.means();
        setup::prepare(request, greeting_prompt, settings, turn_taking, backends, own_voice)
    }

    fn start(&self, call: &StoredCall, setup: Setup, commands: mpsc::Receiver<Box<Command>>, age: Duration) {
        let stage = first_stage(call.id);
        let (recorder, written) = record::start(call.id, stage, self.desk());
        let recorded = call.request.recording_enabled.unwrap_or(false);
        let subject = Subject {
            id: call.id,
            stage,
            created: call.created,
            request: Arc::new(call.request.clone()),
            recordings: self.0.files.recordings.clone().filter(|_| recorded),
            outbound: self.0.outbound.clone(),
            account: call.account,
            storage: self.0.storage.clone(),
            retrieval: self.0.retrieval.clone(),
            tasks: self.0.tasks.clone(),
        };
        let (scribe, journaled) = self.journal(call, &setup).unzip();
        let traces = self.0.files.traces.clone();
        let spans = traces.map(|traces| Spans::new(traces, call.id, call.created, &setup.engine));
        let witness = Witness::new(scribe, spans);
        let means = self.means();
        // In a box, so that the task has one place for it, not one for each future that it is handed through.
        let driver = Box::new(Driver::new(subject, setup, means, recorder, witness, commands, age));
        let id = call.id;
        let calls = self.clone();
        // A span of its own: the request that created the call is over long before the call is.
        let span = info_span!(parent: None, "call", id = %id);
        info!(parent: &span, "call created");
        self.leaving().insert(id);
        let running = async move {
            let ended = AssertUnwindSafe(driver.run()).catch_unwind().await;
            calls.live().remove(id);
            calls.metrics().live(calls.count());
            let ended = ended.map_err(|_| Timestamp::from(jiff::Timestamp::now()));
            // The driver is gone; everything of it is to be written.
            written.await;
            OptionFuture::from(journaled).await;
            match ended {
                Ok(Left::Ended) => {}
                Ok(Left::LetGo(asked)) => return calls.left(id, asked).await,
                Err(at) => {
                    error!("the call failed and ends: this is a bug of the server");
                    record::end(id, &calls.0.storage, at, EndReason::SystemError).await;
                }
            }
            calls.leaving().remove(&id);
            if let Some(objects) = &calls.0.files.objects {
                objects.ring();
            }
        };
        self.0.tasks.spawn(running.instrument(span));
    }

    fn desk(&self) -> &Desk {
        self.0.desk.get_or_init(|| Desk::open(self.0.storage.clone()))
    }

    /// Starts the call's journal, if it is to leave one.
    fn journal(
        &self,
        call: &StoredCall,
        setup: &Setup,
    ) -> Option<(journal::Scribe, impl Future<Output = ()> + Send + use<>)> {
        let journals = self.0.files.journals.as_ref()?;
        let header = Header {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            call: call.id,
            created: call.created,
            user_text: journals.user_text,
            config: setup.engine.clone(),
            ear: EarSettings { threshold: setup.threshold, echo_guard: setup.echo_guard },
        };
        Some(journal::start(journals, &header))
    }

    async fn why_not_live(&self, call: CallId) -> CloseCode {
        match self.0.storage.calls.find(call).await {
            Ok(Some(_)) => CloseCode::Ended,
            Ok(None) => CloseCode::UnknownCall,
            Err(error) => {
                error!(%call, %error, "a join failed because the store did");
                CloseCode::Internal
            }
        }
    }

    /// Held as `live` is.
    fn leaving(&self) -> MutexGuard<'_, HashSet<CallId>> {
        self.0.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn means(&self) -> Arc<Means> {
        self.0.means.get()
    }

    fn handle(&self, call: CallId) -> Option<Handle> {
        self.live().get(call).cloned()
    }

    /// Held for look-ups only, never across an await; what it guards is whole whatever panicked meanwhile.
    fn live(&self) -> MutexGuard<'_, Roster> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
