//! A voice of a provider by its settings: whose it is, whether they are within bounds, and what others change of them.
//!
//! It must not know how a provider is asked.

use super::cartesia::{CartesiaVoice, GenerationConfig};
use super::eleven_labs::ElevenLabsVoice;
use super::google::GoogleVoice;
use super::inworld::InworldVoice;
use super::lmnt::LmntVoice;
use super::provider::Provider;
use super::respeecher::RespeecherVoice;

/// A voice of a provider, as whoever wants it defines it.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// One of ElevenLabs.
    ElevenLabs(ElevenLabsVoice),
    /// One of Cartesia.
    Cartesia(CartesiaVoice),
    /// One of LMNT.
    Lmnt(LmntVoice),
    /// One of Google.
    Google(GoogleVoice),
    /// One of Inworld.
    Inworld(InworldVoice),
    /// One of Respeecher.
    Respeecher(RespeecherVoice),
}

impl Definition {
    /// Whose it is.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        match self {
            Self::ElevenLabs(_) => Provider::ElevenLabs,
            Self::Cartesia(_) => Provider::Cartesia,
            Self::Lmnt(_) => Provider::Lmnt,
            Self::Google(_) => Provider::Google,
            Self::Inworld(_) => Provider::Inworld,
            Self::Respeecher(_) => Provider::Respeecher,
        }
    }

    /// The provider's id of the voice; empty where only settings are meant.
    #[must_use]
    pub fn voice_id(&self) -> &str {
        match self {
            Self::ElevenLabs(voice) => &voice.voice_id,
            Self::Cartesia(voice) => &voice.voice_id,
            Self::Lmnt(voice) => &voice.voice_id,
            Self::Google(voice) => &voice.voice_id,
            Self::Inworld(voice) => &voice.voice_id,
            Self::Respeecher(voice) => &voice.voice_id,
        }
    }

    /// Whether every value is within what the provider takes (protocol.md 2.6).
    ///
    /// # Errors
    /// The name of the field, and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let within = |name, value: Option<f64>, least: f64, most: f64| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err((name, format!("{value} is out of range; choose {least} to {most}")))
            }
            Some(_) | None => Ok(()),
        };
        match self {
            Self::ElevenLabs(voice) => {
                within("speed", voice.speed, 0.7, 1.2)?;
            }
            Self::Cartesia(voice) => {
                within("speed", voice.speed, -1.0, 1.0)?;
                if let Some(config) = &voice.generation_config {
                    within("generation_config.volume", config.volume, 0.5, 2.0)?;
                    within("generation_config.speed", config.speed, 0.6, 1.5)?;
                }
            }
            Self::Lmnt(voice) => {
                within("speed", voice.speed, 0.25, 2.0)?;
            }
            Self::Google(voice) => {
                within("speaking_rate", voice.speaking_rate, 0.25, 2.0)?;
            }
            Self::Inworld(voice) => {
                within("speaking_rate", voice.speaking_rate, 0.5, 1.5)?;
                within("temperature", voice.temperature, 0.0, 2.0)?;
            }
            Self::Respeecher(voice) => {
                within("temperature", voice.temperature, 0.0, f64::MAX)?;
                within("top_p", voice.top_p, f64::MIN_POSITIVE, 1.0)?;
                within("min_p", voice.min_p, 0.0, 1.0)?;
                within("presence_penalty", voice.presence_penalty, 0.0, 2.0)?;
                within("repetition_penalty", voice.repetition_penalty, 1.0, 2.0)?;
                within("frequency_penalty", voice.frequency_penalty, 0.0, 2.0)?;
                if voice.top_k.is_some_and(|top_k| top_k != -1 && top_k <= 0) {
                    return Err(("top_k", "is out of range; choose -1, or 1 or more".to_owned()));
                }
            }
        }
        if self.voice_id().trim().is_empty() {
            return Err(("voice_id", "is empty; set the provider's id of the voice".to_owned()));
        }
        Ok(())
    }

    /// The same voice with those settings changed that `overrides` has.
    ///
    /// # Errors
    /// The overrides are for another provider, or would make it another voice.
    pub fn overridden(self, overrides: Self) -> Result<Self, CannotOverride> {
        let (own, other) = (self.provider(), overrides.provider());
        let same = |own: &str, wanted: &str| -> Result<(), CannotOverride> {
            let is_same = wanted.is_empty() || wanted == own;
            if is_same { Ok(()) } else { Err(CannotOverride::Field("voiceId")) }
        };
        let same_model = |field, own: &Option<String>, wanted: &Option<String>| {
            let is_same = wanted.is_none() || wanted == own;
            if is_same { Ok(()) } else { Err(CannotOverride::Field(field)) }
        };
        Ok(match (self, overrides) {
            (Self::ElevenLabs(own), Self::ElevenLabs(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                same_model("model", &own.model, &new.model)?;
                let dictionaries = match new.pronunciation_dictionaries.is_empty() {
                    true => own.pronunciation_dictionaries,
                    false => new.pronunciation_dictionaries,
                };
                Self::ElevenLabs(ElevenLabsVoice {
                    voice_id: own.voice_id,
                    model: own.model,
                    speed: new.speed.or(own.speed),
                    use_speaker_boost: new.use_speaker_boost.or(own.use_speaker_boost),
                    style: new.style.or(own.style),
                    similarity_boost: new.similarity_boost.or(own.similarity_boost),
                    stability: new.stability.or(own.stability),
                    pronunciation_dictionaries: dictionaries,
                    optimize_streaming_latency: new
                        .optimize_streaming_latency
                        .or(own.optimize_streaming_latency),
                    max_sample_rate: new.max_sample_rate.or(own.max_sample_rate),
                    enable_ssml_parsing: new.enable_ssml_parsing.or(own.enable_ssml_parsing),
                })
            }
            (Self::Cartesia(own), Self::Cartesia(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                same_model("model", &own.model, &new.model)?;
                Self::Cartesia(CartesiaVoice {
                    voice_id: own.voice_id,
                    model: own.model,
                    speed: new.speed.or(own.speed),
                    emotion: new.emotion.or(own.emotion),
                    emotions: if new.emotions.is_empty() { own.emotions } else { new.emotions },
                    generation_config: match (own.generation_config, new.generation_config) {
                        (Some(own), Some(new)) => Some(GenerationConfig {
                            volume: new.volume.or(own.volume),
                            speed: new.speed.or(own.speed),
                            emotion: new.emotion.or(own.emotion),
                            pronunciation_dict_id: new.pronunciation_dict_id.or(own.pronunciation_dict_id),
                        }),
                        (own, new) => new.or(own),
                    },
                })
            }
            (Self::Lmnt(own), Self::Lmnt(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                same_model("model", &own.model, &new.model)?;
                Self::Lmnt(LmntVoice {
                    voice_id: own.voice_id,
                    model: own.model,
                    speed: new.speed.or(own.speed),
                    conversational: new.conversational.or(own.conversational),
                })
            }
            (Self::Google(own), Self::Google(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                let speaking_rate = new.speaking_rate.or(own.speaking_rate);
                Self::Google(GoogleVoice { voice_id: own.voice_id, speaking_rate })
            }
            (Self::Inworld(own), Self::Inworld(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                same_model("modelId", &own.model_id, &new.model_id)?;
                Self::Inworld(InworldVoice {
                    voice_id: own.voice_id,
                    model_id: own.model_id,
                    speaking_rate: new.speaking_rate.or(own.speaking_rate),
                    temperature: new.temperature.or(own.temperature),
                    apply_text_normalization: new.apply_text_normalization.or(own.apply_text_normalization),
                })
            }
            (Self::Respeecher(own), Self::Respeecher(new)) => {
                same(&own.voice_id, &new.voice_id)?;
                same_model("model", &own.model, &new.model)?;
                Self::Respeecher(RespeecherVoice {
                    voice_id: own.voice_id,
                    model: own.model,
                    seed: new.seed.or(own.seed),
                    temperature: new.temperature.or(own.temperature),
                    top_k: new.top_k.or(own.top_k),
                    top_p: new.top_p.or(own.top_p),
                    min_p: new.min_p.or(own.min_p),
                    presence_penalty: new.presence_penalty.or(own.presence_penalty),
                    repetition_penalty: new.repetition_penalty.or(own.repetition_penalty),
                    frequency_penalty: new.frequency_penalty.or(own.frequency_penalty),
                })
            }
            (
                Self::ElevenLabs(_)
                | Self::Cartesia(_)
                | Self::Lmnt(_)
                | Self::Google(_)
                | Self::Inworld(_)
                | Self::Respeecher(_),
                _,
            ) => return Err(CannotOverride::Provider { own, other }),
        })
    }
}

/// Why settings cannot be laid over a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotOverride {
    /// It is another provider's.
    #[error("are for voices of {}, and this one is of {}; use its settings", .other.name(), .own.name())]
    Provider {
        /// Whose the voice is.
        own: Provider,
        /// Whose the settings are.
        other: Provider,
    },
    /// It would be another voice, or another price.
    #[error("may not change {0:?} of a registered voice; register another one")]
    Field(&'static str),
}
