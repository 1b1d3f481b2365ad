//! `DELETE /api/api_keys/{api_key_prefix}`: removes a key. Requests with it are refused from then on.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::api_keys::DeleteApiKey;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::part_with;
use crate::storage::Farewell;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteApiKey>,
) -> Answered<DeleteApiKey> {
    part_with(&http, &account, &request.path, Farewell::Deleted).await?;
    Ok(Answer(NoBody))
}
