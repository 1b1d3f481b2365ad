//! What is to be delivered: every event of a call, once for every receiver that wants to know.
//!
//! A delivery is kept in the same transaction as the change of the call that it tells of, so that no crash loses one. Of a call, a
//! receiver is told one thing after the other; what can be attempted is therefore the first waiting delivery of each pair of receiver
//! and call, and only that has a time at which it is due. Receivers are queues: whoever delivers asks for the queues that are due
//! soonest, apart for those that fail and those that do not, and then for a few deliveries of one queue, so that neither a long
//! queue nor many failing ones are ever read as a whole.
//!
//! Owns the rules that all databases share. Knows no HTTP; when to try again is the caller's business.

use std::fmt;
use std::str::FromStr;

use antiphon_api::rest::calls::Callback;
use antiphon_api::rest::webhooks::{DeliveryAttempt, WebhookEvent};
use antiphon_api::{CallId, Timestamp, WebhookId};
use tokio::sync::watch;
use url::{Origin, Url};

use super::{AccountId, Pending, Slice, StoredCall, Window};

/// Finished deliveries that are kept for each webhook; of more, the latest.
pub(super) const LOGGED: u32 = 1_000;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// The callbacks of an account's calls that go to one host and port: they share whatever is slow about it.
    Callback {
        /// Whose calls.
        account: AccountId,
        /// Scheme, host and port.
        origin: String,
    },
    /// A webhook.
    Webhook(WebhookId),
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    /// Who is told.
    pub receiver: Receiver,
    /// Of which call.
    pub call: CallId,
    /// What happened to it, by its place in the call's life.
    pub event: EventNumber,
}

/// The place of an event in a call's life, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNumber(u8);

/// A delivery that can be attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Which.
    pub key: DeliveryKey,
    /// How often it was attempted before.
    pub attempts: u32,
}

/// A receiver for which something can be attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryQueue {
    /// Who.
    pub receiver: Receiver,
    /// When the first of it is due.
    pub due: Timestamp,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver took it.
    Delivered,
    /// It failed, and there will be no other attempt.
    GivenUp,
    /// It failed; the next attempt is due then.
    Retry(Timestamp),
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// The call was deleted before.
    Canceled,
    /// The receiver took it.
    Delivered,
    /// All attempts failed.
    GivenUp,
    /// It is still to be made.
    Waiting,
}

/// A delivery to a webhook as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDelivery {
    /// The call that it is about.
    pub call: CallId,
    /// What happened.
    pub event: EventNumber,
    /// When.
    pub created: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// When it can be attempted; none if it is over, or waits for the one before it.
    pub due: Option<Timestamp>,
    /// When it was over.
    pub finished: Option<Timestamp>,
    /// The attempts, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// A delivery's place in the list of a webhook's, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryPlace {
    /// When it was created.
    pub created: Timestamp,
    /// The call.
    pub call: CallId,
    /// What happened to the call.
    pub event: EventNumber,
}

/// Where deliveries are kept.
pub trait DeliveryStore: Send + Sync {
    /// Changes whenever there may be something to deliver or to do after a call, through this process.
    fn outbox(&self) -> watch::Receiver<()>;
    /// The queues whose last attempt failed, or those whose last one did not: those due soonest, at most `limit`.
    fn queues(&self, failing: bool, limit: u32) -> Pending<'_, Vec<DeliveryQueue>>;
    /// What of a queue is due by now, first come first, at most `limit`.
    fn due<'a>(&'a self, receiver: &'a Receiver, now: Timestamp, limit: u32)
    -> Pending<'a, Vec<DueDelivery>>;
    /// Records an attempt and what it came to at `now`. Without effect if the delivery is over.
    fn attempted<'a>(
        &'a self,
        key: &'a DeliveryKey,
        attempt: &'a DeliveryAttempt,
        outcome: AttemptOutcome,
        now: Timestamp,
    ) -> Pending<'a, ()>;
    /// Records that there is nobody to tell, or nothing to tell of. Without effect if the delivery is over.
    fn cancel_delivery<'a>(&'a self, key: &'a DeliveryKey, now: Timestamp) -> Pending<'a, ()>;
    /// Part of a webhook's deliveries, newest first.
    fn deliveries(
        &self,
        webhook: WebhookId,
        window: Window<DeliveryPlace>,
    ) -> Pending<'_, Slice<StoredDelivery>>;
    /// How many deliveries of a webhook are kept.
    fn count_deliveries(&self, webhook: WebhookId) -> Pending<'_, u64>;
    /// Forgets deliveries that were over before a moment, at most `limit`. How many it forgot.
    fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Pending<'_, u64>;
}

