//! `GET /api/accounts/me/billing`: reads where bills go, which is nowhere.

pub(in crate::http) mod invoices;
pub(in crate::http) mod usage;

use antiphon_api::rest::accounts::{AccountBilling, ReadBilling};

use super::super::answer::{Answer, Answered};
use super::super::auth::Account;

pub(in crate::http) async fn read(_account: Account) -> Answered<ReadBilling> {
    Ok(Answer(AccountBilling::default()))
}
