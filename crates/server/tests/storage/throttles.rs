//! What every database must do for throttles. Each function is one story on an empty store.

use antiphon_api::rest::call_throttles::CallThrottleRule;
use antiphon_api::{ThrottleId, Timestamp};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    AccountId, Admission, Keeping, Storage, StoredCall, StoredThrottle, Terms, ThrottleDeletion,
};
use uuid::Uuid;

use crate::contract::{account, at, call};

const SECOND: i64 = 1_000_000;

pub(crate) async fn a_throttle_comes_back_as_it_was_kept_and_only_to_its_account(storage: &Storage) {
    let throttle = inserted(storage, 1, "busy", &[(2, 60)]).await;
    let (throttles, owner) = (&storage.throttles, throttle.account);
    assert_eq!(throttles.find_throttle(owner, throttle.id).await.unwrap(), Some(throttle.clone()));
    assert_eq!(throttles.throttle_named(owner, "busy").await.unwrap(), Some(throttle.clone()));
    assert_eq!(throttles.throttle_named(owner, "Busy").await.unwrap(), None);

    let stranger = AccountId(Uuid::from_u128(77));
    assert_eq!(throttles.find_throttle(stranger, throttle.id).await.unwrap(), None);
    assert_eq!(throttles.throttle_named(stranger, "busy").await.unwrap(), None);
    assert_eq!(throttles.throttles(stranger).await.unwrap(), []);
    let theirs = StoredThrottle { account: stranger, ..throttle.clone() };
    assert_eq!(throttles.update_throttle(&theirs).await.unwrap(), Keeping::Changed);
    assert_eq!(throttles.delete_throttle(stranger, throttle.id).await.unwrap(), ThrottleDeletion::Unknown);

    assert_eq!(throttles.delete_throttle(owner, throttle.id).await.unwrap(), ThrottleDeletion::Deleted);
    assert_eq!(throttles.delete_throttle(owner, throttle.id).await.unwrap(), ThrottleDeletion::Unknown);
    assert_eq!(throttles.find_throttle(owner, throttle.id).await.unwrap(), None);
}

pub(crate) async fn throttles_have_names_of_their_own_and_are_bounded(storage: &Storage) {
    let first = inserted(storage, 1, "first", &[(1, 1)]).await;
    let second = inserted(storage, 2, "second", &[(1, 1)]).await;
    let throttles = &storage.throttles;
    let newest_first: Vec<_> =
        throttles.throttles(first.account).await.unwrap().into_iter().map(|throttle| throttle.id).collect();
    assert_eq!(newest_first, [second.id, first.id]);

    let double = throttle(storage, 3, "first", &[(1, 1)]).await;
    assert_eq!(throttles.insert_throttle(&double, 10).await.unwrap(), Keeping::NameTaken);
    let third = StoredThrottle { name: "third".to_owned(), ..double };
    assert_eq!(throttles.insert_throttle(&third, 2).await.unwrap(), Keeping::Full);
    assert_eq!(throttles.insert_throttle(&third, 3).await.unwrap(), Keeping::Kept);

    let renamed = StoredThrottle { name: "second".to_owned(), ..first.clone() };
    assert_eq!(throttles.update_throttle(&renamed).await.unwrap(), Keeping::NameTaken);
    let changed = StoredThrottle { rules: rules(&[(5, 50)]), ..first.clone() };
    assert_eq!(throttles.update_throttle(&changed).await.unwrap(), Keeping::Kept);
    assert_eq!(
        throttles.update_throttle(&changed).await.unwrap(),
        Keeping::Changed,
        "it was changed meanwhile"
    );
    let kept = throttles.find_throttle(first.account, first.id).await.unwrap().unwrap();
    assert_eq!((kept.rules, kept.version), (rules(&[(5, 50)]), 1));
}

