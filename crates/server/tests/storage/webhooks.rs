//! What every database must do for webhooks, deliveries and calls that ended. Each function is one story on an empty store.

use antiphon_api::rest::calls::{Callback, Callbacks, RetentionPolicy};
use antiphon_api::rest::webhooks::{DeliveryAttempt, WebhookEvent};
use antiphon_api::{AgentId, AgentRevisionId, CallId, Secret, Timestamp, WebhookId, WireDuration};
use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    AccountId, AttemptOutcome, CallAgent, Deletion, DeliveryKey, DeliveryPlace, DeliveryState, Direction,
    DueDelivery, Ending, EndingTimes, Receiver, Slice, Storage, StoredCall, StoredDelivery, StoredWebhook,
    Summary, WebhookHealth, WebhookPlace, Window,
};
use uuid::Uuid;

use crate::contract::{account, at, call, inserted};

const ALL: [WebhookEvent; 4] =
    [WebhookEvent::Started, WebhookEvent::Joined, WebhookEvent::Ended, WebhookEvent::Billed];

pub(crate) async fn a_webhook_comes_back_as_it_was_kept_and_only_its_account_changes_it(storage: &Storage) {
    let webhook = StoredWebhook {
        agent: Some(AgentId::new(Uuid::from_u128(9))),
        secrets: vec![Secret::new("one"), Secret::new("two")],
        events: vec![WebhookEvent::Joined, WebhookEvent::Billed],
        naive_timestamps: true,
        ..webhook(storage, 1, 5).await
    };
    assert!(storage.webhooks.insert_webhook(&webhook, 1).await.unwrap());
    assert!(storage.webhooks.insert_webhook(&webhook, 9).await.is_err(), "an id is used once");
    assert_eq!(storage.webhooks.find_webhook(webhook.id).await.unwrap(), Some(webhook.clone()));
    let second = StoredWebhook { id: hook(2), ..webhook.clone() };
    assert!(!storage.webhooks.insert_webhook(&second, 1).await.unwrap(), "there may be one");

    let stranger = AccountId(Uuid::from_u128(77));
    let theirs = StoredWebhook { account: stranger, ..webhook.clone() };
    assert!(!storage.webhooks.update_webhook(&theirs).await.unwrap());
    assert!(!storage.webhooks.delete_webhook(stranger, webhook.id).await.unwrap());
    assert_eq!(storage.webhooks.count_webhooks(stranger, None).await.unwrap(), 0);

    let changed = StoredWebhook { url: "https://other.example/".to_owned(), agent: None, ..webhook.clone() };
    assert!(storage.webhooks.update_webhook(&changed).await.unwrap());
    assert!(!storage.webhooks.update_webhook(&webhook).await.unwrap(), "another change came first");
    let kept = storage.webhooks.find_webhook(webhook.id).await.unwrap();
    assert_eq!(kept, Some(StoredWebhook { version: 1, ..changed }));
    assert!(storage.webhooks.delete_webhook(webhook.account, webhook.id).await.unwrap());
    assert!(!storage.webhooks.delete_webhook(webhook.account, webhook.id).await.unwrap());
    assert_eq!(storage.webhooks.find_webhook(webhook.id).await.unwrap(), None);
}

pub(crate) async fn webhooks_are_walked_both_ways_and_chosen_by_agent(storage: &Storage) {
    let of = AgentId::new(Uuid::from_u128(9));
    for (number, created, agent) in [(1, 10, None), (2, 20, Some(of)), (3, 20, None), (4, 30, Some(of))] {
        let webhook = StoredWebhook { agent, ..webhook(storage, number, created).await };
        assert!(storage.webhooks.insert_webhook(&webhook, 10).await.unwrap());
    }
    let account = account(storage).await;
    let page = async |agent, after: Option<WebhookPlace>, direction| {
        let window = Window { after, direction, limit: 2 };
        let slice = storage.webhooks.webhooks(account, agent, window).await.unwrap();
        let ids: Vec<WebhookId> = slice.items.iter().map(|webhook| webhook.id).collect();
        (ids, slice.items.first().map(StoredWebhook::place), slice.items.last().map(StoredWebhook::place))
    };
    let (ids, _, last) = page(None, None, Direction::Forward).await;
    assert_eq!(ids, [hook(4), hook(3)]);
    let (ids, first, _) = page(None, last, Direction::Forward).await;
    assert_eq!(ids, [hook(2), hook(1)]);
    assert_eq!(page(None, first, Direction::Backward).await.0, [hook(4), hook(3)]);
    assert_eq!(page(Some(of), None, Direction::Forward).await.0, [hook(4), hook(2)]);
    assert_eq!(storage.webhooks.count_webhooks(account, Some(of)).await.unwrap(), 2);
    assert_eq!(storage.webhooks.count_webhooks(account, None).await.unwrap(), 4);
}

