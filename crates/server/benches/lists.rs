//! What lists of calls cost when there are many: one page and its total, by every kind of filter, in SQLite; usage, and deleted calls.
//!
//! Each figure is the processor time of the whole process, and behind it the time that went by: what else the machine does changes the
//! latter only.
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
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
/// 2026-01-01.
const START: i64 = 1_767_225_600 * SECOND;
/// The calls before this one have a word that the others lack.
const HALF: u32 = 50_000;
/// How often each is measured; the median is shown.
const ROUNDS: usize = 5;

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
    let deleted = calls / 10;
    let began = Instant::now();
    for number in calls..calls + deleted {
        let call = call(number, account);
        storage.calls.insert(&call).await.unwrap();
        storage.calls.delete(account, call.id, at(START)).await.unwrap();
    }
    println!("and {deleted} more kept and deleted in {:.1} s", began.elapsed().as_secs_f64());

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
        ("metadata of none", CallFilter { metadata: metadata("customer", "nobody"), ..all() }),
        (
            "metadata of one, in half",
            CallFilter {
                metadata: [("tier".to_owned(), "gold".to_owned()), ("customer".to_owned(), customer.clone())]
                    .into(),
                ..all()
            },
        ),
        ("a word in half", CallFilter { search: search("gold"), ..all() }),
        ("a word in a hundred", CallFilter { search: search("c0500"), ..all() }),
        ("a word in one", CallFilter { search: search(&customer), ..all() }),
        ("a word in none", CallFilter { search: search("nothing-like-it"), ..all() }),
        (
            "two words, in half and in one",
            CallFilter { search: search(&format!("gold {customer}")), ..all() },
        ),
        ("two letters in many", CallFilter { search: search("ld"), ..all() }),
        ("two letters in none", CallFilter { search: search("zq"), ..all() }),
        ("a letter in none, one in all", CallFilter { search: search("! a"), ..all() }),
        ("a word in the older half", CallFilter { search: search("older"), ..all() }),
        ("metadata of the older half", CallFilter { metadata: metadata("half", "older"), ..all() }),
        (
            "a word in half, a voice never with it",
            CallFilter { search: search("older"), voices: Some(vec![Some("Newest".to_owned())]), ..all() },
        ),
        (
            "a word in all, a day",
            CallFilter {
                search: search("example.com"),
                created_from: Some(at(START + 86_400 * SECOND)),
                created_to: Some(at(START + 2 * 86_400 * SECOND)),
                ..all()
            },
        ),
        ("longer than any", CallFilter { lasted_at_least: Some(Duration::from_secs(900)), ..all() }),
        (
            "a word in half, longer than any",
            CallFilter { search: search("gold"), lasted_at_least: Some(Duration::from_secs(900)), ..all() },
        ),
        (
            "a voice, an agent and a month",
            CallFilter {
                agents: vec![agent(4).id],
                voices: Some(vec![Some("Mark".to_owned())]),
                created_from: Some(at(START)),
                created_to: Some(at(START + 30 * 86_400 * SECOND)),
                ..all()
            },
        ),
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
    measure(
        &storage,
        account,
        "a word in half, by duration",
        &CallFilter { search: search("gold"), ..all() },
        CallKey::Duration,
    )
    .await;
    measure(
        &storage,
        account,
        "longer than any, by end",
        &CallFilter { lasted_at_least: Some(Duration::from_secs(900)), ..all() },
        CallKey::Ended,
    )
    .await;
    measure_deep(&storage, account, "all, from the middle", &all(), calls / 2).await;
    measure_deep(&storage, account, "all, near the end", &all(), calls / 1_000).await;
    measure_deep(
        &storage,
        account,
        "a word in half, from the middle",
        &CallFilter { search: search("gold"), ..all() },
        calls / 2,
    )
    .await;
    let older = CallFilter { search: search("older"), ..all() };
    measure(&storage, account, "a word in the older half, by end", &older, CallKey::Ended).await;

    let month = |from: i64| CallFilter {
        created_from: Some(at(START + 1 + from * 86_400 * SECOND)),
        created_to: Some(at(START + (from + 30) * 86_400 * SECOND)),
        ..all()
    };
    for (what, filter) in [
        ("all", all()),
        ("a month", month(2)),
        ("one voice of 2", CallFilter { voices: Some(vec![Some("Mark".to_owned())]), ..all() }),
        ("one voice, a month", CallFilter { voices: Some(vec![Some("Mark".to_owned())]), ..month(2) }),
        ("at least 60 s", CallFilter { lasted_at_least: Some(Duration::from_secs(60)), ..all() }),
        ("a word in half", CallFilter { search: search("gold"), ..all() }),
        ("metadata of half of them", CallFilter { metadata: metadata("tier", "gold"), ..all() }),
        ("a word in a hundred", CallFilter { search: search("c0500"), ..all() }),
    ] {
        let (hours, count) =
            timed(async || storage.catalog.by_hour(account, &filter).await.unwrap().len()).await;
        let (days, _) =
            timed(async || storage.catalog.by_agent_and_day(account, &filter).await.unwrap().len()).await;
        println!("usage, {what:<31} {hours} of {count} hours, {days} by agent and day");
    }
    for (what, from, to) in [("a day", 20, 21), ("the first day", 0, 1), ("a week", 20, 27)] {
        let (from, to) = (at(START + from * 86_400 * SECOND), at(START + to * 86_400 * SECOND));
        let spans = async || storage.catalog.spans(account, from, to, 1_000_000).await.unwrap().len();
        let (spans, count) = timed(spans).await;
        println!("at a time, {what:<27} {spans}, {count} calls");
    }
    let deleted_one = call(calls + deleted / 2, account).id.to_string();
    for (what, search) in [
        ("all", None),
        ("by an id", search(&deleted_one)),
        ("by its end", search(&deleted_one[24..])),
        ("by two digits", search(&deleted_one[..2])),
        ("by what is no id", search("gold")),
    ] {
        let filter = CallFilter { search, ..all() };
        let window = Window { after: None, direction: Direction::Forward, limit: 100 };
        let (page, items) =
            timed(async || storage.catalog.tombstones(account, &filter, window).await.unwrap().items.len())
                .await;
        let (count, total) =
            timed(async || storage.catalog.count_tombstones(account, &filter).await.unwrap()).await;
        println!("deleted, {what:<29} {page} page, {count} total, {items} of {total:?}");
    }
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
        Some(total) => (Cost::default(), Some(total)),
        None => timed(async || storage.catalog.count(account, filter).await.unwrap()).await,
    };
    let total = total.map_or_else(|| "many".to_owned(), |total| total.to_string());
    println!("{what:<38} {page} page, {count} total, {} together, {total} calls", page.and(count));
}

