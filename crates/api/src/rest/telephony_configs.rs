//! Accounts at telephony providers: what the server needs to place calls there and to recognize who calls in (protocol.md 7.6.4,
//! 7.6.5).
//!
//! Owns the endpoints under `/api/telephony_configs`, the older one that has all providers in one, and the one that providers
//! themselves call. What a request asks for and what is shown are two types each, since secrets are never shown.

use std::collections::BTreeMap;

use crate::endpoint::{JSON, NoBody, Payload, endpoint};
use crate::ids::AgentId;
use crate::json::check::{Chars, Items};
use crate::json::{Check, Invalid, Parsed, Reader, quoted, record};
use crate::patch::Patch;
use crate::schema::{Schema, Schemas};
use crate::secret::Secret;

endpoint! {
    /// Reads the account's Twilio configuration.
    pub ReadTwilioConfig: Get "/api/telephony_configs/twilio" -> 200 TwilioConfig | 404
}

endpoint! {
    /// Sets the account's Twilio configuration.
    pub CreateTwilioConfig: Post "/api/telephony_configs/twilio" body TwilioSettings, -> 201 TwilioConfig
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateTwilioConfig: Patch "/api/telephony_configs/twilio" body Patch<TwilioSettings>, -> 200 TwilioConfig | 404 | 409
}

endpoint! {
    /// Removes the account's Twilio configuration.
    pub DeleteTwilioConfig: Delete "/api/telephony_configs/twilio" -> 204 NoBody | 404
}

endpoint! {
    /// Reads the account's Telnyx configuration.
    pub ReadTelnyxConfig: Get "/api/telephony_configs/telnyx" -> 200 TelnyxConfig | 404
}

endpoint! {
    /// Sets the account's Telnyx configuration.
    pub CreateTelnyxConfig: Post "/api/telephony_configs/telnyx" body TelnyxSettings, -> 201 TelnyxConfig
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateTelnyxConfig: Patch "/api/telephony_configs/telnyx" body Patch<TelnyxSettings>, -> 200 TelnyxConfig | 404 | 409
}

endpoint! {
    /// Removes the account's Telnyx configuration.
    pub DeleteTelnyxConfig: Delete "/api/telephony_configs/telnyx" -> 204 NoBody | 404
}

endpoint! {
    /// Reads the account's Plivo configuration.
    pub ReadPlivoConfig: Get "/api/telephony_configs/plivo" -> 200 PlivoConfig | 404
}

endpoint! {
    /// Sets the account's Plivo configuration.
    pub CreatePlivoConfig: Post "/api/telephony_configs/plivo" body PlivoSettings, -> 201 PlivoConfig
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdatePlivoConfig: Patch "/api/telephony_configs/plivo" body Patch<PlivoSettings>, -> 200 PlivoConfig | 404 | 409
}

endpoint! {
    /// Removes the account's Plivo configuration.
    pub DeletePlivoConfig: Delete "/api/telephony_configs/plivo" -> 204 NoBody | 404
}

endpoint! {
    /// Reads the configurations of all providers. Deprecated: read each at its own place.
    pub ReadAccountTelephonyConfig: Get "/api/accounts/me/telephony_config" -> 200 AccountTelephonyConfig
}

endpoint! {
    /// Changes the configurations of those providers that the body names; null removes one. Deprecated: change each
    /// at its own place.
    pub UpdateAccountTelephonyConfig: Patch "/api/accounts/me/telephony_config"
        body Patch<AccountTelephonySettings>, -> 200 AccountTelephonyConfig | 409
}

endpoint! {
    /// Creates a call with an agent for a provider at which somebody calls, and tells it where to stream the call. Who calls it is a
    /// provider, which signs what it sends.
    pub AnswerTelephonyProvider: Post "/api/agents/{agent_id}/telephony_xml"
        path AgentId, body ProviderRequest, -> 200 XmlDocument | 401 | 403 | 429 | 503
}

/// The media type of plain forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a provider posts: a form, or JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRequest(pub Vec<u8>);

