//! `PATCH /api/accounts/me/telephony_config`: changes the accounts at those providers that the body names; null removes one.

use antiphon_api::rest::telephony_configs::{AccountTelephonySettings, UpdateAccountTelephonyConfig};
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::patch::{ATTEMPTS, contended, patched};
use super::super::super::request::Requested;
use super::super::super::telephony_configs::{Place, Plivo, Telnyx, Twilio, check, known};
use super::shown;

/// What one provider's settings were, with their version, and what they shall be.
struct Change<P: Place> {
    before: Option<(P::Settings, u64)>,
    after: Option<P::Settings>,
}

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateAccountTelephonyConfig>,
) -> Answered<UpdateAccountTelephonyConfig> {
    for _ in 0..ATTEMPTS {
        let twilio = known::<Twilio>(&http, &account).await?;
        let telnyx = known::<Telnyx>(&http, &account).await?;
        let plivo = known::<Plivo>(&http, &account).await?;
        let before = AccountTelephonySettings {
            twilio: twilio.as_ref().map(|(settings, _)| settings.clone()),
            telnyx: telnyx.as_ref().map(|(settings, _)| settings.clone()),
            plivo: plivo.as_ref().map(|(settings, _)| settings.clone()),
        };
        let after: AccountTelephonySettings = patched(&http, &before, &request.body.changes)?;
        let answer = shown(&after);
        let twilio = Change::<Twilio> { before: twilio, after: after.twilio };
        let telnyx = Change::<Telnyx> { before: telnyx, after: after.telnyx };
        let plivo = Change::<Plivo> { before: plivo, after: after.plivo };
        // All are looked at before any is changed.
        twilio.check(&http, &account).await?;
        telnyx.check(&http, &account).await?;
        plivo.check(&http, &account).await?;
        if twilio.make(&http, &account).await?
            && telnyx.make(&http, &account).await?
            && plivo.make(&http, &account).await?
        {
            return Ok(Answer(answer));
        }
    }
    Err(contended("this configuration"))
}

impl<P: Place> Change<P> {
    async fn check(&self, http: &Http, account: &Account) -> Result<(), ApiError> {
        let Some(after) = self.after.clone().map(P::to_stored) else { return Ok(()) };
        let before = self.before.clone().map(|(before, _)| P::to_stored(before));
        check(http, account, &after, before.as_ref(), &format!("{}.", P::PROVIDER.word())).await
    }

    /// False if others were faster.
    async fn make(self, http: &Http, account: &Account) -> Result<bool, ApiError> {
        let telephony = &http.storage.telephony;
        match (self.before, self.after.map(P::to_stored)) {
            (None, None) => {}
            (Some((before, _)), Some(after)) if P::to_stored(before.clone()) == after => {}
            (Some((_, version)), Some(after)) => {
                return Ok(telephony.update_provider_settings(account.0, &after, version).await?);
            }
            (None, Some(after)) => telephony.set_provider_settings(account.0, &after).await?,
            (Some(_), None) => {
                telephony.delete_provider_settings(account.0, P::PROVIDER).await?;
            }
        }
        Ok(true)
    }
}
