//! `GET /api/telephony_configs/{provider}`: reads the account at a provider.

use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{Place, known, not_configured};

pub(in crate::http) async fn read<P: Place>(
    State(http): State<Http>,
    account: Account,
    _: Requested<P::Read>,
) -> Answered<P::Read> {
    let (settings, _) = known::<P>(&http, &account).await?.ok_or_else(not_configured::<P>)?;
    Ok(Answer(P::Config::from(&settings)))
}
