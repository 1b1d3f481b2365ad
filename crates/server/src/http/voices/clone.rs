//! A voice that is cloned from a recording: reads the form, keeps the recording, and the voice with it.
//!
//! The recording goes to the disk as it comes, so that no number of uploads fills the memory. A voice that is not kept leaves nothing.

use antiphon_api::VoiceId;
use antiphon_api::json::{Source, from_value};
use antiphon_api::rest::voices::VoiceRequest;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use serde_json::json;

use super::super::Http;
use super::super::auth::Account;
use super::super::error::{ApiError, internal};
use super::create::{new_id, now};
use super::keep;
use crate::call::voices::own;
use crate::call::voices::samples::{LARGEST, Upload, UploadError};
use crate::storage::{StoredVoice, VoiceSource};

/// Bytes of a form around its recording.
const ROOM: u64 = 64 * 1024;
/// Bytes of a form's text.
const LONGEST_TEXT: usize = 4 * 1024;
/// The language of a recording that says none.
const USUAL_LANGUAGE: &str = "en";

/// What a form says.
#[derive(Default)]
struct Form {
    upload: Option<Upload>,
    name: Option<String>,
    description: Option<String>,
    language: Option<String>,
}

pub(super) async fn clone(
    http: &Http,
    account: &Account,
    mut request: Request,
) -> Result<StoredVoice, ApiError> {
    // Before anything is sent: a recording that nothing can speak like would lie there for nothing.
    if own::cloner(&http.backends()).is_none() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, own::no_cloner().to_string()));
    }
    let id = new_id();
    DefaultBodyLimit::max((LARGEST + ROOM) as usize).apply(&mut request);
    let multipart = Multipart::from_request(request, http).await;
    let mut multipart = multipart.map_err(|error| unreadable(&error.body_text()))?;
    let mut form = Form::default();
    while let Some(mut field) = multipart.next_field().await.map_err(|error| broken(&error))? {
        match field.name() {
            Some("file") if form.upload.is_some() => {
                return Err(ApiError::field("file", "is there twice; send one recording"));
            }
            Some("file") => {
                let upload = http.samples.receive(id).await.map_err(refused)?;
                form.upload = Some(received(upload, &mut field).await?);
            }
            Some("name") => form.name = Some(text("name", &mut field).await?),
            Some("description") => form.description = Some(text("description", &mut field).await?),
            Some("language") => form.language = Some(text("language", &mut field).await?),
            // What means nothing is passed over.
            Some(_) | None => {}
        }
    }
    keep_form(http, account, id, form).await
}

async fn keep_form(http: &Http, account: &Account, id: VoiceId, form: Form) -> Result<StoredVoice, ApiError> {
    let Form { upload, name, description, language } = form;
    let upload =
        upload.ok_or_else(|| ApiError::field("file", "is missing; send an MP3 or a WAV file in it"))?;
    let language = language.unwrap_or_else(|| USUAL_LANGUAGE.to_owned());
    if language.is_empty() || language.chars().count() > 10 {
        return Err(ApiError::field(
            "language",
            "must be a BCP-47 code of 1 to 10 characters, such as en-US",
        ));
    }
    let words = json!({"name": name, "description": description, "primaryLanguage": language});
    let words = from_value::<VoiceRequest>(&words, Source::RequestBody)?.value;
    let created = now();
    let format = upload.keep().await.map_err(refused)?;
    let voice = StoredVoice {
        id,
        account: account.0,
        name: words.name,
        description: Some(words.description.unwrap_or_else(|| {
            format!("Cloned from a recording on {}.", jiff::Timestamp::from(created).strftime("%Y-%m-%d"))
        })),
        language: words.primary_language,
        created,
        changes: 0,
        source: VoiceSource::Recording(format),
    };
    let kept = keep(http, &voice).await;
    if kept.is_err()
        && let Err(error) = http.samples.delete(id).await
    {
        tracing::error!(voice = %id, %error, "the recording of a voice that is not kept cannot be deleted");
    }
    kept.map(|()| voice)
}

async fn received(mut upload: Upload, field: &mut Field<'_>) -> Result<Upload, ApiError> {
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        upload.write(&piece).await.map_err(refused)?;
    }
    Ok(upload)
}

async fn text(name: &str, field: &mut Field<'_>) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST_TEXT {
            return Err(ApiError::field(name, format!("is longer than {LONGEST_TEXT} bytes; shorten it")));
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::field(name, "is not valid UTF-8"))
}

fn refused(error: UploadError) -> ApiError {
    match error {
        UploadError::Disk(error) => {
            tracing::error!(%error, "a recording cannot be written");
            internal()
        }
        UploadError::Format | UploadError::TooLarge => ApiError::field("file", error.to_string()),
    }
}

fn broken(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => refused(UploadError::TooLarge),
        _ => unreadable(&error.body_text()),
    }
}

fn unreadable(why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("the form cannot be read: {why}"))
}
