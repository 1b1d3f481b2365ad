//! A store, and somebody who delivers what is in it.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_api::{CallId, Secret, Timestamp, WebhookId};
use antiphon_engine::output::EndReason;
use antiphon_server::jobs::Clock;
use antiphon_server::jobs::webhooks::{Courier, Dispatcher};
use antiphon_server::storage::{
    AccountId, Direction, Storage, StoredCall, StoredDelivery, StoredWebhook, WebhookHealth, Window,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::town::{Manner, Post, Town, at};

pub(crate) const ALL: [WebhookEvent; 4] =
    [WebhookEvent::Started, WebhookEvent::Joined, WebhookEvent::Ended, WebhookEvent::Billed];

pub(crate) struct Stand {
    pub(crate) storage: Storage,
    pub(crate) town: Arc<Town>,
    account: AccountId,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Stand {
    /// A store with an account, and somebody who delivers.
    pub(crate) async fn new() -> Self {
        let storage = Storage::in_memory();
        let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(0)).await.unwrap();
        let town = Town::new();
        let mut stand = Self { storage, town, account, running: None };
        stand.start();
        stand
    }

    /// Begins to deliver what is in the store.
    pub(crate) fn start(&mut self) {
        let stop = CancellationToken::new();
        let courier: Arc<dyn Courier> = Arc::clone(&self.town) as _;
        let public_url = "https://voice.example.com".parse().unwrap();
        let dispatcher = Dispatcher::new(self.storage.clone(), courier, public_url, self.clock());
        self.running = Some((stop.clone(), tokio::spawn(dispatcher.run(stop))));
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

    /// Waits until a moment of the test, counted from its beginning.
    pub(crate) async fn until(&self, moment: Duration) {
        self.town.until(moment).await;
    }

    pub(crate) fn has_manner(&self, host: &str, manner: Manner) {
        self.town.has_manner(host, manner);
    }

    /// A webhook at a host, which is told of everything.
    pub(crate) async fn webhook(&self, host: &str) -> WebhookId {
        let webhook = StoredWebhook {
            id: WebhookId::new(Uuid::new_v4()),
            account: self.account,
            created: self.now(),
            agent: None,
            url: format!("https://{host}/hook"),
            secrets: vec![Secret::new("s3cret-s3cret-s3cret")],
            events: ALL.to_vec(),
            naive_timestamps: false,
            health: WebhookHealth::default(),
            version: 0,
        };
        assert!(self.storage.webhooks.insert_webhook(&webhook, 10_000).await.unwrap());
        webhook.id
    }

    pub(crate) async fn create(&self, request: StartCallRequest) -> StoredCall {
        let call = StoredCall {
            id: CallId::new(Uuid::new_v4()),
            account: self.account,
            created: self.now(),
            joined: None,
            ended: None,
            client_version: None,
            greeting_prompt: true,
            agent: None,
            summary: None,
            request,
        };
        self.storage.calls.insert(&call).await.unwrap();
        call
    }

    pub(crate) async fn join(&self, call: CallId) {
        assert!(self.storage.calls.mark_joined(call, self.now(), Some("web_0.4.1")).await.unwrap());
    }

    /// The end of a call, as the call records it.
    pub(crate) async fn hang_up(&self, call: CallId) {
        assert!(self.storage.calls.mark_ended(call, self.now(), EndReason::HangUp).await.unwrap());
    }

    /// The end of a call of which there is nothing to sum up.
    pub(crate) async fn end(&self, call: CallId) {
        self.hang_up(call).await;
        self.storage.endings.finish_ending(call, None, self.now()).await.unwrap();
    }

    /// A call with its whole life, at this moment.
    pub(crate) async fn whole_call(&self) -> CallId {
        let call = self.create(StartCallRequest::default()).await.id;
        self.join(call).await;
        self.end(call).await;
        call
    }

    /// What a host was sent, taken or not.
    pub(crate) fn posts(&self, host: &str) -> Vec<Post> {
        self.town.posts(host)
    }

    /// How many posts to a host were under way at a time, at most.
    pub(crate) fn most_at_a_time(&self, host: &str) -> usize {
        self.town.most_at_a_time(host)
    }

    /// A webhook's deliveries, oldest first.
    pub(crate) async fn deliveries(&self, webhook: WebhookId) -> Vec<StoredDelivery> {
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        let mut items = self.storage.deliveries.deliveries(webhook, window).await.unwrap().items;
        items.reverse();
        items
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.town.now()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.town.clock()
    }
}
