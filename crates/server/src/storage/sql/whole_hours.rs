//! Filters that ask for whole hours of calls and nothing else but agents: what is summed up already answers them.

use antiphon_api::{AgentId, Timestamp};

use super::super::AccountId;
use super::super::catalog::CallFilter;
use super::catalog::Query;

const HOUR_US: i64 = 3_600_000_000;

/// Hours, counted from the beginning of 1970, both included; without a bound, all.
pub(super) struct WholeHours<'f> {
    agents: &'f [AgentId],
    from: Option<i64>,
    to: Option<i64>,
}

impl<'f> WholeHours<'f> {
    /// The hours that the filter asks for, if it asks for nothing that only single calls can answer.
    pub(super) fn of(filter: &'f CallFilter) -> Option<Self> {
        let CallFilter { agents, created_from, created_to, .. } = filter;
        let bounds = CallFilter {
            agents: agents.clone(),
            created_from: *created_from,
            created_to: *created_to,
            ..CallFilter::default()
        };
        if *filter != bounds {
            return None;
        }
        let from = created_from.map(Timestamp::unix_micros);
        // The last microsecond of an hour is still of it.
        let behind = created_to.map(|to| to.unix_micros().saturating_add(1));
        let is_whole = |bound: Option<i64>| bound.is_none_or(|bound| bound % HOUR_US == 0);
        (is_whole(from) && is_whole(behind)).then(|| Self {
            agents,
            from: from.map(|from| from / HOUR_US),
            to: behind.map(|behind| behind / HOUR_US - 1),
        })
    }

    /// Adds which rows of the sums these are.
    pub(super) fn push(&self, query: &mut Query, account: AccountId) {
        query.push(" WHERE account_id = ").push_bind(account.to_string());
        for (bound, sign) in [(self.from, " AND hour >= "), (self.to, " AND hour <= ")] {
            if let Some(bound) = bound {
                query.push(sign).push_bind(bound);
            }
        }
        if !self.agents.is_empty() {
            query.push(" AND agent_id IN (");
            let mut list = query.separated(", ");
            self.agents.iter().for_each(|agent| {
                list.push_bind(agent.to_string());
            });
            query.push(")");
        }
    }
}
