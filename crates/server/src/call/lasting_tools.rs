//! The lasting tools that a request selects, put in as they are now: a call keeps the tools that it was created with, whatever
//! becomes of them.

use antiphon_api::rest::calls::{StartCallRequest, ToolReference};

use super::live::CreateError;
use super::setup::SetupError;
use crate::storage::{AccountId, Storage, StoredTool, ToolUse};
use crate::tools::built_in;

/// Replaces references to the account's tools by their definitions, and says which tools the call has. An account's tool comes
/// before a built-in one of its name, but never before one referred to by its id (protocol.md 6.1).
pub(super) async fn resolve(
    storage: &Storage,
    account: AccountId,
    request: &mut StartCallRequest,
) -> Result<Vec<ToolUse>, CreateError> {
    let mut uses = Vec::new();
    for (index, selected) in request.selected_tools.iter_mut().flatten().enumerate() {
        let tool = match &selected.tool {
            ToolReference::TemporaryTool(_) => None,
            ToolReference::ToolId(id) if built_in::by_id(*id).is_some() => None,
            ToolReference::ToolId(id) => storage.tools.find_tool(account, *id).await?,
            ToolReference::ToolName(name) => {
                let mut named = storage.tools.tools_named(account, name).await?;
                if named.len() > 1 {
                    let field = format!("selectedTools[{index}].toolName");
                    let message = format!("several tools are called {name:?}; say which by its \"toolId\"");
                    return Err(SetupError::new(field, message).into());
                }
                named.pop()
            }
        };
        // What is neither the account's nor built in is refused with everything else that cannot be.
        let Some(StoredTool { id, name, mut definition, .. }) = tool else { continue };
        definition.model_tool_name.get_or_insert(name);
        selected.tool = ToolReference::TemporaryTool(Box::new(definition));
        let name = selected.model_tool_name().unwrap_or_default().to_owned();
        uses.push(ToolUse { tool: id, name });
    }
    Ok(uses)
}
