//! `PATCH /api/telephony_configs/{provider}`: changes the account at a provider. Secrets that are not given stay.

use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::patch::{ATTEMPTS, contended, patched};
use super::super::request::Requested;
use super::{Place, check, known, not_configured};

pub(in crate::http) async fn update<P: Place>(
    State(http): State<Http>,
    account: Account,
    request: Requested<P::Update>,
) -> Answered<P::Update> {
    for _ in 0..ATTEMPTS {
        let (known, version) = known::<P>(&http, &account).await?.ok_or_else(not_configured::<P>)?;
        let settings = patched(&http, &known, &request.body.changes)?;
        let shown = P::Config::from(&settings);
        let (settings, before) = (P::to_stored(settings), P::to_stored(known));
        check(&http, &account, &settings, Some(&before), "").await?;
        if http.storage.telephony.update_provider_settings(account.0, &settings, version).await? {
            return Ok(Answer(shown));
        }
    }
    Err(contended("this configuration"))
}
