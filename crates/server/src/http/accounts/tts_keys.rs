//! `/api/accounts/me/tts_api_keys`: the account's keys for other people's voices (protocol.md 7.12). They are set whole, and shown only
//! by how they begin.

use std::collections::BTreeMap;

use antiphon_api::rest::accounts::{KeyPrefix, ReadTtsKeys, TtsKeys, TtsKeysChange, UpdateTtsKeys};
use antiphon_api::{Change, Secret};
use axum::extract::State;
use serde_json::Value;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;

const ELEVEN_LABS: &str = "elevenLabs";
const CARTESIA: &str = "cartesia";
const LMNT: &str = "lmnt";
const GOOGLE: &str = "google";
const INWORLD: &str = "inworld";
const RESPEECHER: &str = "respeecher";

/// The most characters of a key that are shown, and the least part of it that stays hidden.
const SHOWN: usize = 8;
const HIDDEN_PART: usize = 4;

pub(in crate::http) async fn read(State(http): State<Http>, account: Account) -> Answered<ReadTtsKeys> {
    Ok(Answer(shown(&http, &account).await?))
}

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateTtsKeys>,
) -> Answered<UpdateTtsKeys> {
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let TtsKeysChange { eleven_labs, cartesia, lmnt, google, inworld, respeecher } = request.body;
    if let Change::Set(key) = &google
        && service_account(key).is_none()
    {
        return Err(ApiError::field(
            GOOGLE,
            "is not the JSON key of a service account; send the whole file that Google gives, as one text",
        ));
    }
    let changes: BTreeMap<String, Option<Secret>> = [
        (ELEVEN_LABS, eleven_labs),
        (CARTESIA, cartesia),
        (LMNT, lmnt),
        (GOOGLE, google),
        (INWORLD, inworld),
        (RESPEECHER, respeecher),
    ]
    .into_iter()
    .filter_map(|(provider, change)| match change {
        Change::Keep => None,
        Change::Clear => Some((provider.to_owned(), None)),
        Change::Set(key) => Some((provider.to_owned(), Some(key))),
    })
    .collect();
    http.storage.accounts.change_provider_keys(account.0, &changes).await?;
    Ok(Answer(shown(&http, &account).await?))
}

async fn shown(http: &Http, account: &Account) -> Result<TtsKeys, ApiError> {
    let keys = http.storage.accounts.provider_keys(account.0).await?;
    let prefix = |provider| keys.get(provider).map(|key| KeyPrefix { prefix: beginning(key) });
    Ok(TtsKeys {
        eleven_labs: prefix(ELEVEN_LABS),
        cartesia: prefix(CARTESIA),
        lmnt: prefix(LMNT),
        google: prefix(GOOGLE),
        inworld: prefix(INWORLD),
        respeecher: prefix(RESPEECHER),
    })
}

/// Enough of a key to tell which one it is, and never more than a quarter of it. Of a service account's key, its id.
fn beginning(key: &Secret) -> String {
    if let Some(account) = service_account(key) {
        return account["private_key_id"].as_str().unwrap_or_default().chars().take(SHOWN).collect();
    }
    let chars = key.expose().chars().count();
    key.expose().chars().take(SHOWN.min(chars / HIDDEN_PART)).collect()
}

/// What Google gives for a service account, if that is what the key is.
fn service_account(key: &Secret) -> Option<Value> {
    let value: Value = serde_json::from_str(key.expose()).ok()?;
    let has = |field| value.get(field).is_some_and(Value::is_string);
    ["client_email", "private_key"].into_iter().all(has).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_no_more_than_a_quarter_of_itself() {
        for (key, shown) in [
            ("sk_0123456789abcdef0123456789abcdef", "sk_01234"),
            ("sk_0123456789abc", "sk_0"),
            ("abc", ""),
            (r#"{"private_key_id": "0123456789", "client_email": "a@b", "private_key": "k"}"#, "01234567"),
            (r#"{"client_email": "a@b", "private_key": "-----BEGIN"}"#, ""),
        ] {
            assert_eq!(beginning(&Secret::new(key)), shown, "{key}");
        }
    }
}
