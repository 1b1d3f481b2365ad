//! Calls as lists: filtered, searched, ordered, counted and summed up, with what happened in them and what is left of deleted ones.
//!
//! Owns what a filter means, so that all databases mean the same by it.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon_api::{AgentId, CallId, Timestamp, WireDuration};
use antiphon_engine::output::EndReason;

use super::{AccountId, CallPlace, Pending, Severity, Slice, StoredCall, StoredEvent, Window};

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;
/// What calls are billed in (protocol.md A-54).
const BILLING_UNIT_US: i64 = 6_000_000;

/// How many calls that fit a filter are counted, and how many are gone through one by one to find those that fit.
pub const MANY: u32 = 5_000;

/// Which calls are wanted (protocol.md 7.14): those that fit all of it. Nothing of it: all calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallFilter {
    /// Of one of these agents, unless there are none.
    pub agents: Vec<AgentId>,
    /// Created then or later.
    pub created_from: Option<Timestamp>,
    /// Created then or earlier.
    pub created_to: Option<Timestamp>,
    /// Ended after at least this long, from the join on.
    pub lasted_at_least: Option<Duration>,
    /// Ended after at most this long, from the join on.
    pub lasted_at_most: Option<Duration>,
    /// With these metadata.
    pub metadata: BTreeMap<String, String>,
    /// With these words in the id, the agent's name, the voice or the metadata's values, in any letter case.
    pub search: Option<String>,
    /// Created between these times of day (UTC), in microseconds since midnight, both included; over midnight, if the first is the
    /// later one.
    pub time_of_day: Option<(i64, i64)>,
    /// With one of these voices, as they were asked for; `None` is a call that asked for none.
    pub voices: Option<Vec<Option<String>>>,
}

/// What a list of calls is ordered by. Calls of which that is the same are ordered by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSort {
    /// The time.
    pub by: CallKey,
    /// Whether the latest or longest comes first.
    pub descending: bool,
}

/// A time that a call has. One that it does not have yet is later, or longer, than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKey {
    /// When it was created.
    Created,
    /// How long it lasted.
    Duration,
    /// When it ended.
    Ended,
    /// When it was joined.
    Joined,
}

/// A call's place in a list: what the list is ordered by, in microseconds, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortPlace {
    /// The time.
    pub key: i64,
    /// The call.
    pub id: CallId,
}

/// An event's place in its call, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace(pub i64);

/// Which events of a call are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventChoice {
    /// At least this severe.
    pub minimum: Severity,
    /// Of this type.
    pub kind: Option<String>,
}

/// What is left of a deleted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The call.
    pub id: CallId,
    /// Whose it was.
    pub account: AccountId,
    /// When it was created.
    pub created: Timestamp,
    /// When it was joined.
    pub joined: Option<Timestamp>,
    /// When it ended and why.
    pub ended: Option<(Timestamp, EndReason)>,
    /// How long it could have lasted.
    pub max_duration: WireDuration,
    /// Whether it was recorded.
    pub recording_enabled: bool,
    /// Whether it was summed up.
    pub had_summary: bool,
    /// When it was deleted.
    pub deleted: Timestamp,
}

/// Calls that were created in one hour, summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourOfCalls {
    /// The hour, counted from the beginning of 1970.
    pub hour: i64,
    /// How many calls.
    pub calls: u64,
    /// How many of them ended because something failed.
    pub failed: u64,
    /// How many of them were joined.
    pub joined: u64,
    /// How long they lasted together, in microseconds.
    pub duration_us: i64,
    /// How many units of six seconds they are billed (protocol.md A-54).
    pub billed_units: i64,
}

/// Calls of an agent that were created on one day, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentDay {
    /// The agent.
    pub agent: AgentId,
    /// Its name, as its latest call has it.
    pub name: String,
    /// The day, counted from the beginning of 1970.
    pub day: i64,
    /// How many calls.
    pub calls: u64,
    /// How many units of six seconds they are billed.
    pub billed_units: i64,
}

