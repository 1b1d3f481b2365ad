//! Voices beyond those of the server: registered and cloned ones of accounts, and those that a call defines. How a call that asks for
//! one gets it, and what speaks then.
//!
//! A provider's voice speaks with the account's own key for that provider, or else with the server's. Without a key the call has a
//! voice that is silent and says why (protocol.md 2.6). A cloned one speaks with a backend that can speak like a recording.

use std::io;
use std::sync::Arc;

use antiphon_api::rest::calls::{ExternalVoice, StartCallRequest};
use antiphon_backends::http::ApiKey;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::provider::{Definition, NoKey, Provider};
use antiphon_backends::text_to_speech::{Capabilities, Request, SpeechEvent, TextToSpeech, VoiceSample};
use futures::stream::BoxStream;

use super::super::setup::SetupError;
use super::definition::{self, Defined};
use super::samples::Samples;
use crate::outbound::Outbound;
use crate::storage::{AccountId, Storage, StorageError, StoredVoice, VoiceSource};

/// A voice that a call asks for and the server does not have by itself.
pub(crate) enum OwnVoice {
    /// It can be had.
    Speaks(Arc<dyn TextToSpeech>),
    /// It cannot, and why.
    Mute(Mute),
    /// What is asked for makes no sense.
    Refused(SetupError),
}

/// Why such a voice does not speak here, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mute(String);

/// What voices of an account are looked up and made with.
#[derive(Clone, Copy)]
pub(crate) struct Casting<'c> {
    pub(crate) backends: &'c Backends,
    pub(crate) outbound: &'c Outbound,
    pub(crate) samples: Option<&'c Samples>,
    pub(crate) storage: &'c Storage,
    pub(crate) account: AccountId,
}

