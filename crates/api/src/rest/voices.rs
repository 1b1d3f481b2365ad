//! The voices that agents can speak with (protocol.md 7.4).

use crate::endpoint::{WavFile, endpoint};
use crate::ids::VoiceId;
use crate::json::check::{Chars, Within};
use crate::json::{JsonObject, record, words};
use crate::page::Page;
use crate::rest::tools::Ownership;

endpoint! {
    /// Lists the voices that the account may use.
    pub ListVoices: Get "/api/voices" query ListVoicesQuery, -> 200 Page<Voice>
}

endpoint! {
    /// Reads one voice.
    pub ReadVoice: Get "/api/voices/{voice_id}" path VoiceId, -> 200 Voice
}

endpoint! {
    /// Lets a voice be heard.
    pub ReadVoicePreview: Get "/api/voices/{voice_id}/preview" path VoiceId, -> 200 WavFile
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
        preview_url: String => String::new(),
        /// Whose it is.
        ownership: Ownership => Ownership::Public,
        /// Who bills for it.
        billing_style: VoiceBillingStyle => VoiceBillingStyle::Included,
        /// Whose service it is.
        provider: Option<VoiceProvider>,
        /// What it is, for its provider; empty for a voice that the server brings.
        definition: JsonObject,
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
