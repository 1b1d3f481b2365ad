//! Agents in memory. Of their revisions only the published one is kept, since nobody reads the others.

use std::cmp::Ordering;

use antiphon_api::{AgentId, AgentRevisionId};

use super::super::{AccountId, AgentOrder, AgentPlace, AgentStore, Pending, Slice, StoredAgent, Window};
use super::{Memory, nonsense_about, slice};

impl AgentStore for Memory {
    fn insert_agent<'a>(&'a self, agent: &'a StoredAgent) -> Pending<'a, ()> {
        self.at_once(|contents| {
            if contents.agents.contains_key(&agent.id) {
                return Err(nonsense_about("agents", &agent.id, "the id is taken"));
            }
            contents.agents.insert(agent.id, StoredAgent { calls: 0, ..agent.clone() });
            Ok(())
        })
    }

    fn find_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, Option<StoredAgent>> {
        self.at_once(|contents| {
            Ok(contents.agents.get(&id).filter(|agent| agent.account == account).cloned())
        })
    }

    fn agent_of_any_account(&self, id: AgentId) -> Pending<'_, Option<StoredAgent>> {
        self.at_once(|contents| Ok(contents.agents.get(&id).cloned()))
    }

    fn agents<'a>(
        &'a self,
        account: AccountId,
        search: Option<&'a str>,
        order: AgentOrder,
        window: Window<AgentPlace>,
    ) -> Pending<'a, Slice<StoredAgent>> {
        self.at_once(|contents| {
            let mut agents: Vec<(AgentPlace, &StoredAgent)> =
                contents.named(account, search).map(|agent| (agent.place(), agent)).collect();
            agents.sort_by(|(a, _), (b, _)| compare(order, a, b));
            let (own, behind) = match &window.after {
                None => (0, 0),
                Some(after) => (
                    agents.partition_point(|(place, _)| compare(order, place, after).is_lt()),
                    agents.partition_point(|(place, _)| compare(order, place, after).is_le()),
                ),
            };
            Ok(slice(&agents, &window, own..behind).map(|(_, agent)| StoredAgent::clone(agent)))
        })
    }

    fn count_agents<'a>(&'a self, account: AccountId, search: Option<&'a str>) -> Pending<'a, u64> {
        self.at_once(|contents| Ok(contents.named(account, search).count() as u64))
    }

    fn update_agent<'a>(&'a self, agent: &'a StoredAgent, before: AgentRevisionId) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let known = contents.agents.get_mut(&agent.id);
            let same =
                |known: &&mut StoredAgent| known.account == agent.account && known.revision.id == before;
            let Some(known) = known.filter(same) else { return Ok(false) };
            known.name.clone_from(&agent.name);
            known.revision = agent.revision.clone();
            Ok(true)
        })
    }

    fn delete_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let is_own = contents.agents.get(&id).is_some_and(|agent| agent.account == account);
            if is_own {
                contents.forget_batches(id);
            }
            Ok(is_own && contents.agents.remove(&id).is_some())
        })
    }
}

impl super::Contents {
    fn named(&self, account: AccountId, search: Option<&str>) -> impl Iterator<Item = &StoredAgent> {
        let search = search.map(str::to_lowercase).unwrap_or_default();
        let own = self.agents.values().filter(move |agent| agent.account == account);
        own.filter(move |agent| agent.name.to_lowercase().contains(&search))
    }
}

fn compare(order: AgentOrder, a: &AgentPlace, b: &AgentPlace) -> Ordering {
    let by_age = || (a.created, a.id).cmp(&(b.created, b.id));
    let by_name = || (a.name.to_lowercase(), a.id).cmp(&(b.name.to_lowercase(), b.id));
    match order {
        AgentOrder::ByName => by_name(),
        AgentOrder::ByNameBackwards => by_name().reverse(),
        AgentOrder::NewestFirst => by_age().reverse(),
        AgentOrder::OldestFirst => by_age(),
    }
}
