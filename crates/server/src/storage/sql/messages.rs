//! What was said and what happened in calls, in SQL.

use std::borrow::Cow;

use antiphon_api::CallId;
use sqlx::AssertSqlSafe;

use super::super::{
    Addition, Attempt, Direction, MessageChoice, MessagePlace, Severity, Slice, StorageError, StoredEvent,
    StoredMessage, Window,
};
use super::calls::{slice, total};
use super::{Alone, Connection, ROWS, Reading, Row, Store, storable, to_json};

/// What is read of an event.
pub(super) const EVENT: &str = "call_id, position, stage_id, at_us, severity, type, text, extras";

/// `$2` says whether what was said in the call is wanted; otherwise the messages of the stages from `$3` to `$4`.
macro_rules! chosen {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " FROM messages WHERE call_id = $1 AND CASE WHEN $2 THEN NOT initial \
             ELSE stage_number BETWEEN $3 AND $4 END ",
            $tail
        )
    };
}

const COUNT: &str = chosen!("SELECT COUNT(*) AS total", "");
const RISING: &str = chosen!(
    "SELECT call_id, position, stage_id, stage_number, stage_index, initial, body",
    "AND position > $5 ORDER BY position LIMIT $6"
);
const AT: &str = chosen!(
    "SELECT call_id, position, stage_id, stage_number, stage_index, initial, body",
    "AND stage_index = $5 ORDER BY position LIMIT 1"
);
const FALLING: &str = chosen!(
    "SELECT call_id, position, stage_id, stage_number, stage_index, initial, body",
    "AND position < $5 ORDER BY position DESC LIMIT $6"
);

/// Adds what is in rows behind what each call has. Both databases read all rows before they add one, so that those of a call see the
/// same last place; theirs are counted from it.
const ADD_MESSAGES: &str = "INSERT INTO messages (call_id, position, stage_id, stage_number, stage_index, initial, body) \
     SELECT call_id, COALESCE((SELECT MAX(position) + 1 FROM messages WHERE messages.call_id = added.call_id), 0) + nth, \
     stage_id, stage_number, stage_index, initial <> 0, body \
     FROM (SELECT value ->> 0 AS call_id, CAST(value ->> 1 AS BIGINT) AS nth, value ->> 2 AS stage_id, \
     CAST(value ->> 3 AS BIGINT) AS stage_number, CAST(value ->> 4 AS BIGINT) AS stage_index, \
     CAST(value ->> 5 AS BIGINT) AS initial, value ->> 6 AS body";
const ADD_EVENTS: &str = "INSERT INTO call_events (call_id, position, stage_id, at_us, severity, type, text, extras) \
     SELECT call_id, \
     COALESCE((SELECT MAX(position) + 1 FROM call_events WHERE call_events.call_id = added.call_id), 0) + nth, \
     stage_id, at_us, severity, type, text, extras \
     FROM (SELECT value ->> 0 AS call_id, CAST(value ->> 1 AS BIGINT) AS nth, value ->> 2 AS stage_id, \
     CAST(value ->> 3 AS BIGINT) AS at_us, value ->> 4 AS severity, value ->> 5 AS type, value ->> 6 AS text, \
     value ->> 7 AS extras";

/// What the three parameters of a choice are.
fn bounds(choice: MessageChoice) -> (bool, i64, i64) {
    match choice {
        MessageChoice::InCall => (true, 0, 0),
        MessageChoice::Stages { from, to } => (false, from.into(), to.into()),
    }
}

