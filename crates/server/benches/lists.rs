//! What lists of calls cost when there are many: one page and its total, by every kind of filter, in SQLite.
//!
//! `cargo bench -p antiphon-server --bench lists -- [CALLS]`; 100,000 calls unless said.

#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails fails")]

use std::time::{Duration, Instant};

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{AgentId, AgentRevisionId, CallId, Timestamp};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    AccountId, CallAgent, CallFilter, CallKey, CallSort, Direction, Storage, StoredCall, Window,
};
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
/// 2026-01-01.
const START: i64 = 1_767_225_600 * SECOND;
/// How often each is measured; the median is shown.
const ROUNDS: usize = 9;

#[tokio::main]
async fn main() {
    let calls = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let directory = std::env::temp_dir().join(format!("antiphon-lists-{}", Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let storage = Storage::open_sqlite(&directory.join("antiphon.db")).await.unwrap();
    let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(START)).await.unwrap();
    let began = Instant::now();
    for number in 0..calls {
        storage.calls.insert(&call(number, account)).await.unwrap();
    }
    println!("{calls} calls kept in {:.1} s", began.elapsed().as_secs_f64());

    let all = CallFilter::default;
    let metadata = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let search = |words: &str| Some(words.to_owned());
    let customer = format!("c{:06}", calls / 2);
    for (what, filter) in [
        ("all", all()),
        (
            "a day",
            CallFilter {
                created_from: Some(at(START)),
                created_to: Some(at(START + 86_400 * SECOND)),
                ..all()
            },
        ),
        ("one agent of 20", CallFilter { agents: vec![agent(3).id], ..all() }),
        ("at least 290 s", CallFilter { lasted_at_least: Some(Duration::from_secs(290)), ..all() }),
        (
            "an hour of each day",
            CallFilter { time_of_day: Some((8 * 3_600 * SECOND, 9 * 3_600 * SECOND)), ..all() },
        ),
        ("one voice of 2", CallFilter { voices: Some(vec![Some("Mark".to_owned())]), ..all() }),
        ("metadata of half of them", CallFilter { metadata: metadata("tier", "gold"), ..all() }),
        ("metadata of one", CallFilter { metadata: metadata("customer", &customer), ..all() }),
        ("a word in many", CallFilter { search: search("gold"), ..all() }),
        ("a word in one", CallFilter { search: search(&customer), ..all() }),
        ("a word in none", CallFilter { search: search("nothing-like-it"), ..all() }),
    ] {
        measure(&storage, account, what, &filter, CallKey::Created).await;
    }
    for (what, by) in
        [("by join", CallKey::Joined), ("by end", CallKey::Ended), ("by duration", CallKey::Duration)]
    {
        measure(&storage, account, what, &all(), by).await;
    }
    let rare = CallFilter { search: search(&customer), ..all() };
    measure(&storage, account, "a word in one, by end", &rare, CallKey::Ended).await;
    let (hours, by_hour) =
        timed(async || storage.catalog.by_hour(account, &all()).await.unwrap().len()).await;
    println!("{:<28} {hours:>8.2} ms for {by_hour} hours", "summed up");
    storage.close().await;
    std::fs::remove_dir_all(&directory).unwrap();
}

async fn measure(storage: &Storage, account: AccountId, what: &str, filter: &CallFilter, by: CallKey) {
    let sort = CallSort { by, descending: true };
    let list = async || {
        let window = Window { after: None, direction: Direction::Forward, limit: 100 };
        let slice = storage.catalog.list(account, filter, sort, window).await.unwrap();
        (slice.items.len(), slice.whole(&window))
    };
    let (page, (_, whole)) = timed(list).await;
    let (count, total) = match whole {
        Some(total) => (0.0, total),
        None => timed(async || storage.catalog.count(account, filter).await.unwrap()).await,
    };
    println!(
        "{what:<28} {page:>8.2} ms page {count:>8.2} ms total {:>8.2} ms together, {total} calls",
        page + count
    );
}

/// The median of some rounds in milliseconds, and what the last one gave.
async fn timed<T>(work: impl AsyncFn() -> T) -> (f64, T) {
    let mut last = work().await;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        last = work().await;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    (times[ROUNDS / 2].as_secs_f64() * 1e3, last)
}

/// A call every 30 s, a few minutes long, of one of 20 agents, with a prompt of 1,200 characters and some metadata.
fn call(number: u32, account: AccountId) -> StoredCall {
    // Any numbers that are not in order.
    let mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let created = START + i64::from(number) * 30 * SECOND;
    let lasted = i64::try_from(mixed >> 64 & 0xFFFF).unwrap() * 300 * SECOND / 0xFFFF;
    let metadata = [
        ("customer", format!("c{number:06}")),
        ("tier", if mixed >> 100 & 1 == 0 { "gold" } else { "silver" }.to_owned()),
        ("source", "https://example.com/landing/page".to_owned()),
    ];
    StoredCall {
        id: CallId::new(Uuid::from_u128(mixed)),
        account,
        created: at(created),
        joined: Some(at(created + SECOND)),
        ended: Some((at(created + SECOND + lasted), EndReason::HangUp)),
        client_version: Some("web_0.4.1".to_owned()),
        greeting_prompt: true,
        agent: Some(agent(number % 20)),
        summary: None,
        request: StartCallRequest {
            system_prompt: Some("Be kind. ".repeat(133)),
            voice: Some(if number.is_multiple_of(2) { "Mark" } else { "Jessica" }.to_owned()),
            metadata: Some(metadata.map(|(key, value)| (key.to_owned(), value)).into()),
            ..StartCallRequest::default()
        },
    }
}

fn agent(number: u32) -> CallAgent {
    CallAgent {
        id: AgentId::new(Uuid::from_u128(u128::from(number) + 1)),
        name: format!("Agent {number}"),
        revision: AgentRevisionId::new(Uuid::from_u128(u128::from(number) + 1)),
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros).unwrap()
}