pub(crate) async fn everybody_who_wants_to_know_is_told_and_nobody_else(storage: &Storage) {
    let (mine, other) = (AgentId::new(Uuid::from_u128(8)), AgentId::new(Uuid::from_u128(9)));
    for (number, agent, events) in [
        (1, None, ALL.to_vec()),
        (2, Some(mine), vec![WebhookEvent::Joined]),
        (3, Some(other), ALL.to_vec()),
        (4, None, vec![]),
    ] {
        let webhook = StoredWebhook { agent, events, ..webhook(storage, number, 1).await };
        assert!(storage.webhooks.insert_webhook(&webhook, 10).await.unwrap());
    }
    let mut call = call(storage, 1, at(5)).await;
    call.agent = Some(CallAgent {
        id: mine,
        name: "Mine".to_owned(),
        revision: AgentRevisionId::new(Uuid::from_u128(1)),
    });
    call.request.callbacks = Some(Callbacks {
        joined: Some(callback("http://one.example/joined")),
        ended: Some(callback("http://two.example/ended")),
        billed: None,
    });
    let seen = storage.deliveries.outbox();
    storage.calls.insert(&call).await.unwrap();
    assert!(seen.has_changed().unwrap(), "whoever delivers is woken");
    assert_eq!(due_everywhere(storage, at(5)).await, [(webhook_of(1), 0)]);
    assert_eq!(due_everywhere(storage, at(4)).await, [], "nothing is due before it happened");

    storage.calls.mark_joined(call.id, at(6), None).await.unwrap();
    let to_one = Receiver::Callback { account: call.account, origin: "http://one.example".to_owned() };
    let to_two = Receiver::Callback { account: call.account, origin: "http://two.example".to_owned() };
    let mut joined = vec![(webhook_of(1), 0), (webhook_of(2), 1), (to_one.clone(), 1)];
    joined.sort();
    assert_eq!(due_everywhere(storage, at(6)).await, joined);

    // It joins and ends once, so that it is told once.
    storage.calls.mark_joined(call.id, at(7), None).await.unwrap();
    storage.calls.mark_ended(call.id, at(8), EndReason::HangUp).await.unwrap();
    storage.calls.mark_ended(call.id, at(9), EndReason::HangUp).await.unwrap();
    storage.endings.finish_ending(call.id, None, at(9)).await.unwrap();
    joined.push((to_two, 2));
    joined.sort();
    assert_eq!(due_everywhere(storage, at(9)).await, joined);
    assert_eq!(storage.deliveries.count_deliveries(hook(1)).await.unwrap(), 4);
    for (number, count) in [(2, 1), (3, 0), (4, 0)] {
        assert_eq!(storage.deliveries.count_deliveries(hook(number)).await.unwrap(), count, "{number}");
    }
}

