//! Deliveries, in SQL.
//!
//! Invariant: of the waiting deliveries of a receiver and a call only the first may have a time at which it is due, and
//! `delivery_queues` has the earliest of these times for each receiver. `advance` and `refresh` keep it, in transactions that are
//! alone with the receiver; whatever settles what is done after a call's end is alone with that before.

use antiphon_api::rest::webhooks::{DeliveryAttempt, WebhookEvent};
use antiphon_api::{CallId, Timestamp, WebhookId};
use futures::FutureExt;
use sqlx::{QueryBuilder, Row as _};
use tokio::sync::watch;

use super::super::deliveries::LOGGED;
use super::super::endings::Phase;
use super::super::{
    AttemptOutcome, DeliveryKey, DeliveryPlace, DeliveryQueue, DeliveryState, DeliveryStore, Direction,
    DueDelivery, EventNumber, Pending, Receiver, Slice, StorageError, StoredCall, StoredDelivery, Window,
};
use super::calls::{slice, total};
use super::{Alone, Connection, Notice, Reading, Row, Store, alone, tell_nodes, to_json, webhooks};

impl DeliveryStore for Store {
    fn outbox(&self) -> watch::Receiver<()> {
        self.outbox.subscribe()
    }

    fn queues(&self, failing: bool, limit: u32) -> Pending<'_, Vec<DeliveryQueue>> {
        async move {
            let rows = sqlx::query(
                "SELECT receiver, due_us FROM delivery_queues WHERE failing = $1 ORDER BY due_us, receiver LIMIT $2",
            )
            .bind(failing)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let read = |row| {
                let row = Reading::new(row, "delivery_queues", "receiver")?;
                Ok(DeliveryQueue { receiver: row.text("receiver")?, due: row.time("due_us")? })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn due<'a>(
        &'a self,
        receiver: &'a Receiver,
        now: Timestamp,
        limit: u32,
    ) -> Pending<'a, Vec<DueDelivery>> {
        async move {
            let rows = sqlx::query(
                "SELECT receiver, call_id, number, attempts FROM deliveries \
                 WHERE receiver = $1 AND due_us <= $2 ORDER BY due_us, call_id LIMIT $3",
            )
            .bind(receiver.to_string())
            .bind(now.unix_micros())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let read = |row| {
                let row = Reading::new(row, "deliveries", "receiver")?;
                let key = DeliveryKey {
                    receiver: receiver.clone(),
                    call: row.text("call_id")?,
                    event: event(&row)?,
                };
                let attempts: Vec<DeliveryAttempt> = row.json("attempts")?;
                Ok(DueDelivery { key, attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX) })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn attempted<'a>(
        &'a self,
        key: &'a DeliveryKey,
        attempt: &'a DeliveryAttempt,
        outcome: AttemptOutcome,
        now: Timestamp,
    ) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin_alone(Alone::Ending(key.call)).await?;
            alone(&mut transaction, Alone::Receiver(&key.receiver)).await?;
            let Some(mut attempts) = waiting(&mut transaction, key).await? else { return Ok(()) };
            attempts.push(attempt.clone());
            let (state, due) = match outcome {
                AttemptOutcome::Delivered => (DeliveryState::Delivered, None),
                AttemptOutcome::GivenUp => (DeliveryState::GivenUp, None),
                AttemptOutcome::Retry(at) => (DeliveryState::Waiting, Some(at)),
            };
            sqlx::query(
                "UPDATE deliveries SET state = $4, due_us = $5, finished_us = $6, attempts = $7 \
                 WHERE receiver = $1 AND call_id = $2 AND number = $3",
            )
            .bind(key.receiver.to_string())
            .bind(key.call.to_string())
            .bind(key.event.number())
            .bind(state.word())
            .bind(due.map(Timestamp::unix_micros))
            .bind(due.is_none().then_some(now.unix_micros()))
            .bind(to_json(&attempts))
            .execute(&mut *transaction)
            .await?;
            if let Receiver::Webhook(id) = &key.receiver
                && let Some(webhook) = webhooks::find(&mut transaction, *id).await?
            {
                let mut health = webhook.health.clone();
                match &attempt.failure {
                    None => health.succeed(now),
                    Some(failure) => health.fail(now, failure, outcome == AttemptOutcome::GivenUp),
                }
                if health != webhook.health {
                    webhooks::keep_health(&mut transaction, *id, &health).await?;
                }
            }
            if due.is_none() {
                finish(&mut transaction, key, now).await?;
            }
            refresh(&mut transaction, &key.receiver, Some(attempt.failure.is_some())).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(())
        }
        .boxed()
    }

    fn cancel_delivery<'a>(&'a self, key: &'a DeliveryKey, now: Timestamp) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin_alone(Alone::Ending(key.call)).await?;
            alone(&mut transaction, Alone::Receiver(&key.receiver)).await?;
            if waiting(&mut transaction, key).await?.is_none() {
                return Ok(());
            }
            let update = "UPDATE deliveries SET state = 'canceled', due_us = NULL, finished_us = $4 \
                          WHERE receiver = $1 AND call_id = $2 AND number = $3";
            sqlx::query(update)
                .bind(key.receiver.to_string())
                .bind(key.call.to_string())
                .bind(key.event.number())
                .bind(now.unix_micros())
                .execute(&mut *transaction)
                .await?;
            finish(&mut transaction, key, now).await?;
            refresh(&mut transaction, &key.receiver, None).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(())
        }
        .boxed()
    }

    fn deliveries(
        &self,
        webhook: WebhookId,
        window: Window<DeliveryPlace>,
    ) -> Pending<'_, Slice<StoredDelivery>> {
        async move {
            let falling = match window.direction {
                Direction::Forward => true,
                Direction::Backward => false,
            };
            let mut query = QueryBuilder::new("SELECT * FROM deliveries WHERE receiver = ");
            query.push_bind(Receiver::Webhook(webhook).to_string());
            if let Some(after) = &window.after {
                query.push(" AND (created_us, call_id, number) ").push(if falling { "< (" } else { "> (" });
                query.push_bind(after.created.unix_micros());
                query.push(", ").push_bind(after.call.to_string());
                query.push(", ").push_bind(after.event.number()).push(")");
            }
            let way = if falling { " DESC" } else { "" };
            query
                .push(" ORDER BY created_us")
                .push(way)
                .push(", call_id")
                .push(way)
                .push(", number")
                .push(way);
            query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_deliveries(&self, webhook: WebhookId) -> Pending<'_, u64> {
        async move {
            let row = sqlx::query("SELECT COUNT(*) AS total FROM deliveries WHERE receiver = $1")
                .bind(Receiver::Webhook(webhook).to_string())
                .fetch_one(&self.pool)
                .await?;
            total(&row)
        }
        .boxed()
    }

    fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Pending<'_, u64> {
        async move {
            let deleted = sqlx::query(
                "DELETE FROM deliveries WHERE (receiver, call_id, number) IN \
                 (SELECT receiver, call_id, number FROM deliveries WHERE finished_us < $1 ORDER BY finished_us LIMIT $2)",
            )
            .bind(before.unix_micros())
            .bind(i64::from(limit))
            .execute(&self.pool)
            .await?;
            Ok(deleted.rows_affected())
        }
        .boxed()
    }
}

