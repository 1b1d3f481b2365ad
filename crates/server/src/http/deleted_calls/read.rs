//! `GET /api/deleted_calls/{call_id}`: reads what is left of one deleted call.

use antiphon_api::rest::deleted_calls::ReadDeletedCall;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::tombstone_resource;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadDeletedCall>,
) -> Answered<ReadDeletedCall> {
    let stone = http.storage.catalog.find_tombstone(account.0, request.path).await?;
    let stone = stone.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is no such deleted call"))?;
    Ok(Answer(tombstone_resource(&stone)))
}
