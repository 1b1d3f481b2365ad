//! Side threads: conversations without audio beside the main one (protocol.md 3.2, 3.3, 7.11).

use super::MAIN_THREAD;
use super::tagged::messages;
use super::user_text::{ForcedAgentMessage, ForcedToolCall, UserTextMessage};
use crate::json::{record, words};

record! {
    /// Begins a side thread as a fork of another one.
    pub struct SpawnThread {
        /// The new thread's id; made by the server if absent.
        new_thread_id: Option<String>,
        /// The thread that it forks.
        parent_thread_id: String => MAIN_THREAD.into(),
        /// What happens if there is a thread with that id.
        if_exists: IfThreadExists => IfThreadExists::Reject,
        /// What is added to the fork's history.
        additional_messages: Vec<ThreadMessage>,
        /// Which tools it may use; all of its parent's if absent.
        tool_filter: Option<ToolFilter>,
        /// When it is stopped.
        limits: Option<ThreadLimits>,
    }
}

words! {
    /// What happens if there is a thread with the id of a new one.
    pub enum IfThreadExists {
        /// The new one is refused.
        Reject = "reject",
        /// The old one is stopped.
        Replace = "replace",
    }
}

messages! {
    /// A message that a side thread begins with.
    pub enum ThreadMessage {
        /// The agent says something or calls tools.
        ForcedAgentMessage(ForcedAgentMessage) = "forced_agent_message",
        /// The user says something.
        UserText(UserTextMessage) = "user_text_message",
    }
}

record! {
    /// Which tools a side thread may use.
    #[derive(Default)]
    pub struct ToolFilter {
        /// Only these; all if absent.
        allowed_tools: Option<Vec<String>>,
        /// And not these.
        disallowed_tools: Option<Vec<String>>,
    }
}

record! {
    /// When a side thread is stopped.
    #[derive(Default, Eq)]
    pub struct ThreadLimits {
        /// Tokens that it may give out.
        thread_output_token_limit: Option<u32>,
        /// Tokens that it may take in, about.
        thread_fuzzy_input_token_limit: Option<u32>,
        /// Generations that it may make; 0 for only running the given tools.
        generation_limit: Option<u32>,
        /// Tokens that one generation may give out.
        generation_output_token_limit: Option<u32>,
        /// Tokens that one generation may take in, about.
        generation_fuzzy_input_token_limit: Option<u32>,
    }
}

record! {
    /// A side thread has begun.
    #[derive(Eq)]
    pub struct ThreadSpawned {
        /// Its id.
        thread_id: String,
    }
}

record! {
    /// A side thread has not begun.
    #[derive(Eq)]
    pub struct ThreadRejected {
        /// Its id.
        thread_id: String => String::new(),
        /// Why not.
        reason: String => String::new(),
    }
}

record! {
    /// A side thread has been stopped.
    #[derive(Eq)]
    pub struct ThreadTerminated {
        /// Its id.
        thread_id: String,
        /// Why.
        reason: String => String::new(),
    }
}

record! {
    /// A side thread is generating.
    #[derive(Eq)]
    pub struct SideGenerationDelta {
        /// Its id.
        thread_id: String,
        /// What it has added.
        delta: String,
    }
}

record! {
    /// A side thread has generated.
    pub resource struct SideGenerationCompleted {
        /// Its id.
        thread_id: String,
        /// All that it said.
        text: String => String::new(),
        /// The tools that it calls.
        tool_calls: Vec<ForcedToolCall>,
    }
}
