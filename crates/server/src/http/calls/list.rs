//! `GET /api/calls`: lists the account's calls (protocol.md 7.14).

use antiphon_api::rest::calls::{CallSort, ListCalls, ListCallsQuery};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::page::{page, window};
use super::super::request::Requested;
use super::resource::call_resource;
use crate::storage::{CallOrder, CallPlace, Slice};

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCalls>,
) -> Answered<ListCalls> {
    refuse_filters(&request.query)?;
    let order = order(request.query.sort)?;
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let calls = &http.storage.calls;
    let slice = calls.list(account.0, order, window).await?;
    let total = calls.count(account.0).await?;
    let place = |created, id| CallPlace { created, id };
    let items = slice.items.iter();
    let items =
        items.map(|call| (place(call.created, call.id), call_resource(call, &http.public_url))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}

fn order(sort: Option<CallSort>) -> Result<CallOrder, ApiError> {
    match sort {
        None | Some(CallSort::CreatedDescending) => Ok(CallOrder::NewestFirst),
        Some(CallSort::Created) => Ok(CallOrder::OldestFirst),
        Some(
            sort @ (CallSort::BilledDuration
            | CallSort::BilledDurationDescending
            | CallSort::Ended
            | CallSort::EndedDescending
            | CallSort::Joined
            | CallSort::JoinedDescending),
        ) => Err(ApiError::field(
            "sort",
            format!("\"{sort}\" is not supported here; use \"created\" or \"-created\""),
        )),
    }
}

/// A filter that is not applied would answer with calls that were not asked for, so it is refused by name.
fn refuse_filters(query: &ListCallsQuery) -> Result<(), ApiError> {
    let asked = [
        ("agentIds", !query.agent_ids.is_empty()),
        ("durationMin", query.duration_min.is_some()),
        ("durationMax", query.duration_max.is_some()),
        ("fromDate", query.from_date.is_some()),
        ("toDate", query.to_date.is_some()),
        ("metadata", !query.metadata.is_empty()),
        ("search", query.search.is_some()),
        ("timeOfDayStart", query.time_of_day_start.is_some()),
        ("timeOfDayEnd", query.time_of_day_end.is_some()),
        ("voiceId", query.voice_id.is_some()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((filter, _)) => {
            Err(ApiError::field(filter, "is not supported here; list all calls and filter them"))
        }
        None => Ok(()),
    }
}
