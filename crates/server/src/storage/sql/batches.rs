//! Batches, in SQL.

use antiphon_api::rest::scheduled_batches::{ScheduledCallRequest, ScheduledCallStatus};
use antiphon_api::{AgentId, BatchId, CallId, Timestamp};
use futures::FutureExt;
use sqlx::{QueryBuilder, Row as _};
use tokio::sync::watch;

use super::super::{
    AccountId, Admission, BatchPlace, BatchStore, Direction, Pending, ScheduledPlace, Settled, Slice,
    StorageError, StoredBatch, StoredCall, StoredScheduledCall, Window,
};
use super::calls::{read as read_call, slice, total};
use super::owned::push_page;
use super::{Alone, Connection, Db, Notice, Reading, Row, Store, alone, storable, tell_nodes, to_json};

/// Calls that are inserted by one statement.
const ROWS: usize = 500;

impl BatchStore for Store {
    fn insert_batch<'a>(
        &'a self,
        batch: &'a StoredBatch,
        calls: &'a [ScheduledCallRequest],
        most: u32,
    ) -> Pending<'a, bool> {
        async move {
            // Before the write lock is taken: writing so much down takes its time.
            let requests: Vec<String> = calls.iter().map(to_json).collect();
            let mut transaction = self.begin_alone(Alone::Account(batch.account)).await?;
            let row = sqlx::query("SELECT COUNT(*) AS total FROM batches WHERE account_id = $1")
                .bind(batch.account.to_string())
                .fetch_one(&mut *transaction)
                .await?;
            if total(&row)? >= u64::from(most) {
                return Ok(false);
            }
            insert(batch, calls.len(), &mut transaction).await?;
            for (chunk, requests) in requests.chunks(ROWS).enumerate() {
                let mut query =
                    QueryBuilder::new("INSERT INTO scheduled_calls (batch_id, position, status, request) ");
                query.push_values(requests.iter().enumerate(), |mut row, (index, request)| {
                    row.push_bind(batch.id.to_string())
                        .push_bind(i64::try_from(chunk * ROWS + index).unwrap_or(i64::MAX))
                        .push_bind(ScheduledCallStatus::Future.as_str())
                        .push_bind(request);
                });
                query.build().execute(&mut *transaction).await?;
            }
            tell_nodes(&mut transaction, Notice::Schedule).await?;
            transaction.commit().await?;
            self.schedule.send_replace(());
            Ok(true)
        }
        .boxed()
    }

    fn find_batch(
        &self,
        account: AccountId,
        agent: AgentId,
        id: BatchId,
    ) -> Pending<'_, Option<StoredBatch>> {
        async move {
            let row =
                sqlx::query("SELECT * FROM batches WHERE id = $1 AND account_id = $2 AND agent_id = $3")
                    .bind(id.to_string())
                    .bind(account.to_string())
                    .bind(agent.to_string())
                    .fetch_optional(&self.pool)
                    .await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn batches(
        &self,
        account: AccountId,
        agent: AgentId,
        window: Window<BatchPlace>,
    ) -> Pending<'_, Slice<StoredBatch>> {
        async move {
            let mut query = QueryBuilder::new("SELECT * FROM batches WHERE agent_id = ");
            query.push_bind(agent.to_string()).push(" AND account_id = ").push_bind(account.to_string());
            let after = window.after.as_ref().map(|after| (after.created, after.id.to_string()));
            push_page(&mut query, "id", window.direction, after, window.limit);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_batches(&self, account: AccountId, agent: AgentId) -> Pending<'_, u64> {
        async move {
            let row =
                sqlx::query("SELECT COUNT(*) AS total FROM batches WHERE agent_id = $1 AND account_id = $2")
                    .bind(agent.to_string())
                    .bind(account.to_string())
                    .fetch_one(&self.pool)
                    .await?;
            total(&row)
        }
        .boxed()
    }

    fn update_batch<'a>(&'a self, batch: &'a StoredBatch) -> Pending<'a, bool> {
        async move {
            // A throttle is deleted only where no batch that goes on has it.
            let mut transaction = self.begin_alone(Alone::Account(batch.account)).await?;
            let updated = sqlx::query(
                "UPDATE batches SET settings = $4, throttle_id = $5, window_end_us = $6, paused = $7, \
                 next_us = $8, failures = 0, version = version + 1 \
                 WHERE id = $1 AND account_id = $2 AND version = $3 AND ended_us IS NULL",
            )
            .bind(batch.id.to_string())
            .bind(batch.account.to_string())
            .bind(batch.version.cast_signed())
            .bind(to_json(&batch.settings))
            .bind(batch.throttle.map(|throttle| throttle.to_string()))
            .bind(batch.settings.window_end.map(Timestamp::unix_micros))
            .bind(batch.settings.paused)
            .bind(batch.next_us())
            .execute(&mut *transaction)
            .await?;
            tell_nodes(&mut transaction, Notice::Schedule).await?;
            transaction.commit().await?;
            self.schedule.send_replace(());
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_batch(&self, account: AccountId, agent: AgentId, id: BatchId) -> Pending<'_, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Batch(id)).await?;
            // Its calls that were not created go with it.
            let deleted =
                sqlx::query("DELETE FROM batches WHERE id = $1 AND account_id = $2 AND agent_id = $3")
                    .bind(id.to_string())
                    .bind(account.to_string())
                    .bind(agent.to_string())
                    .execute(&mut *transaction)
                    .await?;
            transaction.commit().await?;
            Ok(deleted.rows_affected() == 1)
        }
        .boxed()
    }

    fn scheduled_calls(
        &self,
        batch: BatchId,
        status: Option<ScheduledCallStatus>,
        window: Window<u32>,
    ) -> Pending<'_, Slice<StoredScheduledCall>> {
        async move {
            let mut query = QueryBuilder::new("SELECT * FROM scheduled_calls WHERE batch_id = ");
            query.push_bind(batch.to_string());
            if let Some(status) = status {
                query.push(" AND status = ").push_bind(status.as_str());
            }
            push_window(&mut query, "position", &window);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read_scheduled)
        }
        .boxed()
    }

    fn count_scheduled_calls(&self, batch: BatchId, status: Option<ScheduledCallStatus>) -> Pending<'_, u64> {
        async move {
            let query = match status {
                None => sqlx::query("SELECT total FROM batches WHERE id = $1").bind(batch.to_string()),
                Some(status) => sqlx::query(
                    "SELECT COUNT(*) AS total FROM scheduled_calls WHERE batch_id = $1 AND status = $2",
                )
                .bind(batch.to_string())
                .bind(status.as_str()),
            };
            query.fetch_optional(&self.pool).await?.as_ref().map_or(Ok(0), total)
        }
        .boxed()
    }

    fn created_calls(&self, batch: BatchId, window: Window<u32>) -> Pending<'_, Slice<(u32, StoredCall)>> {
        async move {
            let mut query = QueryBuilder::new("SELECT * FROM calls WHERE batch_id = ");
            query.push_bind(batch.to_string());
            push_window(&mut query, "batch_position", &window);
            let read =
                |row: &Row| Ok((Reading::new(row, "calls", "id")?.count("batch_position")?, read_call(row)?));
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_created_calls(&self, batch: BatchId) -> Pending<'_, u64> {
        async move {
            let row = sqlx::query("SELECT COUNT(*) AS total FROM calls WHERE batch_id = $1")
                .bind(batch.to_string())
                .fetch_one(&self.pool)
                .await?;
            total(&row)
        }
        .boxed()
    }

    fn schedule(&self) -> watch::Receiver<()> {
        self.schedule.subscribe()
    }

    fn due_batches<'a>(
        &'a self,
        now: Timestamp,
        but: &'a [AccountId],
        limit: u32,
    ) -> Pending<'a, Vec<StoredBatch>> {
        async move {
            let mut query =
                QueryBuilder::new("SELECT * FROM batches WHERE next_us IS NOT NULL AND next_us <= ");
            query.push_bind(now.unix_micros());
            for account in but {
                query.push(" AND account_id <> ").push_bind(account.to_string());
            }
            query.push(" ORDER BY next_us, id LIMIT ").push_bind(i64::from(limit));
            let rows = query.build().fetch_all(&self.pool).await?;
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn next_due(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>> {
        async move {
            let row = sqlx::query("SELECT MIN(next_us) AS next FROM batches WHERE next_us > $1")
                .bind(now.unix_micros())
                .fetch_one(&self.pool)
                .await?;
            let next: Option<i64> = row.try_get("next")?;
            Ok(next.and_then(|next| Timestamp::from_unix_micros(next).ok()))
        }
        .boxed()
    }

    fn next_scheduled_call(&self, batch: BatchId) -> Pending<'_, Option<StoredScheduledCall>> {
        async move {
            let row = sqlx::query(
                "SELECT * FROM scheduled_calls WHERE batch_id = $1 AND status = $2 ORDER BY position LIMIT 1",
            )
            .bind(batch.to_string())
            .bind(ScheduledCallStatus::Future.as_str())
            .fetch_optional(&self.pool)
            .await?;
            row.as_ref().map(read_scheduled).transpose()
        }
        .boxed()
    }

    fn untold_calls(&self, batch: Option<BatchId>, limit: u32) -> Pending<'_, Vec<(ScheduledPlace, CallId)>> {
        async move {
            let mut query = QueryBuilder::new(
                "SELECT batch_id, position, call_id FROM scheduled_calls \
                 WHERE status = 'PENDING' AND call_id IS NOT NULL",
            );
            if let Some(batch) = batch {
                query.push(" AND batch_id = ").push_bind(batch.to_string());
            }
            query.push(" LIMIT ").push_bind(i64::from(limit));
            let rows = query.build().fetch_all(&self.pool).await?;
            let untold = |row: &Row| {
                let row = Reading::new(row, "scheduled_calls", "batch_id")?;
                let place = ScheduledPlace { batch: row.text("batch_id")?, position: row.count("position")? };
                Ok((place, row.text("call_id")?))
            };
            rows.iter().map(untold).collect()
        }
        .boxed()
    }

    fn settle_call<'a>(
        &'a self,
        place: ScheduledPlace,
        settled: &'a Settled,
        at: Timestamp,
    ) -> Pending<'a, ()> {
        async move {
            let (status, error) = match settled {
                Settled::Success => (ScheduledCallStatus::Success, None),
                Settled::Error(why) => (ScheduledCallStatus::Error, Some(why.as_str())),
            };
            let mut transaction = self.begin_alone(Alone::Batch(place.batch)).await?;
            let updated = sqlx::query(
                "UPDATE scheduled_calls SET status = $3, error = $4 \
                 WHERE batch_id = $1 AND position = $2 AND status IN ('FUTURE', 'PENDING')",
            )
            .bind(place.batch.to_string())
            .bind(i64::from(place.position))
            .bind(status.as_str())
            .bind(error.map(storable))
            .execute(&mut *transaction)
            .await?;
            if updated.rows_affected() == 1 {
                sqlx::query("UPDATE batches SET completed = completed + 1 WHERE id = $1")
                    .bind(place.batch.to_string())
                    .execute(&mut *transaction)
                    .await?;
                end_if_done(place.batch, at, &mut transaction).await?;
            }
            Ok(transaction.commit().await?)
        }
        .boxed()
    }

    fn expire_batch(&self, batch: BatchId, at: Timestamp) -> Pending<'_, ()> {
        async move {
            let mut transaction = self.begin_alone(Alone::Batch(batch)).await?;
            sqlx::query("UPDATE scheduled_calls SET status = $2 WHERE batch_id = $1 AND status = $3")
                .bind(batch.to_string())
                .bind(ScheduledCallStatus::Expired.as_str())
                .bind(ScheduledCallStatus::Future.as_str())
                .execute(&mut *transaction)
                .await?;
            sqlx::query("UPDATE batches SET next_us = NULL WHERE id = $1")
                .bind(batch.to_string())
                .execute(&mut *transaction)
                .await?;
            end_if_done(batch, at, &mut transaction).await?;
            Ok(transaction.commit().await?)
        }
        .boxed()
    }

    fn postpone_batch(
        &self,
        batch: BatchId,
        version: u64,
        until: Timestamp,
        failures: u32,
    ) -> Pending<'_, ()> {
        async move {
            sqlx::query(
                "UPDATE batches SET next_us = $3, failures = $4 \
                 WHERE id = $1 AND version = $2 AND ended_us IS NULL",
            )
            .bind(batch.to_string())
            .bind(version.cast_signed())
            .bind(until.unix_micros())
            .bind(i64::from(failures))
            .execute(&self.pool)
            .await?;
            Ok(())
        }
        .boxed()
    }
}