pub(crate) async fn of_a_call_one_thing_is_told_after_the_other(storage: &Storage) {
    listening(storage, 1).await;
    let (one, two) = (inserted(storage, 1, at(1)).await, inserted(storage, 2, at(2)).await);
    storage.calls.mark_joined(one.id, at(3), None).await.unwrap();
    let key = |call: &StoredCall, event| key(1, call.id, event);
    assert_eq!(
        due(storage, at(9)).await,
        [(key(&one, WebhookEvent::Started), 0), (key(&two, WebhookEvent::Started), 0)],
        "of every call the first thing, in the order of time"
    );
    // A failure keeps back what follows of the same call, and nothing of another one.
    attempt(storage, &key(&one, WebhookEvent::Started), Some("down"), AttemptOutcome::Retry(at(20)), 4).await;
    assert_eq!(due(storage, at(19)).await, [(key(&two, WebhookEvent::Started), 0)]);
    assert_eq!(
        due(storage, at(20)).await,
        [(key(&two, WebhookEvent::Started), 0), (key(&one, WebhookEvent::Started), 1)]
    );
    assert_eq!(queues(storage, true).await, [(webhook_of(1), at(2))]);
    assert_eq!(queues(storage, false).await, []);
    attempt(storage, &key(&two, WebhookEvent::Started), None, AttemptOutcome::Delivered, 5).await;
    assert_eq!(queues(storage, false).await, [(webhook_of(1), at(20))], "it does not fail any more");

    attempt(storage, &key(&one, WebhookEvent::Started), Some("down"), AttemptOutcome::GivenUp, 21).await;
    assert_eq!(due(storage, at(21)).await, [(key(&one, WebhookEvent::Joined), 0)]);
    attempt(storage, &key(&one, WebhookEvent::Joined), None, AttemptOutcome::Delivered, 22).await;
    assert_eq!(due(storage, at(99)).await, []);
    assert_eq!((queues(storage, false).await, queues(storage, true).await), (vec![], vec![]));
    // What is over is not attempted again, whoever says so.
    attempt(storage, &key(&one, WebhookEvent::Joined), Some("?"), AttemptOutcome::Retry(at(30)), 23).await;
    storage.deliveries.cancel_delivery(&key(&one, WebhookEvent::Joined), at(24)).await.unwrap();
    assert_eq!(due(storage, at(99)).await, []);
    storage.calls.mark_ended(one.id, at(30), EndReason::HangUp).await.unwrap();
    storage.endings.finish_ending(one.id, None, at(31)).await.unwrap();
    assert_eq!(due(storage, at(31)).await, [(key(&one, WebhookEvent::Ended), 0)]);
}

pub(crate) async fn the_end_of_a_call_is_held_until_it_is_summed_up_or_too_late(storage: &Storage) {
    listening(storage, 1).await;
    let key = |call: &StoredCall, event| key(1, call.id, event);
    let mut calls = Vec::new();
    for number in 1..=3 {
        let call = inserted(storage, number, at(1)).await;
        attempt(storage, &key(&call, WebhookEvent::Started), None, AttemptOutcome::Delivered, 2).await;
        let ended = at(10 + i64::try_from(number).unwrap());
        storage.calls.mark_ended(call.id, ended, EndReason::Unjoined).await.unwrap();
        calls.push(call);
    }
    let [one, two, three] = &calls[..] else { panic!("there are three") };
    assert_eq!(due(storage, at(99)).await, []);
    let ending =
        |call: &StoredCall, ended, held| Ending { call: call.id, ended: at(ended), held, attempts: 0 };
    assert_eq!(
        storage.endings.endings(at(14), 10).await.unwrap(),
        [ending(one, 11, true), ending(two, 12, true), ending(three, 13, true)]
    );
    assert_eq!(storage.endings.endings(at(14), 1).await.unwrap().len(), 1);

    let summary = Summary { short: "About bread.".to_owned(), long: "They spoke about bread.".to_owned() };
    storage.endings.finish_ending(two.id, Some(&summary), at(14)).await.unwrap();
    assert_eq!(due(storage, at(99)).await, [(key(two, WebhookEvent::Ended), 0)]);
    assert_eq!(storage.calls.find(two.id).await.unwrap().unwrap().summary.as_ref(), Some(&summary));
    // Once is enough.
    storage.endings.finish_ending(two.id, None, at(15)).await.unwrap();
    assert_eq!(storage.calls.find(two.id).await.unwrap().unwrap().summary.as_ref(), Some(&summary));

    assert_eq!(storage.endings.release_endings(at(10), at(30), 10).await.unwrap(), 0);
    assert_eq!(storage.endings.release_endings(at(11), at(31), 10).await.unwrap(), 1);
    assert_eq!(
        due(storage, at(99)).await,
        [(key(two, WebhookEvent::Ended), 0), (key(one, WebhookEvent::Ended), 0)]
    );
    assert_eq!(
        storage.endings.endings(at(14), 10).await.unwrap(),
        [ending(three, 13, true), ending(one, 11, false)],
        "those that receivers wait for come first"
    );
    // One that failed waits for its time, and nobody waits for it.
    storage.endings.postpone_ending(three.id, 2, at(60)).await.unwrap();
    assert_eq!(storage.endings.endings(at(59), 10).await.unwrap(), [ending(one, 11, false)]);
    let times = EndingTimes { held: Some(at(13)), attempt: Some(at(60)) };
    assert_eq!(storage.endings.ending_times(at(59)).await.unwrap(), times);
    let again = Ending { attempts: 2, ..ending(three, 13, true) };
    assert_eq!(storage.endings.endings(at(60), 1).await.unwrap(), [again]);
    assert_eq!(storage.endings.ending_times(at(60)).await.unwrap().attempt, None);
    storage.endings.postpone_ending(three.id, 0, at(0)).await.unwrap();
    storage.endings.finish_ending(one.id, Some(&summary), at(40)).await.unwrap();
    storage.endings.postpone_ending(one.id, 1, at(70)).await.unwrap();
    assert_eq!(storage.endings.ending_times(at(41)).await.unwrap().attempt, None, "what is done is done");
    assert_eq!(storage.calls.find(one.id).await.unwrap().unwrap().summary.as_ref(), Some(&summary));
    assert_eq!(storage.endings.endings(at(14), 10).await.unwrap(), [ending(three, 13, true)]);

    assert_eq!(storage.calls.delete(one.account, one.id, at(50)).await.unwrap(), Deletion::Deleted);
    let stone = storage.catalog.find_tombstone(one.account, one.id).await.unwrap().unwrap();
    assert!(stone.had_summary);
    assert_eq!(storage.calls.delete(one.account, three.id, at(50)).await.unwrap(), Deletion::Deleted);
    assert_eq!(storage.endings.endings(at(14), 10).await.unwrap(), []);
    let stone = storage.catalog.find_tombstone(one.account, three.id).await.unwrap().unwrap();
    assert!(!stone.had_summary);
}

