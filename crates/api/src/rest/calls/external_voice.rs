//! Voices that are not registered anywhere: a provider's own, or any HTTP endpoint that speaks (protocol.md 2.6, 2.7).

use std::collections::BTreeMap;

use crate::json::check::{AtLeast, HTTP_URL, Within};
use crate::json::{JsonObject, choice, record, words};
use crate::secret::{Secret, hidden};

choice! {
    /// A voice of one of these providers.
    pub optional enum ExternalVoice {
        /// ElevenLabs.
        eleven_labs: ElevenLabs(ElevenLabsVoice),
        /// Cartesia.
        cartesia: Cartesia(CartesiaVoice),
        /// LMNT.
        lmnt: Lmnt(LmntVoice),
        /// Google, streaming.
        google: Google(GoogleVoice),
        /// Inworld.
        inworld: Inworld(InworldVoice),
        /// Respeecher.
        respeecher: Respeecher(RespeecherVoice),
        /// An HTTP endpoint.
        generic: Generic(GenericVoice),
    }
}

record! {
    /// A voice of ElevenLabs. What is absent is as the provider has it.
    #[derive(Default)]
    pub struct ElevenLabsVoice {
        /// The provider's id of the voice.
        voice_id: Option<String>,
        /// The provider's model.
        model: Option<String>,
        /// Speaking rate, 0.7 to 1.2; 1 if absent.
        speed: Option<f64> where Within(0.7, 1.2),
        /// The provider's setting of that name.
        use_speaker_boost: Option<bool>,
        /// The provider's setting of that name.
        style: Option<f64>,
        /// The provider's setting of that name.
        similarity_boost: Option<f64>,
        /// The provider's setting of that name.
        stability: Option<f64>,
        /// The provider's dictionaries to pronounce by.
        pronunciation_dictionaries: Vec<PronunciationDictionary>,
        /// The provider's setting of that name.
        optimize_streaming_latency: Option<i32>,
        /// The highest sample rate to ask for; the provider limits it by tier.
        max_sample_rate: Option<u32>,
        /// The provider's setting of that name.
        enable_ssml_parsing: Option<bool>,
    }
}

record! {
    /// A pronunciation dictionary of ElevenLabs.
    #[derive(Default)]
    pub struct PronunciationDictionary {
        /// The dictionary.
        dictionary_id: Option<String>,
        /// Its version.
        version_id: Option<String>,
    }
}

record! {
    /// A voice of Cartesia.
    #[derive(Default)]
    pub struct CartesiaVoice {
        /// The provider's id of the voice.
        voice_id: Option<String>,
        /// The provider's model.
        model: Option<String>,
        /// Speaking rate, -1 to 1; superseded by `generation_config`.
        speed: Option<f64> where Within(-1.0, 1.0),
        /// Superseded by `generation_config`.
        emotion: Option<String>,
        /// Superseded by `generation_config`.
        emotions: Vec<String>,
        /// How the voice speaks.
        generation_config: Option<CartesiaGenerationConfig>,
    }
}

record! {
    /// How a voice of Cartesia speaks, from its third model on.
    #[derive(Default)]
    pub struct CartesiaGenerationConfig {
        /// Loudness, 0.5 to 2; 1 if absent.
        volume: Option<f64> where Within(0.5, 2.0),
        /// Speaking rate, 0.6 to 1.5 (protocol.md 10.1, 4); 1 if absent.
        speed: Option<f64> where Within(0.6, 1.5),
        /// The provider's word for a mood.
        emotion: Option<String>,
        /// The provider's dictionary to pronounce by.
        pronunciation_dict_id: Option<String>,
    }
}

record! {
    /// A voice of LMNT.
    #[derive(Default)]
    pub struct LmntVoice {
        /// The provider's id of the voice.
        voice_id: Option<String>,
        /// The provider's model.
        model: Option<String>,
        /// Speaking rate, 0.25 to 2; 1 if absent.
        speed: Option<f64> where Within(0.25, 2.0),
        /// The provider's setting of that name.
        conversational: Option<bool>,
    }
}