async fn insert(batch: &StoredBatch, calls: usize, connection: &mut Connection) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO batches (id, account_id, agent_id, created_us, settings, throttle_id, window_end_us, paused, \
         total, completed, ended_us, failures, next_us, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, 0, $11, 0)",
    )
    .bind(batch.id.to_string())
    .bind(batch.account.to_string())
    .bind(batch.agent.to_string())
    .bind(batch.created.unix_micros())
    .bind(to_json(&batch.settings))
    .bind(batch.throttle.map(|throttle| throttle.to_string()))
    .bind(batch.settings.window_end.map(Timestamp::unix_micros))
    .bind(batch.settings.paused)
    .bind(i64::try_from(calls).unwrap_or(i64::MAX))
    .bind(batch.ended.map(Timestamp::unix_micros))
    .bind(batch.next_us())
    .execute(connection)
    .await?;
    Ok(())
}

/// Has a transaction be alone with the batches of an agent.
pub(super) async fn alone_with_all_of(
    agent: AgentId,
    connection: &mut Connection,
) -> Result<(), StorageError> {
    let rows = sqlx::query("SELECT id FROM batches WHERE agent_id = $1 ORDER BY id")
        .bind(agent.to_string())
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let id = Reading::new(row, "batches", "id")?.text("id")?;
        alone(connection, Alone::Batch(id)).await?;
    }
    Ok(())
}