/// When a call was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSpan {
    /// When it was created.
    pub created: Timestamp,
    /// When it was joined.
    pub joined: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Where calls are looked through.
pub trait CallCatalog: Send + Sync {
    /// Part of the account's calls that fit.
    fn list<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        sort: CallSort,
        window: Window<SortPlace>,
    ) -> Pending<'a, Slice<StoredCall>>;
    /// How many of the account's calls fit: of all calls always, of those that fit a filter as long as they are no more than
    /// [`MANY`].
    fn count<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Option<u64>>;
    /// How many of the account's calls have not ended.
    fn count_live(&self, account: AccountId) -> Pending<'_, u64>;

    /// Part of what happened in a call, in order, each with its place.
    fn list_events<'a>(
        &'a self,
        call: CallId,
        choice: &'a EventChoice,
        window: Window<EventPlace>,
    ) -> Pending<'a, Slice<(EventPlace, StoredEvent)>>;
    /// How much of what happened in a call is chosen.
    fn count_events<'a>(&'a self, call: CallId, choice: &'a EventChoice) -> Pending<'a, u64>;

    /// Part of what is left of the account's deleted calls, those that were created last first. Nothing is left of what they were
    /// about, so that only their ids are found by a search, and none by metadata or a voice.
    fn tombstones<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        window: Window<CallPlace>,
    ) -> Pending<'a, Slice<Tombstone>>;
    /// How many of the account's deleted calls fit, as long as they are no more than [`MANY`].
    fn count_tombstones<'a>(&'a self, account: AccountId, filter: &'a CallFilter)
    -> Pending<'a, Option<u64>>;
    /// What is left of the account's deleted call with this id.
    fn find_tombstone(&self, account: AccountId, id: CallId) -> Pending<'_, Option<Tombstone>>;

    /// The account's calls that fit, summed up by the hour of their creation, oldest first; hours without calls are left out.
    fn by_hour<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Vec<HourOfCalls>>;
    /// The account's agents' calls that fit, summed up by agent and day of their creation, oldest first for each agent.
    fn by_agent_and_day<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Vec<AgentDay>>;
    /// When those of the account's calls were there that were there between two moments, at most `limit` of them, latest first.
    fn spans(
        &self,
        account: AccountId,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Pending<'_, Vec<CallSpan>>;
}

impl CallFilter {
    /// Whether it asks for anything but texts.
    pub(super) fn is_narrowed(&self) -> bool {
        let texts = Self { metadata: self.metadata.clone(), search: self.search.clone(), ..Self::default() };
        *self != texts
    }

    /// Whether a call fits.
    pub(super) fn fits(&self, call: &Facts<'_>) -> bool {
        let created = call.created.unix_micros();
        let time_of_day = created.rem_euclid(DAY_US);
        let duration = call.duration_us;
        let lasted = |bound: Option<Duration>, fits: fn(i64, i64) -> bool| {
            bound.is_none_or(|bound| duration.is_some_and(|duration| fits(duration, micros(bound))))
        };
        let search = self.search.as_ref().map(|search| search.to_lowercase());
        (self.agents.is_empty() || call.agent.is_some_and(|agent| self.agents.contains(&agent)))
            && self.created_from.is_none_or(|from| call.created >= from)
            && self.created_to.is_none_or(|to| call.created <= to)
            && lasted(self.lasted_at_least, |duration, bound| duration >= bound)
            && lasted(self.lasted_at_most, |duration, bound| duration <= bound)
            && self.metadata.iter().all(|(key, value)| call.facts.contains(&fact(key, value)))
            && search
                .iter()
                .flat_map(|search| search.split_whitespace())
                .all(|word| call.words.contains(word))
            && self.time_of_day.is_none_or(|(from, to)| match from <= to {
                true => (from..=to).contains(&time_of_day),
                false => time_of_day >= from || time_of_day <= to,
            })
            && self
                .voices
                .as_ref()
                .is_none_or(|voices| voices.iter().any(|voice| voice.as_deref() == call.voice))
    }
}

