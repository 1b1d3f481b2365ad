//! `/api/accounts/me/telephony_config`: the accounts at all providers in one, as older clients ask for them (protocol.md 7.6.4).

pub(in crate::http) mod read;
pub(in crate::http) mod update;

use antiphon_api::rest::telephony_configs::{AccountTelephonyConfig, AccountTelephonySettings};

/// What clients see. Secrets stay behind here.
fn shown(settings: &AccountTelephonySettings) -> AccountTelephonyConfig {
    AccountTelephonyConfig {
        twilio: settings.twilio.as_ref().map(Into::into),
        telnyx: settings.telnyx.as_ref().map(Into::into),
        plivo: settings.plivo.as_ref().map(Into::into),
    }
}
