//! Calls as lists, in memory: everything is looked through for every list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use antiphon_api::{AgentId, CallId, Timestamp};

use super::super::catalog::{
    AgentDay, CallCatalog, CallFilter, CallSort, CallSpan, EventChoice, EventPlace, Facts, HourOfCalls, MANY,
    SortPlace, Tombstone, is_failure,
};
use super::super::{AccountId, CallPlace, Pending, Slice, StoredCall, StoredEvent, Window};
use super::{Memory, slice};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

impl CallCatalog for Memory {
    fn list<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        sort: CallSort,
        window: Window<SortPlace>,
    ) -> Pending<'a, Slice<StoredCall>> {
        self.at_once(|contents| {
            let place = |call: &StoredCall| call.sort_place(sort.by);
            let mut calls: Vec<&StoredCall> = contents.fitting(account, filter).collect();
            calls.sort_unstable_by_key(|call| place(call));
            if sort.descending {
                calls.reverse();
            }
            let is_before = |call: &StoredCall, after| match sort.descending {
                true => place(call) > after,
                false => place(call) < after,
            };
            let own = calls.partition_point(|call| window.after.is_some_and(|after| is_before(call, after)));
            let behind = calls.partition_point(|call| {
                window.after.is_some_and(|after| is_before(call, after) || place(call) == after)
            });
            Ok(slice(&calls, &window, own..behind).map(|call| StoredCall::clone(call)))
        })
    }

    fn count<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Option<u64>> {
        self.at_once(|contents| {
            let count = contents.fitting(account, filter).count() as u64;
            Ok((*filter == CallFilter::default() || count <= MANY.into()).then_some(count))
        })
    }

    fn count_live(&self, account: AccountId) -> Pending<'_, u64> {
        self.at_once(|contents| {
            let all = CallFilter::default();
            Ok(contents.fitting(account, &all).filter(|call| call.ended.is_none()).count() as u64)
        })
    }

    fn list_events<'a>(
        &'a self,
        call: CallId,
        choice: &'a EventChoice,
        window: Window<EventPlace>,
    ) -> Pending<'a, Slice<(EventPlace, StoredEvent)>> {
        self.at_once(|contents| {
            let chosen = contents.chosen_events(call, choice);
            let (own, behind) = match window.after {
                None => (0, 0),
                Some(after) => (
                    chosen.partition_point(|(place, _)| *place < after),
                    chosen.partition_point(|(place, _)| *place <= after),
                ),
            };
            Ok(slice(&chosen, &window, own..behind).map(|(place, event)| (*place, StoredEvent::clone(event))))
        })
    }

    fn count_events<'a>(&'a self, call: CallId, choice: &'a EventChoice) -> Pending<'a, u64> {
        self.at_once(|contents| Ok(contents.chosen_events(call, choice).len() as u64))
    }

    fn tombstones<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        window: Window<CallPlace>,
    ) -> Pending<'a, Slice<Tombstone>> {
        self.at_once(|contents| {
            let place = |stone: &Tombstone| (stone.created, stone.id);
            let after = window.after.map(|after| (after.created, after.id));
            let mut stones: Vec<&Tombstone> = contents.fitting_tombstones(account, filter).collect();
            stones.sort_unstable_by_key(|stone| Reverse(place(stone)));
            let own = stones.partition_point(|stone| after.is_some_and(|after| place(stone) > after));
            let behind = stones.partition_point(|stone| after.is_some_and(|after| place(stone) >= after));
            Ok(slice(&stones, &window, own..behind).map(|stone| Tombstone::clone(stone)))
        })
    }

    fn count_tombstones<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Option<u64>> {
        self.at_once(|contents| {
            let count = contents.fitting_tombstones(account, filter).count() as u64;
            Ok((count <= MANY.into()).then_some(count))
        })
    }

    fn find_tombstone(&self, account: AccountId, id: CallId) -> Pending<'_, Option<Tombstone>> {
        self.at_once(|contents| {
            let stones = contents.tombstones.iter().map(|(stone, _)| stone);
            Ok(stones.into_iter().find(|stone| stone.id == id && stone.account == account).cloned())
        })
    }

    fn by_hour<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Vec<HourOfCalls>> {
        self.at_once(|contents| {
            let mut hours: BTreeMap<i64, HourOfCalls> = BTreeMap::new();
            for call in contents.fitting(account, filter) {
                let hour = call.created.unix_micros().div_euclid(HOUR_US);
                let sum = hours.entry(hour).or_insert(HourOfCalls { hour, ..HourOfCalls::default() });
                sum.calls += 1;
                sum.failed += u64::from(call.ended.is_some_and(|(_, reason)| is_failure(reason)));
                sum.joined += u64::from(call.joined.is_some());
                sum.duration_us += call.duration_us().unwrap_or(0);
                sum.billed_units += call.billed_units().unwrap_or(0);
            }
            Ok(hours.into_values().collect())
        })
    }

    fn by_agent_and_day<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Vec<AgentDay>> {
        self.at_once(|contents| {
            let mut days: BTreeMap<(AgentId, i64), AgentDay> = BTreeMap::new();
            let mut names: BTreeMap<AgentId, (Timestamp, String)> = BTreeMap::new();
            for call in contents.fitting(account, filter) {
                let Some(agent) = &call.agent else { continue };
                let day = call.created.unix_micros().div_euclid(DAY_US);
                let sum = days.entry((agent.id, day)).or_insert_with(|| AgentDay {
                    agent: agent.id,
                    name: String::new(),
                    day,
                    calls: 0,
                    billed_units: 0,
                });
                sum.calls += 1;
                sum.billed_units += call.billed_units().unwrap_or(0);
                let name = names.entry(agent.id).or_insert_with(|| (call.created, agent.name.clone()));
                if name.0 <= call.created {
                    *name = (call.created, agent.name.clone());
                }
            }
            let named = |day: AgentDay| {
                let name = names.get(&day.agent).map(|(_, name)| name.clone()).unwrap_or_default();
                AgentDay { name, ..day }
            };
            Ok(days.into_values().map(named).collect())
        })
    }

    fn spans(
        &self,
        account: AccountId,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Pending<'_, Vec<CallSpan>> {
        self.at_once(|contents| {
            let all = CallFilter { created_to: Some(to), ..CallFilter::default() };
            let mut calls: Vec<_> = contents
                .fitting(account, &all)
                .filter(|call| call.ended.is_none_or(|(ended, _)| ended >= from))
                .collect();
            calls.sort_unstable_by_key(|call| Reverse((call.created, call.id)));
            let span = |call: &StoredCall| CallSpan {
                created: call.created,
                joined: call.joined,
                ended: call.ended.map(|(ended, _)| ended),
            };
            Ok(calls.into_iter().take(limit as usize).map(span).collect())
        })
    }
}

impl super::Contents {
    fn fitting(&self, account: AccountId, filter: &CallFilter) -> impl Iterator<Item = &StoredCall> {
        let own = self.calls.values().map(|kept| &kept.call).filter(move |call| call.account == account);
        own.filter(|call| filter.fits(&Facts::of(call)))
    }

    fn fitting_tombstones(
        &self,
        account: AccountId,
        filter: &CallFilter,
    ) -> impl Iterator<Item = &Tombstone> {
        let own = self.tombstones.iter().filter(move |(stone, _)| stone.account == account);
        own.filter(|(stone, agent)| filter.fits(&Facts::of_tombstone(stone, *agent))).map(|(stone, _)| stone)
    }

    fn chosen_events(&self, call: CallId, choice: &EventChoice) -> Vec<(EventPlace, &StoredEvent)> {
        let events = self.calls.get(&call).into_iter().flat_map(|kept| &kept.events);
        let wanted = |event: &StoredEvent| {
            event.severity >= choice.minimum && choice.kind.as_ref().is_none_or(|kind| event.kind == *kind)
        };
        (0..).map(EventPlace).zip(events).filter(|(_, event)| wanted(event)).collect()
    }
}
