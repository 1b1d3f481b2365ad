//! What a table shows of each resource: the one place that maps fields to columns.

use antiphon_api::{Timestamp, WireDuration};
use serde_json::Value;

use super::moments::{Clock, duration};
use crate::table::Room;

/// A column: its title, how it takes a lack of room, and what stands in it.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) room: Room,
    /// The dotted path of the field.
    path: &'static str,
    shown: Shown,
}

/// How a field is shown.
enum Shown {
    /// As it is.
    Plain,
    /// A moment.
    Moment,
    /// A duration.
    Duration,
    /// One of the API's words, without what all words of its kind begin with.
    Word(&'static str),
    /// By the key that is set.
    Key,
    /// How many there are.
    Count,
}

impl Column {
    /// What stands in the column for this resource; of others, without control characters. People are told moments by the clock.
    pub(super) fn cell(&self, resource: &Value, clock: Option<&Clock>) -> String {
        let field = self.path.split('.').try_fold(resource, |value, key| value.get(key));
        let Some(field) = field.filter(|field| !field.is_null()) else { return String::new() };
        let text = match (field, &self.shown) {
            (Value::Array(items), Shown::Count) => items.len().to_string(),
            (Value::Array(items), _) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
            (Value::Object(fields), Shown::Key) => fields.keys().cloned().collect::<Vec<_>>().join(", "),
            (_, Shown::Word(kind)) => plain(field).trim_start_matches(kind).to_lowercase().replace('_', " "),
            (_, Shown::Moment) => match (plain(field).parse::<Timestamp>(), clock) {
                (Ok(moment), Some(clock)) => clock.relative(moment),
                _ => plain(field),
            },
            (_, Shown::Duration) => match plain(field).parse::<WireDuration>() {
                Ok(told) if clock.is_some() => duration(told),
                _ => plain(field),
            },
            (_, Shown::Plain | Shown::Key | Shown::Count) => plain(field),
        };
        crate::screen::harmless(&text)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

const fn id(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Whole, path, shown: Shown::Plain }
}

const fn text(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Cut, path, shown: Shown::Plain }
}

const fn long_text(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Wrap, path, shown: Shown::Plain }
}

const fn moment(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Whole, path, shown: Shown::Moment }
}

const fn span(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Whole, path, shown: Shown::Duration }
}

const fn word(title: &'static str, path: &'static str, kind: &'static str) -> Column {
    Column { title, room: Room::Cut, path, shown: Shown::Word(kind) }
}

const fn key(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Cut, path, shown: Shown::Key }
}

const fn count(title: &'static str, path: &'static str) -> Column {
    Column { title, room: Room::Whole, path, shown: Shown::Count }
}

pub(super) const AGENTS: &[Column] = &[
    id("AGENT", "agentId"),
    text("NAME", "name"),
    count("CALLS", "statistics.calls"),
    moment("CHANGED", "callTemplate.updated"),
    moment("CREATED", "created"),
];

pub(super) const AGENT_USAGE: &[Column] = &[
    id("DAY", "day.date"),
    id("AGENT", "agent.agentId"),
    text("NAME", "agent.name"),
    count("CALLS", "day.calls"),
    count("MINUTES", "day.billedMinutes"),
];

pub(super) const INVOICES: &[Column] = &[
    id("INVOICE", "invoiceNumber"),
    moment("DATE", "invoiceDate"),
    count("AMOUNT", "amount"),
    word("FOR", "billingReason", ""),
    word("STATUS", "invoiceStatus", ""),
    text("URL", "invoiceUrl"),
];

pub(super) const CALL_USAGE: &[Column] = &[
    id("DAY", "date"),
    count("CALLS", "totalCount"),
    count("JOINED", "joinedCount"),
    count("ERRORS", "errorCount"),
    span("DURATION", "duration"),
    count("MINUTES", "billedMinutes"),
];

pub(super) const CALLS: &[Column] = &[
    id("CALL", "callId"),
    moment("CREATED", "created"),
    span("BILLED", "billedDuration"),
    word("END", "endReason", ""),
    text("AGENT", "agent.name"),
    key("MEDIUM", "medium"),
    text("SUMMARY", "shortSummary"),
];

pub(super) const CONCURRENCY: &[Column] = &[
    id("FROM", "timestamp"),
    count("MOST", "maxTotalCalls"),
    count("MOST JOINED", "maxJoinedCalls"),
    count("AVERAGE", "avgTotalCalls"),
];

pub(super) const DELETED_CALLS: &[Column] = &[
    id("CALL", "callId"),
    moment("CREATED", "created"),
    moment("DELETED", "deletionTime"),
    word("END", "endReason", ""),
];

pub(super) const MESSAGES: &[Column] = &[
    span("AT", "wallClockTimespan.start"),
    word("FROM", "role", "MESSAGE_ROLE_"),
    text("TOOL", "toolName"),
    long_text("TEXT", "text"),
];

pub(super) const EVENTS: &[Column] = &[
    span("AT", "wallClockTimestamp"),
    word("SEVERITY", "severity", ""),
    text("TYPE", "type"),
    long_text("TEXT", "text"),
];

