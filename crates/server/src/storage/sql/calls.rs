//! Calls, in SQL.

use antiphon_api::rest::webhooks::WebhookEvent;
use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use futures::FutureExt;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::{
    AccountId, Addition, Admission, CallAgent, CallStore, Deletion, EventNumber, MessageChoice, MessagePlace,
    Pending, Severity, Slice, StorageError, StoredCall, StoredEvent, StoredMessage, StoredStage, Summary,
    Terms, Window,
};
use super::{
    Alone, CALL_NUMBER, Connection, Reading, Row, Store, batches, deliveries, endings, storable, texts,
    throttles, to_json,
};
use crate::storage::Direction;
use crate::storage::catalog::{Facts, micros};

/// What is read of a call.
pub(super) const CALL: &str = "calls.id, calls.account_id, calls.created_us, calls.joined_us, calls.ended_us, \
     calls.end_reason, calls.client_version, calls.greeting_prompt, calls.request, calls.agent_id, \
     calls.agent_name, calls.agent_revision_id, calls.short_summary, calls.summary";

impl CallStore for Store {
    fn insert<'a>(&'a self, call: &'a StoredCall) -> Pending<'a, ()> {
        async {
            let mut transaction = self.begin().await?;
            insert(call, self.node(), &mut transaction).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(())
        }
        .boxed()
    }

    fn insert_on<'a>(&'a self, call: &'a StoredCall, terms: &'a Terms) -> Pending<'a, Admission> {
        async {
            let mut transaction = match terms.most_at_a_time {
                Some(_) => self.begin_alone(Alone::Account(call.account)).await?,
                None => self.begin().await?,
            };
            if let Some(most) = terms.most_at_a_time
                && unended(call.account, &mut transaction).await? >= i64::from(most)
            {
                return Ok(Admission::Crowded);
            }
            if let Some(place) = terms.scheduled
                && let Err(refused) = batches::claim(place, call, &mut transaction).await?
            {
                return Ok(refused);
            }
            if let Some(throttle) = terms.throttle
                && let Err(refused) = throttles::count(throttle, call, &mut transaction).await?
            {
                return Ok(refused);
            }
            insert(call, self.node(), &mut transaction).await?;
            if let Some(place) = terms.scheduled {
                batches::mark(place, call.id, &mut transaction).await?;
            }
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(Admission::Kept)
        }
        .boxed()
    }

    fn find(&self, id: CallId) -> Pending<'_, Option<StoredCall>> {
        async move {
            let row = sqlx::query(AssertSqlSafe(format!("SELECT {CALL} FROM calls WHERE id = $1")))
                .bind(id.to_string())
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn unfinished(&self) -> Pending<'_, Vec<StoredCall>> {
        async {
            let sql = format!("SELECT {CALL} FROM calls WHERE ended_us IS NULL ORDER BY created_us, id");
            sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool).await?.iter().map(read).collect()
        }
        .boxed()
    }

    fn mark_joined<'a>(
        &'a self,
        id: CallId,
        at: Timestamp,
        client_version: Option<&'a str>,
    ) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin().await?;
            let row = sqlx::query(AssertSqlSafe(format!(
                "UPDATE calls SET joined_us = $2, client_version = $3 \
                 WHERE id = $1 AND joined_us IS NULL AND ended_us IS NULL AND node IS NOT DISTINCT FROM $4 \
                 RETURNING {CALL}"
            )))
            .bind(id.to_string())
            .bind(at.unix_micros())
            .bind(client_version.map(storable))
            .bind(self.node())
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(call) = row.as_ref().map(read).transpose()? else { return Ok(false) };
            deliveries::enqueue(&mut transaction, &call, WebhookEvent::Joined, at).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(true)
        }
        .boxed()
    }

    fn mark_ended(&self, id: CallId, at: Timestamp, reason: EndReason) -> Pending<'_, bool> {
        async move {
            let mut transaction = self.begin().await?;
            let row = sqlx::query(AssertSqlSafe(format!(
                "UPDATE calls SET ended_us = $2, end_reason = $3, \
                 duration_us = CASE WHEN joined_us < $2 THEN $2 - joined_us ELSE 0 END \
                 WHERE id = $1 AND ended_us IS NULL AND node IS NOT DISTINCT FROM $4 RETURNING {CALL}"
            )))
            .bind(id.to_string())
            .bind(at.unix_micros())
            .bind(reason_word(reason))
            .bind(self.node())
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(call) = row.as_ref().map(read).transpose()? else { return Ok(false) };
            endings::insert(&mut transaction, id, at, call.is_deleted_after_billing()).await?;
            for event in EventNumber::AT_THE_END {
                deliveries::enqueue(&mut transaction, &call, event, at).await?;
            }
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(true)
        }
        .boxed()
    }

    fn delete(&self, account: AccountId, id: CallId, at: Timestamp) -> Pending<'_, Deletion> {
        async move {
            let mut transaction = self.begin_alone(Alone::Ending(id)).await?;
            let row = sqlx::query(AssertSqlSafe(format!("SELECT {CALL} FROM calls WHERE id = $1 AND account_id = $2")))
                .bind(id.to_string())
                .bind(account.to_string())
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(call) = row.as_ref().map(read).transpose()? else { return Ok(Deletion::Unknown) };
            let Some((ended, reason)) = call.ended else { return Ok(Deletion::Live) };
            let stone = call.tombstone(at);
            let facts = Facts::of_tombstone(&stone, call.agent.as_ref().map(|agent| agent.id));
            let longest = stone.max_duration.to_std().map_or(0, micros);
            let row = sqlx::query(
                "INSERT INTO tombstones (call_id, account_id, created_us, joined_us, ended_us, end_reason, \
                 recording_enabled, deleted_us, agent_id, duration_us, max_duration_us, had_summary, number) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, (SELECT number FROM calls WHERE id = $1)) \
                 RETURNING number",
            )
            .bind(stone.id.to_string())
            .bind(stone.account.to_string())
            .bind(stone.created.unix_micros())
            .bind(stone.joined.map(Timestamp::unix_micros))
            .bind(ended.unix_micros())
            .bind(reason_word(reason))
            .bind(stone.recording_enabled)
            .bind(stone.deleted.unix_micros())
            .bind(facts.agent.map(|agent| agent.to_string()))
            .bind(facts.duration_us)
            .bind(longest)
            .bind(stone.had_summary)
            .fetch_one(&mut *transaction)
            .await?;
            let number: i64 = row.try_get("number")?;
            deliveries::forget(&mut transaction, id, at).await?;
            // Messages, events and its ending go with it.
            sqlx::query("DELETE FROM calls WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
            texts::keep(&mut transaction, account, -number, &facts).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(Deletion::Deleted)
        }
        .boxed()
    }

    fn append<'a>(&'a self, additions: &'a [Addition<'a>]) -> Pending<'a, ()> {
        self.append_to_records(additions).boxed()
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

    fn events(&self, call: CallId, minimum: Severity, limit: u32) -> Pending<'_, Vec<StoredEvent>> {
        self.call_events(call, minimum, limit).boxed()
    }
}

