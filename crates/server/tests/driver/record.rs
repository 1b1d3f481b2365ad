//! The record of a call while the store fails, hangs, or is slow: the call does not notice, and nothing is lost.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use antiphon_server::storage::{
    AccountId, Addition, Admission, CallStore, Deletion, MessageChoice, MessagePlace, Pending, Severity,
    Slice, Storage, StorageError, StoredCall, StoredEvent, StoredMessage, StoredStage, Terms, Window,
};
use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::client::Client;
use crate::stand::{Stand, backends};

/// How a store is unwell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ailment {
    /// It says that it failed.
    Fails,
    /// It does not answer.
    Hangs,
    /// It writes, and says that it failed: the connection broke while it committed.
    WritesAndFails,
    /// It takes nothing that is said in the first call.
    RefusesTheFirst,
}

/// A store that writes nothing of a call in progress before `until`, or does not know that it did, and notes what it writes then.
struct Unwell {
    behind: Arc<dyn CallStore>,
    until: Instant,
    ailment: Ailment,
    first: OnceLock<CallId>,
    written: Arc<Mutex<Vec<&'static str>>>,
}

impl Unwell {
    fn write<'a, T: 'a>(&'a self, what: Vec<&'static str>, write: Pending<'a, T>) -> Pending<'a, T> {
        async move {
            if Instant::now() < self.until {
                match self.ailment {
                    Ailment::RefusesTheFirst => {}
                    Ailment::Fails => return Err(StorageError::Database(sqlx::Error::PoolTimedOut)),
                    Ailment::Hangs => tokio::time::sleep_until(self.until).await,
                    Ailment::WritesAndFails => {
                        write.await?;
                        return Err(StorageError::Database(sqlx::Error::WorkerCrashed));
                    }
                }
            }
            self.written.lock().unwrap().extend(what);
            write.await
        }
        .boxed()
    }
}

impl CallStore for Unwell {
    fn insert<'a>(&'a self, call: &'a StoredCall) -> Pending<'a, ()> {
        let _ = self.first.set(call.id);
        self.behind.insert(call)
    }

    fn insert_on<'a>(&'a self, call: &'a StoredCall, terms: &'a Terms) -> Pending<'a, Admission> {
        let _ = self.first.set(call.id);
        self.behind.insert_on(call, terms)
    }

    fn find(&self, id: CallId) -> Pending<'_, Option<StoredCall>> {
        self.behind.find(id)
    }

    fn unfinished(&self) -> Pending<'_, Vec<StoredCall>> {
        self.behind.unfinished()
    }

    fn mark_joined<'a>(
        &'a self,
        id: CallId,
        at: Timestamp,
        client_version: Option<&'a str>,
    ) -> Pending<'a, bool> {
        self.write(
            vec!["joined"],
            async move { self.behind.mark_joined(id, at, client_version).await }.boxed(),
        )
    }

    fn mark_ended(&self, id: CallId, at: Timestamp, reason: EndReason) -> Pending<'_, bool> {
        self.write(vec!["ended"], async move { self.behind.mark_ended(id, at, reason).await }.boxed())
    }

    fn delete(&self, account: AccountId, id: CallId, at: Timestamp) -> Pending<'_, Deletion> {
        self.behind.delete(account, id, at)
    }

    fn append<'a>(&'a self, additions: &'a [Addition<'a>]) -> Pending<'a, ()> {
        let refused = additions.iter().any(|addition| Some(&addition.call) == self.first.get());
        if refused && self.ailment == Ailment::RefusesTheFirst && Instant::now() < self.until {
            return std::future::ready(Err(StorageError::Database(sqlx::Error::RowNotFound))).boxed();
        }
        let mut what = vec!["together"];
        for addition in additions {
            what.extend((!addition.messages.is_empty()).then_some("messages"));
            what.extend((!addition.events.is_empty()).then_some("events"));
        }
        self.write(what, async move { self.behind.append(additions).await }.boxed())
    }

    fn messages(
        &self,
        call: CallId,
        choice: MessageChoice,
        window: Window<MessagePlace>,
    ) -> Pending<'_, Slice<(MessagePlace, StoredMessage)>> {
        self.behind.messages(call, choice, window)
    }

    fn message(&self, call: CallId, choice: MessageChoice, index: u32) -> Pending<'_, Option<StoredMessage>> {
        self.behind.message(call, choice, index)
    }

    fn insert_stage<'a>(&'a self, call: CallId, stage: &'a StoredStage) -> Pending<'a, ()> {
        self.write(vec!["stage"], async move { self.behind.insert_stage(call, stage).await }.boxed())
    }

    fn stages(&self, call: CallId) -> Pending<'_, Vec<StoredStage>> {
        self.behind.stages(call)
    }

    fn count_messages(&self, call: CallId, choice: MessageChoice) -> Pending<'_, u64> {
        self.behind.count_messages(call, choice)
    }

    fn events(&self, call: CallId, minimum: Severity, limit: u32) -> Pending<'_, Vec<StoredEvent>> {
        self.behind.events(call, minimum, limit)
    }
}

