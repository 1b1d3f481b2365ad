//! What was said, as it is shown while it is said (protocol.md 3.3).

use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::Medium;
use crate::json::fields::FromFields;
use crate::json::{Fields, FromJson, Reader, name, words};
use crate::schema::{Describe, DescribeFields, Object, Schema, Schemas};

/// A piece of transcript. The ten rules of protocol.md 3.3 say which pieces are sent when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Who says it.
    pub role: Speaker,
    /// How it is said. Always written, since some clients insist on it.
    pub medium: Medium,
    /// The words.
    pub text: TranscriptText,
    /// Whether this is the last piece with this ordinal.
    pub is_final: bool,
    /// The utterance's place in the conversation: counts up over both speakers, from 0.
    pub ordinal: u32,
}

/// The words of a piece of transcript. The key that is not meant is not written: some clients take even an empty one for words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranscriptText {
    /// What is added to the pieces before.
    Delta(String),
    /// All that was said so far.
    Text(String),
}

words! {
    /// Who says something.
    pub open enum Speaker {
        /// The agent.
        Agent = "agent",
        /// The user.
        User = "user",
    }
}

impl DescribeFields for Transcript {
    fn describe_fields(schemas: &mut Schemas) -> Object {
        let mut object = Object::default()
            .required("role", Speaker::describe(schemas), "Who says it.")
            .required("medium", Medium::describe(schemas), "How it is said.")
            .required("final", Schema::of("boolean"), "Whether this is the last piece with this ordinal.")
            .required(
                "ordinal",
                u32::describe(schemas),
                "The utterance's place in the conversation: counts up over both speakers, from 0.",
            );
        let text = || Schema::of("string");
        object.choose(
            vec![
                ("delta", text(), "What is added to the pieces before."),
                ("text", text(), "All that was said so far."),
            ],
            false,
        );
        object
    }
}

impl Describe for Transcript {
    fn describe(schemas: &mut Schemas) -> Schema {
        schemas.named::<Self>("Transcript", |schemas| {
            Self::describe_fields(schemas)
                .into_schema("A piece of what was said, as it is shown while it is said.")
        })
    }
}

impl FromFields for Transcript {
    fn from_fields(fields: &mut Fields<'_>, reader: &mut Reader) -> Option<Self> {
        let role = fields.read(&[name!(role)], reader, || None);
        let medium = fields.read(&[name!(medium)], reader, || Some(Medium::Voice));
        let text: Option<Option<String>> = fields.read(&[name!(text)], reader, FromJson::if_absent);
        let delta: Option<Option<String>> = fields.read(&[name!(delta)], reader, FromJson::if_absent);
        let is_final = fields.read(&[name!(is_final "final")], reader, || None);
        let ordinal = fields.read(&[name!(ordinal)], reader, || None);
        // Servers are seen to send an empty text beside a delta.
        let text = match (text?, delta?) {
            (Some(text), None) => TranscriptText::Text(text),
            (Some(text), Some(_)) if !text.is_empty() => TranscriptText::Text(text),
            (_, Some(delta)) => TranscriptText::Delta(delta),
            (None, None) => TranscriptText::Text(String::new()),
        };
        Some(Self { role: role?, medium: medium?, text, is_final: is_final?, ordinal: ordinal? })
    }
}

impl Serialize for Transcript {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("role", &self.role)?;
        map.serialize_entry("medium", &self.medium)?;
        match &self.text {
            TranscriptText::Delta(delta) => map.serialize_entry("delta", delta)?,
            TranscriptText::Text(text) => map.serialize_entry("text", text)?,
        }
        map.serialize_entry("final", &self.is_final)?;
        map.serialize_entry("ordinal", &self.ordinal)?;
        map.end()
    }
}
