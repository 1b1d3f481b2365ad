//! How many calls an account may have, and how fast it may create them.

use std::time::Duration;

use antiphon_api::rest::call_throttles::CallThrottleRule;
use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{ThrottleId, Timestamp, WireDuration};
use antiphon_engine::output::EndReason;
use antiphon_server::call::AccountLimits;
use antiphon_server::call::limits::{CallLimits, TooManyCalls};
use antiphon_server::call::{Calls, CreateError, CreateOptions};
use antiphon_server::config::{self, Limits, OwnLimits};
use antiphon_server::storage::{AccountId, Storage, StoredCall, StoredThrottle};
use uuid::Uuid;

use crate::stand::backends;

fn calls(limits: Limits, own: &[(AccountId, OwnLimits)]) -> Calls {
    calls_in(Storage::in_memory(), limits, own)
}

fn calls_in(storage: Storage, limits: Limits, own: &[(AccountId, OwnLimits)]) -> Calls {
    let own = own.iter().map(|(account, own)| (*account, limits.with(*own))).collect();
    let backends = std::sync::Arc::new(backends());
    Calls::new(config::Calls::default(), config::TurnTaking::default(), backends, storage)
        .limited(CallLimits::new(AccountLimits::new(limits, own)))
}

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

async fn create(calls: &Calls, account: AccountId) -> Result<(), CreateError> {
    calls.create(account, StartCallRequest::default(), CreateOptions::default()).await.map(|_| ())
}

