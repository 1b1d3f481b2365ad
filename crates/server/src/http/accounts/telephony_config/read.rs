//! `GET /api/accounts/me/telephony_config`: reads the accounts at all providers.

use antiphon_api::rest::telephony_configs::{AccountTelephonySettings, ReadAccountTelephonyConfig};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::super::super::telephony_configs::{Plivo, Telnyx, Twilio, known};
use super::shown;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    _: Requested<ReadAccountTelephonyConfig>,
) -> Answered<ReadAccountTelephonyConfig> {
    Ok(Answer(shown(&AccountTelephonySettings {
        twilio: known::<Twilio>(&http, &account).await?.map(|(settings, _)| settings),
        telnyx: known::<Telnyx>(&http, &account).await?.map(|(settings, _)| settings),
        plivo: known::<Plivo>(&http, &account).await?.map(|(settings, _)| settings),
    })))
}
