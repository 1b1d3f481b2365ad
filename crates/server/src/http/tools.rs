//! `/api/tools`: one operation a file. What they share: finding a tool that the asker may use, and showing it.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod history;
pub(super) mod list;
pub(super) mod read;
pub(super) mod test;
pub(super) mod update;

use antiphon_api::rest::tools::{Ownership, Tool, ToolRequest};
use antiphon_api::{Timestamp, ToolId};
use axum::http::StatusCode;

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use crate::storage::{AccountId, StoredTool};
use crate::tools::built_in::BuiltIn;
use crate::tools::{ToolError, check_definition};

/// The account's tool with this id. Another account's tool is no tool.
async fn own_tool(http: &Http, account: &Account, id: ToolId) -> Result<StoredTool, ApiError> {
    http.storage.tools.find_tool(account.0, id).await?.ok_or_else(no_tool)
}

fn no_tool() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such tool")
}

/// A tool that is being created or replaced, if it makes sense.
fn checked(
    request: ToolRequest,
    id: ToolId,
    account: AccountId,
    created: Timestamp,
) -> Result<StoredTool, ApiError> {
    let ToolRequest { name, definition } = request;
    if definition.model_tool_name.is_none() && !is_model_tool_name(&name) {
        return Err(ApiError::field(
            "definition.modelToolName",
            format!(
                "is missing, and {name:?} is no name for a model; use letters, digits, _ and - in one of them"
            ),
        ));
    }
    check_definition(&definition, "definition")?;
    Ok(StoredTool { id, account, name, created, definition })
}

fn is_model_tool_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// A tool as clients see it. A definition holds no secret: tokens are given where a tool is selected.
fn tool_resource(tool: StoredTool) -> Tool {
    Tool {
        tool_id: tool.id,
        name: tool.name,
        created: tool.created,
        definition: tool.definition,
        ownership: Ownership::Private,
    }
}

fn built_in_resource(built_in: &BuiltIn) -> Tool {
    Tool {
        tool_id: built_in.id,
        name: built_in.name.to_owned(),
        // They were there before anything else.
        created: Timestamp::from_unix_micros(0).expect("1970 is a time"),
        definition: built_in.definition(),
        ownership: Ownership::Public,
    }
}

impl From<ToolError> for ApiError {
    fn from(error: ToolError) -> Self {
        Self::field(&error.field, error.message)
    }
}
