//! `GET /api/tools/{tool_id}`: reads one tool.

use antiphon_api::rest::tools::ReadTool;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{built_in_resource, own_tool, tool_resource};
use crate::tools::built_in;

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadTool>,
) -> Answered<ReadTool> {
    if let Some(built_in) = built_in::by_id(request.path) {
        return Ok(Answer(built_in_resource(built_in)));
    }
    Ok(Answer(tool_resource(own_tool(&http, &account, request.path).await?)))
}
