//! Deliveries in memory, and what is still to be done for calls that ended.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_api::rest::webhooks::{DeliveryAttempt, WebhookEvent};
use antiphon_api::{CallId, Timestamp, WebhookId};
use tokio::sync::watch;

use super::super::deliveries::LOGGED;
use super::super::endings::Phase;
use super::super::{
    AttemptOutcome, DeliveryKey, DeliveryPlace, DeliveryQueue, DeliveryState, DeliveryStore, DueDelivery,
    EventNumber, Pending, Receiver, Slice, StoredCall, StoredDelivery, StoredWebhook, Window,
};
use super::{Memory, slice};

/// Deliveries, and the ways to find them.
#[derive(Default)]
pub(super) struct Outbox {
    deliveries: BTreeMap<DeliveryKey, StoredDelivery>,
    /// Those that wait, by call.
    waiting: BTreeSet<(CallId, Receiver, EventNumber)>,
    queues: BTreeMap<Receiver, Queue>,
    /// Those that are over, oldest first.
    log: BTreeMap<Receiver, BTreeSet<(Timestamp, CallId, EventNumber)>>,
    pub(super) endings: BTreeMap<CallId, KeptEnding>,
}

/// What of a receiver can be attempted, and when.
#[derive(Default)]
struct Queue {
    failing: bool,
    due: BTreeSet<(Timestamp, CallId, EventNumber)>,
}

/// A call that ended and is not done with.
pub(super) struct KeptEnding {
    pub(super) ended: Timestamp,
    pub(super) phase: Phase,
    pub(super) auto_delete: bool,
    /// How often summing it up has failed, and when to try again.
    pub(super) attempts: u32,
    pub(super) due: Option<Timestamp>,
}

impl KeptEnding {
    pub(super) fn new(ended: Timestamp, auto_delete: bool) -> Self {
        Self { ended, phase: Phase::Held, auto_delete, attempts: 0, due: None }
    }
}

impl DeliveryStore for Memory {
    fn outbox(&self) -> watch::Receiver<()> {
        self.kept.outbox.subscribe()
    }

