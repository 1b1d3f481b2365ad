//! Agents: definitions that calls are created from (protocol.md 7.2, 2.2).
//!
//! Owns the endpoints under `/api/agents`. What a template's variables mean is the server's business.

mod start;
mod template;
mod usage;

use crate::endpoint::{NoBody, endpoint};
use crate::ids::{AgentId, AgentRevisionId};
use crate::json::check::{Chars, Within};
use crate::json::{record, words};
use crate::page::Page;
use crate::patch::Patch;
use crate::rest::calls::{Call, CallFilter};
use crate::timestamp::Timestamp;

pub use start::{StartAgentCallQuery, StartAgentCallRequest, ToolOverrides};
pub use template::CallTemplate;
pub use usage::{AgentDailyUsage, AgentUsage};

endpoint! {
    /// Creates an agent.
    pub CreateAgent: Post "/api/agents" body AgentRequest, -> 201 Agent
}

endpoint! {
    /// Lists the account's agents.
    pub ListAgents: Get "/api/agents" query ListAgentsQuery, -> 200 Page<Agent>
}

endpoint! {
    /// Reads one agent.
    pub ReadAgent: Get "/api/agents/{agent_id}" path AgentId, -> 200 Agent
}

endpoint! {
    /// Changes what the body says and leaves the rest. Calls that there are keep what they have.
    pub UpdateAgent: Patch "/api/agents/{agent_id}" path AgentId, body Patch<AgentRequest>, -> 200 Agent | 409
}

endpoint! {
    /// Removes an agent. Its calls stay.
    pub DeleteAgent: Delete "/api/agents/{agent_id}" path AgentId, -> 204 NoBody
}

endpoint! {
    /// Creates a call from the agent's template.
    pub StartAgentCall: Post "/api/agents/{agent_id}/calls"
        path AgentId, query StartAgentCallQuery, body StartAgentCallRequest, -> 201 Call
}

endpoint! {
    /// Lists the agent's calls, newest first.
    pub ListAgentCalls: Get "/api/agents/{agent_id}/calls" path AgentId, query ListAgentCallsQuery, -> 200 Page<Call>
}

endpoint! {
    /// Sums up the calls of each agent by the day: a plain array.
    pub ListAgentUsage: Get "/api/agents/usage" query CallFilter, -> 200 Vec<AgentUsage>
}

record! {
    /// What an agent is created from.
    #[derive(Default)]
    pub struct AgentRequest {
        /// Its name, at most 64 characters.
        name: Option<String> where Chars(1, 64),
        /// What its calls are created with.
        call_template: Option<CallTemplate>,
    }
}

record! {
    /// An agent.
    pub resource struct Agent {
        /// Its id.
        agent_id: AgentId,
        /// What it is since its last change.
        published_revision_id: Option<AgentRevisionId>,
        /// Its name.
        name: String,
        /// When it was created.
        created: Timestamp,
        /// What its calls are created with, without secrets.
        call_template: Option<CallTemplate>,
        /// What became of it.
        statistics: AgentStatistics => AgentStatistics::default(),
    }
}

record! {
    /// What became of an agent.
    #[derive(Default)]
    pub resource struct AgentStatistics {
        /// How many calls it has had.
        calls: u64 => 0,
    }
}

record! {
    /// The query of [`ListAgents`].
    #[derive(Default)]
    pub struct ListAgentsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Agents on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
        /// Only agents with this in their name, in any letter case.
        search: Option<String> where Chars(1, 1000),
        /// What to order by; newest first if not given.
        sort: Option<AgentSort>,
    }
}

words! {
    /// What a list of agents is ordered by.
    pub enum AgentSort {
        /// Oldest first.
        Created = "created",
        /// Newest first.
        CreatedDescending = "-created",
        /// By name.
        Name = "name",
        /// By name, backwards.
        NameDescending = "-name",
    }
}

record! {
    /// The query of [`ListAgentCalls`].
    #[derive(Default)]
    pub struct ListAgentCallsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Calls on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}