record! {
    /// A streaming voice of Google.
    #[derive(Default)]
    pub struct GoogleVoice {
        /// The voice's name, such as `en-US-Chirp3-HD-Charon`.
        voice_id: Option<String>,
        /// Speaking rate, 0.25 to 2; 1 if absent.
        speaking_rate: Option<f64> where Within(0.25, 2.0),
    }
}

record! {
    /// A voice of Inworld.
    #[derive(Default)]
    pub struct InworldVoice {
        /// The provider's id of the voice.
        voice_id: Option<String>,
        /// The provider's model.
        model_id: Option<String>,
        /// Speaking rate, 0.5 to 1.5; 1 if absent.
        speaking_rate: Option<f64> where Within(0.5, 1.5),
        /// Randomness, 0 to 2.
        temperature: Option<f64> where Within(0.0, 2.0),
        /// Whether numbers and the like are spelled out first.
        apply_text_normalization: Option<bool>,
    }
}

record! {
    /// A voice of Respeecher.
    #[derive(Default)]
    pub struct RespeecherVoice {
        /// The provider's id of the voice.
        voice_id: Option<String>,
        /// The model's path, such as `/v1/public/tts/en-rt`.
        model: Option<String>,
        /// Makes generation repeatable.
        seed: Option<i32>,
        /// Randomness, 0 or more.
        temperature: Option<f64> where AtLeast(0.0),
        /// How many of the likeliest tokens to sample from; -1 for all.
        top_k: Option<i32>,
        /// The cumulative probability to sample from, above 0, at most 1.
        top_p: Option<f64>,
        /// The least probability to sample, 0 to 1.
        min_p: Option<f64> where Within(0.0, 1.0),
        /// Penalty for tokens already there, 0 to 2.
        presence_penalty: Option<f64> where Within(0.0, 2.0),
        /// Penalty for repetition, 1 to 2.
        repetition_penalty: Option<f64> where Within(1.0, 2.0),
        /// Penalty by frequency, 0 to 2.
        frequency_penalty: Option<f64> where Within(0.0, 2.0),
    }
    where |voice, reader| {
        if let Some(top_k) = voice.top_k.filter(|top_k| *top_k != -1 && *top_k <= 0) {
            reader.at("topK", |reader| {
                reader.refuse(format!("{top_k} is out of range; choose -1, or 1 or more"));
            });
        }
        if let Some(top_p) = voice.top_p.filter(|top_p| *top_p <= 0.0 || *top_p > 1.0) {
            reader.at("topP", |reader| {
                reader.refuse(format!("{top_p} is out of range; choose more than 0 and at most 1"));
            });
        }
    }
}

record! {
    /// A voice behind an HTTP endpoint that takes text and answers PCM, WAV, or either in JSON.
    pub struct GenericVoice {
        /// Where to post.
        url: String where HTTP_URL,
        /// Headers to send. Their values are never returned.
        headers: BTreeMap<String, Secret>,
        /// The body to send; `{text}` in any of its strings stands for the text to speak.
        body: JsonObject,
        /// Samples per second of the answer where it does not say so itself.
        response_sample_rate: Option<u32> where Within(1, 384_000),
        /// Speaking rate for pacing transcripts while the answer still streams; 150 if absent.
        response_words_per_minute: Option<u32> where Within(1, 10_000),
        /// What the answer is, if its own header is not to be believed.
        response_mime_type: Option<String>,
        /// Dotted path to the audio in an answer of JSON, or of JSON lines.
        json_audio_field_path: Option<String>,
        /// How the audio is written in JSON; base64 if absent.
        json_byte_encoding: Option<JsonByteEncoding>,
    }
}

words! {
    /// How bytes are written in JSON.
    pub enum JsonByteEncoding {
        /// Base64.
        Base64 = "JSON_BYTE_ENCODING_BASE64",
        /// Two hexadecimal digits a byte.
        Hex = "JSON_BYTE_ENCODING_HEX",
    }
    unset "JSON_BYTE_ENCODING_UNSPECIFIED"
}

impl ExternalVoice {
    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut voice = self.clone();
        if let Self::Generic(generic) = &mut voice {
            generic.headers = hidden(&generic.headers);
        }
        voice
    }
}
