//! `DELETE /api/tools/{tool_id}`: removes a tool. Calls that have it keep it.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::tools::DeleteTool;
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::request::Requested;
use super::no_tool;

pub(in crate::http) async fn delete(
    State(http): State<Http>,
    account: Account,
    request: Requested<DeleteTool>,
) -> Answered<DeleteTool> {
    match http.storage.tools.delete_tool(account.0, request.path).await? {
        true => Ok(Answer(NoBody)),
        false => Err(no_tool()),
    }
}
