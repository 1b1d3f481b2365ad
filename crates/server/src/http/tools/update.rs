//! `PUT /api/tools/{tool_id}`: replaces a tool. Calls that have it keep it as it was.

use antiphon_api::rest::tools::UpdateTool;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::{checked, no_tool, own_tool, tool_resource};

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateTool>,
) -> Answered<UpdateTool> {
    let known = own_tool(&http, &account, request.path).await?;
    let tool = checked(request.body, known.id, account.0, known.created)?;
    match http.storage.tools.update_tool(&tool).await? {
        true => Ok(Answer(tool_resource(tool))),
        false => Err(no_tool()),
    }
}
