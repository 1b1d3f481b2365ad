//! Scheduled batches: calls of an agent that the server creates by itself, within a window of time (protocol.md 7.9).
//!
//! Owns the endpoints under `/api/agents/{agent_id}/scheduled_batches`. When which call is created is the server's business.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::endpoint::{NoBody, endpoint};
use crate::ids::{AgentId, BatchId, CallId};
use crate::json::check::{Chars, HTTP_URL, Items, NoReservedKeys, Within};
use crate::json::{Check, JsonObject, Reader, record, words};
use crate::page::Page;
use crate::patch::Patch;
use crate::rest::calls::{Call, CallMedium};
use crate::schema::Schema;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// Calls that a batch may have.
pub const MOST_CALLS: usize = 100_000;

endpoint! {
    /// Creates a batch. Its first call is created as soon as its window begins. Bodies may have 32 MiB.
    pub CreateBatch: Post "/api/agents/{agent_id}/scheduled_batches"
        path AgentId, body ScheduledBatchRequest, up to 32 MiB, -> 201 ScheduledCallBatch
}

endpoint! {
    /// Lists an agent's batches, newest first.
    pub ListBatches: Get "/api/agents/{agent_id}/scheduled_batches"
        path AgentId, query BatchPageQuery, -> 200 Page<ScheduledCallBatch>
}

endpoint! {
    /// Reads one batch, without its calls.
    pub ReadBatch: Get "/api/agents/{agent_id}/scheduled_batches/{batch_id}"
        path (AgentId, BatchId), -> 200 ScheduledCallBatch
}

endpoint! {
    /// Changes what the body says and leaves the rest. The calls cannot be changed.
    pub UpdateBatch: Patch "/api/agents/{agent_id}/scheduled_batches/{batch_id}"
        path (AgentId, BatchId), body Patch<BatchSettings>, -> 200 ScheduledCallBatch | 409
}

endpoint! {
    /// Removes a batch with those of its calls that are not created. Calls that are created stay.
    pub DeleteBatch: Delete "/api/agents/{agent_id}/scheduled_batches/{batch_id}"
        path (AgentId, BatchId), -> 204 NoBody
}

endpoint! {
    /// Lists the calls that were created, in the batch's order.
    pub ListCreatedCalls: Get "/api/agents/{agent_id}/scheduled_batches/{batch_id}/created_calls"
        path (AgentId, BatchId), query BatchPageQuery, -> 200 Page<Call>
}

endpoint! {
    /// Lists the calls of a batch and what became of each, in the batch's order.
    pub ListScheduledCalls: Get "/api/agents/{agent_id}/scheduled_batches/{batch_id}/scheduled_calls"
        path (AgentId, BatchId), query ListScheduledCallsQuery, -> 200 Page<ScheduledCall>
}

record! {
    /// When and how a batch's calls are created, and who is told.
    #[derive(Default)]
    pub struct BatchSettings {
        /// When the first call may be created; at once if absent.
        window_start: Option<Timestamp>,
        /// From when on no call is created any more; never if absent.
        window_end: Option<Timestamp>,
        /// The name or id of a throttle that the calls count against.
        throttle: Option<String> where Chars(1, 64),
        /// Who is told of each call that is created, at most 200 characters: it has to join the call, or have it joined.
        webhook_url: Option<String> where WebhookUrl,
        /// What the posts are signed with, 1 to 120 characters; one is made up if there is none. It is returned, since whoever
        /// checks the signatures has to know it.
        webhook_secret: Option<Secret> where Chars(1, 120),
        /// Whether no more calls are created. That cannot be undone.
        paused: bool => false,
    }
}

record! {
    /// What a batch is created from: a [`BatchSettings`] and the calls.
    #[derive(Default)]
    pub struct ScheduledBatchRequest {
        /// When the first call may be created; at once if absent.
        window_start: Option<Timestamp>,
        /// From when on no call is created any more; never if absent.
        window_end: Option<Timestamp>,
        /// The name or id of a throttle that the calls count against.
        throttle: Option<String> where Chars(1, 64),
        /// Who is told of each call that is created, at most 200 characters.
        webhook_url: Option<String> where WebhookUrl,
        /// What the posts are signed with, 1 to 120 characters.
        webhook_secret: Option<Secret> where Chars(1, 120),
        /// Whether no calls are created: of no use here, since that cannot be undone.
        paused: bool => false,
        /// The calls, 1 to 100000, in their order.
        calls: Vec<ScheduledCallRequest> where Items(1, MOST_CALLS),
    }
}

