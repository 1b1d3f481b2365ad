//! A voice by definition (protocol.md 2.6, 2.7), from the wire's words to those of whatever speaks.

use antiphon_api::rest::calls::{ExternalVoice, GenericVoice, JsonByteEncoding};
use antiphon_audio::SampleRate;
use antiphon_backends::text_to_speech::generic::{self, Encoding};
use antiphon_backends::text_to_speech::provider::Definition;
use antiphon_backends::text_to_speech::{cartesia, eleven_labs, google, inworld, lmnt, respeecher};
use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;

use crate::tools::header_name;

/// A voice by definition.
pub(crate) enum Defined {
    /// A provider's.
    Provider(Definition),
    /// One at somebody's address.
    Generic(Box<generic::GenericVoice>),
}

/// Reads a definition, if it makes sense.
///
/// # Errors
/// The field within the provider's settings, and what is wrong with it.
pub(crate) fn read(voice: &ExternalVoice) -> Result<Defined, (String, String)> {
    if let ExternalVoice::Generic(voice) = voice {
        return Ok(Defined::Generic(Box::new(generic(voice.clone())?)));
    }
    let missing = || ("voiceId".to_owned(), "is missing; it is the provider's id of the voice".to_owned());
    let definition = settings(voice).ok_or_else(missing)?;
    if definition.voice_id().is_empty() {
        return Err(missing());
    }
    Ok(Defined::Provider(definition))
}

/// The settings of a provider's voice, which may be any voice's. None for a generic one.
pub(super) fn settings(voice: &ExternalVoice) -> Option<Definition> {
    Some(match voice.clone() {
        ExternalVoice::Generic(_) => return None,
        ExternalVoice::ElevenLabs(voice) => Definition::ElevenLabs(eleven_labs::ElevenLabsVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            model: voice.model,
            speed: voice.speed,
            use_speaker_boost: voice.use_speaker_boost,
            style: voice.style,
            similarity_boost: voice.similarity_boost,
            stability: voice.stability,
            pronunciation_dictionaries: voice
                .pronunciation_dictionaries
                .into_iter()
                .map(|dictionary| eleven_labs::PronunciationDictionary {
                    dictionary_id: dictionary.dictionary_id.unwrap_or_default(),
                    version_id: dictionary.version_id,
                })
                .collect(),
            optimize_streaming_latency: voice.optimize_streaming_latency,
            max_sample_rate: voice.max_sample_rate,
            enable_ssml_parsing: voice.enable_ssml_parsing,
        }),
        ExternalVoice::Cartesia(voice) => Definition::Cartesia(cartesia::CartesiaVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            model: voice.model,
            speed: voice.speed,
            emotion: voice.emotion,
            emotions: voice.emotions,
            generation_config: voice.generation_config.map(|config| cartesia::GenerationConfig {
                volume: config.volume,
                speed: config.speed,
                emotion: config.emotion,
                pronunciation_dict_id: config.pronunciation_dict_id,
            }),
        }),
        ExternalVoice::Lmnt(voice) => Definition::Lmnt(lmnt::LmntVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            model: voice.model,
            speed: voice.speed,
            conversational: voice.conversational,
        }),
        ExternalVoice::Google(voice) => Definition::Google(google::GoogleVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            speaking_rate: voice.speaking_rate,
        }),
        ExternalVoice::Inworld(voice) => Definition::Inworld(inworld::InworldVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            model_id: voice.model_id,
            speaking_rate: voice.speaking_rate,
            temperature: voice.temperature,
            apply_text_normalization: voice.apply_text_normalization,
        }),
        ExternalVoice::Respeecher(voice) => Definition::Respeecher(respeecher::RespeecherVoice {
            voice_id: voice.voice_id.unwrap_or_default(),
            model: voice.model,
            seed: voice.seed,
            temperature: voice.temperature,
            top_k: voice.top_k,
            top_p: voice.top_p,
            min_p: voice.min_p,
            presence_penalty: voice.presence_penalty,
            repetition_penalty: voice.repetition_penalty,
            frequency_penalty: voice.frequency_penalty,
        }),
    })
}

fn generic(voice: GenericVoice) -> Result<generic::GenericVoice, (String, String)> {
    let url = Url::parse(&voice.url).map_err(|error| ("url".to_owned(), error.to_string()))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &voice.headers {
        let field = || format!("headers.{name}");
        let name = header_name(name).map_err(|problem| (field(), problem))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| (field(), "holds characters that no header may have".to_owned()))?;
        // What a developer sets may be a key, and nothing says that it is none.
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if !voice.body.values().any(generic::speaks) {
        let problem = format!("says nowhere what to speak; put {:?} into one of its texts", generic::TEXT);
        return Err(("body".to_owned(), problem));
    }
    let rate = voice.response_sample_rate.map(SampleRate::new).transpose();
    Ok(generic::GenericVoice {
        url,
        headers,
        body: voice.body,
        sample_rate: rate.map_err(|error| ("responseSampleRate".to_owned(), error.to_string()))?,
        words_per_minute: voice.response_words_per_minute,
        mime_type: voice.response_mime_type,
        audio_field: voice.json_audio_field_path,
        encoding: match voice.json_byte_encoding {
            Some(JsonByteEncoding::Hex) => Encoding::Hex,
            Some(JsonByteEncoding::Base64) | None => Encoding::Base64,
        },
    })
}