/// Keeps what happened to a call for everybody who wants to know.
pub(super) async fn enqueue(
    connection: &mut Connection,
    call: &StoredCall,
    event: WebhookEvent,
    at: Timestamp,
) -> Result<(), StorageError> {
    let number = EventNumber::from(event);
    let rows = sqlx::query(
        "SELECT id FROM webhooks WHERE account_id = $1 AND (agent_id IS NULL OR agent_id = $2) AND events & $3 <> 0",
    )
    .bind(call.account.to_string())
    .bind(call.agent.as_ref().map(|agent| agent.id.to_string()))
    .bind(number.bit())
    .fetch_all(&mut *connection)
    .await?;
    let mut receivers = Vec::with_capacity(rows.len() + 1);
    for row in &rows {
        let row = Reading::new(row, "webhooks", "id")?;
        receivers.push(Receiver::Webhook(row.text("id")?));
    }
    receivers.extend(call.callback(event).and_then(|callback| Receiver::of_callback(call.account, callback)));
    receivers.sort_unstable();
    for receiver in receivers {
        alone(connection, Alone::Receiver(&receiver)).await?;
        sqlx::query(
            "INSERT INTO deliveries (receiver, call_id, number, created_us, state, attempts) \
             VALUES ($1, $2, $3, $4, 'waiting', '[]') ON CONFLICT DO NOTHING",
        )
        .bind(receiver.to_string())
        .bind(call.id.to_string())
        .bind(number.number())
        .bind(at.unix_micros())
        .execute(&mut *connection)
        .await?;
        advance(connection, &receiver, call.id, at).await?;
    }
    Ok(())
}

