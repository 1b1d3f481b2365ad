//! `/api/telephony_configs/{twilio|telnyx|plivo}`: one operation a file, each for all providers (protocol.md 7.6.4). What they share:
//! what differs between providers, and what an account at one has to be. Secrets stay behind here.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod read;
pub(super) mod update;

use antiphon_api::Patch;
use antiphon_api::endpoint::{Endpoint, NoBody, NoQuery, Payload};
use antiphon_api::json::FromJson;
use antiphon_api::rest::telephony_configs as api;
use antiphon_api::schema::{Describe, DescribeFields};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Serialize;

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use crate::storage::{Provider, ProviderSettings};

/// A provider's place under this path.
pub(super) trait Place: Send + Sync + 'static {
    const PROVIDER: Provider;
    /// What the provider is called by people.
    const NAME: &'static str;
    /// What an account there is set with.
    type Settings: FromJson + Serialize + Describe + DescribeFields + Clone + Send + Sync + 'static;
    /// How it is shown.
    type Config: for<'s> From<&'s Self::Settings> + Payload + Send + 'static;
    type Create: Endpoint<Path = (), Query = NoQuery, Body = Self::Settings, Response = Self::Config>;
    type Read: Endpoint<Path = (), Query = NoQuery, Body = NoBody, Response = Self::Config>;
    type Update: Endpoint<Path = (), Query = NoQuery, Body = Patch<Self::Settings>, Response = Self::Config>;
    type Delete: Endpoint<Path = (), Query = NoQuery, Body = NoBody, Response = NoBody>;

    fn to_stored(settings: Self::Settings) -> ProviderSettings;
    fn of_stored(stored: ProviderSettings) -> Option<Self::Settings>;
}

macro_rules! place {
    ($name:ident: $provider:ident, $settings:ident as $config:ident, $create:ident, $read:ident, $update:ident, $delete:ident) => {
        pub(super) struct $name;

        impl Place for $name {
            const PROVIDER: Provider = Provider::$provider;
            const NAME: &'static str = stringify!($provider);
            type Settings = api::$settings;
            type Config = api::$config;
            type Create = api::$create;
            type Read = api::$read;
            type Update = api::$update;
            type Delete = api::$delete;

            fn to_stored(settings: Self::Settings) -> ProviderSettings {
                ProviderSettings::$provider(settings)
            }

            fn of_stored(stored: ProviderSettings) -> Option<Self::Settings> {
                match stored {
                    ProviderSettings::$provider(settings) => Some(settings),
                    _ => None,
                }
            }
        }
    };
}
place! { Plivo: Plivo, PlivoSettings as PlivoConfig,
CreatePlivoConfig, ReadPlivoConfig, UpdatePlivoConfig, DeletePlivoConfig }
place! { Telnyx: Telnyx, TelnyxSettings as TelnyxConfig,
CreateTelnyxConfig, ReadTelnyxConfig, UpdateTelnyxConfig, DeleteTelnyxConfig }
place! { Twilio: Twilio, TwilioSettings as TwilioConfig,
CreateTwilioConfig, ReadTwilioConfig, UpdateTwilioConfig, DeleteTwilioConfig }

/// The account's settings at a provider, with their version, if there are any.
pub(super) async fn known<P: Place>(
    http: &Http,
    account: &Account,
) -> Result<Option<(P::Settings, u64)>, ApiError> {
    let known = http.storage.telephony.provider_settings(account.0, P::PROVIDER).await?;
    Ok(known.and_then(|(settings, version)| Some((P::of_stored(settings)?, version))))
}

fn not_configured<P: Place>() -> ApiError {
    let detail = format!("{} is not configured; POST a configuration here first", P::NAME);
    ApiError::new(StatusCode::NOT_FOUND, detail)
}

/// Whether calls can be created by a provider's account like this; `at` is where it lies in the request. Agents that were allowed
/// `before` may be gone, which is no fault of a change.
pub(super) async fn check(
    http: &Http,
    account: &Account,
    settings: &ProviderSettings,
    before: Option<&ProviderSettings>,
    at: &str,
) -> Result<(), ApiError> {
    let before = before.map(ProviderSettings::allowed_agents).unwrap_or_default();
    for (index, agent) in settings.allowed_agents().iter().enumerate() {
        let is_new = !before.contains(agent);
        if is_new && http.storage.agents.find_agent(account.0, *agent).await?.is_none() {
            let field = format!("{at}callCreationAllowedAgentIds[{index}]");
            return Err(ApiError::field(&field, "there is no such agent"));
        }
    }
    match settings {
        ProviderSettings::Telnyx(telnyx) if telnyx_key(telnyx.public_key.expose()).is_none() => {
            let problem = "must be 32 bytes in base64, as Telnyx's portal shows the account's public key";
            Err(ApiError::field(&format!("{at}publicKey"), problem))
        }
        ProviderSettings::Telnyx(_) | ProviderSettings::Plivo(_) | ProviderSettings::Twilio(_) => Ok(()),
    }
}

/// The key that checks what Telnyx signs.
pub(super) fn telnyx_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()?.try_into().ok()
}
