//! `DELETE /api/telephony_configs/{provider}`: removes the account at a provider, with its secrets.

use antiphon_api::endpoint::NoBody;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{Place, not_configured};

pub(in crate::http) async fn delete<P: Place>(
    State(http): State<Http>,
    account: Account,
    _: Requested<P::Delete>,
) -> Answered<P::Delete> {
    match http.storage.telephony.delete_provider_settings(account.0, P::PROVIDER).await? {
        true => Ok(Answer(NoBody)),
        false => Err(not_configured::<P>()),
    }
}
