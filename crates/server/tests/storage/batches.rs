//! What every database must do for scheduled batches. Each function is one story on an empty store.

use antiphon_api::rest::scheduled_batches::{BatchSettings, ScheduledCallRequest, ScheduledCallStatus};
use antiphon_api::{BatchId, Secret, Timestamp};
use antiphon_server::storage::{
    AccountId, Admission, Direction, ScheduledPlace, Settled, Storage, StoredAgent, StoredBatch, StoredCall,
    StoredScheduledCall, Terms, ThrottleDeletion, Window,
};
use serde_json::json;
use uuid::Uuid;

use crate::contract::{at, call};
use crate::{agents, throttles};

const STRANGER: AccountId = AccountId(Uuid::from_u128(77));

pub(crate) async fn a_batch_comes_back_as_it_was_kept_and_only_to_its_agent(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let other = agents::inserted(storage, 2, "Sales", 5).await;
    let settings = BatchSettings {
        window_start: Some(at(100)),
        window_end: Some(at(200)),
        throttle: None,
        webhook_url: Some("https://example.com/hook".to_owned()),
        webhook_secret: Some(Secret::new("s3cret")),
        paused: false,
    };
    let batch = inserted(storage, &agent, 1, settings, 3).await;
    let batches = &storage.batches;
    let found = batches.find_batch(batch.account, agent.id, batch.id).await.unwrap();
    assert_eq!(found, Some(batch.clone()));
    assert_eq!(batches.find_batch(STRANGER, agent.id, batch.id).await.unwrap(), None);
    assert_eq!(batches.find_batch(batch.account, other.id, batch.id).await.unwrap(), None);
    assert_eq!(batches.count_batches(STRANGER, agent.id).await.unwrap(), 0);
    assert!(!batches.delete_batch(STRANGER, agent.id, batch.id).await.unwrap());
    assert!(!batches.delete_batch(batch.account, other.id, batch.id).await.unwrap());
    assert!(!batches.update_batch(&StoredBatch { account: STRANGER, ..batch.clone() }).await.unwrap());

    let mut changed = batch.clone();
    changed.settings.window_end = None;
    assert!(batches.update_batch(&changed).await.unwrap());
    assert!(!batches.update_batch(&changed).await.unwrap(), "it was changed meanwhile");
    let second = inserted(storage, &agent, 2, BatchSettings::default(), 1).await;
    let ids = async |after, direction| -> (Vec<BatchId>, bool) {
        let window = Window { after, direction, limit: 1 };
        let slice = batches.batches(batch.account, agent.id, window).await.unwrap();
        (slice.items.iter().map(|batch| batch.id).collect(), slice.more)
    };
    assert_eq!(ids(None, Direction::Forward).await, (vec![second.id], true));
    assert_eq!(ids(Some(second.place()), Direction::Forward).await, (vec![batch.id], false));
    assert_eq!(ids(Some(batch.place()), Direction::Backward).await, (vec![second.id], false));
    assert!(
        !batches.insert_batch(&batch_of(&agent, 3, BatchSettings::default()), &calls(1), 2).await.unwrap()
    );

    assert!(batches.delete_batch(batch.account, agent.id, batch.id).await.unwrap());
    assert!(!batches.delete_batch(batch.account, agent.id, batch.id).await.unwrap());
    assert_eq!(batches.count_scheduled_calls(batch.id, None).await.unwrap(), 0);
}

