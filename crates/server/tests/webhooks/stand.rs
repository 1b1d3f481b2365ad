//! A store, somebody who delivers what is in it, and receivers that do as they are told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_api::{CallId, Secret, Timestamp, WebhookId};
use antiphon_engine::output::EndReason;
use antiphon_server::jobs::Clock;
use antiphon_server::jobs::webhooks::{Courier, Dispatcher, Reply};
use antiphon_server::outbound::Request;
use antiphon_server::storage::{
    AccountId, Direction, Storage, StoredCall, StoredDelivery, StoredWebhook, WebhookHealth, Window,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const ALL: [WebhookEvent; 4] =
    [WebhookEvent::Started, WebhookEvent::Joined, WebhookEvent::Ended, WebhookEvent::Billed];

/// What a receiver does with a post.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Answers with this status.
    Answers(u16),
    /// Cannot be connected to until then, and takes everything from then on.
    DownUntil(Duration),
    /// Never answers.
    Hangs,
    /// Takes it after a while.
    Slow(Duration),
}

/// A post as its receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// When it came, counted from the beginning of the test.
    pub(crate) at: Duration,
    /// The host that it went to.
    pub(crate) host: String,
    pub(crate) request: Request,
    /// Whether it was taken.
    pub(crate) taken: bool,
}

impl Post {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(self.request.body.as_ref().unwrap()).unwrap()
    }

    pub(crate) fn event(&self) -> String {
        self.body()["event"].as_str().unwrap().to_owned()
    }

    pub(crate) fn call(&self) -> CallId {
        self.body()["call"]["callId"].as_str().unwrap().parse().unwrap()
    }
}

/// All receivers, by host. A host that nobody spoke of takes everything.
pub(crate) struct Town {
    begin: Instant,
    manners: Mutex<HashMap<String, Manner>>,
    posts: Mutex<Vec<Post>>,
    /// Posts under way by host, and the most there have been.
    under_way: Mutex<HashMap<String, (usize, usize)>>,
}

impl Town {
    async fn receive(&self, request: Request) -> Result<Reply, String> {
        let host = request.url.host_str().unwrap().to_owned();
        let manner = self.manners.lock().unwrap().get(&host).copied().unwrap_or(Manner::Answers(204));
        let place = {
            let mut posts = self.posts.lock().unwrap();
            posts.push(Post { at: self.begin.elapsed(), host: host.clone(), request, taken: false });
            posts.len() - 1
        };
        let _guest = Guest::of(self, host);
        let status = match manner {
            Manner::Answers(status) => status,
            Manner::DownUntil(until) if self.begin.elapsed() < until => {
                return Err("nobody is there".to_owned());
            }
            Manner::DownUntil(_) => 200,
            Manner::Hangs => std::future::pending().await,
            Manner::Slow(wait) => {
                sleep(wait).await;
                200
            }
        };
        self.posts.lock().unwrap()[place].taken = (200..300).contains(&status);
        Ok(Reply { status, said: String::new() })
    }
}

impl Courier for Town {
    fn post(&self, request: Request) -> BoxFuture<'_, Result<Reply, String>> {
        self.receive(request).boxed()
    }
}

/// A post that is being received.
struct Guest<'t> {
    town: &'t Town,
    host: String,
}

impl<'t> Guest<'t> {
    fn of(town: &'t Town, host: String) -> Self {
        let mut under_way = town.under_way.lock().unwrap();
        let (now, most) = under_way.entry(host.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        drop(under_way);
        Self { town, host }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.town.under_way.lock().unwrap().get_mut(&self.host).unwrap().0 -= 1;
    }
}

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
        let town = Arc::new(Town {
            begin: Instant::now(),
            manners: Mutex::default(),
            posts: Mutex::default(),
            under_way: Mutex::default(),
        });
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
        sleep_until(self.town.begin + moment).await;
        // Whoever has something to do at that very moment comes first.
        sleep(Duration::from_micros(1)).await;
    }

    pub(crate) fn has_manner(&self, host: &str, manner: Manner) {
        self.town.manners.lock().unwrap().insert(host.to_owned(), manner);
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
        self.town.posts.lock().unwrap().iter().filter(|post| post.host == host).cloned().collect()
    }

    /// How many posts to a host were under way at a time, at most.
    pub(crate) fn most_at_a_time(&self, host: &str) -> usize {
        self.town.under_way.lock().unwrap()[host].1
    }

    /// A webhook's deliveries, oldest first.
    pub(crate) async fn deliveries(&self, webhook: WebhookId) -> Vec<StoredDelivery> {
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        let mut items = self.storage.deliveries.deliveries(webhook, window).await.unwrap().items;
        items.reverse();
        items
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock()()
    }

    pub(crate) fn clock(&self) -> Clock {
        let begin = self.town.begin;
        Arc::new(move || at(i64::try_from(begin.elapsed().as_micros()).unwrap()))
    }
}

/// So many microseconds after the beginning of every test.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_795_855_500_000_000 + micros).unwrap()
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3_600)
}
