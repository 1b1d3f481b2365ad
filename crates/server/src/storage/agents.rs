//! Agents: what calls are created from, change by change.

use antiphon_api::rest::agents::CallTemplate;
use antiphon_api::{AgentId, AgentRevisionId, Timestamp};

use super::{AccountId, Pending, Slice, Window};

/// An agent as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAgent {
    /// Its id.
    pub id: AgentId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it is since its last change.
    pub revision: StoredRevision,
    /// How many calls it has had. Counted by the store.
    pub calls: u64,
}

/// What an agent is between two changes.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRevision {
    /// Its id.
    pub id: AgentRevisionId,
    /// When the agent was changed to it.
    pub created: Timestamp,
    /// What calls are created with. It holds secrets.
    pub template: CallTemplate,
}

/// How a list of agents is ordered. Agents of one moment or name are ordered by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentOrder {
    /// By name, in any letter case.
    ByName,
    /// By name, backwards.
    ByNameBackwards,
    /// Newest first.
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// An agent's place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: AgentId,
}

impl StoredAgent {
    /// Its place in any list.
    #[must_use]
    pub fn place(&self) -> AgentPlace {
        AgentPlace { created: self.created, name: self.name.clone(), id: self.id }
    }
}

/// Where agents are kept.
pub trait AgentStore: Send + Sync {
    /// Keeps a new agent.
    fn insert_agent<'a>(&'a self, agent: &'a StoredAgent) -> Pending<'a, ()>;
    /// The account's agent with this id.
    fn find_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, Option<StoredAgent>>;
    /// The agent with this id, whosever it is: for those who prove otherwise that they may use it.
    fn agent_of_any_account(&self, id: AgentId) -> Pending<'_, Option<StoredAgent>>;
    /// Part of the account's agents: those with `search` in their name, in any letter case.
    fn agents<'a>(
        &'a self,
        account: AccountId,
        search: Option<&'a str>,
        order: AgentOrder,
        window: Window<AgentPlace>,
    ) -> Pending<'a, Slice<StoredAgent>>;
    /// How many of the account's agents have `search` in their name.
    fn count_agents<'a>(&'a self, account: AccountId, search: Option<&'a str>) -> Pending<'a, u64>;
    /// Changes name and revision of the agent with this id, if it still is what it was in the revision `before`. False if it is not, or
    /// is not there.
    fn update_agent<'a>(&'a self, agent: &'a StoredAgent, before: AgentRevisionId) -> Pending<'a, bool>;
    /// Deletes the account's agent with this id. Its calls stay. False if it is not there.
    fn delete_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, bool>;
}
