//! `GET /api/accounts/me`: reads the account that the key belongs to.

use antiphon_api::rest::accounts::ReadAccount;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::account_resource;

pub(in crate::http) async fn read(State(http): State<Http>, account: Account) -> Answered<ReadAccount> {
    Ok(Answer(account_resource(&http, &account).await?))
}
