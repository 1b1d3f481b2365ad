//! `GET /api/calls/{call_id}/stages`: lists a call's stages (protocol.md 2.4). With it, what belongs to one of them.

pub(in crate::http) mod messages;
pub(in crate::http) mod read;
pub(in crate::http) mod tools;

use antiphon_api::CallStageId;
use antiphon_api::rest::calls::{CallStage, ExternalVoice, ListCallStages};
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::page::{page, part, window};
use super::super::request::Requested;
use super::own_call;
use crate::call::stages_of;
use crate::storage::{MessagePlace, Severity, StoredCall, StoredEvent, StoredStage};

/// Events that are looked at to count errors; calls leave no more.
const EVENTS: u32 = 10_000;

pub(in crate::http) async fn stages(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCallStages>,
) -> Answered<ListCallStages> {
    let call = own_call(&http, &account, request.path).await?;
    let window = window::<MessagePlace>(request.query.cursor.as_deref(), request.query.page_size)?;
    let stages = stages_of(&http.storage, &call).await?;
    let errors = errors(&http, &call).await?;
    let total = stages.len() as u64;
    let resources = stages.iter().map(|stage| (place(stage), stage_resource(&call, stage, &errors)));
    let slice = part(resources.collect(), &window);
    Ok(Answer(page(&http.public_url, &request.uri, &window, slice, total)))
}

fn place(stage: &StoredStage) -> MessagePlace {
    MessagePlace(stage.number.into())
}

/// The call's stage with this id.
async fn own_stage(http: &Http, call: &StoredCall, id: CallStageId) -> Result<StoredStage, ApiError> {
    let stages = stages_of(&http.storage, call).await?;
    let stage = stages.into_iter().find(|stage| stage.id == id);
    stage.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "the call has no such stage"))
}

async fn errors(http: &Http, call: &StoredCall) -> Result<Vec<StoredEvent>, ApiError> {
    Ok(http.storage.calls.events(call.id, Severity::Error, EVENTS).await?)
}

/// A stage as clients see it. Secrets stay behind here.
fn stage_resource(call: &StoredCall, stage: &StoredStage, errors: &[StoredEvent]) -> CallStage {
    let request = &stage.request;
    let errors = errors.iter().filter(|event| event.stage == Some(stage.id)).count();
    CallStage {
        call_id: call.id,
        call_stage_id: stage.id,
        created: stage.created,
        inactivity_messages: request.inactivity_messages.clone().unwrap_or_default(),
        initial_token_count: None,
        language_hint: request.language_hint.clone(),
        latest_token_count: None,
        model: request.model.clone().unwrap_or_else(|| "ultravox-v0.7".to_owned()),
        system_prompt: request.system_prompt.clone(),
        temperature: request.temperature.unwrap_or(0.0),
        time_exceeded_message: request.time_exceeded_message.clone(),
        voice: request.voice.clone(),
        external_voice: request.external_voice.as_ref().map(ExternalVoice::without_secrets),
        voice_overrides: request.voice_overrides.as_ref().map(ExternalVoice::without_secrets),
        error_count: u32::try_from(errors).unwrap_or(u32::MAX),
        experimental_settings: request.experimental_settings.clone(),
        initial_state: request.initial_state.clone().unwrap_or_default(),
    }
}
