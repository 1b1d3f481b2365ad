//! Endings, in SQL.

use antiphon_api::{CallId, Timestamp};
use futures::FutureExt;
use sqlx::Row as _;

use super::super::endings::Phase;
use super::super::{AccountId, Ending, EndingStore, EndingTimes, Pending, StorageError, Summary};
use super::{Alone, Connection, Notice, Reading, Store, deliveries, storable, tell_nodes};

impl EndingStore for Store {
    fn endings(&self, now: Timestamp, limit: u32) -> Pending<'_, Vec<Ending>> {
        async move {
            let rows = sqlx::query(
                "SELECT call_id, ended_us, phase, attempts FROM endings WHERE phase <= $1 AND due_us <= $2 \
                 ORDER BY phase, ended_us, call_id LIMIT $3",
            )
            .bind(Phase::Late.number())
            .bind(now.unix_micros())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let read = |row| {
                let row = Reading::new(row, "endings", "call_id")?;
                let held = row.plain::<i64>("phase")? == Phase::Held.number();
                let (call, ended) = (row.text("call_id")?, row.time("ended_us")?);
                Ok(Ending { call, ended, held, attempts: row.count("attempts")? })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn ending_times(&self, now: Timestamp) -> Pending<'_, EndingTimes> {
        async move {
            let row = sqlx::query(
                "SELECT 'all' AS call_id, (SELECT MIN(ended_us) FROM endings WHERE phase = $1) AS held_us, \
                 (SELECT MIN(due_us) FROM endings WHERE phase <= $2 AND due_us > $3) AS attempt_us",
            )
            .bind(Phase::Held.number())
            .bind(Phase::Late.number())
            .bind(now.unix_micros())
            .fetch_one(&self.pool)
            .await?;
            let row = Reading::new(&row, "endings", "call_id")?;
            Ok(EndingTimes { held: row.optional_time("held_us")?, attempt: row.optional_time("attempt_us")? })
        }
        .boxed()
    }

    fn postpone_ending(&self, call: CallId, attempts: u32, due: Timestamp) -> Pending<'_, ()> {
        async move {
            sqlx::query("UPDATE endings SET attempts = $2, due_us = $3 WHERE call_id = $1 AND phase <= $4")
                .bind(call.to_string())
                .bind(i64::from(attempts))
                .bind(due.unix_micros())
                .bind(Phase::Late.number())
                .execute(&self.pool)
                .await?;
            Ok(())
        }
        .boxed()
    }

    fn release_endings(&self, ended_by: Timestamp, now: Timestamp, limit: u32) -> Pending<'_, u32> {
        async move {
            let rows = sqlx::query(
                "SELECT call_id FROM endings WHERE phase = $1 AND ended_us <= $2 ORDER BY ended_us LIMIT $3",
            )
            .bind(Phase::Held.number())
            .bind(ended_by.unix_micros())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            // One after the other: each waits for its own receivers alone.
            let mut released = 0;
            for row in &rows {
                let call = Reading::new(row, "endings", "call_id")?.text("call_id")?;
                released += u32::from(self.release_ending(call, now).await?);
            }
            if released > 0 {
                self.outbox.send_replace(());
            }
            Ok(released)
        }
        .boxed()
    }

    fn finish_ending<'a>(
        &'a self,
        call: CallId,
        summary: Option<&'a Summary>,
        now: Timestamp,
    ) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin_alone(Alone::Ending(call)).await?;
            let row = sqlx::query("SELECT auto_delete FROM endings WHERE call_id = $1 AND phase <= $2")
                .bind(call.to_string())
                .bind(Phase::Late.number())
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(row) = row else { return Ok(()) };
            if let Some(summary) = summary {
                sqlx::query("UPDATE calls SET short_summary = $2, summary = $3 WHERE id = $1")
                    .bind(call.to_string())
                    .bind(storable(&summary.short))
                    .bind(storable(&summary.long))
                    .execute(&mut *transaction)
                    .await?;
            }
            let then = match row.try_get("auto_delete")? {
                true => "UPDATE endings SET phase = $2 WHERE call_id = $1",
                false => "DELETE FROM endings WHERE call_id = $1",
            };
            sqlx::query(then)
                .bind(call.to_string())
                .bind(Phase::Delivering.number())
                .execute(&mut *transaction)
                .await?;
            deliveries::release(&mut transaction, call, now).await?;
            deliveries::settle(&mut transaction, call).await?;
            transaction.commit().await?;
            self.outbox.send_replace(());
            Ok(())
        }
        .boxed()
    }

    fn deletable(&self, limit: u32) -> Pending<'_, Vec<(AccountId, CallId)>> {
        async move {
            let rows = sqlx::query(
                "SELECT calls.id, calls.account_id FROM endings JOIN calls ON calls.id = endings.call_id \
                 WHERE phase = $1 ORDER BY endings.ended_us LIMIT $2",
            )
            .bind(Phase::Deletable.number())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let read = |row| {
                let row = Reading::new(row, "calls", "id")?;
                Ok((AccountId(row.text("account_id")?), row.text("id")?))
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }
}

impl Store {
    /// Has a call's end be told without waiting for its summary any longer; `false` if it does not wait.
    async fn release_ending(&self, call: CallId, now: Timestamp) -> Result<bool, StorageError> {
        let mut transaction = self.begin_alone(Alone::Ending(call)).await?;
        let released = sqlx::query("UPDATE endings SET phase = $3 WHERE call_id = $1 AND phase = $2")
            .bind(call.to_string())
            .bind(Phase::Held.number())
            .bind(Phase::Late.number())
            .execute(&mut *transaction)
            .await?;
        if released.rows_affected() == 0 {
            return Ok(false);
        }
        deliveries::release(&mut transaction, call, now).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Keeps that a call ended and is not done with.
pub(super) async fn insert(
    connection: &mut Connection,
    call: CallId,
    ended: Timestamp,
    auto_delete: bool,
) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO endings (call_id, ended_us, phase, auto_delete) VALUES ($1, $2, $3, $4)")
        .bind(call.to_string())
        .bind(ended.unix_micros())
        .bind(Phase::Held.number())
        .bind(auto_delete)
        .execute(&mut *connection)
        .await?;
    tell_nodes(connection, Notice::Outbox).await
}
