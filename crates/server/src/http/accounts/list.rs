//! `GET /api/accounts`: lists the accounts that the key may use, which is its own.

use antiphon_api::rest::accounts::ListAccounts;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::account_resource;

pub(in crate::http) async fn list(State(http): State<Http>, account: Account) -> Answered<ListAccounts> {
    Ok(Answer(vec![account_resource(&http, &account).await?]))
}