pub(crate) async fn a_window_slides_and_the_oldest_call_makes_room(storage: &Storage) {
    let throttle = inserted(storage, 1, "busy", &[(2, 10), (3, 60)]).await;
    for (second, expected) in [
        (100, Admission::Kept),
        (103, Admission::Kept),
        // Two within ten seconds: the first leaves at 110.
        (105, until(110)),
        (109, until(110)),
        (110, Admission::Kept),
        // Now three within sixty seconds, and the first of them leaves at 160.
        (114, until(160)),
        (159, until(160)),
        (160, Admission::Kept),
        (161, until(163)),
        (163, Admission::Kept),
        (164, until(170)),
    ] {
        let number = u128::try_from(second).unwrap();
        let call = call(storage, number, at(second * SECOND)).await;
        assert_eq!(insert(storage, &call, throttle.id).await, expected, "{second}");
        let kept = storage.calls.find(call.id).await.unwrap();
        assert_eq!(kept.is_some(), expected == Admission::Kept, "what is refused leaves nothing: {second}");
    }
}

pub(crate) async fn what_was_counted_counts_however_calls_and_rules_change(storage: &Storage) {
    let throttle = inserted(storage, 1, "busy", &[(1, 100)]).await;
    let first = call(storage, 1, at(0)).await;
    assert_eq!(insert(storage, &first, throttle.id).await, Admission::Kept);
    storage.calls.mark_ended(first.id, at(1), EndReason::Unjoined).await.unwrap();
    storage.calls.delete(first.account, first.id, at(2)).await.unwrap();
    let second = call(storage, 2, at(50 * SECOND)).await;
    assert_eq!(insert(storage, &second, throttle.id).await, until(100), "a deleted call counts");

    let wider = StoredThrottle { rules: rules(&[(2, 1_000)]), ..throttle.clone() };
    assert_eq!(storage.throttles.update_throttle(&wider).await.unwrap(), Keeping::Kept);
    assert_eq!(insert(storage, &second, throttle.id).await, Admission::Kept);
    let third = call(storage, 3, at(60 * SECOND)).await;
    assert_eq!(insert(storage, &third, throttle.id).await, until(1_000));

    let other = inserted(storage, 2, "other", &[(1, 100)]).await;
    assert_eq!(insert(storage, &third, other.id).await, Admission::Kept, "each throttle counts its own");
    storage.throttles.delete_throttle(throttle.account, throttle.id).await.unwrap();
    let fourth = call(storage, 4, at(61 * SECOND)).await;
    assert_eq!(insert(storage, &fourth, throttle.id).await, Admission::NoThrottle);
    assert_eq!(storage.calls.find(fourth.id).await.unwrap(), None);
}

pub(crate) async fn of_calls_at_once_only_so_many_pass(storage: &Storage) {
    let throttle = inserted(storage, 1, "busy", &[(3, 60)]).await;
    let mut calls = Vec::new();
    for number in 0..20 {
        calls.push(call(storage, number, at(7)).await);
    }
    let inserting = calls.iter().map(|call| insert(storage, call, throttle.id));
    let admitted = futures::future::join_all(inserting).await;
    let kept = admitted.iter().filter(|admission| **admission == Admission::Kept).count();
    assert_eq!(kept, 3, "{admitted:?}");
    assert_eq!(storage.calls.unfinished().await.unwrap().len(), 3);
}

async fn insert(storage: &Storage, call: &StoredCall, throttle: ThrottleId) -> Admission {
    let terms = Terms { throttle: Some(throttle), ..Terms::default() };
    storage.calls.insert_on(call, &terms).await.unwrap()
}

fn until(seconds: i64) -> Admission {
    Admission::Throttled { until: Timestamp::from_unix_micros(seconds * SECOND).unwrap() }
}

fn rules(rules: &[(u32, u32)]) -> Vec<CallThrottleRule> {
    let rule = |&(max_calls, window_seconds): &(u32, u32)| CallThrottleRule { max_calls, window_seconds };
    rules.iter().map(rule).collect()
}

async fn throttle(storage: &Storage, number: u128, name: &str, of: &[(u32, u32)]) -> StoredThrottle {
    StoredThrottle {
        id: ThrottleId::new(Uuid::from_u128(number)),
        account: account(storage).await,
        name: name.to_owned(),
        created: at(i64::try_from(number).unwrap()),
        rules: rules(of),
        version: 0,
    }
}

pub(crate) async fn inserted(
    storage: &Storage,
    number: u128,
    name: &str,
    of: &[(u32, u32)],
) -> StoredThrottle {
    let throttle = throttle(storage, number, name, of).await;
    assert_eq!(storage.throttles.insert_throttle(&throttle, 10).await.unwrap(), Keeping::Kept);
    throttle
}
