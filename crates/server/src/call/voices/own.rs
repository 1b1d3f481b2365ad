//! Voices that accounts have registered or cloned: how a call that asks for one gets it, and what speaks then.
//!
//! A voice of a provider speaks where the server has a backend for that provider. A cloned one speaks with a backend that can speak
//! like a recording.

use std::sync::Arc;

use antiphon_api::rest::calls::ExternalVoice;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::{Capabilities, Request, SpeechEvent, TextToSpeech, VoiceSample};
use futures::stream::BoxStream;

use super::samples::Samples;
use crate::storage::{AccountId, Storage, StorageError, StoredVoice, VoiceSource};

/// A voice of the account's own that a call asks for.
pub(crate) enum OwnVoice {
    /// It can be had.
    Speaks(Arc<dyn TextToSpeech>),
    /// It cannot, and why.
    Mute(Mute),
}

/// Why a voice of an account's own does not speak here, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Mute(String);

/// The account's voice that `wanted` means, by its id or its name; none if it means none.
pub(crate) async fn find(
    storage: &Storage,
    account: AccountId,
    wanted: &str,
) -> Result<Option<StoredVoice>, StorageError> {
    if let Ok(id) = wanted.parse()
        && let Some(voice) = storage.voices.find_voice(account, id).await?
    {
        return Ok(Some(voice));
    }
    storage.voices.voice_named(account, wanted).await
}

/// The account's voice that a call asks for, if it asks for one of those.
pub(crate) async fn resolve(
    storage: &Storage,
    backends: &Backends,
    samples: Option<&Samples>,
    account: AccountId,
    wanted: Option<&str>,
) -> Result<Option<OwnVoice>, StorageError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let Some(voice) = find(storage, account, wanted).await? else { return Ok(None) };
    Ok(Some(match speaker(backends, samples, &voice).await {
        Ok(speaker) => OwnVoice::Speaks(speaker),
        Err(mute) => OwnVoice::Mute(mute),
    }))
}

/// What speaks with this voice.
pub(crate) async fn speaker(
    backends: &Backends,
    samples: Option<&Samples>,
    voice: &StoredVoice,
) -> Result<Arc<dyn TextToSpeech>, Mute> {
    let format = match &voice.source {
        VoiceSource::Provider(definition) => return of_provider(definition),
        VoiceSource::Recording(format) => *format,
    };
    let cloner = Arc::clone(cloner(backends).ok_or_else(no_cloner)?);
    let lost = || Mute("its recording is gone; delete the voice and clone it again".to_owned());
    let sample = samples.ok_or_else(lost)?.load(voice.id, format).await.map_err(|error| {
        tracing::error!(voice = %voice.id, %error, "the recording of a cloned voice cannot be read");
        lost()
    })?;
    Ok(Arc::new(Cloned { voice: cloner, sample }))
}

/// What speaks with a provider's voice. There are no backends of providers yet: this is where they are chosen once there are.
pub(crate) fn of_provider(definition: &ExternalVoice) -> Result<Arc<dyn TextToSpeech>, Mute> {
    Err(Mute(format!(
        "no backend for {} voices is configured on this server; use one of its public voices",
        definition.key()
    )))
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
