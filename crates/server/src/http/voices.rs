//! `/api/voices`: the voices of this server and the account's own (protocol.md 7.4). What the operations share: finding a voice that
//! the asker may use, checking one of their own, and showing either.

mod clone;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod preview;
pub(super) mod read;
pub(super) mod replace;
pub(super) mod update;

use antiphon_api::rest::calls::ExternalVoice;
use antiphon_api::rest::tools::Ownership;
use antiphon_api::rest::voices::{Voice, VoiceBillingStyle, VoiceDefinition, VoiceProvider, VoiceRequest};
use antiphon_api::{HIDDEN, VoiceId};
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::provider::Provider;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::Account;
use super::error::ApiError;
use super::{Http, merge};
use crate::call::voices::{self, PublicVoice};
use crate::languages;
use crate::storage::{MostVoices, StoredVoice, VoiceKeeping, VoiceSource};

/// How many voices an account may have: a list of them is looked at as a whole, and recordings take their place on the disk.
pub(super) const MOST: MostVoices = MostVoices { all: 1_000, recordings: 100 };
/// How often a change is tried that another one keeps getting ahead of.
const ATTEMPTS: usize = 8;

/// A voice that an account may use.
enum Usable<'b> {
    Own(StoredVoice),
    Public(PublicVoice<'b>),
}

/// The voice with this id. Another account's voice is no voice.
async fn usable<'b>(
    http: &Http,
    backends: &'b Backends,
    account: &Account,
    id: VoiceId,
) -> Result<Usable<'b>, ApiError> {
    if let Some(own) = http.storage.voices.find_voice(account.0, id).await? {
        return Ok(Usable::Own(own));
    }
    let public = voices::public(backends).find(|voice| voices::id(voice.name) == id);
    public.map(Usable::Public).ok_or_else(|| no_voice("there is no such voice"))
}

/// The account's own voice with this id: one that may be changed.
async fn own_voice(http: &Http, account: &Account, id: VoiceId) -> Result<StoredVoice, ApiError> {
    match usable(http, &http.backends(), account, id).await? {
        Usable::Own(voice) => Ok(voice),
        Usable::Public(_) => Err(no_voice("this voice is public, and only those of your own can be changed")),
    }
}

fn no_voice(detail: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, detail)
}

/// Changes the account's voice to what `change` makes of the words that it is registered with.
async fn change(
    http: &Http,
    account: &Account,
    id: VoiceId,
    change: impl Fn(Value) -> Result<VoiceRequest, ApiError>,
) -> Result<Voice, ApiError> {
    for _ in 0..ATTEMPTS {
        let known = own_voice(http, account, id).await?;
        let definition = match &known.source {
            VoiceSource::Provider(definition) => Some((**definition).clone()),
            VoiceSource::Recording(_) => None,
        };
        let before = VoiceRequest {
            name: known.name,
            description: known.description,
            primary_language: known.language,
            definition,
        };
        let request = change(serde_json::to_value(&before).expect("wire types have string keys"))?;
        let VoiceRequest { name, description, primary_language: language, .. } = request.clone();
        let source = match (known.source, &request.definition) {
            (VoiceSource::Provider(_), _) => VoiceSource::Provider(definition_of(request)?),
            (VoiceSource::Recording(format), None) => VoiceSource::Recording(format),
            (VoiceSource::Recording(_), Some(_)) => {
                let message = "is for voices of a provider, and this one was cloned; leave it out";
                return Err(ApiError::field("definition", message));
            }
        };
        let voice = StoredVoice { name, description, language, source, ..known };
        match http.storage.voices.update_voice(&voice).await? {
            VoiceKeeping::Kept => return Ok(own_resource(http, &voice)),
            VoiceKeeping::NameTaken => return Err(name_taken(&voice.name)),
            VoiceKeeping::Outrun | VoiceKeeping::TooMany => {}
        }
    }
    Err(ApiError::new(StatusCode::CONFLICT, "others keep changing this voice at the same time; try again"))
}