/// What a call is filtered by.
#[derive(Debug)]
pub(super) struct Facts<'c> {
    pub(super) created: Timestamp,
    pub(super) duration_us: Option<i64>,
    pub(super) agent: Option<AgentId>,
    pub(super) voice: Option<&'c str>,
    pub(super) facts: String,
    pub(super) words: String,
}

impl<'c> Facts<'c> {
    pub(super) fn of(call: &'c StoredCall) -> Self {
        let metadata = call.request.metadata.iter().flatten();
        let mut facts: String = metadata.clone().map(|(key, value)| fact(key, value)).collect();
        // Every line begins and ends with a break; two are one between lines.
        facts = facts.replace("\n\n", "\n");
        let id = call.id.to_string();
        let texts = [Some(id.as_str()), call.agent.as_ref().map(|agent| agent.name.as_str()), call.voice()];
        let texts = texts.into_iter().flatten().chain(metadata.map(|(_, value)| value.as_str()));
        Self {
            created: call.created,
            duration_us: call.duration_us(),
            agent: call.agent.as_ref().map(|agent| agent.id),
            voice: call.voice(),
            facts,
            words: texts.collect::<Vec<_>>().join("\n").to_lowercase(),
        }
    }

    /// Of a deleted call nothing is left to find it by but its id and its times.
    pub(super) fn of_tombstone(stone: &Tombstone, agent: Option<AgentId>) -> Self {
        Self {
            created: stone.created,
            duration_us: stone.ended.map(|(ended, _)| lasted_us(stone.joined, ended)),
            agent,
            voice: Some(""),
            facts: String::new(),
            words: stone.id.to_string(),
        }
    }
}

/// A metadatum as it is looked for: a line that no key and no value can imitate.
pub(super) fn fact(key: &str, value: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!("\n{}:{}\n", quoted(key), quoted(value))
}

impl StoredCall {
    /// The voice that was asked for.
    pub(super) fn voice(&self) -> Option<&str> {
        self.request.voice.as_deref()
    }

    /// How long it lasted from the join on, once it has ended: in microseconds.
    #[must_use]
    pub fn duration_us(&self) -> Option<i64> {
        self.ended.map(|(ended, _)| lasted_us(self.joined, ended))
    }

    /// The units of six seconds that it is billed, once it has ended (protocol.md A-54).
    #[must_use]
    pub fn billed_units(&self) -> Option<i64> {
        self.duration_us()
            .map(|lasted| lasted.div_euclid(BILLING_UNIT_US) + i64::from(lasted % BILLING_UNIT_US > 0))
    }

    /// Its place in a list.
    #[must_use]
    pub fn sort_place(&self, by: CallKey) -> SortPlace {
        let key = match by {
            CallKey::Created => Some(self.created.unix_micros()),
            CallKey::Duration => self.duration_us(),
            CallKey::Ended => self.ended.map(|(ended, _)| ended.unix_micros()),
            CallKey::Joined => self.joined.map(Timestamp::unix_micros),
        };
        SortPlace { key: key.unwrap_or(i64::MAX), id: self.id }
    }

    /// What is left of it when it is deleted.
    pub(super) fn tombstone(&self, deleted: Timestamp) -> Tombstone {
        Tombstone {
            id: self.id,
            account: self.account,
            created: self.created,
            joined: self.joined,
            ended: self.ended,
            max_duration: self.request.max_duration.unwrap_or(WireDuration::from_secs(3600)),
            recording_enabled: self.request.recording_enabled == Some(true),
            had_summary: self.summary.is_some(),
            deleted,
        }
    }
}

/// Whether a call that ended like this counts as one that failed.
pub(super) fn is_failure(reason: EndReason) -> bool {
    match reason {
        EndReason::ConnectionError | EndReason::SystemError => true,
        EndReason::AgentHangUp | EndReason::HangUp | EndReason::Timeout | EndReason::Unjoined => false,
    }
}

fn lasted_us(joined: Option<Timestamp>, ended: Timestamp) -> i64 {
    joined.map_or(0, |joined| ended.unix_micros().saturating_sub(joined.unix_micros()).max(0))
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
