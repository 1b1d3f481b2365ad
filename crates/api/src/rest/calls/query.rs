//! The queries of the endpoints under `/api/calls`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::event::Severity;
use crate::duration::WireDuration;
use crate::ids::{AgentId, CallId, VoiceId};
use crate::json::check::{Chars, Within};
use crate::json::{FromJson, Reader, quoted, record, words};
use crate::schema::{Describe, Schema, Schemas};
use crate::timestamp::Timestamp;

record! {
    /// The query of [`CreateCall`](super::CreateCall) (protocol.md 1.2).
    pub struct CreateCallQuery {
        /// Whether an agent that speaks first into an empty history is prompted to greet.
        enable_greeting_prompt: bool => true,
        /// The call whose properties and messages the new one starts from.
        prior_call_id: Option<CallId>,
        /// The name or id of a throttle that the creation counts against.
        throttle: Option<String> where Chars(1, 64),
    }
}

impl Default for CreateCallQuery {
    fn default() -> Self {
        Self { enable_greeting_prompt: true, prior_call_id: None, throttle: None }
    }
}

record! {
    /// The query of [`ListCalls`](super::ListCalls) (protocol.md 7.14).
    #[derive(Default)]
    pub struct ListCallsQuery {
        /// Only calls of these agents.
        agent_ids: Vec<AgentId>,
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Only calls at least this long.
        duration_min: Option<WireDuration>,
        /// Only calls at most this long.
        duration_max: Option<WireDuration>,
        /// Only calls created then or later; a bare date means its beginning.
        from_date: Option<DateOrTime>,
        /// Only calls created then or earlier; a bare date means its end.
        to_date: Option<DateOrTime>,
        /// Only calls with these metadata (`metadata.key=value`).
        metadata: BTreeMap<String, String>,
        /// Calls on a page, 1 to 1000; 100 if not given (protocol.md 10.1, 25).
        page_size: Option<u32> where Within(1, 1000),
        /// Only calls that contain these words.
        search: Option<String> where Chars(1, 1000),
        /// What to order by.
        sort: Option<CallSort>,
        /// Only calls created at this time of day (UTC) or later, `HH:MM:SS` with up to six fractional digits.
        time_of_day_start: Option<TimeOfDay>,
        /// Only calls created at this time of day (UTC) or earlier.
        time_of_day_end: Option<TimeOfDay>,
        /// Only calls with this voice.
        voice_id: Option<VoiceId>,
    }
}

words! {
    /// What a list of calls is ordered by.
    pub enum CallSort {
        /// Shortest billed duration first.
        BilledDuration = "billedDuration" | "billed_duration",
        /// Longest billed duration first.
        BilledDurationDescending = "-billedDuration" | "-billed_duration",
        /// Oldest first.
        Created = "created",
        /// Newest first: the order if none is asked for.
        CreatedDescending = "-created",
        /// Ended first, first.
        Ended = "ended",
        /// Ended last, first.
        EndedDescending = "-ended",
        /// Joined first, first.
        Joined = "joined",
        /// Joined last, first.
        JoinedDescending = "-joined",
    }
}

/// A day or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrTime {
    /// A whole day in UTC: `2026-11-20`.
    Date(jiff::civil::Date),
    /// A moment.
    Time(Timestamp),
}

impl Describe for DateOrTime {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::of("string")
            .with("oneOf", serde_json::json!([{ "format": "date" }, { "format": "date-time" }]))
    }
}

impl FromJson for DateOrTime {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = String::from_json(value, reader)?;
        // A moment parses as a civil date too, which would drop its time.
        let parsed = if text.len() == "2026-11-20".len() {
            text.parse().ok().map(Self::Date)
        } else {
            text.parse().ok().map(Self::Time)
        };
        if parsed.is_none() {
            reader.fault(format!(
                "{} is neither a date nor a moment; write \"2026-11-20\" or \"2026-11-20T08:45:00Z\"",
                quoted(&text)
            ));
        }
        parsed
    }
}

impl Serialize for DateOrTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Date(date) => serializer.collect_str(date),
            Self::Time(moment) => moment.serialize(serializer),
        }
    }
}

/// A day, in UTC: `2026-11-20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub jiff::civil::Date);

impl Describe for Day {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::text("date")
    }
}

impl FromJson for Day {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = String::from_json(value, reader)?;
        // A moment parses as a civil date too, which would drop its time.
        let parsed = text.parse().ok().filter(|_| text.len() == "2026-11-20".len()).map(Self);
        if parsed.is_none() {
            reader.fault(format!("{} is not a day; write \"2026-11-20\"", quoted(&text)));
        }
        parsed
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time of day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub jiff::civil::Time);

impl Describe for TimeOfDay {
    fn describe(_: &mut Schemas) -> Schema {
        Schema::text("time")
    }
}

impl FromJson for TimeOfDay {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = String::from_json(value, reader)?;
        let parsed = text.parse().ok().map(Self);
        if parsed.is_none() {
            reader.fault(format!("{} is not a time of day; write \"08:45:00\"", quoted(&text)));
        }
        parsed
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

record! {
    /// The query of [`ListCallMessages`](super::ListCallMessages).
    #[derive(Default)]
    pub struct ListCallMessagesQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Which messages; the last stage's if not given.
        mode: Option<MessagesMode>,
        /// Messages on a page, 1 to 1000; 100 if not given (protocol.md 10.1, 25).
        page_size: Option<u32> where Within(1, 1000),
    }
}

words! {
    /// Which messages of a call are listed (protocol.md 2.4).
    pub enum MessagesMode {
        /// Those of all stages, without initial messages.
        InCall = "in_call",
        /// Those of the last stage, with its initial messages.
        LastStage = "last_stage",
    }
}

record! {
    /// The query of [`ListCallEvents`](super::ListCallEvents).
    #[derive(Default)]
    pub struct ListCallEventsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Only events at least this severe; from info on if not given. Spelled in snake case.
        minimum_severity as "minimum_severity" | minimum_severity: Option<Severity>,
        /// Events on a page, 1 to 1000; 100 if not given (protocol.md 10.1, 25).
        page_size: Option<u32> where Within(1, 1000),
        /// Only events of this type.
        kind as "type": Option<String> where Chars(1, 50),
    }
}