impl Store {
    /// Adds to records: a statement for what was said and one for what happened, however many calls there are.
    pub(super) async fn append_to_records<'a>(
        &self,
        additions: &'a [Addition<'a>],
    ) -> Result<(), StorageError> {
        let records = additions.iter().map(|addition| Alone::Record(addition.call));
        let mut transaction = self.begin_alone_with(records).await?;
        let (mut messages, mut events) = (Vec::new(), Vec::new());
        for addition in additions {
            let again = addition.attempt == Attempt::Again;
            if !(again && are_messages_there(addition, &mut transaction).await?) {
                messages.extend((0_u32..).zip(addition.messages).map(|(nth, it)| (addition.call, nth, it)));
            }
            if !(again && are_events_there(addition, &mut transaction).await?) {
                events.extend((0_u32..).zip(addition.events).map(|(nth, it)| (addition.call, nth, it)));
            }
        }
        if !messages.is_empty() {
            let row = |(call, nth, message): &(CallId, u32, &StoredMessage)| {
                let StoredMessage { stage, stage_number, index, initial, message } = message;
                (*call, *nth, *stage, *stage_number, *index, u8::from(*initial), to_json(message))
            };
            let rows: Vec<_> = messages.iter().map(row).collect();
            sqlx::query(AssertSqlSafe(format!("{ADD_MESSAGES} FROM {ROWS}) AS added")))
                .bind(to_json(&rows))
                .execute(&mut *transaction)
                .await?;
        }
        for (call, _, message) in messages {
            if let Some(tool) = message.failed_tool() {
                sqlx::query("UPDATE call_tools SET errors = errors + 1 WHERE call_id = $1 AND name = $2")
                    .bind(call.to_string())
                    .bind(storable(tool))
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        if !events.is_empty() {
            let row = |(call, nth, event): &(CallId, u32, &'a StoredEvent)| {
                let StoredEvent { stage, at, severity, kind, text, extras } = *event;
                let (at, severity, extras) =
                    (at.unix_micros(), severity.as_str(), extras.as_ref().map(to_json));
                (*call, *nth, *stage, at, severity, plain(kind), plain(text), extras)
            };
            let rows: Vec<_> = events.iter().map(row).collect();
            sqlx::query(AssertSqlSafe(format!("{ADD_EVENTS} FROM {ROWS}) AS added")))
                .bind(to_json(&rows))
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    pub(super) async fn call_messages(
        &self,
        call: CallId,
        choice: MessageChoice,
        window: Window<MessagePlace>,
    ) -> Result<Slice<(MessagePlace, StoredMessage)>, StorageError> {
        let (sql, after) = match (window.direction, window.after) {
            (Direction::Backward, after) => (FALLING, after.map_or(i64::MAX, |place| place.0)),
            (Direction::Forward, after) => (RISING, after.map_or(-1, |place| place.0)),
        };
        let (in_call, from, to) = bounds(choice);
        let rows = sqlx::query(sql)
            .bind(call.to_string())
            .bind(in_call)
            .bind(from)
            .bind(to)
            .bind(after)
            .bind(i64::from(window.limit) + 1)
            .fetch_all(&self.pool)
            .await?;
        slice(&rows, &window, read_message)
    }

    pub(super) async fn call_message(
        &self,
        call: CallId,
        choice: MessageChoice,
        index: u32,
    ) -> Result<Option<StoredMessage>, StorageError> {
        let (in_call, from, to) = bounds(choice);
        let row = sqlx::query(AT)
            .bind(call.to_string())
            .bind(in_call)
            .bind(from)
            .bind(to)
            .bind(i64::from(index))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(read_message).transpose()?.map(|(_, message)| message))
    }

    pub(super) async fn count_call_messages(
        &self,
        call: CallId,
        choice: MessageChoice,
    ) -> Result<u64, StorageError> {
        let (in_call, from, to) = bounds(choice);
        let query = sqlx::query(COUNT).bind(call.to_string()).bind(in_call).bind(from).bind(to);
        total(&query.fetch_one(&self.pool).await?)
    }

    pub(super) async fn call_events(
        &self,
        call: CallId,
        minimum: Severity,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StorageError> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT {EVENT} FROM call_events WHERE call_id = $1 AND \
             CASE severity WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END >= $2 \
             ORDER BY position LIMIT $3"
        )))
        .bind(call.to_string())
        .bind(minimum as i64)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(read_event)
        .collect()
    }
}

/// A text that goes as JSON, in which databases know no NUL.
fn plain(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// Whether these were written before. An index in a stage is given to one message.
async fn are_messages_there(
    addition: &Addition<'_>,
    connection: &mut Connection,
) -> Result<bool, StorageError> {
    for message in addition.messages {
        let found = sqlx::query(
            "SELECT 1 FROM messages WHERE call_id = $1 AND stage_number = $2 AND stage_index = $3 AND initial = $4 LIMIT 1",
        )
        .bind(addition.call.to_string())
        .bind(i64::from(message.stage_number))
        .bind(i64::from(message.index))
        .bind(message.initial)
        .fetch_optional(&mut *connection)
        .await?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same of events, which have no number: one that says the same of the same microsecond is the same.
async fn are_events_there(
    addition: &Addition<'_>,
    connection: &mut Connection,
) -> Result<bool, StorageError> {
    for event in addition.events {
        let found = sqlx::query(
            "SELECT 1 FROM call_events WHERE call_id = $1 AND at_us = $2 AND type = $3 AND text = $4 LIMIT 1",
        )
        .bind(addition.call.to_string())
        .bind(event.at.unix_micros())
        .bind(plain(&event.kind))
        .bind(plain(&event.text))
        .fetch_optional(&mut *connection)
        .await?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_message(row: &Row) -> Result<(MessagePlace, StoredMessage), StorageError> {
    let row = Reading::new(row, "messages", "call_id")?;
    let message = StoredMessage {
        stage: row.text("stage_id")?,
        stage_number: row.count("stage_number")?,
        index: row.count("stage_index")?,
        initial: row.plain("initial")?,
        message: row.json("body")?,
    };
    Ok((MessagePlace(row.plain("position")?), message))
}

pub(super) fn read_event(row: &Row) -> Result<StoredEvent, StorageError> {
    let row = Reading::new(row, "call_events", "call_id")?;
    let stage: Option<String> = row.plain("stage_id")?;
    let extras: Option<String> = row.plain("extras")?;
    let severity: String = row.plain("severity")?;
    Ok(StoredEvent {
        stage: stage.map(|stage| stage.parse().map_err(|error| row.wrong("stage_id", &error))).transpose()?,
        at: row.time("at_us")?,
        severity: severity_of(&severity).ok_or_else(|| row.wrong("severity", &"it is no severity"))?,
        kind: row.plain("type")?,
        text: row.plain("text")?,
        extras: extras
            .map(|extras| serde_json::from_str(&extras).map_err(|error| row.wrong("extras", &error)))
            .transpose()?,
    })
}

fn severity_of(word: &str) -> Option<Severity> {
    [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error]
        .into_iter()
        .find(|severity| severity.as_str() == word)
}