pub(crate) async fn a_call_of_a_batch_is_created_once_in_one_go_with_the_note_of_it(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let settings =
        BatchSettings { window_start: Some(at(100)), window_end: Some(at(200)), ..Default::default() };
    let batch = inserted(storage, &agent, 1, settings, 3).await;
    let first = storage.batches.next_scheduled_call(batch.id).await.unwrap().unwrap();
    assert_eq!(first, scheduled(0));
    for (number, now, expected) in [
        (1, 99, Admission::Unscheduled),
        (2, 200, Admission::Unscheduled),
        (3, 100, Admission::Kept),
        (4, 101, Admission::Unscheduled),
    ] {
        let call = call(storage, number, at(now)).await;
        assert_eq!(insert(storage, &call, &batch, 0).await, expected, "{now}");
        assert_eq!(storage.calls.find(call.id).await.unwrap().is_some(), expected == Admission::Kept);
    }
    assert_eq!(storage.batches.next_scheduled_call(batch.id).await.unwrap().unwrap().position, 1);
    let other = BatchId::new(Uuid::from_u128(98));
    for of in [None, Some(batch.id)] {
        let untold = storage.batches.untold_calls(of, 10).await.unwrap();
        assert_eq!(untold, [(place(&batch, 0), call(storage, 3, at(0)).await.id)]);
    }
    assert_eq!(storage.batches.untold_calls(Some(other), 10).await.unwrap(), []);
    let nothing = call(storage, 9, at(150)).await;
    assert_eq!(insert(storage, &nothing, &batch, 7).await, Admission::Unscheduled, "there is no such call");

    let mut paused = batch.clone();
    paused.settings.paused = true;
    assert!(storage.batches.update_batch(&paused).await.unwrap());
    let second = call(storage, 5, at(150)).await;
    assert_eq!(insert(storage, &second, &batch, 1).await, Admission::Unscheduled);
    let gone = StoredBatch { id: BatchId::new(Uuid::from_u128(99)), ..batch };
    assert_eq!(insert(storage, &second, &gone, 1).await, Admission::Unscheduled);
}

pub(crate) async fn what_a_throttle_refuses_stays_scheduled(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let throttle = throttles::inserted(storage, 1, "busy", &[(1, 60)]).await;
    let mut batch = batch_of(&agent, 1, BatchSettings::default());
    batch.throttle = Some(throttle.id);
    assert!(storage.batches.insert_batch(&batch, &calls(2), 10).await.unwrap());
    let terms = |position| Terms {
        throttle: Some(throttle.id),
        scheduled: Some(place(&batch, position)),
        ..Terms::default()
    };
    let (first, second) = (call(storage, 1, at(0)).await, call(storage, 2, at(1)).await);
    assert_eq!(storage.calls.insert_on(&first, &terms(0)).await.unwrap(), Admission::Kept);
    let until = at(60_000_000);
    assert_eq!(storage.calls.insert_on(&second, &terms(1)).await.unwrap(), Admission::Throttled { until });
    assert_eq!(storage.batches.next_scheduled_call(batch.id).await.unwrap(), Some(scheduled(1)));

    let throttles = &storage.throttles;
    let delete = async || throttles.delete_throttle(throttle.account, throttle.id).await.unwrap();
    assert_eq!(delete().await, ThrottleDeletion::InUse);
    storage.batches.expire_batch(batch.id, at(2)).await.unwrap();
    settle(storage, &batch, 0, &Settled::Success, at(2)).await;
    assert_eq!(delete().await, ThrottleDeletion::Deleted);
    let kept = storage.batches.find_batch(batch.account, agent.id, batch.id).await.unwrap().unwrap();
    assert_eq!((kept.throttle, kept.ended), (None, Some(at(2))));
}

