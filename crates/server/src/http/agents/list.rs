//! `GET /api/agents`: lists the account's agents (protocol.md 7.2, A-55).

use antiphon_api::Timestamp;
use antiphon_api::rest::agents::{AgentSort, ListAgents, ListAgentsQuery};
use axum::extract::State;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::agent_resource;
use crate::storage::{AgentOrder, AgentPlace, Slice};

impl Place for AgentPlace {
    fn write(self) -> String {
        format!("{}.{}.{}", self.created.unix_micros(), self.id, self.name)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let created = Timestamp::from_unix_micros(parts.next()?.parse().ok()?).ok()?;
        let id = parts.next()?.parse().ok()?;
        Some(Self { created, id, name: parts.next()?.to_owned() })
    }
}

pub(in crate::http) async fn list(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListAgents>,
) -> Answered<ListAgents> {
    let ListAgentsQuery { cursor, page_size, search, sort } = request.query;
    let order = match sort {
        None | Some(AgentSort::CreatedDescending) => AgentOrder::NewestFirst,
        Some(AgentSort::Created) => AgentOrder::OldestFirst,
        Some(AgentSort::Name) => AgentOrder::ByName,
        Some(AgentSort::NameDescending) => AgentOrder::ByNameBackwards,
    };
    let (agents, search) = (&http.storage.agents, search.as_deref());
    let window = window(cursor.as_deref(), page_size)?;
    let slice = agents.agents(account.0, search, order, window.clone()).await?;
    let total = agents.count_agents(account.0, search).await?;
    let items = slice.items.iter().map(|agent| (agent.place(), agent_resource(agent))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}
