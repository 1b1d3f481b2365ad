//! `GET /api/agents/usage`: sums up the calls of each agent by the day (protocol.md 7.12).

use antiphon_api::rest::agents::{AgentDailyUsage, AgentUsage, ListAgentUsage};
use antiphon_api::rest::calls::AgentBasic;
use axum::extract::State;

use super::super::Http;
use super::super::accounts::{day, minutes};
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::calls::filter;
use super::super::request::Requested;

pub(in crate::http) async fn usage(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListAgentUsage>,
) -> Answered<ListAgentUsage> {
    let filter = filter(&request.query.0, &http, &account).await?;
    let mut agents: Vec<AgentUsage> = Vec::new();
    for sum in http.storage.catalog.by_agent_and_day(account.0, &filter).await? {
        if agents.last().is_none_or(|last| last.agent.agent_id != sum.agent) {
            let agent = AgentBasic { agent_id: sum.agent, name: sum.name };
            agents.push(AgentUsage { agent, usage: Vec::new() });
        }
        let usage = AgentDailyUsage {
            date: day(sum.day),
            billed_minutes: minutes(sum.billed_units),
            calls: sum.calls,
        };
        agents.last_mut().expect("one was put there").usage.push(usage);
    }
    Ok(Answer(agents))
}