pub(crate) async fn a_call_that_asks_for_it_can_be_deleted_when_everybody_has_been_told(storage: &Storage) {
    listening(storage, 1).await;
    let mut calls = Vec::new();
    for (number, policy) in
        [(1, Some(RetentionPolicy::AutoDelete)), (2, Some(RetentionPolicy::Retain)), (3, None)]
    {
        let mut call = call(storage, number, at(1)).await;
        call.request.retention_policy = policy;
        call.request.callbacks =
            Some(Callbacks { ended: Some(callback("http://one.example/")), ..Callbacks::default() });
        storage.calls.insert(&call).await.unwrap();
        storage.calls.mark_ended(call.id, at(2), EndReason::HangUp).await.unwrap();
        calls.push(call);
    }
    let deletable = async || storage.endings.deletable(10).await.unwrap();
    assert_eq!(deletable().await, []);
    for call in &calls {
        storage.endings.finish_ending(call.id, None, at(3)).await.unwrap();
    }
    let told = &calls[0];
    let callbacks = Receiver::Callback { account: told.account, origin: "http://one.example".to_owned() };
    let ended = DeliveryKey { receiver: callbacks, call: told.id, event: WebhookEvent::Ended.into() };
    attempt(storage, &ended, None, AttemptOutcome::Delivered, 4).await;
    for event in [WebhookEvent::Started, WebhookEvent::Ended, WebhookEvent::Billed] {
        assert_eq!(deletable().await, [], "{event}");
        attempt(storage, &key(1, told.id, event), Some("no"), AttemptOutcome::GivenUp, 5).await;
    }
    assert_eq!(deletable().await, [(told.account, told.id)]);
    assert_eq!(storage.calls.delete(told.account, told.id, at(6)).await.unwrap(), Deletion::Deleted);
    assert_eq!(deletable().await, []);
}

