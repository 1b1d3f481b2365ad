//! `GET /api/sip`: reads how calls come in over SIP.

use antiphon_api::rest::sip::ReadSipConfig;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::sip_resource;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    _: Requested<ReadSipConfig>,
) -> Answered<ReadSipConfig> {
    let known = http.storage.telephony.sip_settings(account.0).await?;
    let settings = known.map(|(settings, _)| settings).unwrap_or_default();
    Ok(Answer(sip_resource(&http, account.0, settings)))
}
