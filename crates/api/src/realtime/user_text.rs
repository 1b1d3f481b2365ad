//! What is put into the mouth of the user or of the agent (protocol.md 3.2).

use super::MAIN_THREAD;
use super::tool_result::ToolResult;
use crate::json::fields::FromFields;
use crate::json::{Fields, FromJson, JsonObject, Reader, name, record, words};
use crate::schema::{Describe, DescribeFields, Object, Schema, Schemas};

/// The user says something in writing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserTextMessage {
    /// What the user says. Empty text has a meaning of its own.
    pub text: String,
    /// How urgent it is.
    pub urgency: Urgency,
    /// The thread that it is said in.
    pub thread_id: String,
}

words! {
    /// How urgent a message is: whether it interrupts, and whether it is answered.
    pub enum Urgency {
        /// It interrupts the agent and is answered at once.
        Immediate = "immediate" | "URGENCY_IMMEDIATE",
        /// It is answered at the next opportunity.
        Soon = "soon" | "URGENCY_SOON",
        /// It is there when the agent next answers.
        Later = "later" | "URGENCY_LATER",
    }
    unset "URGENCY_UNSPECIFIED"
}

impl UserTextMessage {
    /// Text for the main thread, answered at the next opportunity.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), urgency: Urgency::Soon, thread_id: MAIN_THREAD.into() }
    }
}

impl DescribeFields for UserTextMessage {
    fn describe_fields(schemas: &mut Schemas) -> Object {
        let urgency = Urgency::describe(schemas);
        Object::default()
            .required("text", Schema::of("string"), "What the user says.")
            .optional("urgency", urgency.with("default", Urgency::Soon.as_str()), "How urgent it is.")
            .optional(
                "threadId",
                Schema::of("string").with("default", MAIN_THREAD),
                "The thread that it is said in.",
            )
    }
}

impl Describe for UserTextMessage {
    fn describe(schemas: &mut Schemas) -> Schema {
        schemas.named::<Self>("UserTextMessage", |schemas| {
            Self::describe_fields(schemas).into_schema("The user says something in writing.")
        })
    }
}

impl FromFields for UserTextMessage {
    fn from_fields(fields: &mut Fields<'_>, reader: &mut Reader) -> Option<Self> {
        let text = fields.read(&[name!(text)], reader, || None);
        let urgency: Option<Option<Urgency>> = fields.read(&[name!(urgency)], reader, FromJson::if_absent);
        let thread_id = fields.read(&[name!(thread_id)], reader, || Some(MAIN_THREAD.into()));
        let defer: Option<Option<bool>> = fields.read(&[name!(defer_response)], reader, FromJson::if_absent);
        // The older field counts where the newer one is silent.
        let default = if defer? == Some(true) { Urgency::Later } else { Urgency::Soon };
        Some(Self { text: text?, urgency: urgency?.unwrap_or(default), thread_id: thread_id? })
    }
}

impl FromJson for UserTextMessage {
    fn from_json(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
        Fields::read_all(value, reader)
    }
}

record! {
    /// The user says something in writing, in the older form that official SDKs still send.
    #[derive(Eq)]
    pub struct InputTextMessage {
        /// What the user says.
        text: String,
        /// Whether it is only there when the agent next answers.
        defer_response: Option<bool>,
    }
}

impl InputTextMessage {
    /// The same in the newer form. `plain` is the urgency of a message that is not deferred, which the protocol leaves
    /// open; A-22 recommends [`Urgency::Soon`].
    #[must_use]
    pub fn into_user_text(self, plain: Urgency) -> UserTextMessage {
        let urgency = if self.defer_response == Some(true) { Urgency::Later } else { plain };
        UserTextMessage { urgency, ..UserTextMessage::new(self.text) }
    }
}

record! {
    /// Has the agent say something word by word, and then call tools.
    pub struct ForcedAgentMessage {
        /// What the agent says; nothing if empty.
        content: String => String::new(),
        /// The tools that it then calls.
        tool_calls: Vec<ForcedToolCall>,
        /// What some of these calls came to: a call whose id is an `invocation_id` here is not made.
        known_tool_results: Vec<ToolResult>,
        /// Whether the user cannot interrupt what is said.
        uninterruptible: bool => false,
        /// How urgent it is.
        urgency: ForcedUrgency => ForcedUrgency::Soon,
        /// The thread that it is said in.
        thread_id: String => MAIN_THREAD.into(),
    }
}

record! {
    /// A tool call that the agent is made to make.
    pub struct ForcedToolCall {
        /// The invocation's id; made by the server if absent.
        id: Option<String>,
        /// The name that the model knows the tool by.
        name | tool_name: String,
        /// The arguments.
        arguments | parameters: JsonObject,
    }
}

words! {
    /// How urgent a forced message is.
    pub enum ForcedUrgency {
        /// It cuts off whoever speaks, be it agent or user.
        Immediate = "immediate" | "URGENCY_IMMEDIATE",
        /// It is said at the next opportunity.
        Soon = "soon" | "URGENCY_SOON",
    }
    unset "URGENCY_UNSPECIFIED"
}

impl ForcedAgentMessage {
    /// Words for the main thread, said at the next opportunity.
    pub fn new(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            tool_calls: Vec::new(),
            known_tool_results: Vec::new(),
            uninterruptible: false,
            urgency: ForcedUrgency::Soon,
            thread_id: MAIN_THREAD.into(),
        }
    }
}
