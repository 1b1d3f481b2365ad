//! Webhooks: where an account is told what happens to its calls (protocol.md 7.5).
//!
//! Owns the endpoints under `/api/webhooks` and what is posted to a receiver. How and when it is posted is the server's business.

use crate::duration::WireDuration;
use crate::endpoint::{NoBody, endpoint};
use crate::ids::{AgentId, CallId, WebhookId};
use crate::json::check::{Chars, Each, HTTP_URL, Within};
use crate::json::{JsonObject, Reader, record, words};
use crate::page::Page;
use crate::rest::calls::Call;
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
    pub ReplaceWebhook: Put "/api/webhooks/{webhook_id}" path WebhookId, body WebhookRequest, -> 200 Webhook
}

endpoint! {
    /// Changes what the body says and leaves the rest; null clears. The body has the shape of a [`WebhookRequest`].
    pub UpdateWebhook: Patch "/api/webhooks/{webhook_id}" path WebhookId, body JsonObject, -> 200 Webhook
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
        url: String where HTTP_URL,
        /// What to sign with, at most 120 characters each. One is made if there is none.
        secrets: Option<Vec<Secret>> where Each(Chars(1, 120)),
        /// What to tell of. It has to be there; an empty list tells of nothing.
        events: Option<Vec<WebhookEvent>>,
        /// Whether times are signed without an offset, for receivers that compare with a time that has none. An extension
        /// of ours.
        naive_timestamps: Option<bool>,
    } where is_bounded
}

/// The longest URL, in characters (protocol.md 12).
const LONGEST_URL: usize = 200;
/// Every secret is a signature in a header.
const MOST_SECRETS: usize = 10;

fn is_bounded(request: &WebhookRequest, reader: &mut Reader) {
    if request.url.chars().nth(LONGEST_URL).is_some() {
        reader
            .at("url", |reader| reader.refuse(format!("is too long; use at most {LONGEST_URL} characters")));
    }
    if request.events.is_none() {
        let words = WebhookEvent::ALL.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ");
        reader.at("events", |reader| reader.refuse(format!("is missing; write a list of {words}")));
    }
    if request.secrets.as_ref().is_some_and(|secrets| secrets.len() > MOST_SECRETS) {
        reader.at("secrets", |reader| reader.refuse(format!("are too many; use at most {MOST_SECRETS}")));
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