pub(crate) async fn calls_are_counted_by_what_they_came_to_and_then_the_batch_is_over(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let batch = inserted(storage, &agent, 1, BatchSettings::default(), 4).await;
    for (position, second) in [(0, 10), (1, 11)] {
        let call = call(storage, u128::from(position) + 1, at(second)).await;
        assert_eq!(insert(storage, &call, &batch, position).await, Admission::Kept);
    }
    settle(storage, &batch, 0, &Settled::Success, at(20)).await;
    settle(storage, &batch, 0, &Settled::Error("late".to_owned()), at(21)).await;
    settle(storage, &batch, 1, &Settled::Error("the webhook said no".to_owned()), at(22)).await;
    settle(storage, &batch, 2, &Settled::Error("no such model".to_owned()), at(23)).await;
    let count = async |status| storage.batches.count_scheduled_calls(batch.id, status).await.unwrap();
    assert_eq!(count(None).await, 4);
    assert_eq!(count(Some(ScheduledCallStatus::Success)).await, 1);
    assert_eq!(count(Some(ScheduledCallStatus::Error)).await, 2);
    assert_eq!(count(Some(ScheduledCallStatus::Future)).await, 1);
    let kept = async || storage.batches.find_batch(batch.account, agent.id, batch.id).await.unwrap().unwrap();
    assert_eq!((kept().await.completed, kept().await.ended), (3, None));
    storage.batches.expire_batch(batch.id, at(30)).await.unwrap();
    assert_eq!((kept().await.completed, kept().await.ended), (3, Some(at(30))));
    assert_eq!(count(Some(ScheduledCallStatus::Expired)).await, 1);
    assert!(!storage.batches.update_batch(&kept().await).await.unwrap(), "what is over does not change");

    let window = Window { after: None, direction: Direction::Forward, limit: 10 };
    let all = storage.batches.scheduled_calls(batch.id, None, window).await.unwrap().items;
    let came_to: Vec<_> =
        all.iter().map(|call| (call.status, call.call.is_some(), call.error.as_deref())).collect();
    assert_eq!(
        came_to,
        [
            (ScheduledCallStatus::Success, true, None),
            (ScheduledCallStatus::Error, true, Some("the webhook said no")),
            (ScheduledCallStatus::Error, false, Some("no such model")),
            (ScheduledCallStatus::Expired, false, None),
        ]
    );
    let created = storage.batches.created_calls(batch.id, window).await.unwrap();
    let places: Vec<u32> = created.items.iter().map(|(position, _)| *position).collect();
    assert_eq!((places, storage.batches.count_created_calls(batch.id).await.unwrap()), (vec![0, 1], 2));

    // Calls outlive their batch and its agent.
    storage.agents.delete_agent(agent.account, agent.id).await.unwrap();
    assert_eq!(storage.batches.find_batch(batch.account, agent.id, batch.id).await.unwrap(), None);
    assert!(storage.calls.find(created.items[0].1.id).await.unwrap().is_some());
}

pub(crate) async fn what_is_due_comes_in_turn_and_what_is_paused_never(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let starting = |start: i64| BatchSettings { window_start: Some(at(start)), ..Default::default() };
    let first = inserted(storage, &agent, 1, starting(100), 1).await;
    let second = inserted(storage, &agent, 2, starting(50), 1).await;
    let due = async |now: i64| -> Vec<BatchId> {
        assert_eq!(storage.batches.due_batches(at(now), &[agent.account], 10).await.unwrap(), []);
        let due = storage.batches.due_batches(at(now), &[STRANGER], 10).await.unwrap();
        due.iter().map(|batch| batch.id).collect()
    };
    let next = async |now: i64| storage.batches.next_due(at(now)).await.unwrap();
    assert_eq!((due(49).await, next(49).await), (vec![], Some(at(50))));
    assert_eq!((due(50).await, next(50).await), (vec![second.id], Some(at(100))));
    assert_eq!((due(100).await, next(100).await), (vec![second.id, first.id], None));
    assert_eq!(storage.batches.due_batches(at(100), &[], 1).await.unwrap().len(), 1);

    storage.batches.postpone_batch(second.id, 0, at(150), 3).await.unwrap();
    assert_eq!((due(149).await, next(100).await), (vec![first.id], Some(at(150))));
    let kept = storage.batches.find_batch(agent.account, agent.id, second.id).await.unwrap().unwrap();
    assert_eq!(kept.failures, 3);
    // A change counts anew, and what was worked out before it does not.
    assert!(storage.batches.update_batch(&kept).await.unwrap());
    storage.batches.postpone_batch(second.id, 0, at(500), 9).await.unwrap();
    assert_eq!(due(149).await, [second.id, first.id]);

    let mut paused = first.clone();
    paused.settings.paused = true;
    assert!(storage.batches.update_batch(&paused).await.unwrap());
    assert_eq!(due(1_000).await, [second.id]);
    paused.settings.window_end = Some(at(2_000));
    paused.version = 1;
    assert!(storage.batches.update_batch(&paused).await.unwrap());
    assert_eq!((due(1_999).await, next(1_000).await), (vec![second.id], Some(at(2_000))));
    storage.batches.expire_batch(second.id, at(3_000)).await.unwrap();
    assert_eq!(due(2_000).await, [first.id]);
}

