//! Webhooks: where an account is told what happens to its calls (protocol.md 7.5).
//!
//! Owns the endpoints under `/api/webhooks` and what is posted to a receiver. How and when it is posted is the server's business.

use crate::duration::WireDuration;
use crate::endpoint::{NoBody, endpoint};
use crate::ids::{AgentId, CallId, WebhookId};
use crate::json::check::{Chars, Each, HTTP_URL, UpTo, Within};
use crate::json::{FromJson, Reader, record, words};
use crate::page::Page;
use crate::patch::Patch;
use crate::rest::calls::Call;
use crate::schema::{Describe, Schema, Schemas};
use crate::secret::Secret;
use crate::timestamp::Timestamp;

endpoint! {
    /// Creates a webhook. Without secrets, it gets one that nobody can guess.
    pub CreateWebhook: Post "/api/webhooks" body WebhookRequest, -> 201 Webhook
}

endpoint! {
    /// Lists the account's webhooks, newest first.
    pub ListWebhooks: Get "/api/webhooks" query ListWebhooksQuery, -> 200 Page<Webhook>
}

endpoint! {
    /// Reads one webhook.
    pub ReadWebhook: Get "/api/webhooks/{webhook_id}" path WebhookId, -> 200 Webhook
}

endpoint! {
    /// Replaces what a webhook is. Secrets that the body leaves out stay; an empty list makes a new one.
    pub ReplaceWebhook: Put "/api/webhooks/{webhook_id}" path WebhookId, body WebhookRequest, -> 200 Webhook | 409
}

endpoint! {
    /// Changes what the body says and leaves the rest. Secrets that are cleared are replaced by a new one.
    pub UpdateWebhook: Patch "/api/webhooks/{webhook_id}" path WebhookId, body Patch<WebhookRequest>, -> 200 Webhook | 409
}

endpoint! {
    /// Removes a webhook, and what waits to be delivered to it.
    pub DeleteWebhook: Delete "/api/webhooks/{webhook_id}" path WebhookId, -> 204 NoBody
}

endpoint! {
    /// Lists what was delivered, what waits and what was given up, newest first. An extension of ours.
    pub ListWebhookDeliveries: Get "/api/webhooks/{webhook_id}/deliveries"
        path WebhookId, query ListDeliveriesQuery, -> 200 Page<WebhookDelivery>
}

words! {
    /// Something that happens to a call.
    pub enum WebhookEvent {
        /// It is billed.
        Billed = "call.billed",
        /// It ended, joined or not.
        Ended = "call.ended",
        /// A client joined it.
        Joined = "call.joined",
        /// It was created.
        Started = "call.started",
    }
}

words! {
    /// How a webhook does.
    pub open enum WebhookStatus {
        /// It takes what it is told.
        Normal = "normal",
        /// It has failed for a while. It is still told everything.
        Unhealthy = "unhealthy",
    }
}

words! {
    /// What became of a delivery.
    pub open enum DeliveryState {
        /// The webhook or the call was deleted before it could be made.
        Canceled = "canceled",
        /// The receiver took it.
        Delivered = "delivered",
        /// All attempts failed. The receiver will not be told.
        GivenUp = "given_up",
        /// It will be attempted, for the first time or again.
        Waiting = "waiting",
    }
}

record! {
    /// What a webhook is created from.
    pub struct WebhookRequest {
        /// The agent whose calls are told of; all calls if none.
        agent_id: Option<AgentId>,
        /// Where to post, at most 200 characters.
        url: String where UpTo(200, HTTP_URL),
        /// What to sign with, at most 120 characters each. One is made if there is none.
        secrets: Option<Vec<Secret>> where UpTo(10, Each(Chars(1, 120))),
        /// What to tell of. An empty list tells of nothing.
        events: WebhookEvents,
        /// Whether times are signed without an offset, for receivers that compare with a time that has none. An extension
        /// of ours.
        naive_timestamps: Option<bool>,
    }
}

/// Events that a webhook is to be told of. Other lists may be left out where they are empty; these have to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvents(pub Vec<WebhookEvent>);

impl Describe for WebhookEvents {
    fn describe(schemas: &mut Schemas) -> Schema {
        Vec::<WebhookEvent>::describe(schemas)
    }
}

impl FromJson for WebhookEvents {
    fn from_json(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
        Vec::from_json(value, reader).map(Self)
    }
}

impl serde::Serialize for WebhookEvents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

record! {
    /// A webhook. Its secrets are shown: whoever receives has to know the one that was made.
    pub resource struct Webhook {
        /// Its id.
        webhook_id: WebhookId,
        /// The agent whose calls are told of; all calls if none.
        agent_id: Option<AgentId>,
        /// When it was created.
        created: Timestamp,
        /// Where to post.
        url: String,
        /// What to sign with.
        secrets: Vec<Secret>,
        /// What to tell of.
        events: Vec<WebhookEvent>,
        /// How it does.
        status: WebhookStatus,
        /// When that changed.
        last_status_change: Option<Timestamp>,
        /// What went wrong last, newest first.
        recent_failures: Vec<WebhookFailure>,
        /// Whether times are signed without an offset. An extension of ours.
        naive_timestamps: bool => false,
    }
}

record! {
    /// A post that failed.
    pub resource struct WebhookFailure {
        /// When.
        timestamp: Timestamp,
        /// Why.
        failure: String,
    }
}

record! {
    /// Something that a webhook is told, and how that went.
    pub resource struct WebhookDelivery {
        /// The call that it is about.
        call_id: CallId,
        /// What happened to the call.
        event: WebhookEvent,
        /// When it happened.
        created: Timestamp,
        /// What became of the delivery.
        state: DeliveryState,
        /// When it was delivered or given up.
        finished: Option<Timestamp>,
        /// When it is attempted next; null if it is over, or waits for the call's event before it.
        next_attempt: Option<Timestamp>,
        /// The attempts, oldest first.
        attempts: Vec<DeliveryAttempt>,
    }
}

record! {
    /// One attempt to deliver.
    pub resource struct DeliveryAttempt {
        /// When it began.
        timestamp: Timestamp,
        /// How long it took.
        latency: WireDuration,
        /// The status that the receiver answered with, if it answered.
        status: Option<u32>,
        /// Why it failed; null if it did not.
        failure: Option<String>,
    }
}

record! {
    /// The query of [`ListWebhooks`].
    #[derive(Default)]
    pub struct ListWebhooksQuery {
        /// Only webhooks that are limited to this agent.
        agent_id: Option<AgentId>,
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Webhooks on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

record! {
    /// The query of [`ListWebhookDeliveries`].
    #[derive(Default)]
    pub struct ListDeliveriesQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Deliveries on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

record! {
    /// What is posted to a receiver (protocol.md 7.5.3).
    pub resource struct WebhookPayload {
        /// What happened.
        event: WebhookEvent,
        /// The call, as it was then.
        call: Call,
    }
}