/// A stand whose store is unwell for this long, and what it writes.
fn unwell(length: Duration, ailment: Ailment) -> (Stand, Arc<Mutex<Vec<&'static str>>>) {
    let mut storage = Storage::in_memory();
    let written = Arc::new(Mutex::new(Vec::new()));
    let until = Instant::now() + length;
    storage.calls = Arc::new(Unwell {
        behind: storage.calls,
        until,
        ailment,
        first: OnceLock::new(),
        written: Arc::clone(&written),
    });
    (Stand::with(backends(), storage), written)
}

async fn talk(client: &mut Client) {
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.");
    client.until_state("listening").await;
    client.say(&json!({"type": "nonsense"})).await;
    client.write("two").await;
    assert_eq!(client.until_final("agent").await, "You said two.");
    client.until_state("listening").await;
}

const SAID: [&str; 4] = ["one", "You said one.", "two", "You said two."];

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_for_a_minute_holds_nothing_up_and_loses_nothing() {
    for ailment in [Ailment::Fails, Ailment::Hangs] {
        let minute = Duration::from_secs(60);
        let (stand, _) = unwell(minute, ailment);
        let began = Instant::now();
        let (call, mut client) = stand.call(json!({})).await;
        talk(&mut client).await;
        client.say(&json!({"type": "hang_up"})).await;
        assert_eq!(client.until_closed().await, CloseCode::Normal);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(stand.messages(call).await, [""; 0], "nothing is written yet");
        assert!(!stand.calls.is_live(call), "the record does not hold the call");

        stand.ended(call).await;
        assert!((minute..minute * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(stand.messages(call).await, SAID);
        assert_eq!(stand.troubles(call).await, ["message.ignored"]);
        let stored = stand.stored(call).await;
        let (joined, ended) = (stored.joined.unwrap(), stored.ended.unwrap().0);
        let lasted = ended.unix_micros() - joined.unix_micros();
        assert!(
            (0..10_000_000).contains(&lasted),
            "the times are those of the call, not of the store: {lasted} us"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_written_by_a_store_that_did_not_say_so_is_there_once() {
    let (stand, _) = unwell(Duration::from_secs(60), Ailment::WritesAndFails);
    let (call, mut client) = stand.call(json!({})).await;
    talk(&mut client).await;
    client.hang_up();
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert_eq!(stand.messages(call).await, SAID);
    assert_eq!(stand.troubles(call).await, ["message.ignored"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_written_last() {
    for length in [Duration::ZERO, Duration::from_secs(60)] {
        let (stand, written) = unwell(length, Ailment::Fails);
        let (call, mut client) = stand.call(json!({})).await;
        talk(&mut client).await;
        client.hang_up();
        assert_eq!(stand.ended(call).await, EndReason::HangUp);
        let written = written.lock().unwrap();
        assert_eq!(written.last(), Some(&"ended"), "{written:?}");
        assert_eq!(written.iter().filter(|what| **what == "ended").count(), 1, "{written:?}");
        assert!(written.contains(&"joined") && written.contains(&"messages") && written.contains(&"events"));
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_the_record_but_no_longer_than_it_may() {
    let (stand, _) = unwell(Duration::from_secs(20), Ailment::Fails);
    let (call, mut client) = stand.call(json!({})).await;
    talk(&mut client).await;
    stand.calls.shut_down(Duration::from_secs(1)).await;
    assert!(stand.stored(call).await.ended.is_none(), "the store is away for longer than the deadline");
    assert_eq!(client.until_closed().await, CloseCode::GoingAway);
    stand.calls.shut_down(Duration::from_secs(60)).await;
    assert_eq!(stand.stored(call).await.ended.map(|(_, reason)| reason), Some(EndReason::SystemError));
    assert_eq!(stand.messages(call).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn calls_that_speak_at_a_time_are_written_together() {
    let (stand, written) = unwell(Duration::ZERO, Ailment::Fails);
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(stand.call(json!({})).await);
    }
    join_all(calls.iter_mut().map(|(_, client)| talk(client))).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (call, _) in &calls {
        assert_eq!(stand.messages(*call).await, SAID);
        assert_eq!(stand.troubles(*call).await, ["message.ignored"]);
    }
    let transactions = written.lock().unwrap().iter().filter(|what| **what == "together").count();
    assert!((1..30).contains(&transactions), "{transactions} transactions for 20 calls of two turns");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_record_is_refused_keeps_no_other_from_being_written() {
    let (stand, _) = unwell(Duration::from_secs(60), Ailment::RefusesTheFirst);
    let (refused, mut first) = stand.call(json!({})).await;
    let (call, mut second) = stand.call(json!({})).await;
    tokio::join!(talk(&mut first), talk(&mut second));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stand.messages(call).await, SAID);
    assert_eq!(stand.messages(refused).await, [""; 0]);
    first.hang_up();
    assert_eq!(stand.ended(refused).await, EndReason::HangUp);
    assert_eq!(stand.messages(refused).await, SAID);
}