pub(super) const STAGES: &[Column] = &[
    id("STAGE", "callStageId"),
    moment("BEGAN", "created"),
    text("MODEL", "model"),
    text("VOICE", "voice"),
    count("ERRORS", "errorCount"),
    text("PROMPT", "systemPrompt"),
];

pub(super) const CALL_TOOLS: &[Column] = &[
    id("CALL TOOL", "callToolId"),
    id("TOOL", "toolId"),
    text("NAME", "name"),
    text("DESCRIPTION", "definition.description"),
];

pub(super) const MODELS: &[Column] = &[id("MODEL", "name")];

pub(super) const TOOLS: &[Column] = &[
    id("TOOL", "toolId"),
    text("NAME", "name"),
    word("OWNER", "ownership", ""),
    moment("CREATED", "created"),
    text("DESCRIPTION", "definition.description"),
];

pub(super) const TOOL_HISTORY: &[Column] = &[
    id("CALL", "call.callId"),
    moment("CREATED", "call.created"),
    count("ERRORS", "errorCount"),
    word("END", "call.endReason", ""),
];

pub(super) const VOICES: &[Column] = &[
    id("VOICE", "voiceId"),
    text("NAME", "name"),
    word("OWNER", "ownership", ""),
    text("LANGUAGE", "primaryLanguage"),
    text("PROVIDER", "provider"),
    text("DESCRIPTION", "description"),
];

pub(super) const WEBHOOKS: &[Column] = &[
    id("WEBHOOK", "webhookId"),
    word("STATUS", "status", ""),
    text("EVENTS", "events"),
    text("AGENT", "agentId"),
    moment("CREATED", "created"),
    text("URL", "url"),
];

pub(super) const DELIVERIES: &[Column] = &[
    id("CALL", "callId"),
    text("EVENT", "event"),
    word("STATE", "state", ""),
    moment("HAPPENED", "created"),
    count("ATTEMPTS", "attempts"),
    moment("NEXT", "nextAttempt"),
];

pub(super) const KEYS: &[Column] = &[
    id("PREFIX", "prefix"),
    text("NAME", "name"),
    moment("CREATED", "created"),
    moment("EXPIRES", "expiryDate"),
    count("REVOKED", "revoked"),
    text("MADE WITH", "creator"),
];

pub(super) const CORPORA: &[Column] = &[
    id("CORPUS", "corpusId"),
    text("NAME", "name"),
    word("STATUS", "stats.status", "CORPUS_STATUS_"),
    count("DOCUMENTS", "stats.numDocs"),
    count("CHUNKS", "stats.numChunks"),
    moment("CREATED", "created"),
];

pub(super) const SOURCES: &[Column] = &[
    id("SOURCE", "sourceId"),
    text("NAME", "name"),
    word("STATUS", "stats.status", "SOURCE_STATUS_"),
    count("DOCUMENTS", "stats.numDocs"),
    moment("CREATED", "created"),
];

pub(super) const DOCUMENTS: &[Column] = &[
    id("DOCUMENT", "documentId"),
    text("TITLE", "metadata.title"),
    text("TYPE", "mimeType"),
    count("BYTES", "sizeBytes"),
    text("URL", "metadata.publicUrl"),
];

pub(super) const PASSAGES: &[Column] =
    &[count("SCORE", "score"), text("TITLE", "citation.title"), long_text("TEXT", "content")];

pub(super) const THROTTLES: &[Column] = &[
    id("THROTTLE", "throttleId"),
    text("NAME", "name"),
    count("RULES", "rules"),
    moment("CREATED", "created"),
];

pub(super) const BATCHES: &[Column] = &[
    id("BATCH", "batchId"),
    count("DONE", "completedCount"),
    count("OF", "totalCount"),
    count("PAUSED", "paused"),
    text("THROTTLE", "throttle"),
    moment("FROM", "windowStart"),
    moment("UNTIL", "windowEnd"),
    moment("ENDED", "endedAt"),
];

pub(super) const SCHEDULED_CALLS: &[Column] = &[
    word("STATUS", "status", ""),
    id("CALL", "callId"),
    key("MEDIUM", "medium"),
    long_text("ERROR", "error"),
];

pub(super) const SIP_REGISTRATIONS: &[Column] = &[
    id("REGISTRATION", "registrationId"),
    text("USER", "username"),
    text("PROXY", "proxy"),
    moment("CREATED", "created"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_say_what_a_field_holds_and_nothing_that_a_terminal_obeys() {
        let call = json!({
            "callId": "1", "created": "2026-11-20T08:45:00Z", "endReason": "agent_hangup", "billedDuration": "66s",
            "medium": {"serverWebSocket": {}}, "agent": {"name": "A\u{1b}[2J"}, "shortSummary": null,
        });
        let cells: Vec<String> = CALLS.iter().map(|column| column.cell(&call, None)).collect();
        assert_eq!(
            cells,
            ["1", "2026-11-20T08:45:00Z", "66s", "agent hangup", "A [2J", "serverWebSocket", ""]
        );
    }
}