pub(crate) async fn deliveries_are_listed_with_their_attempts_and_health_follows_them(storage: &Storage) {
    listening(storage, 1).await;
    let call = inserted(storage, 1, at(1)).await;
    let started = key(1, call.id, WebhookEvent::Started);
    for second in 2..=10 {
        attempt(storage, &started, Some("HTTP status 500"), AttemptOutcome::Retry(at(20)), second).await;
    }
    let health = async || storage.webhooks.find_webhook(hook(1)).await.unwrap().unwrap().health;
    assert_eq!((health().await.unhealthy, health().await.failures), (false, 9));
    attempt(storage, &started, Some("gone"), AttemptOutcome::Retry(at(30)), 11).await;
    let sick = health().await;
    assert_eq!((sick.unhealthy, sick.changed, sick.recent.len()), (true, Some(at(11)), 10));
    assert_eq!((sick.recent[0].failure.as_str(), sick.recent[0].timestamp), ("gone", at(11)));
    // What its owner changes meanwhile leaves that alone.
    let kept = storage.webhooks.find_webhook(hook(1)).await.unwrap().unwrap();
    let changed = StoredWebhook { health: WebhookHealth::default(), ..kept };
    assert!(storage.webhooks.update_webhook(&changed).await.unwrap());
    assert_eq!(health().await, sick);
    attempt(storage, &started, None, AttemptOutcome::Delivered, 30).await;
    assert_eq!((health().await.unhealthy, health().await.changed), (false, Some(at(30))));

    storage.calls.mark_joined(call.id, at(40), None).await.unwrap();
    inserted(storage, 2, at(50)).await;
    let all = listed(storage, 1, None, Direction::Forward, 10).await;
    let seen: Vec<_> = all.items.iter().map(|it| (it.created, it.state, it.due, it.finished)).collect();
    assert_eq!(
        seen,
        [
            (at(50), DeliveryState::Waiting, Some(at(50)), None),
            (at(40), DeliveryState::Waiting, Some(at(40)), None),
            (at(1), DeliveryState::Delivered, None, Some(at(30))),
        ]
    );
    let attempts = &all.items[2].attempts;
    assert_eq!((attempts.len(), attempts[10].status, &attempts[10].failure), (11, Some(200), &None));
    assert_eq!(
        (attempts[9].latency, attempts[9].failure.as_deref()),
        (WireDuration::from_secs(1), Some("gone"))
    );
    let first = listed(storage, 1, None, Direction::Forward, 2).await;
    assert!(first.more);
    let place = first.items.last().map(StoredDelivery::place);
    assert_eq!(listed(storage, 1, place, Direction::Forward, 2).await.items, all.items[2..]);
    let place = all.items.last().map(StoredDelivery::place);
    assert_eq!(listed(storage, 1, place, Direction::Backward, 1).await.items, all.items[1..2]);

    assert_eq!(storage.deliveries.forget_deliveries(at(30), 10).await.unwrap(), 0);
    assert_eq!(storage.deliveries.forget_deliveries(at(31), 10).await.unwrap(), 1);
    assert_eq!(storage.deliveries.count_deliveries(hook(1)).await.unwrap(), 2, "what waits is not forgotten");
}

pub(crate) async fn deleting_a_call_cancels_what_waits_of_it(storage: &Storage) {
    listening(storage, 1).await;
    let mut doomed = call(storage, 1, at(1)).await;
    doomed.request.callbacks =
        Some(Callbacks { ended: Some(callback("http://one.example/")), ..Callbacks::default() });
    storage.calls.insert(&doomed).await.unwrap();
    let other = inserted(storage, 2, at(2)).await;
    attempt(storage, &key(1, doomed.id, WebhookEvent::Started), None, AttemptOutcome::Delivered, 3).await;
    storage.calls.mark_ended(doomed.id, at(4), EndReason::HangUp).await.unwrap();
    storage.endings.finish_ending(doomed.id, None, at(5)).await.unwrap();
    assert_eq!(due_everywhere(storage, at(9)).await.len(), 3);
    storage.calls.delete(doomed.account, doomed.id, at(6)).await.unwrap();
    assert_eq!(due(storage, at(9)).await, [(key(1, other.id, WebhookEvent::Started), 0)]);
    assert_eq!(due_everywhere(storage, at(9)).await, [(webhook_of(1), 0)], "nor is the callback made");
    let states: Vec<DeliveryState> =
        listed(storage, 1, None, Direction::Forward, 10).await.items.iter().map(|it| it.state).collect();
    assert_eq!(
        states,
        [DeliveryState::Canceled, DeliveryState::Canceled, DeliveryState::Waiting, DeliveryState::Delivered]
    );
}

