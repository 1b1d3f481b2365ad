//! An agent with batches, and somebody who creates their calls.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::rest::agents::CallTemplate;
use antiphon_api::rest::call_throttles::CallThrottleRule;
use antiphon_api::rest::scheduled_batches::{BatchSettings, ScheduledCallRequest, ScheduledCallStatus};
use antiphon_api::{AgentId, AgentRevisionId, BatchId, Secret, ThrottleId, Timestamp};
use antiphon_backends::registry::config::TranscriptionConfig;
use antiphon_server::call::AccountLimits;
use antiphon_server::call::limits::CallLimits;
use antiphon_server::call::{Calls, Join};
use antiphon_server::config::{self, Config, Limits};
use antiphon_server::jobs::batches::Scheduler;
use antiphon_server::jobs::webhooks::Courier;
use antiphon_server::storage::{
    AccountId, Direction, Storage, StoredAgent, StoredBatch, StoredCall, StoredRevision, StoredScheduledCall,
    StoredThrottle, Window,
};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::town::{Town, at};

/// The host that batches tell unless they say otherwise.
pub(crate) const HOST: &str = "receiver";

pub(crate) struct Stand {
    pub(crate) storage: Storage,
    pub(crate) town: Arc<Town>,
    pub(crate) agent: StoredAgent,
    /// The calls of the process that runs, if one does, or of the last one.
    pub(crate) calls: Calls,
    settings: config::Calls,
    limits: Limits,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Stand {
    /// A server whose agent calls everybody by their `name`.
    pub(crate) async fn new() -> Self {
        Self::with(config::Calls::default(), Limits::default()).await
    }

    /// The same with so many calls, of all accounts and of one.
    pub(crate) async fn with(settings: config::Calls, limits: Limits) -> Self {
        let storage = Storage::in_memory();
        let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(0)).await.unwrap();
        let agent = agent_of(account);
        storage.agents.insert_agent(&agent).await.unwrap();
        let calls = calls(&storage, &settings, limits);
        let mut stand = Self { storage, town: Town::new(), agent, calls, settings, limits, running: None };
        stand.start();
        stand
    }

    /// A process begins to work on what is in the store. It knows nothing of the calls of the one before.
    pub(crate) fn start(&mut self) {
        self.calls = calls(&self.storage, &self.settings, self.limits);
        let courier: Arc<dyn Courier> = Arc::clone(&self.town) as _;
        let public_url = "https://voice.example.com".parse().unwrap();
        let (calls, storage) = (self.calls.clone(), self.storage.clone());
        let scheduler = Scheduler::new(calls, storage, courier, public_url, self.town.clock());
        let stop = CancellationToken::new();
        self.running = Some((stop.clone(), tokio::spawn(scheduler.run(stop))));
    }

    /// Pulls the plug.
    pub(crate) async fn crash(&mut self) {
        let (_, running) = self.running.take().unwrap();
        running.abort();
        let _ = running.await;
    }

    /// Stops as a server does.
    pub(crate) async fn stop(&mut self) {
        let (stop, running) = self.running.take().unwrap();
        stop.cancel();
        running.await.unwrap();
    }

    /// A batch of calls for people with these names. An empty one is forgotten.
    pub(crate) async fn batch(&self, settings: BatchSettings, names: &[&str]) -> BatchId {
        let calls: Vec<ScheduledCallRequest> = names.iter().map(|name| scheduled(name)).collect();
        self.batch_of(settings, calls).await
    }

    /// A batch of so many calls of an agent of another account.
    pub(crate) async fn batch_of_a_neighbour(&self, settings: BatchSettings, count: usize) {
        let id = AccountId(Uuid::from_u128(7));
        let account = self.storage.accounts.ensure_account("neighbour", id, at(0)).await.unwrap();
        let agent = agent_of(account);
        self.storage.agents.insert_agent(&agent).await.unwrap();
        self.insert(&agent, settings, vec![scheduled("Jane"); count]).await;
    }

    /// A batch of so many calls.
    pub(crate) async fn batch_of_many(&self, settings: BatchSettings, count: usize) -> BatchId {
        self.batch_of(settings, vec![scheduled("Jane"); count]).await
    }

    pub(crate) async fn batch_of(
        &self,
        settings: BatchSettings,
        calls: Vec<ScheduledCallRequest>,
    ) -> BatchId {
        self.insert(&self.agent, settings, calls).await
    }

    async fn insert(
        &self,
        agent: &StoredAgent,
        settings: BatchSettings,
        calls: Vec<ScheduledCallRequest>,
    ) -> BatchId {
        let throttle = match &settings.throttle {
            None => None,
            Some(name) => self.storage.throttles.throttle_named(agent.account, name).await.unwrap(),
        };
        let batch = StoredBatch {
            id: BatchId::new(Uuid::new_v4()),
            account: agent.account,
            agent: agent.id,
            created: self.town.now(),
            settings,
            throttle: throttle.map(|throttle| throttle.id),
            total: 0,
            completed: 0,
            ended: None,
            failures: 0,
            version: 0,
        };
        assert!(self.storage.batches.insert_batch(&batch, &calls, 2_000).await.unwrap());
        batch.id
    }

    /// Lets so many calls pass in so many seconds, for whoever names it.
    pub(crate) async fn throttle(&self, name: &str, max_calls: u32, window_seconds: u32) -> ThrottleId {
        let throttle = StoredThrottle {
            id: ThrottleId::new(Uuid::new_v4()),
            account: self.agent.account,
            name: name.to_owned(),
            created: at(0),
            rules: vec![CallThrottleRule { max_calls, window_seconds }],
            version: 0,
        };
        self.storage.throttles.insert_throttle(&throttle, 10).await.unwrap();
        throttle.id
    }

