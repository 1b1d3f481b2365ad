//! `/api/calls`: one operation a file. What they share: finding a call that is the asker's own.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod events;
mod filter;
pub(super) mod list;
pub(super) mod messages;
pub(super) mod read;
pub(super) mod recording;
pub(super) mod send_data_message;
pub(super) mod sip_logs;
pub(super) mod stages;
pub(super) mod tools;

use antiphon_api::CallId;

pub(in crate::http) use filter::{at, filter};

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use crate::storage::StoredCall;

/// The account's call with this id. Another account's call is no call.
async fn own_call(http: &Http, account: &Account, id: CallId) -> Result<StoredCall, ApiError> {
    let call = http.storage.calls.find(id).await?;
    call.filter(|call| call.account == account.0).ok_or_else(ApiError::no_call)
}
