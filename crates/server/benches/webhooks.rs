//! What a long queue of deliveries costs: how soon a receiver is told while another one hangs with so many waiting, how fast a receiver
//! that comes back is told all of them, and how much memory that takes. In SQLite.
//!
//! `cargo bench -p antiphon-server --bench webhooks -- [DELIVERIES]`; 100,000 unless said.

#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_api::{CallId, Secret, Timestamp, WebhookId};
use antiphon_server::jobs::webhooks::{Courier, Dispatcher, Reply};
use antiphon_server::outbound::Request;
use antiphon_server::storage::{AccountId, Storage, StoredCall, StoredWebhook, WebhookHealth};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Two receivers, of which one hangs until it is told to take what it gets.
#[derive(Default)]
struct Town {
    awake: AtomicBool,
    good: AtomicUsize,
    stuck: AtomicUsize,
}

impl Courier for Town {
    fn post(&self, request: Request) -> BoxFuture<'_, Result<Reply, String>> {
        let is_good = request.url.host_str() == Some("good.example");
        async move {
            if is_good {
                self.good.fetch_add(1, Ordering::Relaxed);
            } else if self.awake.load(Ordering::Relaxed) {
                self.stuck.fetch_add(1, Ordering::Relaxed);
            } else {
                std::future::pending::<()>().await;
            }
            Ok(Reply { status: 200, said: String::new() })
        }
        .boxed()
    }
}

#[tokio::main]
async fn main() {
    let deliveries = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let directory = std::env::temp_dir().join(format!("antiphon-webhooks-{}", Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let storage = Storage::open_sqlite(&directory.join("antiphon.db")).await.unwrap();
    let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), now()).await.unwrap();

    hook(&storage, account, "stuck.example").await;
    let began = Instant::now();
    for _ in 0..deliveries {
        create(&storage, account).await;
    }
    let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(deliveries);
    println!("{deliveries} calls created, each with a delivery, {each:.0} us each");

    hook(&storage, account, "good.example").await;
    let town = Arc::new(Town::default());
    let courier: Arc<dyn Courier> = Arc::clone(&town) as _;
    let public_url = "https://voice.example.com".parse().unwrap();
    let before = memory_kb();
    let dispatcher = Dispatcher::new(storage.clone(), courier, public_url, Arc::new(now));
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone()));
    let mut times = Vec::new();
    for count in 1..=200 {
        let began = Instant::now();
        create(&storage, account).await;
        while town.good.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!(
        "a call is created and the other receiver told: median {:.2} ms, 99 of 100 {:.2} ms",
        millis(times[times.len() / 2]),
        millis(times[times.len() * 99 / 100]),
    );
    println!("memory while {deliveries} wait: {} kB more than before", memory_kb().saturating_sub(before));

    town.awake.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let (mut told, mut quiet) = (0, Instant::now());
    // What hangs is noticed after ten seconds, and tried again half a minute later; the rest follows.
    while told < deliveries as usize && quiet.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let seen = town.stuck.load(Ordering::Relaxed);
        if seen > told {
            (told, quiet) = (seen, Instant::now());
        }
    }
    let rate = told as f64 / began.elapsed().as_secs_f64();
    println!("the receiver that woke was told {told} events, {rate:.0} a second; {} kB", memory_kb());
    stop.cancel();
    running.await.unwrap();
    storage.close().await;
    std::fs::remove_dir_all(&directory).unwrap();
}

async fn hook(storage: &Storage, account: AccountId, host: &str) {
    let webhook = StoredWebhook {
        id: WebhookId::new(Uuid::new_v4()),
        account,
        created: now(),
        agent: None,
        url: format!("https://{host}/"),
        secrets: vec![Secret::new("s3cret-s3cret-s3cret")],
        events: vec![WebhookEvent::Started],
        naive_timestamps: false,
        health: WebhookHealth::default(),
        version: 0,
    };
    assert!(storage.webhooks.insert_webhook(&webhook, 10).await.unwrap());
}

async fn create(storage: &Storage, account: AccountId) {
    let call = StoredCall {
        id: CallId::new(Uuid::new_v4()),
        account,
        created: now(),
        joined: None,
        ended: None,
        client_version: None,
        greeting_prompt: true,
        agent: None,
        summary: None,
        request: StartCallRequest {
            system_prompt: Some("Be kind. ".repeat(133)),
            ..StartCallRequest::default()
        },
    };
    storage.calls.insert(&call).await.unwrap();
}

/// The process's memory in use, where the system says it.
fn memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}
