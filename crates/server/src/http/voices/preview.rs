//! `GET /api/voices/{voice_id}/preview`: lets a voice be heard (protocol.md 7.4).

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::endpoint::WavFile;
use antiphon_api::rest::voices::ReadVoicePreview;
use antiphon_audio::{Channels, WavHeader};
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::super::Http;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{Usable, usable};
use crate::call::voices::own::{Casting, Mute};

/// What is said.
const TEXT: &str = "Hello! This is how I sound. How can I help you today?";
/// How long a voice may take for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of it is kept, in seconds.
const LONGEST: usize = 60;

pub(in crate::http) async fn preview(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadVoicePreview>,
) -> Result<Response, ApiError> {
    let backends = http.backends();
    match usable(&http, &backends, &account, request.path).await? {
        Usable::Public(voice) => heard(&**voice.voice, None, Whose::Operator).await,
        Usable::Own(voice) => {
            let speaker = casting(&http, &backends, &account).speaker(&voice).await?;
            heard(&*speaker.map_err(|why| mute(&why))?, voice.language.as_deref(), Whose::Asker).await
        }
    }
}

/// What the account's voices are made with.
pub(in crate::http) fn casting<'h>(http: &'h Http, backends: &'h Backends, account: &Account) -> Casting<'h> {
    Casting {
        backends,
        outbound: &http.outbound,
        samples: Some(&http.samples),
        storage: &http.storage,
        account: account.0,
    }
}

/// Whose a voice is, and so who is told why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Whose {
    /// The server's: its log says why.
    Operator,
    /// Whoever asks defined it, and can mend it.
    Asker,
}

/// What a voice sounds like, as a WAV file.
pub(in crate::http) async fn heard(
    voice: &dyn TextToSpeech,
    language: Option<&str>,
    whose: Whose,
) -> Result<Response, ApiError> {
    let audio = timeout(PATIENCE, speak(voice, language)).await.map_err(|_| silent("it took too long"))?;
    let audio = audio.map_err(|why| match whose {
        Whose::Operator => {
            tracing::warn!(%why, "a voice failed");
            silent("it failed, and the server's log says why")
        }
        Whose::Asker => silent(&why),
    })?;
    let bytes = 2 * audio.len();
    let rate = voice.capabilities().sample_rate;
    let head = WavHeader { rate, channels: Channels::Mono, audio: bytes as u64 }.to_bytes();
    let mut file = Vec::with_capacity(head.len() + bytes);
    file.extend_from_slice(&head);
    file.extend(audio.iter().flat_map(|sample| sample.to_le_bytes()));
    Ok(([(header::CONTENT_TYPE, WavFile::CONTENT_TYPE)], file).into_response())
}

/// A voice that cannot be heard here.
pub(in crate::http) fn mute(why: &Mute) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("the voice cannot speak: {why}"))
}

fn silent(why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("the voice said nothing: {why}"))
}

async fn speak(voice: &dyn TextToSpeech, language: Option<&str>) -> Result<Vec<i16>, String> {
    let most = LONGEST * voice.capabilities().sample_rate.hz() as usize;
    let language = language.map(Arc::from);
    let mut events = voice.speak(Request { text: Arc::from(TEXT), language, sample: None });
    let mut audio: Vec<i16> = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            SpeechEvent::Audio(more) => audio.extend(more.into_iter().take(most - audio.len())),
            SpeechEvent::Words(_) | SpeechEvent::FellBack(_) => {}
            SpeechEvent::Finished => break,
            SpeechEvent::Failed(why) => {
                return Err(why.to_string());
            }
        }
    }
    Ok(audio)
}