/// Lets the first waiting delivery of a receiver and a call be attempted, unless it is held back.
async fn advance(
    connection: &mut Connection,
    receiver: &Receiver,
    call: CallId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = sqlx::query(
        "SELECT receiver, number, due_us, EXISTS (SELECT 1 FROM endings WHERE call_id = $2 AND phase = $3) AS held \
         FROM deliveries WHERE receiver = $1 AND call_id = $2 AND state = 'waiting' ORDER BY number LIMIT 1",
    )
    .bind(receiver.to_string())
    .bind(call.to_string())
    .bind(Phase::Held.number())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let row = Reading::new(&row, "deliveries", "receiver")?;
    let first = event(&row)?;
    if row.optional_time("due_us")?.is_some() || (first.is_at_the_end() && row.plain::<bool>("held")?) {
        return Ok(());
    }
    sqlx::query("UPDATE deliveries SET due_us = $4 WHERE receiver = $1 AND call_id = $2 AND number = $3")
        .bind(receiver.to_string())
        .bind(call.to_string())
        .bind(first.number())
        .bind(now.unix_micros())
        .execute(&mut *connection)
        .await?;
    refresh(connection, receiver, None).await
}

/// Brings the queue of a receiver up to date, and with it whether its last attempt failed, if there was one.
async fn refresh(
    connection: &mut Connection,
    receiver: &Receiver,
    failing: Option<bool>,
) -> Result<(), StorageError> {
    let row = sqlx::query(
        "SELECT MIN(due_us) AS due_us FROM deliveries WHERE receiver = $1 AND due_us IS NOT NULL",
    )
    .bind(receiver.to_string())
    .fetch_one(&mut *connection)
    .await?;
    let Some(due) = row.try_get::<Option<i64>, _>("due_us")? else {
        sqlx::query("DELETE FROM delivery_queues WHERE receiver = $1")
            .bind(receiver.to_string())
            .execute(connection)
            .await?;
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO delivery_queues (receiver, due_us, failing) VALUES ($1, $2, COALESCE($3, FALSE)) \
         ON CONFLICT (receiver) DO UPDATE SET due_us = $2, failing = COALESCE($3, delivery_queues.failing)",
    )
    .bind(receiver.to_string())
    .bind(due)
    .bind(failing)
    .execute(&mut *connection)
    .await?;
    tell_nodes(connection, Notice::Outbox).await
}

/// What follows from the end of a delivery: the next one may be attempted, the log stays bounded, the call may be deletable.
async fn finish(connection: &mut Connection, key: &DeliveryKey, now: Timestamp) -> Result<(), StorageError> {
    let receiver = key.receiver.to_string();
    match &key.receiver {
        // Nobody can read what became of a callback.
        Receiver::Callback { .. } => {
            sqlx::query("DELETE FROM deliveries WHERE receiver = $1 AND call_id = $2 AND number = $3")
                .bind(&receiver)
                .bind(key.call.to_string())
                .bind(key.event.number())
                .execute(&mut *connection)
                .await?;
        }
        Receiver::Webhook(_) => {
            sqlx::query(
                "DELETE FROM deliveries WHERE receiver = $1 AND finished_us <= (SELECT finished_us FROM deliveries \
                 WHERE receiver = $1 AND finished_us IS NOT NULL ORDER BY finished_us DESC LIMIT 1 OFFSET $2)",
            )
            .bind(&receiver)
            .bind(i64::from(LOGGED))
            .execute(&mut *connection)
            .await?;
        }
    }
    advance(connection, &key.receiver, key.call, now).await?;
    settle(connection, key.call).await
}