    /// Changes the settings of a batch.
    pub(crate) async fn change(&self, batch: BatchId, change: impl FnOnce(&mut BatchSettings)) {
        let mut known = self.kept(batch).await;
        change(&mut known.settings);
        assert!(self.storage.batches.update_batch(&known).await.unwrap());
    }

    /// Changes what calls of the agent are created from, from now on.
    pub(crate) async fn change_agent(&self, change: impl FnOnce(&mut CallTemplate)) {
        let known = self.storage.agents.find_agent(self.agent.account, self.agent.id).await.unwrap().unwrap();
        let mut changed = known.clone();
        changed.revision.id = AgentRevisionId::new(Uuid::new_v4());
        change(&mut changed.revision.template);
        assert!(self.storage.agents.update_agent(&changed, known.revision.id).await.unwrap());
    }

    /// A client joins a call, and stays.
    pub(crate) async fn join(&self, call: &StoredCall) -> antiphon_server::call::leg::CarrierEnd {
        self.calls.join(call.id, Join::default()).await.unwrap()
    }

    pub(crate) async fn find(&self, batch: BatchId) -> Option<StoredBatch> {
        self.storage.batches.find_batch(self.agent.account, self.agent.id, batch).await.unwrap()
    }

    pub(crate) async fn kept(&self, batch: BatchId) -> StoredBatch {
        self.find(batch).await.unwrap()
    }

    /// What became of each call of a batch.
    pub(crate) async fn scheduled(&self, batch: BatchId) -> Vec<StoredScheduledCall> {
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        self.storage.batches.scheduled_calls(batch, None, window).await.unwrap().items
    }

    /// The same in letters: `F`uture, `P`ending, `S`uccess, e`X`pired, `E`rror.
    pub(crate) async fn letters(&self, batch: BatchId) -> String {
        let letter = |call: &StoredScheduledCall| match call.status {
            ScheduledCallStatus::Future => 'F',
            ScheduledCallStatus::Pending => 'P',
            ScheduledCallStatus::Success => 'S',
            ScheduledCallStatus::Expired => 'X',
            ScheduledCallStatus::Error => 'E',
        };
        self.scheduled(batch).await.iter().map(letter).collect()
    }

    /// Why a call of a batch failed.
    pub(crate) async fn error(&self, batch: BatchId, position: usize) -> String {
        self.scheduled(batch).await[position].error.clone().unwrap()
    }

    /// The calls that were created of a batch, each with its place in it.
    pub(crate) async fn created(&self, batch: BatchId) -> Vec<(u32, StoredCall)> {
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        self.storage.batches.created_calls(batch, window).await.unwrap().items
    }

    /// When a host was told something, in whole seconds from the beginning of the test.
    pub(crate) fn told(&self, host: &str) -> Vec<u64> {
        self.town.posts(host).iter().map(|post| post.at.as_secs()).collect()
    }
}

/// Settings of a batch that tells the usual host, from `start` on, until `end`, in seconds from the beginning of the test.
pub(crate) fn between(start: Option<u64>, end: Option<u64>) -> BatchSettings {
    let moment = |seconds: u64| at(i64::try_from(seconds * 1_000_000).unwrap());
    BatchSettings {
        window_start: start.map(moment),
        window_end: end.map(moment),
        throttle: None,
        webhook_url: Some(format!("https://{HOST}/hook")),
        webhook_secret: Some(Secret::new("s3cret")),
        paused: false,
    }
}

/// The same under a throttle.
pub(crate) fn under(throttle: &str, settings: BatchSettings) -> BatchSettings {
    BatchSettings { throttle: Some(throttle.to_owned()), ..settings }
}

/// The same, and another host is told.
pub(crate) fn telling(host: &str, settings: BatchSettings) -> BatchSettings {
    BatchSettings { webhook_url: Some(format!("https://{host}/hook")), ..settings }
}

/// So many seconds after the beginning of the test.
pub(crate) fn second(count: u64) -> Timestamp {
    at(i64::try_from(Duration::from_secs(count).as_micros()).unwrap())
}

/// In which second of the test a moment lies.
pub(crate) fn seconds_in(moment: Timestamp) -> i64 {
    (moment.unix_micros() - at(0).unix_micros()) / 1_000_000
}

/// An agent that calls everybody by their name.
fn agent_of(account: AccountId) -> StoredAgent {
    let template = CallTemplate { system_prompt: Some("Hi {{name}}".to_owned()), ..Default::default() };
    StoredAgent {
        id: AgentId::new(Uuid::new_v4()),
        account,
        name: "Support".to_owned(),
        created: at(0),
        revision: StoredRevision { id: AgentRevisionId::new(Uuid::new_v4()), created: at(0), template },
        calls: 0,
    }
}

fn scheduled(name: &str) -> ScheduledCallRequest {
    let context = match name {
        "" => json!({}),
        name => json!({"name": name}),
    };
    ScheduledCallRequest { template_context: context.as_object().cloned(), ..Default::default() }
}

fn calls(storage: &Storage, settings: &config::Calls, limits: Limits) -> Calls {
    let config = Config { transcription: TranscriptionConfig::None, ..Config::default() };
    let backends = Arc::new(config.build_backends().unwrap());
    let turn_taking = config::TurnTaking::default();
    Calls::new(settings.clone(), turn_taking, backends, storage.clone())
        .limited(CallLimits::new(AccountLimits::new(limits, Default::default())))
}