impl Casting<'_> {
    /// The voice that a call asks for, unless it is one of the server's as it is.
    pub(crate) async fn cast(&self, request: &StartCallRequest) -> Result<Option<OwnVoice>, StorageError> {
        if let Some(external) = &request.external_voice {
            return self.defined(external, None, "externalVoice").await.map(Some);
        }
        let Some(wanted) = request.voice.as_deref() else { return Ok(None) };
        let overrides = request.voice_overrides.as_ref();
        let Some(voice) = self.find(wanted).await? else {
            return match overrides.zip(super::definition_of(self.backends, wanted)) {
                Some((overrides, known)) => {
                    self.overridden(known.clone(), overrides, "voiceOverrides").await.map(Some)
                }
                None => Ok(None),
            };
        };
        if let VoiceSource::Provider(external) = &voice.source {
            return self.defined(external, overrides, "voice").await.map(Some);
        }
        Ok(Some(match self.speaker(&voice).await? {
            Ok(speaker) => OwnVoice::Speaks(speaker),
            Err(mute) => OwnVoice::Mute(mute),
        }))
    }

    /// What speaks with this voice.
    pub(crate) async fn speaker(
        &self,
        voice: &StoredVoice,
    ) -> Result<Result<Arc<dyn TextToSpeech>, Mute>, StorageError> {
        let format = match &voice.source {
            VoiceSource::Provider(external) => return self.preview(external).await,
            VoiceSource::Recording(format) => *format,
        };
        let Some(cloner) = cloner(self.backends).cloned() else { return Ok(Err(no_cloner())) };
        let lost = || Mute("its recording is gone; delete the voice and clone it again".to_owned());
        let Some(samples) = self.samples else { return Ok(Err(lost())) };
        Ok(match samples.load(voice.id, format).await {
            Ok(sample) => Ok(Arc::new(Cloned { voice: cloner, sample })),
            Err(error) => {
                tracing::error!(voice = %voice.id, %error, "the recording of a cloned voice cannot be read");
                Err(if error.kind() == io::ErrorKind::NotFound {
                    lost()
                } else {
                    Mute("its recording cannot be read at the moment; try again".to_owned())
                })
            }
        })
    }

    /// What speaks with a voice by definition, for whoever wants to hear it before a call does.
    pub(crate) async fn preview(
        &self,
        external: &ExternalVoice,
    ) -> Result<Result<Arc<dyn TextToSpeech>, Mute>, StorageError> {
        Ok(match definition::read(external) {
            Err((field, problem)) => Err(Mute(format!("{field} {problem}"))),
            Ok(Defined::Generic(voice)) => {
                let exchange = Arc::new(self.outbound.clone());
                Ok(self.backends.voice_providers.generic(*voice, exchange))
            }
            Ok(Defined::Provider(definition)) => {
                let key = self.key(definition.provider()).await?;
                let voice = self.backends.voice_providers.voice(definition, key.as_ref());
                voice.map_err(|error| Mute(without_key(error)))
            }
        })
    }

    /// The account's voice that `wanted` means, by its id or its name; none if it means none.
    async fn find(&self, wanted: &str) -> Result<Option<StoredVoice>, StorageError> {
        let voices = &self.storage.voices;
        if let Ok(id) = wanted.parse()
            && let Some(voice) = voices.find_voice(self.account, id).await?
        {
            return Ok(Some(voice));
        }
        voices.voice_named(self.account, wanted).await
    }

    /// A voice by definition that a call asks for in this field.
    async fn defined(
        &self,
        external: &ExternalVoice,
        overrides: Option<&ExternalVoice>,
        field: &str,
    ) -> Result<OwnVoice, StorageError> {
        let defined = match definition::read(external) {
            Ok(defined) => defined,
            Err((inner, problem)) => {
                let field = format!("{field}.{}.{inner}", external.key());
                return Ok(OwnVoice::Refused(SetupError::new(field, problem)));
            }
        };
        match (defined, overrides) {
            (Defined::Provider(definition), None) => self.provided(definition).await,
            (Defined::Provider(definition), Some(overrides)) => {
                self.overridden(definition, overrides, "voiceOverrides").await
            }
            (Defined::Generic(_), Some(_)) => {
                let problem = "cannot change a generic voice; change the voice itself, or define another one";
                Ok(OwnVoice::Refused(SetupError::new("voiceOverrides", problem)))
            }
            (Defined::Generic(voice), None) => {
                let exchange = Arc::new(self.outbound.clone());
                Ok(OwnVoice::Speaks(self.backends.voice_providers.generic(*voice, exchange)))
            }
        }
    }

    /// A provider's voice with some of its settings changed.
    async fn overridden(
        &self,
        definition: Definition,
        overrides: &ExternalVoice,
        field: &str,
    ) -> Result<OwnVoice, StorageError> {
        let refused = |problem: String| Ok(OwnVoice::Refused(SetupError::new(field, problem)));
        let Some(overrides) = definition::settings(overrides) else {
            return refused(format!("are no settings of {}", definition.provider().name()));
        };
        match definition.overridden(overrides) {
            Ok(definition) => self.provided(definition).await,
            Err(error) => refused(error.to_string()),
        }
    }

    /// What speaks with a provider's voice in a call: without a key, one that is silent and says why.
    async fn provided(&self, definition: Definition) -> Result<OwnVoice, StorageError> {
        let providers = &self.backends.voice_providers;
        let provider = definition.provider();
        let key = self.key(provider).await?;
        Ok(OwnVoice::Speaks(match providers.voice(definition, key.as_ref()) {
            Ok(voice) => voice,
            Err(error) => {
                let name = format!("a voice of {}", provider.name());
                providers.silent(&name, &without_key(error))
            }
        }))
    }

    /// The account's own key for a provider.
    async fn key(&self, provider: Provider) -> Result<Option<ApiKey>, StorageError> {
        let keys = self.storage.accounts.provider_keys(self.account).await?;
        let name = match provider {
            Provider::ElevenLabs => "elevenLabs",
            Provider::Cartesia => "cartesia",
            Provider::Lmnt => "lmnt",
            Provider::Google => "google",
            Provider::Inworld => "inworld",
            Provider::Respeecher => "respeecher",
        };
        Ok(keys.get(name).map(|key| ApiKey::new(key.expose())))
    }
}

fn without_key(error: NoKey) -> String {
    let section = error.0.key();
    format!(
        "{error}; set yours with PATCH /api/accounts/me/tts_api_keys, or the operator sets one in [voice_providers.{section}]"
    )
}

/// The backend that speaks like a recording: the default voice's if it can, or the first by name that can.
pub(crate) fn cloner(backends: &Backends) -> Option<&Arc<dyn TextToSpeech>> {
    let default = backends.voices.get(&backends.default_voice);
    default.into_iter().chain(backends.voices.values()).find(|voice| voice.capabilities().clones)
}

/// Nothing speaks like a recording here.
pub(crate) fn no_cloner() -> Mute {
    Mute(
        "no voice of this server can speak like a recording; its operator adds [voices.NAME] of a type that can, with \
         clones = true"
            .to_owned(),
    )
}

/// A backend that is always given the same recording to speak like.
struct Cloned {
    voice: Arc<dyn TextToSpeech>,
    sample: Arc<VoiceSample>,
}

impl TextToSpeech for Cloned {
    fn capabilities(&self) -> Capabilities {
        self.voice.capabilities()
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        self.voice.speak(Request { sample: Some(Arc::clone(&self.sample)), ..request })
    }
}