/// Whether a call's turn in its batch may come, and has not; then it is noted that it is created. The connection is in a transaction.
pub(super) async fn claim(
    place: ScheduledPlace,
    call: &StoredCall,
    connection: &mut Connection,
) -> Result<Result<(), Admission>, StorageError> {
    alone(connection, Alone::Batch(place.batch)).await?;
    let row = sqlx::query("SELECT * FROM batches WHERE id = $1")
        .bind(place.batch.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let batch = row.as_ref().map(read).transpose()?;
    if !batch.is_some_and(|batch| batch.is_open(call.created)) {
        return Ok(Err(Admission::Unscheduled));
    }
    let claimed = sqlx::query(
        "UPDATE scheduled_calls SET status = $3, call_id = $4 \
         WHERE batch_id = $1 AND position = $2 AND status = $5",
    )
    .bind(place.batch.to_string())
    .bind(i64::from(place.position))
    .bind(ScheduledCallStatus::Pending.as_str())
    .bind(call.id.to_string())
    .bind(ScheduledCallStatus::Future.as_str())
    .execute(connection)
    .await?;
    Ok(if claimed.rows_affected() == 1 { Ok(()) } else { Err(Admission::Unscheduled) })
}

/// Notes where a call comes from that has just been inserted.
pub(super) async fn mark(
    place: ScheduledPlace,
    call: CallId,
    connection: &mut Connection,
) -> Result<(), StorageError> {
    sqlx::query("UPDATE calls SET batch_id = $2, batch_position = $3 WHERE id = $1")
        .bind(call.to_string())
        .bind(place.batch.to_string())
        .bind(i64::from(place.position))
        .execute(connection)
        .await?;
    Ok(())
}

async fn end_if_done(batch: BatchId, at: Timestamp, connection: &mut Connection) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE batches SET ended_us = $2, next_us = NULL WHERE id = $1 AND ended_us IS NULL AND NOT EXISTS \
         (SELECT 1 FROM scheduled_calls WHERE batch_id = $1 AND status = 'FUTURE') AND NOT EXISTS \
         (SELECT 1 FROM scheduled_calls WHERE batch_id = $1 AND status = 'PENDING')",
    )
    .bind(batch.to_string())
    .bind(at.unix_micros())
    .execute(connection)
    .await?;
    Ok(())
}