/// Lets a call be deleted that waits for its deliveries alone, once they are over.
pub(super) async fn settle(connection: &mut Connection, call: CallId) -> Result<(), StorageError> {
    let settled = sqlx::query(
        "UPDATE endings SET phase = $3 WHERE call_id = $1 AND phase = $2 \
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE call_id = $1 AND state = 'waiting')",
    )
    .bind(call.to_string())
    .bind(Phase::Delivering.number())
    .bind(Phase::Deletable.number())
    .execute(&mut *connection)
    .await?;
    if settled.rows_affected() > 0 {
        tell_nodes(connection, Notice::Outbox).await?;
    }
    Ok(())
}

/// Lets what waited for the release of a call's ending be attempted.
pub(super) async fn release(
    connection: &mut Connection,
    call: CallId,
    now: Timestamp,
) -> Result<(), StorageError> {
    for receiver in alone_with_receivers(connection, call).await? {
        advance(connection, &receiver, call, now).await?;
    }
    Ok(())
}

/// Cancels what waits of a call that is deleted.
pub(super) async fn forget(
    connection: &mut Connection,
    call: CallId,
    now: Timestamp,
) -> Result<(), StorageError> {
    let receivers = alone_with_receivers(connection, call).await?;
    sqlx::query("DELETE FROM deliveries WHERE call_id = $1 AND receiver LIKE 'callback:%'")
        .bind(call.to_string())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE deliveries SET state = 'canceled', due_us = NULL, finished_us = $2 \
         WHERE call_id = $1 AND state = 'waiting'",
    )
    .bind(call.to_string())
    .bind(now.unix_micros())
    .execute(&mut *connection)
    .await?;
    for receiver in receivers {
        refresh(connection, &receiver, None).await?;
    }
    Ok(())
}

/// Whom something of a call waits for; the transaction is alone with all of them from here on.
async fn alone_with_receivers(
    connection: &mut Connection,
    call: CallId,
) -> Result<Vec<Receiver>, StorageError> {
    let rows =
        sqlx::query("SELECT DISTINCT receiver FROM deliveries WHERE call_id = $1 AND state = 'waiting'")
            .bind(call.to_string())
            .fetch_all(&mut *connection)
            .await?;
    let read = |row| Reading::new(row, "deliveries", "receiver")?.text("receiver");
    let mut receivers = rows.iter().map(read).collect::<Result<Vec<Receiver>, StorageError>>()?;
    receivers.sort_unstable();
    for receiver in &receivers {
        alone(connection, Alone::Receiver(receiver)).await?;
    }
    Ok(receivers)
}

/// The attempts at a delivery, if it waits.
async fn waiting(
    connection: &mut Connection,
    key: &DeliveryKey,
) -> Result<Option<Vec<DeliveryAttempt>>, StorageError> {
    let row = sqlx::query(
        "SELECT receiver, attempts FROM deliveries \
         WHERE receiver = $1 AND call_id = $2 AND number = $3 AND state = 'waiting'",
    )
    .bind(key.receiver.to_string())
    .bind(key.call.to_string())
    .bind(key.event.number())
    .fetch_optional(connection)
    .await?;
    row.map(|row| Reading::new(&row, "deliveries", "receiver")?.json("attempts")).transpose()
}

fn event(row: &Reading<'_>) -> Result<EventNumber, StorageError> {
    EventNumber::from_number(row.count("number")?).ok_or_else(|| row.wrong("number", &"it is no event"))
}

fn read(row: &Row) -> Result<StoredDelivery, StorageError> {
    let row = Reading::new(row, "deliveries", "receiver")?;
    let word: String = row.plain("state")?;
    Ok(StoredDelivery {
        call: row.text("call_id")?,
        event: event(&row)?,
        created: row.time("created_us")?,
        state: DeliveryState::of_word(&word).ok_or_else(|| row.wrong("state", &"it is no state"))?,
        due: row.optional_time("due_us")?,
        finished: row.optional_time("finished_us")?,
        attempts: row.json("attempts")?,
    })
}
