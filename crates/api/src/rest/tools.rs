//! Tools that last: creating them, reading them, trying them out (protocol.md 6.2).

use crate::endpoint::{Form, MULTIPART, NoBody, PassedOn, endpoint};
use crate::ids::ToolId;
use crate::json::check::{Chars, Within};
use crate::json::{JsonObject, record, words};
use crate::page::Page;
use crate::rest::calls::{BaseToolDefinition, Call};
use crate::schema::{Describe as _, Object, Schema, Schemas};
use crate::timestamp::Timestamp;

endpoint! {
    /// Creates a tool. A `multipart/form-data` body with an OpenAPI document as its `file` creates one for each operation, and is
    /// answered with a page of them.
    pub CreateTool: Post "/api/tools" body ToolRequest, form ToolUpload, -> 201 Tool
}

endpoint! {
    /// Lists the tools that the account may use.
    pub ListTools: Get "/api/tools" query ListToolsQuery, -> 200 Page<Tool>
}

endpoint! {
    /// Reads one tool.
    pub ReadTool: Get "/api/tools/{tool_id}" path ToolId, -> 200 Tool
}

endpoint! {
    /// Replaces a tool. Calls that have it keep it as it was.
    pub UpdateTool: Put "/api/tools/{tool_id}" path ToolId, body ToolRequest, -> 200 Tool
}

endpoint! {
    /// Removes a tool. Calls that have it keep it.
    pub DeleteTool: Delete "/api/tools/{tool_id}" path ToolId, -> 204 NoBody
}

endpoint! {
    /// Lists the calls that had the tool, newest first.
    pub ListToolHistory: Get "/api/tools/{tool_id}/history" path ToolId, query ToolHistoryQuery, -> 200 Page<ToolHistory>
}

endpoint! {
    /// Runs a tool with these parameters; its answer is the tool's own.
    pub TestTool: Post "/api/tools/{tool_id}/test" path ToolId, body JsonObject, -> 200 PassedOn | 502 | 504
}

/// What tools are created from as a form: an OpenAPI document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolUpload;

impl ToolUpload {
    /// The field with the document, in JSON or YAML.
    pub const FILE: &'static str = "file";
}

impl Form for ToolUpload {
    fn form(_: &mut Schemas) -> Option<(&'static str, Schema)> {
        let file = Schema::text("binary");
        let form = Object::default().required(Self::FILE, file, "An OpenAPI document, in JSON or YAML.");
        Some((MULTIPART, form.into_schema("")))
    }

    fn answer(schemas: &mut Schemas) -> Option<Schema> {
        Some(Page::<Tool>::describe(schemas))
    }
}

record! {
    /// What a tool is created from.
    pub struct ToolRequest {
        /// Its name; also the one that models know it by, if the definition has none of its own.
        name: String where Chars(1, 40),
        /// What it is.
        definition: BaseToolDefinition,
    }
}

record! {
    /// A tool that lasts.
    pub resource struct Tool {
        /// Its id.
        tool_id: ToolId,
        /// Its name.
        name: String,
        /// When it was created.
        created: Timestamp,
        /// What it is.
        definition: BaseToolDefinition,
        /// Whose it is.
        ownership: Ownership => Ownership::Private,
    }
}

words! {
    /// Whose a tool is.
    pub enum Ownership {
        /// The account's.
        Private = "private",
        /// Everybody's: the server brings it.
        Public = "public",
    }
}

words! {
    /// What a list of tools is ordered by.
    pub enum ToolOrder {
        /// By name.
        Alphabetic = "alphabetic",
        /// Oldest first.
        Chronologic = "chronologic",
        /// The account's first, then the newest.
        Default = "default",
        /// Public ones by name, then the account's, newest first.
        Display = "display",
        /// By name, backwards.
        ReverseAlphabetic = "reverseAlphabetic" | "reverse_alphabetic",
        /// Newest first.
        ReverseChronologic = "reverseChronologic" | "reverse_chronologic",
    }
}

record! {
    /// The query of [`ListTools`].
    #[derive(Default)]
    pub struct ListToolsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Only the account's, or only public ones.
        ownership: Option<Ownership>,
        /// Tools on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
        /// Only tools with this in their name or description, in any letter case.
        search: Option<String> where Chars(1, 1000),
        /// What to order by.
        sort_order: Option<ToolOrder>,
    }
}

record! {
    /// The query of [`ListToolHistory`].
    #[derive(Default)]
    pub struct ToolHistoryQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Calls on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

record! {
    /// A call that had a tool.
    pub resource struct ToolHistory {
        /// The call.
        call: Call,
        /// How often the tool failed in it.
        error_count: u32,
    }
}