pub(crate) async fn of_each_webhook_the_latest_thousand_deliveries_are_remembered(storage: &Storage) {
    listening(storage, 1).await;
    for number in 1..=1_005_u32 {
        let second = i64::from(number);
        let call = inserted(storage, number.into(), at(second)).await;
        attempt(
            storage,
            &key(1, call.id, WebhookEvent::Started),
            None,
            AttemptOutcome::Delivered,
            10_000 + second,
        )
        .await;
    }
    assert_eq!(storage.deliveries.count_deliveries(hook(1)).await.unwrap(), 1_000);
    let window = Window { after: None, direction: Direction::Backward, limit: 1 };
    let oldest = storage.deliveries.deliveries(hook(1), window).await.unwrap();
    assert_eq!(oldest.items[0].created, at(6));
}

fn hook(number: u128) -> WebhookId {
    WebhookId::new(Uuid::from_u128(number))
}

fn webhook_of(number: u128) -> Receiver {
    Receiver::Webhook(hook(number))
}

fn key(number: u128, call: CallId, event: WebhookEvent) -> DeliveryKey {
    DeliveryKey { receiver: webhook_of(number), call, event: event.into() }
}

fn callback(url: &str) -> Callback {
    Callback { url: url.to_owned(), secrets: Vec::new() }
}

pub(crate) async fn webhook(storage: &Storage, number: u128, created: i64) -> StoredWebhook {
    StoredWebhook {
        id: hook(number),
        account: account(storage).await,
        created: at(created),
        agent: None,
        url: "https://receiver.example/hook".to_owned(),
        secrets: vec![Secret::new("s3cret")],
        events: ALL.to_vec(),
        naive_timestamps: false,
        health: WebhookHealth::default(),
        version: 0,
    }
}

/// A webhook that is told of everything.
async fn listening(storage: &Storage, number: u128) {
    assert!(storage.webhooks.insert_webhook(&webhook(storage, number, 0).await, 10).await.unwrap());
}

async fn attempt(
    storage: &Storage,
    key: &DeliveryKey,
    failure: Option<&str>,
    outcome: AttemptOutcome,
    second: i64,
) {
    let attempt = DeliveryAttempt {
        timestamp: at(second),
        latency: WireDuration::from_secs(1),
        status: failure.is_none().then_some(200),
        failure: failure.map(str::to_owned),
    };
    storage.deliveries.attempted(key, &attempt, outcome, at(second)).await.unwrap();
}

async fn queues(storage: &Storage, failing: bool) -> Vec<(Receiver, Timestamp)> {
    let queues = storage.deliveries.queues(failing, 100).await.unwrap();
    queues.into_iter().map(|queue| (queue.receiver, queue.due)).collect()
}

/// What of the first webhook is due, with the attempts before.
async fn due(storage: &Storage, now: Timestamp) -> Vec<(DeliveryKey, u32)> {
    let due = storage.deliveries.due(&webhook_of(1), now, 100).await.unwrap();
    due.into_iter().map(|DueDelivery { key, attempts }| (key, attempts)).collect()
}

/// What is due for anybody: who is told, and the number of the event.
async fn due_everywhere(storage: &Storage, now: Timestamp) -> Vec<(Receiver, i64)> {
    let mut all = Vec::new();
    for (receiver, _) in queues(storage, false).await {
        for due in storage.deliveries.due(&receiver, now, 100).await.unwrap() {
            all.push((receiver.clone(), due.key.event.number()));
        }
    }
    all.sort();
    all
}

async fn listed(
    storage: &Storage,
    number: u128,
    after: Option<DeliveryPlace>,
    direction: Direction,
    limit: u32,
) -> Slice<StoredDelivery> {
    storage.deliveries.deliveries(hook(number), Window { after, direction, limit }).await.unwrap()
}