fn limit(result: Result<(), CreateError>) -> TooManyCalls {
    match result {
        Err(CreateError::Limited(limited)) => limited,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_has_so_many_calls_at_a_time_and_another_one_its_own() {
    let more = OwnLimits { concurrent_calls: Some(3), ..OwnLimits::default() };
    let calls = calls(Limits { concurrent_calls: 2, ..Limits::default() }, &[(account(2), more)]);
    for _ in 0..2 {
        create(&calls, account(1)).await.unwrap();
    }
    let refused = limit(create(&calls, account(1)).await);
    assert_eq!(refused, TooManyCalls::AtATime(2));
    assert_eq!(refused.retry_after(), Duration::from_secs(5));
    assert_eq!(calls.count(), 2, "a call that was refused takes no place");
    for _ in 0..3 {
        create(&calls, account(2)).await.unwrap();
    }
    assert_eq!(limit(create(&calls, account(2)).await), TooManyCalls::AtATime(3));
    assert_eq!((calls.most(account(1)), calls.most(account(2))), (2, 3));

    // Nobody joins, so that all end by their join timeout, and their places are free.
    tokio::time::sleep(Duration::from_secs(40)).await;
    while calls.count() > 0 {
        tokio::task::yield_now().await;
    }
    create(&calls, account(1)).await.unwrap();
    calls.shut_down(Duration::from_secs(5)).await;
    assert!(matches!(create(&calls, account(1)).await, Err(CreateError::Stopping)));
}

#[tokio::test(start_paused = true)]
async fn an_account_creates_so_many_calls_in_a_second_and_in_a_minute() {
    let calls = calls(Limits { calls_per_second: 2, calls_per_minute: 4, ..Limits::default() }, &[]);
    let half = Duration::from_millis(500);
    for _ in 0..2 {
        create(&calls, account(1)).await.unwrap();
    }
    assert_eq!(limit(create(&calls, account(1)).await), TooManyCalls::InASecond(2, half));
    create(&calls, account(2)).await.unwrap();
    for _ in 0..2 {
        tokio::time::advance(half).await;
        create(&calls, account(1)).await.unwrap();
    }
    tokio::time::advance(half).await;
    let refused = limit(create(&calls, account(1)).await);
    assert_eq!(refused, TooManyCalls::InAMinute(4, Duration::from_millis(13_500)));
    assert_eq!(refused.retry_after(), Duration::from_millis(13_500));
    tokio::time::advance(refused.retry_after()).await;
    create(&calls, account(1)).await.unwrap();
    calls.shut_down(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_throttle_refuses_uses_nothing_of_the_accounts_rate_up() {
    let storage = Storage::in_memory();
    let throttle = StoredThrottle {
        id: ThrottleId::new(Uuid::from_u128(5)),
        account: account(1),
        name: "calm".to_owned(),
        created: Timestamp::from_unix_micros(0).unwrap(),
        rules: vec![CallThrottleRule { max_calls: 1, window_seconds: 86_400 }],
        version: 0,
    };
    storage.throttles.insert_throttle(&throttle, 10).await.unwrap();
    let limits = Limits { calls_per_second: 2, calls_per_minute: 3, ..Limits::default() };
    let calls = calls_in(storage, limits, &[]);
    let throttled = async || {
        let options = CreateOptions { throttle: Some(throttle.id), ..CreateOptions::default() };
        calls.create(account(1), StartCallRequest::default(), options).await
    };
    throttled().await.unwrap();
    for _ in 0..20 {
        assert!(matches!(throttled().await, Err(CreateError::Throttled { .. })));
    }
    assert_eq!(calls.count(), 1, "what is refused takes no place");
    create(&calls, account(1)).await.unwrap();
    assert!(matches!(limit(create(&calls, account(1)).await), TooManyCalls::InASecond(2, _)));
    tokio::time::advance(Duration::from_secs(1)).await;
    create(&calls, account(1)).await.unwrap();
    // What is too much for the minute uses nothing of the second up.
    for _ in 0..5 {
        assert!(matches!(limit(create(&calls, account(1)).await), TooManyCalls::InAMinute(3, _)));
    }
    calls.shut_down(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn draining_lets_calls_come_to_their_own_end_and_no_new_ones_begin() {
    let storage = Storage::in_memory();
    let calls = calls_in(storage.clone(), Limits::default(), &[]);
    let timeout = |seconds: u32| StartCallRequest {
        join_timeout: Some(WireDuration::from_secs(seconds)),
        ..StartCallRequest::default()
    };
    let create = |request| calls.create(account(1), request, CreateOptions::default());
    let (short, long) = (create(timeout(10)).await.unwrap(), create(timeout(100)).await.unwrap());
    let begin = tokio::time::Instant::now();
    let draining = tokio::spawn({
        let calls = calls.clone();
        async move { calls.drain(Duration::from_secs(60)).await }
    });
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(matches!(create(timeout(10)).await, Err(CreateError::Stopping)));
    let reason = async |call: &StoredCall| {
        storage.calls.find(call.id).await.unwrap().unwrap().ended.map(|(_, reason)| reason)
    };
    assert_eq!((reason(&short).await, reason(&long).await), (Some(EndReason::Unjoined), None));
    draining.await.unwrap();
    assert_eq!((begin.elapsed().as_secs(), calls.count()), (60, 1));
    calls.shut_down(Duration::from_secs(5)).await;
    assert_eq!(reason(&long).await, Some(EndReason::SystemError));
    calls.drain(Duration::from_secs(60)).await;
    assert!(begin.elapsed() < Duration::from_secs(70), "there is nothing left to wait for");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wakes_its_calls_late_takes_no_more_for_some_seconds() {
    let calls = calls(Limits::default(), &[]);
    let late = |times: u32, late: Duration| (0..times).for_each(|_| calls.metrics().lateness().note(late));
    late(2_000, Duration::from_millis(100));
    create(&calls, account(1)).await.unwrap();
    late(100, Duration::from_millis(101));
    match create(&calls, account(1)).await {
        Err(CreateError::Overloaded { retry_after }) => assert!(retry_after >= Duration::from_secs(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(calls.count(), 1, "a call that was refused takes no place");
    tokio::time::advance(Duration::from_secs(5)).await;
    create(&calls, account(1)).await.unwrap();
    let told = calls.metrics().render();
    assert!(told.contains("antiphon_calls_refused_total{reason=\"overloaded\"} 1"), "{told}");
}