fn push_window(query: &mut QueryBuilder<Db>, key: &'static str, window: &Window<u32>) {
    let (sign, way) = match window.direction {
        Direction::Forward => (" > ", ""),
        Direction::Backward => (" < ", " DESC"),
    };
    if let Some(after) = window.after {
        query.push(" AND ").push(key).push(sign).push_bind(i64::from(after));
    }
    query.push(" ORDER BY ").push(key).push(way);
    query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
}

fn read(row: &Row) -> Result<StoredBatch, StorageError> {
    let row = Reading::new(row, "batches", "id")?;
    let throttle = match row.plain::<Option<String>>("throttle_id")? {
        None => None,
        Some(_) => Some(row.text("throttle_id")?),
    };
    Ok(StoredBatch {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        agent: row.text("agent_id")?,
        created: row.time("created_us")?,
        settings: row.json("settings")?,
        throttle,
        total: row.version("total")?,
        completed: row.version("completed")?,
        ended: row.optional_time("ended_us")?,
        failures: row.count("failures")?,
        version: row.version("version")?,
    })
}

fn read_scheduled(row: &Row) -> Result<StoredScheduledCall, StorageError> {
    let row = Reading::new(row, "scheduled_calls", "batch_id")?;
    let status: String = row.plain("status")?;
    let call = match row.plain::<Option<String>>("call_id")? {
        None => None,
        Some(_) => Some(row.text("call_id")?),
    };
    Ok(StoredScheduledCall {
        position: row.count("position")?,
        status: ScheduledCallStatus::from_word(&status)
            .ok_or_else(|| row.wrong("status", &"it is no status"))?,
        call,
        error: row.plain("error")?,
        request: row.json("request")?,
    })
}