/// How many calls of an account have not ended.
async fn unended(account: AccountId, connection: &mut Connection) -> Result<i64, StorageError> {
    let row = sqlx::query("SELECT COUNT(*) AS total FROM calls WHERE account_id = $1 AND ended_us IS NULL")
        .bind(account.to_string())
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("total")?)
}

/// Keeps a new call of a node, and that it is to be told, in whatever transaction the connection is.
async fn insert(
    call: &StoredCall,
    node: Option<String>,
    connection: &mut Connection,
) -> Result<(), StorageError> {
    let agent = call.agent.as_ref();
    let facts = Facts::of(call);
    let sql = format!(
        "INSERT INTO calls (id, account_id, created_us, joined_us, ended_us, end_reason, client_version, \
         greeting_prompt, recording_enabled, request, agent_id, agent_name, agent_revision_id, duration_us, \
         voice, node, number) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         (SELECT {CALL_NUMBER} FROM accounts WHERE id = $2)) RETURNING number"
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(call.id.to_string())
        .bind(call.account.to_string())
        .bind(call.created.unix_micros())
        .bind(call.joined.map(Timestamp::unix_micros))
        .bind(call.ended.map(|(at, _)| at.unix_micros()))
        .bind(call.ended.map(|(_, reason)| reason_word(reason)))
        .bind(call.client_version.as_deref().map(storable))
        .bind(call.greeting_prompt)
        .bind(call.request.recording_enabled == Some(true))
        .bind(to_json(&call.request))
        .bind(agent.map(|agent| agent.id.to_string()))
        .bind(agent.map(|agent| storable(&agent.name)))
        .bind(agent.map(|agent| agent.revision.to_string()))
        .bind(facts.duration_us)
        .bind(facts.voice.map(storable))
        .bind(node)
        .fetch_one(&mut *connection)
        .await?;
    texts::keep(connection, call.account, row.try_get("number")?, &facts).await?;
    if let Some(agent) = agent {
        sqlx::query("UPDATE agents SET calls = calls + 1 WHERE id = $1")
            .bind(agent.id.to_string())
            .execute(&mut *connection)
            .await?;
    }
    deliveries::enqueue(connection, call, WebhookEvent::Started, call.created).await
}

pub(super) fn read(row: &Row) -> Result<StoredCall, StorageError> {
    let row = Reading::new(row, "calls", "id")?;
    let agent = match row.plain::<Option<String>>("agent_id")? {
        None => None,
        Some(_) => Some(CallAgent {
            id: row.text("agent_id")?,
            name: row.plain("agent_name")?,
            revision: row.text("agent_revision_id")?,
        }),
    };
    Ok(StoredCall {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        created: row.time("created_us")?,
        joined: row.optional_time("joined_us")?,
        ended: ended(&row)?,
        client_version: row.plain("client_version")?,
        greeting_prompt: row.plain("greeting_prompt")?,
        agent,
        summary: match (row.plain("short_summary")?, row.plain("summary")?) {
            (Some(short), Some(long)) => Some(Summary { short, long }),
            (None, _) | (_, None) => None,
        },
        request: row.json("request")?,
    })
}

/// When and why a call ended, if it has.
pub(super) fn ended(row: &Reading<'_>) -> Result<Option<(Timestamp, EndReason)>, StorageError> {
    match (row.optional_time("ended_us")?, row.plain::<Option<String>>("end_reason")?) {
        (None, None) => Ok(None),
        (Some(at), Some(reason)) => {
            let reason = reason_of(&reason).ok_or_else(|| row.wrong("end_reason", &"it is no end reason"))?;
            Ok(Some((at, reason)))
        }
        (Some(_), None) | (None, Some(_)) => {
            Err(row.wrong("end_reason", &"a call has an end and a reason for it, or neither"))
        }
    }
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
    rows: &[Row],
    window: &Window<K>,
    read: impl Fn(&Row) -> Result<T, StorageError>,
) -> Result<Slice<T>, StorageError> {
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let mut items = rows.iter().take(limit).map(read).collect::<Result<Vec<T>, _>>()?;
    match window.direction {
        Direction::Backward => items.reverse(),
        Direction::Forward => {}
    }
    Ok(Slice { items, more: rows.len() > limit })
}

pub(super) fn total(row: &Row) -> Result<u64, StorageError> {
    let total: i64 = row.try_get("total")?;
    Ok(total.unsigned_abs())
}
