//! Calls in SQLite.

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use futures::FutureExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::super::{
    AccountId, CallOrder, CallPlace, CallStore, Deletion, MessageChoice, MessagePlace, Pending, Severity,
    Slice, StorageError, StoredCall, StoredEvent, StoredMessage, StoredStage, Window,
};
use super::{BEGIN, Reading, Sqlite, to_json};
use crate::storage::Direction;

const FIND: &str = "SELECT * FROM calls WHERE id = $1";
const UNFINISHED: &str = "SELECT * FROM calls WHERE ended_us IS NULL ORDER BY created_us, id";
const RISING: &str = "SELECT * FROM calls WHERE account_id = $1 AND (created_us, id) > ($2, $3) \
                      ORDER BY created_us, id LIMIT $4";
const FALLING: &str = "SELECT * FROM calls WHERE account_id = $1 AND (created_us, id) < ($2, $3) \
                       ORDER BY created_us DESC, id DESC LIMIT $4";

impl CallStore for Sqlite {
    fn insert<'a>(&'a self, call: &'a StoredCall) -> Pending<'a, ()> {
        async {
            sqlx::query(
                "INSERT INTO calls (id, account_id, created_us, joined_us, ended_us, end_reason, client_version, \
                 greeting_prompt, recording_enabled, request) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(call.id.to_string())
            .bind(call.account.to_string())
            .bind(call.created.unix_micros())
            .bind(call.joined.map(Timestamp::unix_micros))
            .bind(call.ended.map(|(at, _)| at.unix_micros()))
            .bind(call.ended.map(|(_, reason)| reason_word(reason)))
            .bind(call.client_version.as_deref())
            .bind(call.greeting_prompt)
            .bind(call.request.recording_enabled == Some(true))
            .bind(to_json(&call.request))
            .execute(&self.pool)
            .await?;
            Ok(())
        }
        .boxed()
    }

    fn find(&self, id: CallId) -> Pending<'_, Option<StoredCall>> {
        async move {
            let row = sqlx::query(FIND).bind(id.to_string()).fetch_optional(&self.pool).await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn list(
        &self,
        account: AccountId,
        order: CallOrder,
        window: Window<CallPlace>,
    ) -> Pending<'_, Slice<StoredCall>> {
        async move {
            let rising = match (order, window.direction) {
                (CallOrder::NewestFirst, Direction::Backward)
                | (CallOrder::OldestFirst, Direction::Forward) => true,
                (CallOrder::NewestFirst, Direction::Forward)
                | (CallOrder::OldestFirst, Direction::Backward) => false,
            };
            // Without a place to go on from: before everything, or behind it.
            let (created, id) = match (window.after, rising) {
                (Some(place), _) => (place.created.unix_micros(), place.id.to_string()),
                (None, true) => (i64::MIN, String::new()),
                (None, false) => (i64::MAX, String::new()),
            };
            let rows = sqlx::query(if rising { RISING } else { FALLING })
                .bind(account.to_string())
                .bind(created)
                .bind(id)
                .bind(i64::from(window.limit) + 1)
                .fetch_all(&self.pool)
                .await?;
            slice(&rows, &window, read)
        }
        .boxed()
    }

    fn count(&self, account: AccountId) -> Pending<'_, u64> {
        async move {
            let row = sqlx::query("SELECT COUNT(*) AS total FROM calls WHERE account_id = $1")
                .bind(account.to_string())
                .fetch_one(&self.pool)
                .await?;
            total(&row)
        }
        .boxed()
    }