impl ScheduledBatchRequest {
    /// The settings and the calls, each by themselves.
    #[must_use]
    pub fn into_parts(self) -> (BatchSettings, Vec<ScheduledCallRequest>) {
        let Self { window_start, window_end, throttle, webhook_url, webhook_secret, paused, calls } = self;
        let settings =
            BatchSettings { window_start, window_end, throttle, webhook_url, webhook_secret, paused };
        (settings, calls)
    }
}

record! {
    /// One call of a batch. All else is the agent's.
    #[derive(Default)]
    pub struct ScheduledCallRequest {
        /// How the audio travels; as the agent has it if absent.
        medium: Option<CallMedium>,
        /// The developer's own; lists of calls can be filtered by it.
        metadata: Option<BTreeMap<String, String>> where NoReservedKeys,
        /// The values of the agent's variables.
        template_context: Option<JsonObject>,
        /// Kept and returned.
        experimental_settings: Option<Value>,
    }
}

record! {
    /// A batch.
    pub resource struct ScheduledCallBatch {
        /// Its id.
        batch_id: BatchId,
        /// When it was created.
        created: Timestamp,
        /// When the first call may be created.
        window_start: Option<Timestamp>,
        /// From when on no call is created any more.
        window_end: Option<Timestamp>,
        /// The throttle that the calls count against, as it was given.
        throttle: Option<String>,
        /// Who is told of each call.
        webhook_url: Option<String>,
        /// What the posts are signed with.
        webhook_secret: Option<Secret>,
        /// Whether no more calls are created.
        paused: bool => false,
        /// How many calls it has.
        total_count: u64 => 0,
        /// How many of them were created or failed.
        completed_count: u64 => 0,
        /// When nothing was left to do.
        ended_at: Option<Timestamp>,
    }
}

record! {
    /// A call of a batch and what became of it.
    pub resource struct ScheduledCall {
        /// What became of it.
        status: ScheduledCallStatus,
        /// Its batch.
        batch_id: BatchId,
        /// The call, once it is created.
        call_id: Option<CallId>,
        /// Why it failed.
        error: Option<String>,
        /// How the audio travels.
        medium: Option<CallMedium>,
        /// The developer's own.
        metadata: Option<BTreeMap<String, String>>,
        /// The values of the agent's variables.
        template_context: Option<JsonObject>,
        /// As given.
        experimental_settings: Option<Value>,
    }
}

words! {
    /// What became of a call of a batch.
    pub enum ScheduledCallStatus {
        /// It is to be created.
        Future = "FUTURE",
        /// It is created, and the webhook is being told.
        Pending = "PENDING",
        /// It was created, and the webhook knows.
        Success = "SUCCESS",
        /// The window ended before its turn came.
        Expired = "EXPIRED",
        /// It could not be created, or the webhook could not be told.
        Error = "ERROR",
    }
}

record! {
    /// The query of [`ListBatches`] and [`ListCreatedCalls`].
    #[derive(Default)]
    pub struct BatchPageQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Items on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

record! {
    /// The query of [`ListScheduledCalls`].
    #[derive(Default)]
    pub struct ListScheduledCallsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Calls on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
        /// Only calls of which this became.
        status: Option<ScheduledCallStatus>,
    }
}

/// A URL for HTTP requests of at most 200 characters.
struct WebhookUrl;

impl Check<String> for WebhookUrl {
    fn bound(&self, schema: Schema) -> Schema {
        Check::<String>::bound(&Chars(0, 200), Check::<String>::bound(&HTTP_URL, schema))
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        HTTP_URL.check(value, reader);
        Chars(0, 200).check(value, reader);
    }
}