    fn queues(&self, failing: bool, limit: u32) -> Pending<'_, Vec<DeliveryQueue>> {
        self.at_once(|contents| {
            let queues = contents.outbox.queues.iter().filter(|(_, queue)| queue.failing == failing);
            let first = |(receiver, queue): (&Receiver, &Queue)| {
                queue.due.first().map(|(due, ..)| DeliveryQueue { receiver: receiver.clone(), due: *due })
            };
            let mut queues: Vec<DeliveryQueue> = queues.filter_map(first).collect();
            queues.sort_by(|a, b| (a.due, &a.receiver).cmp(&(b.due, &b.receiver)));
            queues.truncate(limit as usize);
            Ok(queues)
        })
    }

    fn due<'a>(
        &'a self,
        receiver: &'a Receiver,
        now: Timestamp,
        limit: u32,
    ) -> Pending<'a, Vec<DueDelivery>> {
        self.at_once(|contents| {
            let outbox = &contents.outbox;
            let due = outbox.queues.get(receiver).into_iter().flat_map(|queue| &queue.due);
            let due = due.take_while(|(due, ..)| *due <= now).take(limit as usize);
            let delivery = |(_, call, event): &(Timestamp, CallId, EventNumber)| {
                let key = DeliveryKey { receiver: receiver.clone(), call: *call, event: *event };
                let attempts = outbox.deliveries.get(&key)?.attempts.len();
                Some(DueDelivery { key, attempts: u32::try_from(attempts).unwrap_or(u32::MAX) })
            };
            Ok(due.filter_map(delivery).collect())
        })
    }

    fn attempted<'a>(
        &'a self,
        key: &'a DeliveryKey,
        attempt: &'a DeliveryAttempt,
        outcome: AttemptOutcome,
        now: Timestamp,
    ) -> Pending<'a, ()> {
        self.changing(|contents| {
            let outbox = &mut contents.outbox;
            let waiting = outbox.deliveries.get_mut(key).filter(|it| it.state == DeliveryState::Waiting);
            let Some(delivery) = waiting else { return Ok(()) };
            delivery.attempts.push(attempt.clone());
            if let Receiver::Webhook(id) = &key.receiver
                && let Some(webhook) = contents.webhooks.get_mut(id)
            {
                match &attempt.failure {
                    None => webhook.health.succeed(now),
                    Some(failure) => {
                        webhook.health.fail(now, failure, outcome == AttemptOutcome::GivenUp);
                    }
                }
            }
            outbox.queues.entry(key.receiver.clone()).or_default().failing = attempt.failure.is_some();
            match outcome {
                AttemptOutcome::Delivered => outbox.finish(key, DeliveryState::Delivered, now),
                AttemptOutcome::GivenUp => outbox.finish(key, DeliveryState::GivenUp, now),
                AttemptOutcome::Retry(at) => outbox.put_off(key, Some(at)),
            }
            outbox.drop_empty(&key.receiver);
            Ok(())
        })
    }

    fn cancel_delivery<'a>(&'a self, key: &'a DeliveryKey, now: Timestamp) -> Pending<'a, ()> {
        self.changing(|contents| {
            if contents.outbox.is_waiting(key) {
                contents.outbox.finish(key, DeliveryState::Canceled, now);
                contents.outbox.drop_empty(&key.receiver);
            }
            Ok(())
        })
    }

    fn deliveries(
        &self,
        webhook: WebhookId,
        window: Window<DeliveryPlace>,
    ) -> Pending<'_, Slice<StoredDelivery>> {
        self.at_once(|contents| {
            let mut all: Vec<(DeliveryPlace, &StoredDelivery)> =
                contents.outbox.of(webhook).map(|delivery| (delivery.place(), delivery)).collect();
            all.sort_by(|(a, _), (b, _)| b.cmp(a));
            let (own, behind) = match &window.after {
                None => (0, 0),
                Some(after) => (
                    all.partition_point(|(place, _)| place > after),
                    all.partition_point(|(place, _)| place >= after),
                ),
            };
            Ok(slice(&all, &window, own..behind).map(|(_, delivery)| StoredDelivery::clone(delivery)))
        })
    }

    fn count_deliveries(&self, webhook: WebhookId) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.outbox.of(webhook).count() as u64))
    }

    fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Pending<'_, u64> {
        self.at_once(|contents| {
            let outbox = &mut contents.outbox;
            let mut forgotten = 0;
            for (receiver, log) in &mut outbox.log {
                while forgotten < u64::from(limit)
                    && let Some((_, call, event)) =
                        log.first().copied().filter(|(finished, ..)| *finished < before)
                {
                    log.pop_first();
                    outbox.deliveries.remove(&DeliveryKey { receiver: receiver.clone(), call, event });
                    forgotten += 1;
                }
            }
            outbox.log.retain(|_, log| !log.is_empty());
            Ok(forgotten)
        })
    }
}

