//! `GET /api/agents/{agent_id}/scheduled_batches/{batch_id}/scheduled_calls`: lists the calls of a batch and what became of each. Passwords
//! stay behind here.

use antiphon_api::BatchId;
use antiphon_api::rest::calls::CallMedium;
use antiphon_api::rest::scheduled_batches::{ListScheduledCalls, ScheduledCall};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::page::{page, window};
use super::super::super::request::Requested;
use super::own_batch;
use crate::storage::{Slice, StoredScheduledCall};

pub(in crate::http) async fn scheduled_calls(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListScheduledCalls>,
) -> Answered<ListScheduledCalls> {
    let batch = own_batch(&http, &account, request.path).await?.id;
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let status = request.query.status;
    let slice = http.storage.batches.scheduled_calls(batch, status, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => http.storage.batches.count_scheduled_calls(batch, status).await?,
    };
    let items = slice.items.into_iter().map(|call| (call.position, scheduled_resource(batch, call)));
    let slice = Slice { items: items.collect(), more: slice.more };
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}

fn scheduled_resource(batch: BatchId, call: StoredScheduledCall) -> ScheduledCall {
    ScheduledCall {
        status: call.status,
        batch_id: batch,
        call_id: call.call,
        error: call.error,
        medium: call.request.medium.as_ref().map(CallMedium::without_secrets),
        metadata: call.request.metadata,
        template_context: call.request.template_context,
        experimental_settings: call.request.experimental_settings,
    }
}
