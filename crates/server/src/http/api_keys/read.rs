//! `GET /api/api_keys/{api_key_prefix}`: reads one key.

use antiphon_api::rest::api_keys::ReadApiKey;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{key_resource, own_key};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadApiKey>,
) -> Answered<ReadApiKey> {
    Ok(Answer(key_resource(own_key(&http, &account, &request.path).await?)?))
}