    fn unfinished(&self) -> Pending<'_, Vec<StoredCall>> {
        async { sqlx::query(UNFINISHED).fetch_all(&self.pool).await?.iter().map(read).collect() }.boxed()
    }

    fn mark_joined<'a>(
        &'a self,
        id: CallId,
        at: Timestamp,
        client_version: Option<&'a str>,
    ) -> Pending<'a, bool> {
        async move {
            let result = sqlx::query(
                "UPDATE calls SET joined_us = $2, client_version = $3 \
                 WHERE id = $1 AND joined_us IS NULL AND ended_us IS NULL",
            )
            .bind(id.to_string())
            .bind(at.unix_micros())
            .bind(client_version)
            .execute(&self.pool)
            .await?;
            Ok(result.rows_affected() == 1)
        }
        .boxed()
    }

    fn mark_ended(&self, id: CallId, at: Timestamp, reason: EndReason) -> Pending<'_, bool> {
        async move {
            let result = sqlx::query(
                "UPDATE calls SET ended_us = $2, end_reason = $3 WHERE id = $1 AND ended_us IS NULL",
            )
            .bind(id.to_string())
            .bind(at.unix_micros())
            .bind(reason_word(reason))
            .execute(&self.pool)
            .await?;
            Ok(result.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete(&self, account: AccountId, id: CallId, at: Timestamp) -> Pending<'_, Deletion> {
        async move {
            let mut transaction = self.pool.begin_with(BEGIN).await?;
            let row =
                sqlx::query("SELECT ended_us IS NULL AS live FROM calls WHERE id = $1 AND account_id = $2")
                    .bind(id.to_string())
                    .bind(account.to_string())
                    .fetch_optional(&mut *transaction)
                    .await?;
            match row.map(|row| row.try_get("live")).transpose()? {
                None => return Ok(Deletion::Unknown),
                Some(true) => return Ok(Deletion::Live),
                Some(false) => {}
            }
            sqlx::query(
                "INSERT INTO tombstones (call_id, account_id, created_us, joined_us, ended_us, end_reason, \
                 recording_enabled, deleted_us) \
                 SELECT id, account_id, created_us, joined_us, ended_us, end_reason, recording_enabled, $2 \
                 FROM calls WHERE id = $1",
            )
            .bind(id.to_string())
            .bind(at.unix_micros())
            .execute(&mut *transaction)
            .await?;
            // Messages and events go with it.
            sqlx::query("DELETE FROM calls WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(Deletion::Deleted)
        }
        .boxed()
    }

    fn append_messages<'a>(&'a self, call: CallId, messages: &'a [StoredMessage]) -> Pending<'a, ()> {
        self.append_call_messages(call, messages).boxed()
    }

    fn messages(
        &self,
        call: CallId,
        choice: MessageChoice,
        window: Window<MessagePlace>,
    ) -> Pending<'_, Slice<(MessagePlace, StoredMessage)>> {
        self.call_messages(call, choice, window).boxed()
    }

    fn message(&self, call: CallId, choice: MessageChoice, index: u32) -> Pending<'_, Option<StoredMessage>> {
        self.call_message(call, choice, index).boxed()
    }

    fn count_messages(&self, call: CallId, choice: MessageChoice) -> Pending<'_, u64> {
        self.count_call_messages(call, choice).boxed()
    }

    fn insert_stage<'a>(&'a self, call: CallId, stage: &'a StoredStage) -> Pending<'a, ()> {
        self.insert_call_stage(call, stage).boxed()
    }

    fn stages(&self, call: CallId) -> Pending<'_, Vec<StoredStage>> {
        self.call_stages(call).boxed()
    }

    fn append_events<'a>(&'a self, call: CallId, events: &'a [StoredEvent]) -> Pending<'a, ()> {
        self.append_call_events(call, events).boxed()
    }

    fn events(&self, call: CallId, minimum: Severity, limit: u32) -> Pending<'_, Vec<StoredEvent>> {
        self.call_events(call, minimum, limit).boxed()
    }
}

pub(super) fn read(row: &SqliteRow) -> Result<StoredCall, StorageError> {
    let row = Reading::new(row, "calls", "id")?;
    let ended = match (row.optional_time("ended_us")?, row.plain::<Option<String>>("end_reason")?) {
        (None, None) => None,
        (Some(at), Some(reason)) => {
            Some((at, reason_of(&reason).ok_or_else(|| row.wrong("end_reason", &"it is no end reason"))?))
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(row.wrong("end_reason", &"a call has an end and a reason for it, or neither"));
        }
    };
    Ok(StoredCall {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        created: row.time("created_us")?,
        joined: row.optional_time("joined_us")?,
        ended,
        client_version: row.plain("client_version")?,
        greeting_prompt: row.plain("greeting_prompt")?,
        request: row.json("request")?,
    })
}

const REASONS: [EndReason; 6] = [
    EndReason::AgentHangUp,
    EndReason::ConnectionError,
    EndReason::HangUp,
    EndReason::SystemError,
    EndReason::Timeout,
    EndReason::Unjoined,
];

fn reason_word(reason: EndReason) -> &'static str {
    match reason {
        EndReason::AgentHangUp => "agent_hangup",
        EndReason::ConnectionError => "connection_error",
        EndReason::HangUp => "hangup",
        EndReason::SystemError => "system_error",
        EndReason::Timeout => "timeout",
        EndReason::Unjoined => "unjoined",
    }
}

fn reason_of(word: &str) -> Option<EndReason> {
    REASONS.into_iter().find(|reason| reason_word(*reason) == word)
}

/// The rows of a window, of which one more was asked for than is wanted, in the list's order.
pub(super) fn slice<T, K>(
    rows: &[SqliteRow],
    window: &Window<K>,
    read: impl Fn(&SqliteRow) -> Result<T, StorageError>,
) -> Result<Slice<T>, StorageError> {
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let mut items = rows.iter().take(limit).map(read).collect::<Result<Vec<T>, _>>()?;
    match window.direction {
        Direction::Backward => items.reverse(),
        Direction::Forward => {}
    }
    Ok(Slice { items, more: rows.len() > limit })
}

pub(super) fn total(row: &SqliteRow) -> Result<u64, StorageError> {
    let total: i64 = row.try_get("total")?;
    Ok(total.unsigned_abs())
}
