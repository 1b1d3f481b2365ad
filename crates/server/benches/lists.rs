//! What lists of calls cost when there are many: one page and its total, by every kind of filter; usage, and deleted calls.
//!
//! Each figure is the processor time of the whole process, and behind it the time that went by: what else the machine does changes the
//! latter only. What Postgres computes is in the latter only, too.
//!
//! `cargo bench -p antiphon-server --bench lists -- [CALLS] [postgres | postgres://URL | FILE.db]`: 100,000 calls unless said; in SQLite, or
//! in the Postgres that tests use. A database that is named is kept, and taken as it is if it has calls already.

#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails fails")]

#[path = "lists/calls.rs"]
mod calls;
#[path = "lists/place.rs"]
mod place;
#[path = "../tests/postgres/server.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod server;

use std::time::{Duration, Instant};

use antiphon_server::storage::{AccountId, CallFilter, CallKey, CallSort, Direction, Storage, Window};
use calls::{SECOND, START, agent, at, call};
use place::Place;
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// How often each is measured; the median is shown.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let calls = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(100_000);
    let deleted = calls / 10;
    let place = Place::of(std::env::args()).await;
    let storage = place.open().await;
    let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(START)).await.unwrap();
    if storage.catalog.count(account, &CallFilter::default()).await.unwrap() == Some(0) {
        fill(&storage, account, calls, deleted).await;
        place.settle().await;
    }

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
            "the same, both at all times",
            CallFilter { search: search("gold"), voices: Some(vec![Some("Silvery".to_owned())]), ..all() },
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
        measure(&storage, account, what, &filter, CallSort { by: CallKey::Created, descending: true }).await;
    }
    let latest = |by| CallSort { by, descending: true };
    for (what, by) in
        [("by join", CallKey::Joined), ("by end", CallKey::Ended), ("by duration", CallKey::Duration)]
    {
        measure(&storage, account, what, &all(), latest(by)).await;
    }
    let long = CallFilter { lasted_at_least: Some(Duration::from_secs(900)), ..all() };
    for (what, words, sort) in [
        ("a word in one, by end", &*customer, latest(CallKey::Ended)),
        ("a word in half, by duration", "gold", latest(CallKey::Duration)),
        ("a word in the older half, by end", "older", latest(CallKey::Ended)),
        ("a word in the older half, by join", "older", latest(CallKey::Joined)),
        ("a word in the older half, by duration", "older", latest(CallKey::Duration)),
        (
            "a word in the younger half, first end",
            "younger",
            CallSort { by: CallKey::Ended, descending: false },
        ),
    ] {
        measure(&storage, account, what, &CallFilter { search: search(words), ..all() }, sort).await;
    }
    measure(&storage, account, "longer than any, by end", &long, latest(CallKey::Ended)).await;
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
    place.leave();
}

/// Keeps calls, and some more that are deleted again.
async fn fill(storage: &Storage, account: AccountId, calls: u32, deleted: u32) {
    let began = Instant::now();
    for number in 0..calls {
        storage.calls.insert(&call(number, account)).await.unwrap();
    }
    println!("{calls} calls kept in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    for number in calls..calls + deleted {
        let call = call(number, account);
        storage.calls.insert(&call).await.unwrap();
        storage.calls.delete(account, call.id, at(START)).await.unwrap();
    }
    println!("and {deleted} more kept and deleted in {:.1} s", began.elapsed().as_secs_f64());
}

async fn measure(storage: &Storage, account: AccountId, what: &str, filter: &CallFilter, sort: CallSort) {
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
