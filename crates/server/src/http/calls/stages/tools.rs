//! `GET /api/calls/{call_id}/stages/{stage_id}/tools`: lists the tools that a stage has, as a plain array.

use antiphon_api::rest::calls::{CallTool, ListStageTools};
use antiphon_api::{CallStageId, CallToolId};
use axum::extract::State;
use sha2::{Digest as _, Sha256};

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::error::ApiError;
use super::super::super::request::Requested;
use super::super::own_call;
use super::own_stage;
use crate::storage::{StoredCall, StoredStage};
use crate::tools::shown;

pub(in crate::http) async fn tools(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListStageTools>,
) -> Answered<ListStageTools> {
    let (call, stage) = request.path;
    let call = own_call(&http, &account, call).await?;
    let stage = own_stage(&http, &call, stage).await?;
    Ok(Answer(tools_of(&http, &call, &stage).await?))
}

/// The tools of a stage, in the order in which they were selected.
pub(in crate::http) async fn tools_of(
    http: &Http,
    call: &StoredCall,
    stage: &StoredStage,
) -> Result<Vec<CallTool>, ApiError> {
    let uses = http.storage.tools.uses(call.id).await?;
    let selected = stage.request.selected_tools.iter().flatten();
    let tools = selected.map(|selected| {
        let (name, built_in, definition) = shown(selected);
        let lasting = uses.iter().find(|used| used.name == name).map(|used| used.tool);
        CallTool {
            call_tool_id: call_tool_id(stage.id, &name),
            tool_id: built_in.or(lasting),
            name,
            definition,
        }
    });
    Ok(tools.collect())
}

/// The same each time: made from the stage's own id and the name, which no other tool of the stage has.
fn call_tool_id(stage: CallStageId, name: &str) -> CallToolId {
    let hash = Sha256::new().chain_update(b"tool of ").chain_update(stage.uuid().as_bytes());
    let hash = hash.chain_update(name.as_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    CallToolId::new(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
