//! The voices that agents can speak with (protocol.md 7.4).

use serde::Serialize;
use serde_json::Value;

use crate::endpoint::{Form, MULTIPART, NoBody, WavFile, endpoint};
use crate::ids::VoiceId;
use crate::json::check::{Chars, Link, Within};
use crate::json::{FromJson, JsonObject, Reader, record, words};
use crate::page::Page;
use crate::patch::Patch;
use crate::rest::calls::ExternalVoice;
use crate::rest::tools::Ownership;
use crate::schema::{Describe, Object, Schema, Schemas};

endpoint! {
    /// Lists the voices that the account may use.
    pub ListVoices: Get "/api/voices" query ListVoicesQuery, -> 200 Page<Voice>
}

endpoint! {
    /// Reads one voice.
    pub ReadVoice: Get "/api/voices/{voice_id}" path VoiceId, -> 200 Voice
}

endpoint! {
    /// Registers a voice of a provider, or of any HTTP endpoint that speaks; or, as a form, clones one from a recording.
    pub CreateVoice: Post "/api/voices" body VoiceRequest, form VoiceUpload, -> 201 Voice | 409
}

endpoint! {
    /// Replaces what the account says of its voice. What a cloned voice sounds like stays.
    pub ReplaceVoice: Put "/api/voices/{voice_id}" path VoiceId, body VoiceRequest, -> 200 Voice | 409
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateVoice: Patch "/api/voices/{voice_id}" path VoiceId, body Patch<VoiceRequest>, -> 200 Voice | 409
}

endpoint! {
    /// Removes a voice of the account's, and its recording with it.
    pub DeleteVoice: Delete "/api/voices/{voice_id}" path VoiceId, -> 204 NoBody
}

endpoint! {
    /// Lets a voice be heard that is not registered.
    pub PreviewVoice: Post "/api/voice_preview" body VoiceRequest, -> 200 WavFile
}

endpoint! {
    /// Lets a voice be heard.
    pub ReadVoicePreview: Get "/api/voices/{voice_id}/preview" path VoiceId, -> 200 WavFile | 400
}

record! {
    /// The query of [`ListVoices`].
    #[derive(Default)]
    pub struct ListVoicesQuery {
        /// Only voices that are billed like this.
        billing_style: Option<VoiceBillingStyle>,
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Only the account's, or only public ones.
        ownership: Option<Ownership>,
        /// Voices on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
        /// Only voices that speak this language, whichever region's.
        primary_language: Option<String> where Chars(1, 35),
        /// Only voices of these providers.
        provider: Vec<VoiceProvider>,
        /// Only voices with this in their name or description, in any letter case.
        search: Option<String> where Chars(1, 1000),
    }
}

/// What a voice is cloned from: a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceUpload;

impl Form for VoiceUpload {
    fn form(_: &mut Schemas) -> Option<(&'static str, Schema)> {
        let text = |most: u32| Schema::of("string").with("maxLength", most);
        let form = Object::default()
            .required("file", Schema::text("binary"), "A recording of the voice: MP3 or WAV, at most 10 MiB.")
            .required(
                "name",
                text(40).with("minLength", 1),
                "Its name, unlike those of the account's other voices.",
            )
            .optional("description", text(240), "What it is like.")
            .optional("language", text(10), "BCP-47 language that is spoken in the recording.");
        Some((MULTIPART, form.into_schema("")))
    }
}

record! {
    /// What a voice is registered from.
    pub struct VoiceRequest {
        /// Its name, unlike those of the account's other voices; 1 to 40 characters.
        name: String where Chars(1, 40),
        /// What it is like, at most 240 characters.
        description: Option<String> where Chars(0, 240),
        /// BCP-47 language that it speaks best, at most 10 characters.
        primary_language: Option<String> where Chars(0, 10),
        /// What it is, for its provider. Nothing, or an empty object, for a voice that is cloned from a recording.
        definition: Option<ExternalVoice>,
    }
}

record! {
    /// A voice.
    pub resource struct Voice {
        /// Its id.
        voice_id: VoiceId,
        /// Its name.
        name: String,
        /// What it is like.
        description: Option<String>,
        /// BCP-47 language that it speaks best.
        primary_language: Option<String>,
        /// The same, for people.
        language_label: Option<String>,
        /// Where it can be heard.
        preview_url: String where Link => String::new(),
        /// Whose it is.
        ownership: Ownership => Ownership::Public,
        /// Who bills for it.
        billing_style: VoiceBillingStyle => VoiceBillingStyle::Included,
        /// Whose service it is.
        provider: Option<VoiceProvider>,
        /// What it is, for its provider; empty for a voice that the server brings.
        definition: VoiceDefinition,
    }
}

/// What a voice is, for its provider: an empty object for one that the server brings or has cloned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VoiceDefinition(pub Option<ExternalVoice>);

impl Describe for VoiceDefinition {
    fn describe(schemas: &mut Schemas) -> Schema {
        ExternalVoice::describe(schemas)
    }
}

impl FromJson for VoiceDefinition {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        Option::from_json(value, reader).map(Self)
    }

    fn if_absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Serialize for VoiceDefinition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(definition) => definition.serialize(serializer),
            None => JsonObject::new().serialize(serializer),
        }
    }
}

words! {
    /// Who bills for a voice.
    pub open enum VoiceBillingStyle {
        /// Its provider does.
        External = "VOICE_BILLING_STYLE_EXTERNAL",
        /// It costs nothing beyond the call.
        Included = "VOICE_BILLING_STYLE_INCLUDED",
    }
}

words! {
    /// Whose service a voice is.
    pub open enum VoiceProvider {
        /// Cartesia.
        Cartesia = "cartesia",
        /// ElevenLabs.
        ElevenLabs = "eleven_labs",
        /// Google.
        Google = "google",
        /// Inworld.
        Inworld = "inworld",
        /// LMNT.
        Lmnt = "lmnt",
        /// Respeecher.
        Respeecher = "respeecher",
    }
}
