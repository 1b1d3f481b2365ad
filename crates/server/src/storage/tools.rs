//! Tools that last, and which calls had them.

use antiphon_api::rest::calls::BaseToolDefinition;
use antiphon_api::{CallId, Timestamp, ToolId};

use super::{AccountId, CallPlace, Pending, Slice, StoredCall, Window};

/// A tool as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTool {
    /// Its id.
    pub id: ToolId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name; several tools may have the same.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it is.
    pub definition: BaseToolDefinition,
}

/// That a call has a tool, under this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolUse {
    /// The tool.
    pub tool: ToolId,
    /// The name that the call's model knows it by.
    pub name: String,
}

/// Where tools are kept.
pub trait ToolStore: Send + Sync {
    /// Keeps new tools, unless the account then had more than `most`: all of them or none. Says whether they are kept.
    fn insert_tools<'a>(
        &'a self,
        account: AccountId,
        tools: &'a [StoredTool],
        most: u32,
    ) -> Pending<'a, bool>;
    /// The account's tool with this id.
    fn find_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, Option<StoredTool>>;
    /// All tools of an account, oldest first.
    fn tools(&self, account: AccountId) -> Pending<'_, Vec<StoredTool>>;
    /// The account's tools with this name, at most two: enough to see whether it is one.
    fn tools_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Vec<StoredTool>>;
    /// Replaces the name and the definition of a tool. False if it is not there.
    fn update_tool<'a>(&'a self, tool: &'a StoredTool) -> Pending<'a, bool>;
    /// Removes the account's tool with this id. False if it is not there.
    fn delete_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, bool>;

    /// Notes which tools a call has. What fails in it is counted from then on.
    fn note_uses<'a>(&'a self, call: CallId, uses: &'a [ToolUse]) -> Pending<'a, ()>;
    /// Which tools a call has, by the names that its models know them by.
    fn uses(&self, call: CallId) -> Pending<'_, Vec<ToolUse>>;
    /// Part of the account's calls that had a tool, newest first, each with how often the tool failed in it.
    fn tool_history(
        &self,
        account: AccountId,
        tool: ToolId,
        window: Window<CallPlace>,
    ) -> Pending<'_, Slice<(StoredCall, u32)>>;
    /// How many calls of the account had a tool, as long as they are no more than [`MANY`](super::catalog::MANY).
    fn count_tool_history(&self, account: AccountId, tool: ToolId) -> Pending<'_, Option<u64>>;
}
