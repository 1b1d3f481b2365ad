//! Names of the things that last: lower-case UUIDs, each kind a type of its own (protocol.md 0).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::json::{FromJson, Reader, deserialize, quoted};
use crate::schema::{Describe, Schema, Schemas};

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not an id; write a UUID, for example \"11111111-2222-4333-8444-555555555555\"", quoted(.0))]
pub struct IdError(String);

/// Takes the hyphenated form in any letter case and nothing else.
fn parse(text: &str) -> Result<Uuid, IdError> {
    let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    Uuid::try_parse(text).ok().filter(|_| is_hyphenated).ok_or_else(|| IdError(text.into()))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this UUID. Ids are random where knowing one is permission.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl crate::endpoint::PathArgument for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl Describe for $name {
            fn describe(_: &mut Schemas) -> Schema {
                Schema::text("uuid")
            }
        }

        impl FromJson for $name {
            fn from_json(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
                let text = String::from_json(value, reader)?;
                text.parse().map_err(|error: IdError| reader.fault(error.to_string())).ok()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize(deserializer)
            }
        }
    };
}

id!(
    /// An account.
    AccountId
);
id!(
    /// An agent.
    AgentId
);
id!(
    /// What an agent was between two changes.
    AgentRevisionId
);
id!(
    /// A batch of scheduled calls.
    BatchId
);
id!(
    /// A call. Whoever knows it may join the call.
    CallId
);
id!(
    /// A stage of a call.
    CallStageId
);
id!(
    /// A tool as a stage of a call has it.
    CallToolId
);
id!(
    /// A document of a corpus; before it is one, an upload.
    CorpusDocumentId
);
id!(
    /// A corpus.
    CorpusId
);
id!(
    /// Where documents of a corpus come from.
    CorpusSourceId
);
id!(
    /// A registration with a SIP server.
    SipRegistrationId
);
id!(
    /// A limit on how many calls are created.
    ThrottleId
);
id!(
    /// A durable or built-in tool.
    ToolId
);
id!(
    /// A voice.
    VoiceId
);
id!(
    /// A webhook.
    WebhookId
);

/// The part of an API key before its dot, which names the key and is no secret (protocol.md 0): 8 letters or digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyPrefix(String);

/// A text that is not the prefix of a key. It does not repeat the text, which may be a whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no prefix of an API key; write the 8 letters or digits before its dot")]
pub struct ApiKeyPrefixError;

impl ApiKeyPrefix {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl crate::endpoint::PathArgument for ApiKeyPrefix {}

impl fmt::Display for ApiKeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ApiKeyPrefix {
    type Err = ApiKeyPrefixError;

    fn from_str(text: &str) -> Result<Self, ApiKeyPrefixError> {
        let is_prefix = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_prefix { Ok(Self(text.into())) } else { Err(ApiKeyPrefixError) }
    }
}

impl Describe for ApiKeyPrefix {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string").with("pattern", "^[0-9A-Za-z]{8}$")
    }
}

impl FromJson for ApiKeyPrefix {
    fn from_json(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
        let text = String::from_json(value, reader)?;
        text.parse().map_err(|error: ApiKeyPrefixError| reader.fault(error.to_string())).ok()
    }
}

impl serde::Serialize for ApiKeyPrefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_lower_case() {
        let id: CallId = "AAAAAAAA-2222-4333-8444-555555555555".parse().unwrap();
        assert_eq!(id.to_string(), "aaaaaaaa-2222-4333-8444-555555555555");
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for text in [
            "",
            "aaaaaaaa222243338444555555555555",
            "{aaaaaaaa-2222-4333-8444-555555555555}",
            "urn:uuid:aaaaaaaa-2222-4333-8444-555555555555",
            "aaaaaaaa-2222-4333-8444-55555555555g",
        ] {
            assert!(text.parse::<CallId>().is_err(), "{text}");
        }
    }
}