impl Receiver {
    /// The one that a call's callback goes to; none if its URL is no URL.
    pub(super) fn of_callback(account: AccountId, callback: &Callback) -> Option<Self> {
        match Url::parse(&callback.url).ok()?.origin() {
            origin @ Origin::Tuple(..) => {
                Some(Self::Callback { account, origin: origin.ascii_serialization() })
            }
            Origin::Opaque(_) => None,
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback { account, origin } => write!(f, "callback:{account}:{origin}"),
            Self::Webhook(id) => write!(f, "webhook:{id}"),
        }
    }
}

/// A text that names no receiver.
#[derive(Debug, thiserror::Error)]
#[error("it names no receiver")]
pub struct NoReceiver;

impl FromStr for Receiver {
    type Err = NoReceiver;

    fn from_str(text: &str) -> Result<Self, NoReceiver> {
        match text.split_once(':').ok_or(NoReceiver)? {
            ("webhook", id) => Ok(Self::Webhook(id.parse().map_err(|_| NoReceiver)?)),
            ("callback", rest) => {
                let (account, origin) = rest.split_once(':').ok_or(NoReceiver)?;
                let account = AccountId(account.parse().map_err(|_| NoReceiver)?);
                Ok(Self::Callback { account, origin: origin.to_owned() })
            }
            _ => Err(NoReceiver),
        }
    }
}

impl EventNumber {
    /// What is told once a call has ended; it may be held back until the call is summed up.
    pub(super) const AT_THE_END: [WebhookEvent; 2] = [WebhookEvent::Ended, WebhookEvent::Billed];

    /// The event with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number <= 3).map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// The event's part in the sum of a webhook's events.
    pub(super) fn bit(self) -> i64 {
        1 << self.0
    }

    /// Whether it happens with the call's end.
    pub(super) fn is_at_the_end(self) -> bool {
        Self::AT_THE_END.iter().any(|event| Self::from(*event) == self)
    }
}

impl From<WebhookEvent> for EventNumber {
    fn from(event: WebhookEvent) -> Self {
        Self(match event {
            WebhookEvent::Started => 0,
            WebhookEvent::Joined => 1,
            WebhookEvent::Ended => 2,
            WebhookEvent::Billed => 3,
        })
    }
}

impl From<EventNumber> for WebhookEvent {
    fn from(number: EventNumber) -> Self {
        match number.0 {
            0 => Self::Started,
            1 => Self::Joined,
            2 => Self::Ended,
            _ => Self::Billed,
        }
    }
}

impl DeliveryState {
    const ALL: [Self; 4] = [Self::Canceled, Self::Delivered, Self::GivenUp, Self::Waiting];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Waiting => "waiting",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl StoredDelivery {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> DeliveryPlace {
        DeliveryPlace { created: self.created, call: self.call, event: self.event }
    }
}

impl StoredCall {
    /// Where the call itself wants an event of it told (protocol.md 7.5.5).
    #[must_use]
    pub fn callback(&self, event: WebhookEvent) -> Option<&Callback> {
        let callbacks = self.request.callbacks.as_ref()?;
        match event {
            WebhookEvent::Started => None,
            WebhookEvent::Joined => callbacks.joined.as_ref(),
            WebhookEvent::Ended => callbacks.ended.as_ref(),
            WebhookEvent::Billed => callbacks.billed.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_kept_by_its_name() {
        let account = AccountId(uuid::Uuid::from_u128(7));
        let callback = Callback { url: "https://User@Host.Example:8443/a?b#c".into(), secrets: Vec::new() };
        let receiver = Receiver::of_callback(account, &callback).unwrap();
        assert_eq!(
            receiver.to_string(),
            "callback:00000000-0000-0000-0000-000000000007:https://host.example:8443"
        );
        assert_eq!(receiver.to_string().parse::<Receiver>().unwrap(), receiver);
        let webhook = Receiver::Webhook(WebhookId::new(uuid::Uuid::from_u128(1)));
        assert_eq!(webhook.to_string().parse::<Receiver>().unwrap(), webhook);
        for text in ["", "webhook:1", "callback:x:y", "other:1"] {
            assert!(text.parse::<Receiver>().is_err(), "{text}");
        }
    }

    #[test]
    fn events_are_numbered_by_a_calls_life() {
        for (number, event) in (0..).zip([
            WebhookEvent::Started,
            WebhookEvent::Joined,
            WebhookEvent::Ended,
            WebhookEvent::Billed,
        ]) {
            assert_eq!(EventNumber::from(event).number(), number);
            assert_eq!(WebhookEvent::from(EventNumber::from(event)), event);
        }
        assert!(EventNumber::from_number(4).is_none());
    }
}