impl Outbox {
    /// Keeps what happened to a call for everybody who wants to know.
    pub(super) fn enqueue<'w>(
        &mut self,
        call: &StoredCall,
        event: WebhookEvent,
        at: Timestamp,
        webhooks: impl Iterator<Item = &'w StoredWebhook>,
    ) {
        let wanting = webhooks.filter(|webhook| webhook.wants(call, event));
        let mut receivers: Vec<Receiver> = wanting.map(|webhook| Receiver::Webhook(webhook.id)).collect();
        let callback = call.callback(event);
        receivers.extend(callback.and_then(|callback| Receiver::of_callback(call.account, callback)));
        for receiver in receivers {
            let event = EventNumber::from(event);
            let delivery = StoredDelivery {
                call: call.id,
                event,
                created: at,
                state: DeliveryState::Waiting,
                due: None,
                finished: None,
                attempts: Vec::new(),
            };
            let key = DeliveryKey { receiver: receiver.clone(), call: call.id, event };
            self.deliveries.entry(key).or_insert(delivery);
            self.waiting.insert((call.id, receiver.clone(), event));
            self.advance(&receiver, call.id, at);
        }
    }

    /// Lets what waited for the release of a call's ending be attempted.
    pub(super) fn release(&mut self, call: CallId, now: Timestamp) {
        for receiver in self.receivers(call) {
            self.advance(&receiver, call, now);
        }
    }

    /// Lets a call be deleted that waits for its deliveries alone, once they are over.
    pub(super) fn settle(&mut self, call: CallId) {
        let over = self.receivers(call).is_empty();
        if let Some(ending) = self.endings.get_mut(&call)
            && ending.phase == Phase::Delivering
            && over
        {
            ending.phase = Phase::Deletable;
        }
    }

    /// Cancels what waits of a call that is deleted.
    pub(super) fn forget(&mut self, call: CallId, now: Timestamp) {
        self.endings.remove(&call);
        for receiver in self.receivers(call) {
            let events = (0..4).filter_map(EventNumber::from_number);
            let keys = events.map(|event| DeliveryKey { receiver: receiver.clone(), call, event });
            for key in keys.filter(|key| self.is_waiting(key)).collect::<Vec<_>>() {
                self.finish(&key, DeliveryState::Canceled, now);
            }
            self.drop_empty(&receiver);
        }
    }

    fn is_waiting(&self, key: &DeliveryKey) -> bool {
        self.deliveries.get(key).is_some_and(|delivery| delivery.state == DeliveryState::Waiting)
    }

    /// The deliveries of a webhook.
    fn of(&self, webhook: WebhookId) -> impl Iterator<Item = &StoredDelivery> {
        let receiver = Receiver::Webhook(webhook);
        let first = DeliveryKey {
            receiver: receiver.clone(),
            call: CallId::new(uuid::Uuid::nil()),
            event: EventNumber::from(WebhookEvent::Started),
        };
        let from = self.deliveries.range(first..);
        from.take_while(move |(key, _)| key.receiver == receiver).map(|(_, delivery)| delivery)
    }

    /// Whom something of a call waits for.
    fn receivers(&self, call: CallId) -> BTreeSet<Receiver> {
        let least =
            Receiver::Callback { account: super::super::AccountId(uuid::Uuid::nil()), origin: String::new() };
        let first = (call, least, EventNumber::from(WebhookEvent::Started));
        let from = self.waiting.range(first..);
        from.take_while(|(of, ..)| *of == call).map(|(_, receiver, _)| receiver.clone()).collect()
    }

    /// Lets the first waiting delivery of a receiver and a call be attempted, unless it is held back.
    fn advance(&mut self, receiver: &Receiver, call: CallId, now: Timestamp) {
        let waiting = (0..4).filter_map(EventNumber::from_number);
        let keys = waiting.map(|event| DeliveryKey { receiver: receiver.clone(), call, event });
        let Some(first) = keys.into_iter().find(|key| self.is_waiting(key)) else { return };
        let held = self.endings.get(&call).is_some_and(|ending| ending.phase == Phase::Held);
        let is_due = self.deliveries.get(&first).is_some_and(|delivery| delivery.due.is_some());
        if is_due || (first.event.is_at_the_end() && held) {
            return;
        }
        self.put_off(&first, Some(now));
    }

    /// Sets when a delivery can be attempted, if it can.
    fn put_off(&mut self, key: &DeliveryKey, due: Option<Timestamp>) {
        let Some(delivery) = self.deliveries.get_mut(key) else { return };
        let before = std::mem::replace(&mut delivery.due, due);
        let queue = self.queues.entry(key.receiver.clone()).or_default();
        if let Some(before) = before {
            queue.due.remove(&(before, key.call, key.event));
        }
        if let Some(due) = due {
            queue.due.insert((due, key.call, key.event));
        }
    }

    /// Ends a delivery that waits. The next one may be attempted, the log stays bounded, the call may be deletable.
    fn finish(&mut self, key: &DeliveryKey, state: DeliveryState, now: Timestamp) {
        self.put_off(key, None);
        self.waiting.remove(&(key.call, key.receiver.clone(), key.event));
        match &key.receiver {
            // Nobody can read what became of a callback.
            Receiver::Callback { .. } => {
                self.deliveries.remove(key);
            }
            Receiver::Webhook(_) => {
                if let Some(delivery) = self.deliveries.get_mut(key) {
                    (delivery.state, delivery.finished) = (state, Some(now));
                }
                let log = self.log.entry(key.receiver.clone()).or_default();
                log.insert((now, key.call, key.event));
                if log.len() > LOGGED as usize
                    && let Some((_, call, event)) = log.pop_first()
                {
                    self.deliveries.remove(&DeliveryKey { receiver: key.receiver.clone(), call, event });
                }
            }
        }
        self.advance(&key.receiver, key.call, now);
        self.settle(key.call);
    }

    /// A queue without anything in it is none.
    fn drop_empty(&mut self, receiver: &Receiver) {
        if self.queues.get(receiver).is_some_and(|queue| queue.due.is_empty()) {
            self.queues.remove(receiver);
        }
    }
}
