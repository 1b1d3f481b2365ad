//! `POST /api/voices`: registers a provider's voice, or clones one from a recording that comes in a form (protocol.md 7.4).

use antiphon_api::rest::voices::{CreateVoice, VoiceRequest};
use antiphon_api::{Timestamp, VoiceId};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::super::Http;
use super::super::answer::Answer;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::{clone, definition_of, keep, own_resource};
use crate::storage::{StoredVoice, VoiceSource};

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Request,
) -> Result<Response, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_form =
        kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("multipart/form-data"));
    let voice = match is_form {
        true => clone::clone(&http, &account, request).await?,
        false => register(&http, &account, request).await?,
    };
    Ok(Answer::<CreateVoice>(own_resource(&http, &voice)).into_response())
}

async fn register(http: &Http, account: &Account, request: Request) -> Result<StoredVoice, ApiError> {
    let request = Requested::<CreateVoice>::from_request(request, http).await?;
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let VoiceRequest { name, description, primary_language: language, .. } = request.body.clone();
    let source = VoiceSource::Provider(definition_of(request.body)?);
    let voice = StoredVoice {
        id: new_id(),
        account: account.0,
        name,
        description,
        language,
        created: now(),
        changes: 0,
        source,
    };
    keep(http, &voice).await?;
    Ok(voice)
}

pub(super) fn new_id() -> VoiceId {
    VoiceId::new(Uuid::new_v4())
}

pub(super) fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