impl Payload for ProviderRequest {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Self::from_response(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Ok(Parsed { value: Self(body.to_vec()), ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(self.0.clone())
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        vec![(FORM, Schema::of("object")), (JSON, Schema::of("object"))]
    }
}

/// An XML document: what a provider is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlDocument(pub String);

impl XmlDocument {
    /// What the header `Content-Type` says of it.
    pub const CONTENT_TYPE: &'static str = "text/xml";
}

impl Payload for XmlDocument {
    fn from_request(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        Self::from_response(body)
    }

    fn from_response(body: &[u8]) -> Result<Parsed<Self>, Invalid> {
        let text = String::from_utf8(body.to_vec()).map_err(|_| Invalid::one("", "is not UTF-8"))?;
        Ok(Parsed { value: Self(text), ignored: Vec::new() })
    }

    fn to_body(&self) -> Option<Vec<u8>> {
        Some(self.0.clone().into_bytes())
    }

    fn contents(_: &mut Schemas) -> Vec<(&'static str, Schema)> {
        vec![(Self::CONTENT_TYPE, Schema::of("string"))]
    }
}

record! {
    /// What is shown of a secret: how it begins.
    pub struct KeyPrefix {
        /// Its first characters.
        prefix: String,
    }
}

impl KeyPrefix {
    /// Characters that are shown at most, and of no secret more than a quarter.
    const SHOWN: usize = 8;

    /// How `secret` begins.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        let shown = Self::SHOWN.min(secret.expose().chars().count() / 4);
        Self { prefix: secret.expose().chars().take(shown).collect() }
    }
}

/// Defines what a provider's configuration is set with and how it is shown: the fields that all have, and those of this one.
macro_rules! provider {
    (
        #[doc = $settings_doc:literal] settings $settings:ident,
        #[doc = $shown_doc:literal] shown as $shown:ident,
        plain { $( #[doc = $plain_doc:literal] $plain:ident $($plain_check:expr)?, )* }
        secret { $(
            #[doc = $secret_doc:literal] $secret:ident $secret_check:expr,
            #[doc = $prefix_doc:literal] shown as $prefix:ident,
        )* }
    ) => {
        record! {
            #[doc = $settings_doc]
            pub struct $settings {
                /// The agents that the provider may create calls with, at most 100.
                call_creation_allowed_agent_ids: Vec<AgentId> where Items(0, 100),
                /// Whether it may with all of the account's agents; excludes a list of them.
                call_creation_allow_all_agents: bool => false,
                /// Which field of a provider's request becomes which value of the agent's variables, both dotted; at most 100.
                request_context_mapping: BTreeMap<String, String> where Mapping,
                $( #[doc = $plain_doc] $plain: String $(where $plain_check)?, )*
                $( #[doc = $secret_doc] $secret: Secret where $secret_check, )*
            }
            where |settings, reader| {
                allowance_is_one(
                    &settings.call_creation_allowed_agent_ids,
                    settings.call_creation_allow_all_agents,
                    reader,
                );
            }
        }

        record! {
            #[doc = $shown_doc]
            pub resource struct $shown {
                /// The agents that the provider may create calls with.
                call_creation_allowed_agent_ids: Vec<AgentId>,
                /// Whether it may with all of the account's agents.
                call_creation_allow_all_agents: bool => false,
                /// Which field of a provider's request becomes which value of the agent's variables.
                request_context_mapping: BTreeMap<String, String>,
                $( #[doc = $plain_doc] $plain: String, )*
                $( #[doc = $prefix_doc] $prefix: KeyPrefix, )*
            }
        }

        impl From<&$settings> for $shown {
            fn from(settings: &$settings) -> Self {
                Self {
                    call_creation_allowed_agent_ids: settings.call_creation_allowed_agent_ids.clone(),
                    call_creation_allow_all_agents: settings.call_creation_allow_all_agents,
                    request_context_mapping: settings.request_context_mapping.clone(),
                    $( $plain: settings.$plain.clone(), )*
                    $( $prefix: KeyPrefix::of(&settings.$secret), )*
                }
            }
        }
    };
}

provider! {
    /// What an account at Twilio is set with.
    settings TwilioSettings,
    /// An account at Twilio, without its secrets.
    shown as TwilioConfig,
    plain {
        /// The account's SID: `AC` and 32 hexadecimal digits.
        account_sid TwilioSid,
    }
    secret {
        /// The account's token, which also signs what Twilio sends.
        auth_token Chars(8, 200),
        /// How the token begins.
        shown as auth_token_prefix,
    }
}

provider! {
    /// What an account at Telnyx is set with.
    settings TelnyxSettings,
    /// An account at Telnyx, without its secrets.
    shown as TelnyxConfig,
    plain {
        /// The account's SID, at most 64 characters.
        account_sid Word(64),
        /// The SID of the TeXML application, at most 40 characters.
        application_sid Word(40),
    }
    secret {
        /// The key for requests to Telnyx.
        api_key Chars(8, 200),
        /// How the key begins.
        shown as api_key_prefix,
        /// The key that checks what Telnyx signs: 32 bytes in base64.
        public_key Chars(43, 44),
        /// How the key begins.
        shown as public_key_prefix,
    }
}

provider! {
    /// What an account at Plivo is set with.
    settings PlivoSettings,
    /// An account at Plivo, without its secrets.
    shown as PlivoConfig,
    plain {
        /// The account's id, at most 64 characters.
        auth_id Word(64),
    }
    secret {
        /// The account's token, which also signs what Plivo sends.
        auth_token Chars(8, 200),
        /// How the token begins.
        shown as auth_token_prefix,
    }
}

record! {
    /// The configurations of all providers. A provider that is not configured is null.
    #[derive(Default)]
    pub resource struct AccountTelephonyConfig {
        /// That of Twilio.
        twilio: Option<TwilioConfig>,
        /// That of Telnyx.
        telnyx: Option<TelnyxConfig>,
        /// That of Plivo.
        plivo: Option<PlivoConfig>,
    }
}

record! {
    /// The same as it is set: what [`UpdateAccountTelephonyConfig`] changes.
    #[derive(Default)]
    pub struct AccountTelephonySettings {
        /// That of Twilio.
        twilio: Option<TwilioSettings>,
        /// That of Telnyx.
        telnyx: Option<TelnyxSettings>,
        /// That of Plivo.
        plivo: Option<PlivoSettings>,
    }
}

fn allowance_is_one(agents: &[AgentId], all: bool, reader: &mut Reader) {
    if all && !agents.is_empty() {
        reader.at("callCreationAllowedAgentIds", |reader| {
            reader.refuse("excludes \"callCreationAllowAllAgents\"; keep one");
        });
    }
}

/// A text of letters, digits and a few signs, at most so many.
struct Word(usize);

impl Check<String> for Word {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("pattern", "^[A-Za-z0-9_.-]+$").with("maxLength", self.0)
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if value.is_empty() || value.len() > self.0 || !value.bytes().all(fits) {
            reader.refuse(format!("must have 1 to {} letters, digits, _, - and .", self.0));
        }
    }
}

/// The SID of an account at Twilio.
struct TwilioSid;

impl Check<String> for TwilioSid {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("pattern", "^AC[0-9A-Fa-f]{32}$")
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        let digits = value.strip_prefix("AC").unwrap_or_default();
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            reader.refuse(
                "must be an account's SID: AC and 32 hexadecimal digits, as Twilio's console shows it",
            );
        }
    }
}

/// From dotted fields of a request to dotted names of variables, none of which lies within another.
struct Mapping;

impl Mapping {
    const CHARS: usize = 200;
}

impl Check<BTreeMap<String, String>> for Mapping {
    fn bound(&self, schema: Schema) -> Schema {
        Check::<BTreeMap<String, String>>::bound(&Items(0, 100), schema)
    }

    fn check(&self, value: &BTreeMap<String, String>, reader: &mut Reader) {
        Items(0, 100).check(value, reader);
        let is_dotted = |text: &str| {
            text.chars().count() <= Self::CHARS && text.split('.').all(|key| !key.trim().is_empty())
        };
        for (field, name) in value {
            reader.at_key(field, |reader| {
                if !is_dotted(field) {
                    reader.refuse("is no field of a request; write keys with dots between them, at most 200 characters");
                }
                if !is_dotted(name) {
                    reader.refuse(format!(
                        "{} is no name of a variable; write keys with dots between them, at most 200 characters",
                        quoted(name)
                    ));
                }
            });
        }
        let mut names: Vec<Vec<&str>> = value.values().map(|name| name.split('.').collect()).collect();
        names.sort_unstable();
        // What begins alike stands side by side.
        for pair in names.windows(2) {
            if let [first, second] = pair
                && second.starts_with(first)
            {
                reader.refuse(format!(
                    "gives {} a value and also what lies within it, or gives it twice; leave one out",
                    quoted(&first.join("."))
                ));
            }
        }
    }
}
