//! `POST /api/telephony_configs/{provider}`: sets the account at a provider, whatever was there.

use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::{Requested, insist_on_known};
use super::{Place, check};

pub(in crate::http) async fn create<P: Place>(
    State(http): State<Http>,
    account: Account,
    request: Requested<P::Create>,
) -> Answered<P::Create> {
    insist_on_known(&http, request.ignored)?;
    let shown = P::Config::from(&request.body);
    let settings = P::to_stored(request.body);
    check(&http, &account, &settings, None, "").await?;
    http.storage.telephony.set_provider_settings(account.0, &settings).await?;
    Ok(Answer(shown))
}