/// Keeps a new voice.
async fn keep(http: &Http, voice: &StoredVoice) -> Result<(), ApiError> {
    match http.storage.voices.insert_voice(voice, MOST).await? {
        VoiceKeeping::Kept => Ok(()),
        VoiceKeeping::NameTaken => Err(name_taken(&voice.name)),
        VoiceKeeping::Outrun | VoiceKeeping::TooMany => {
            let MostVoices { all, recordings } = MOST;
            let detail = format!(
                "an account has at most {all} voices, {recordings} of them cloned; delete some first"
            );
            Err(ApiError::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

fn name_taken(name: &str) -> ApiError {
    ApiError::field("name", format!("another voice of yours is called {name:?}; choose another name"))
}

/// What a voice of a provider is, if that makes sense.
pub(super) fn definition_of(request: VoiceRequest) -> Result<Box<ExternalVoice>, ApiError> {
    if let Some(field) = merge::hidden(&request) {
        let message = format!("is {HIDDEN:?}, which stands for a secret; send the secret itself");
        return Err(ApiError::field(&field, message));
    }
    let Some(definition) = request.definition else {
        let message =
            "is missing; say which provider's voice it is, or send a form with a recording in \"file\"";
        return Err(ApiError::field("definition", message));
    };
    if let Err((field, problem)) = voices::definition::read(&definition) {
        return Err(ApiError::field(&format!("definition.{}.{field}", definition.key()), problem));
    }
    Ok(Box::new(definition))
}

/// A public voice as clients see it.
fn public_resource(http: &Http, backends: &Backends, voice: &PublicVoice<'_>) -> Voice {
    let id = voices::id(voice.name);
    let default = &backends.default_voice;
    let description = voice.stands_in.then(|| {
        format!("A name of the hosted service, by which this server's default voice {default:?} goes.")
    });
    Voice {
        voice_id: id,
        name: voice.name.to_owned(),
        description,
        primary_language: None,
        language_label: None,
        preview_url: preview_url(http, id),
        ownership: Ownership::Public,
        billing_style: VoiceBillingStyle::Included,
        provider: backends.voice_definitions.get(voice.name).map(|known| match known.provider() {
            Provider::ElevenLabs => VoiceProvider::ElevenLabs,
            Provider::Cartesia => VoiceProvider::Cartesia,
            Provider::Lmnt => VoiceProvider::Lmnt,
            Provider::Google => VoiceProvider::Google,
            Provider::Inworld => VoiceProvider::Inworld,
            Provider::Respeecher => VoiceProvider::Respeecher,
        }),
        definition: VoiceDefinition(None),
    }
}

/// An account's own voice as its owner sees it. Secrets stay behind here.
fn own_resource(http: &Http, voice: &StoredVoice) -> Voice {
    let (billing_style, provider, definition) = match &voice.source {
        VoiceSource::Recording(_) => (VoiceBillingStyle::Included, None, None),
        VoiceSource::Provider(definition) => {
            (VoiceBillingStyle::External, provider_of(definition), Some(definition.without_secrets()))
        }
    };
    Voice {
        voice_id: voice.id,
        name: voice.name.clone(),
        description: voice.description.clone(),
        primary_language: voice.language.clone(),
        language_label: voice.language.as_deref().and_then(languages::label),
        preview_url: preview_url(http, voice.id),
        ownership: Ownership::Private,
        billing_style,
        provider,
        definition: VoiceDefinition(definition),
    }
}

fn preview_url(http: &Http, id: VoiceId) -> String {
    http.public_url.rest(&format!("/api/voices/{id}/preview"))
}

/// Whose voice it is. An endpoint of somebody's own is no provider.
fn provider_of(definition: &ExternalVoice) -> Option<VoiceProvider> {
    match definition {
        ExternalVoice::ElevenLabs(_) => Some(VoiceProvider::ElevenLabs),
        ExternalVoice::Cartesia(_) => Some(VoiceProvider::Cartesia),
        ExternalVoice::Lmnt(_) => Some(VoiceProvider::Lmnt),
        ExternalVoice::Google(_) => Some(VoiceProvider::Google),
        ExternalVoice::Inworld(_) => Some(VoiceProvider::Inworld),
        ExternalVoice::Respeecher(_) => Some(VoiceProvider::Respeecher),
        ExternalVoice::Generic(_) => None,
    }
}