/// A page from the middle of the list.
async fn measure_deep(storage: &Storage, account: AccountId, what: &str, filter: &CallFilter, number: u32) {
    let sort = CallSort { by: CallKey::Created, descending: true };
    let after = Some(call(number, account).sort_place(CallKey::Created));
    let window = Window { after, direction: Direction::Forward, limit: 100 };
    let list = async || storage.catalog.list(account, filter, sort, window).await.unwrap().items.len();
    let (page, items) = timed(list).await;
    println!("{what:<38} {page} page, {items} calls");
}

/// What something costs: the processor's time and the time that goes by, in milliseconds.
#[derive(Clone, Copy, Default)]
struct Cost(f64, f64);

impl Cost {
    fn and(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1)
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6.2} ({:>6.2}) ms", self.0, self.1)
    }
}

/// The medians of some rounds, and what the last one gave.
async fn timed<T>(work: impl AsyncFn() -> T) -> (Cost, T) {
    let mut last = work().await;
    let (mut processor, mut clock) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let (began, busy) = (Instant::now(), busy());
        last = work().await;
        clock.push(began.elapsed());
        processor.push(self::busy() - busy);
    }
    processor.sort_unstable();
    clock.sort_unstable();
    let millis = |times: Vec<Duration>| times[ROUNDS / 2].as_secs_f64() * 1e3;
    (Cost(millis(processor), millis(clock)), last)
}

/// The processor's time that this process has had.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
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
        ("half", if number < HALF { "older" } else { "younger" }.to_owned()),
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
            voice: Some(match number {
                number if number >= HALF && number.is_multiple_of(7) => "Newest".to_owned(),
                number if number.is_multiple_of(2) => "Mark".to_owned(),
                _ => "Jessica".to_owned(),
            }),
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
