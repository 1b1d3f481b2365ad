//! How calls come in over SIP, where the server registers, and the accounts at telephony providers.
//!
//! What is kept is what the API takes, secrets included. Whether anything uses it is above all this.

use std::collections::BTreeMap;

use antiphon_api::rest::sip::{SipRegistrationRequest, SipSettings};
use antiphon_api::rest::telephony_configs::{PlivoSettings, TelnyxSettings, TwilioSettings};
use antiphon_api::{AgentId, SipRegistrationId, Timestamp};

use super::{AccountId, Pending};

/// A telephony provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Plivo.
    Plivo,
    /// Telnyx.
    Telnyx,
    /// Twilio.
    Twilio,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plivo, Self::Telnyx, Self::Twilio];

    /// Its name in URLs and tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plivo => "plivo",
            Self::Telnyx => "telnyx",
            Self::Twilio => "twilio",
        }
    }
}

/// An account at a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderSettings {
    /// At Plivo.
    Plivo(PlivoSettings),
    /// At Telnyx.
    Telnyx(TelnyxSettings),
    /// At Twilio.
    Twilio(TwilioSettings),
}

impl ProviderSettings {
    /// The provider.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Plivo(_) => Provider::Plivo,
            Self::Telnyx(_) => Provider::Telnyx,
            Self::Twilio(_) => Provider::Twilio,
        }
    }

    /// The agents that the provider may create calls with, unless it may with all.
    #[must_use]
    pub fn allowed_agents(&self) -> &[AgentId] {
        match self {
            Self::Plivo(settings) => &settings.call_creation_allowed_agent_ids,
            Self::Telnyx(settings) => &settings.call_creation_allowed_agent_ids,
            Self::Twilio(settings) => &settings.call_creation_allowed_agent_ids,
        }
    }

    /// Whether the provider may create calls with an agent.
    #[must_use]
    pub fn allows(&self, agent: AgentId) -> bool {
        let all = match self {
            Self::Plivo(settings) => settings.call_creation_allow_all_agents,
            Self::Telnyx(settings) => settings.call_creation_allow_all_agents,
            Self::Twilio(settings) => settings.call_creation_allow_all_agents,
        };
        all || self.allowed_agents().contains(&agent)
    }

    /// Which field of the provider's requests becomes which variable.
    #[must_use]
    pub fn mapping(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Plivo(settings) => &settings.request_context_mapping,
            Self::Telnyx(settings) => &settings.request_context_mapping,
            Self::Twilio(settings) => &settings.request_context_mapping,
        }
    }
}

/// A registration as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRegistration {
    /// Its id.
    pub id: SipRegistrationId,
    /// Whose it is.
    pub account: AccountId,
    /// When it was created.
    pub created: Timestamp,
    /// Whom to register where.
    pub settings: SipRegistrationRequest,
}

/// Where all of this is kept.
///
/// What is changed is read with its version, and written with it: a change of something that was changed meanwhile is not made.
pub trait TelephonyStore: Send + Sync {
    /// How the account's calls come in over SIP, and the version of that; `None` if nothing was ever said.
    fn sip_settings(&self, account: AccountId) -> Pending<'_, Option<(SipSettings, u64)>>;
    /// Sets that, if it still has this version, or was never said if there is none. False if it does not.
    fn put_sip_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a SipSettings,
        version: Option<u64>,
    ) -> Pending<'a, bool>;

    /// Keeps a new registration, unless the account then had more than `most`. Says whether it is kept.
    fn insert_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        most: u32,
    ) -> Pending<'a, bool>;
    /// The account's registration with this id, and its version.
    fn find_registration(
        &self,
        account: AccountId,
        id: SipRegistrationId,
    ) -> Pending<'_, Option<(StoredRegistration, u64)>>;
    /// All registrations of an account, newest first.
    fn registrations(&self, account: AccountId) -> Pending<'_, Vec<StoredRegistration>>;
    /// Changes a registration, if it still has this version. False if it does not.
    fn update_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        version: u64,
    ) -> Pending<'a, bool>;
    /// Deletes the account's registration with this id. False if it is not there.
    fn delete_registration(&self, account: AccountId, id: SipRegistrationId) -> Pending<'_, bool>;

    /// The account at a provider, and its version.
    fn provider_settings(
        &self,
        account: AccountId,
        provider: Provider,
    ) -> Pending<'_, Option<(ProviderSettings, u64)>>;
    /// Sets it, whatever was there.
    fn set_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
    ) -> Pending<'a, ()>;
    /// Changes it, if it still has this version. False if it does not.
    fn update_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
        version: u64,
    ) -> Pending<'a, bool>;
    /// Deletes it. False if it is not there.
    fn delete_provider_settings(&self, account: AccountId, provider: Provider) -> Pending<'_, bool>;
}