pub(crate) async fn a_long_batch_is_walked_both_ways_without_a_gap_or_a_double(storage: &Storage) {
    let agent = agents::inserted(storage, 1, "Support", 5).await;
    let batch = inserted(storage, &agent, 1, BatchSettings::default(), 1_203).await;
    assert_eq!(
        (batch.total, storage.batches.count_scheduled_calls(batch.id, None).await.unwrap()),
        (1_203, 1_203)
    );
    for (direction, expected) in [
        (Direction::Forward, (0..1_203).collect::<Vec<u32>>()),
        (Direction::Backward, (0..1_203).rev().collect()),
    ] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let window = Window { after, direction, limit: 400 };
            let slice = storage.batches.scheduled_calls(batch.id, None, window).await.unwrap();
            let mut positions: Vec<u32> = slice.items.iter().map(|call| call.position).collect();
            after = match direction {
                Direction::Forward => positions.last().copied(),
                Direction::Backward => positions.first().copied(),
            };
            if direction == Direction::Backward {
                positions.reverse();
            }
            walked.extend(positions);
            if !slice.more {
                break;
            }
        }
        assert_eq!(walked, expected, "{direction:?}");
    }
    let window = Window { after: Some(1_201), direction: Direction::Forward, limit: 5 };
    let last = storage.batches.scheduled_calls(batch.id, None, window).await.unwrap().items;
    assert_eq!(last, [scheduled(1_202)]);
}

fn place(batch: &StoredBatch, position: u32) -> ScheduledPlace {
    ScheduledPlace { batch: batch.id, position }
}

async fn insert(storage: &Storage, call: &StoredCall, batch: &StoredBatch, position: u32) -> Admission {
    let terms = Terms { scheduled: Some(place(batch, position)), ..Terms::default() };
    storage.calls.insert_on(call, &terms).await.unwrap()
}

async fn settle(storage: &Storage, batch: &StoredBatch, position: u32, settled: &Settled, now: Timestamp) {
    storage.batches.settle_call(place(batch, position), settled, now).await.unwrap();
}

fn calls(count: u32) -> Vec<ScheduledCallRequest> {
    (0..count).map(|position| scheduled(position).request).collect()
}

fn scheduled(position: u32) -> StoredScheduledCall {
    StoredScheduledCall {
        position,
        status: ScheduledCallStatus::Future,
        call: None,
        error: None,
        request: ScheduledCallRequest {
            metadata: Some([("number".to_owned(), position.to_string())].into()),
            template_context: json!({"position": position}).as_object().cloned(),
            ..Default::default()
        },
    }
}

fn batch_of(agent: &StoredAgent, number: u128, settings: BatchSettings) -> StoredBatch {
    StoredBatch {
        id: BatchId::new(Uuid::from_u128(number)),
        account: agent.account,
        agent: agent.id,
        created: at(i64::try_from(number).unwrap()),
        settings,
        throttle: None,
        total: 0,
        completed: 0,
        ended: None,
        failures: 0,
        version: 0,
    }
}

async fn inserted(
    storage: &Storage,
    agent: &StoredAgent,
    number: u128,
    settings: BatchSettings,
    count: u32,
) -> StoredBatch {
    let batch = StoredBatch { total: u64::from(count), ..batch_of(agent, number, settings) };
    assert!(storage.batches.insert_batch(&batch, &calls(count), 10).await.unwrap());
    batch
}
