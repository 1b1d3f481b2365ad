//! Nodes in Postgres, by its own clock.
//!
//! What keeps a node alive and what nodes tell each other goes by connections of its own, so that no crowd of other work makes a node
//! look lost. A letter is a row, which goes when it is read, and a word to its node that there is one: so it may have any length, and
//! none is lost while a node cannot hear.

use std::time::Duration;

use antiphon_api::CallId;
use futures::FutureExt as _;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::watch;

use super::super::{Addressee, Beat, ClusterStore, NodeId, Pending, Roll, StorageError, StoredCall};
use super::calls::CALL;
use super::{Postgres, Row, calls, notices};

impl ClusterStore for Postgres {
    fn register(&self, node: NodeId) -> Pending<'_, ()> {
        async move {
            sqlx::query("INSERT INTO nodes (id, seen, leaving) VALUES ($1, clock_timestamp(), FALSE)")
                .bind(node.to_string())
                .execute(&self.control)
                .await?;
            self.node.send_replace(Some(node));
            Ok(())
        }
        .boxed()
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Pending<'a, Option<Roll>> {
        async {
            let own = self.node();
            let lives = sqlx::query("UPDATE nodes SET seen = clock_timestamp(), leaving = $2 WHERE id = $1")
                .bind(&own)
                .bind(beat.leaving)
                .execute(&self.control)
                .await?;
            if lives.rows_affected() == 0 {
                return Ok(None);
            }
            // A lease goes with its node.
            sqlx::query(
                "INSERT INTO leases (name, node) SELECT name, nodes.id FROM unnest($2::TEXT[]) AS name, nodes \
                 WHERE nodes.id = $1 ON CONFLICT (name) DO NOTHING",
            )
            .bind(&own)
            .bind(&beat.wanted)
            .execute(&self.control)
            .await?;
            let others = sqlx::query("SELECT id, leaving FROM nodes WHERE id <> $1 ORDER BY id")
                .bind(&own)
                .fetch_all(&self.control)
                .await?;
            let held = sqlx::query("SELECT name FROM leases WHERE node = $1 ORDER BY name")
                .bind(&own)
                .fetch_all(&self.control)
                .await?;
            let other = |row: &Row| Ok((read_node(row, "id")?, row.try_get("leaving")?));
            Ok(Some(Roll {
                others: others.iter().map(other).collect::<Result<_, StorageError>>()?,
                held: held.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?,
            }))
        }
        .boxed()
    }

    fn release_leases(&self) -> Pending<'_, ()> {
        async {
            sqlx::query("DELETE FROM leases WHERE node = $1")
                .bind(self.node())
                .execute(&self.control)
                .await?;
            Ok(())
        }
        .boxed()
    }

    fn leave(&self) -> Pending<'_, ()> {
        async {
            sqlx::query("DELETE FROM nodes WHERE id = $1").bind(self.node()).execute(&self.control).await?;
            Ok(())
        }
        .boxed()
    }

    fn judge(&self, silent: Duration) -> Pending<'_, Vec<NodeId>> {
        async move {
            let lost = sqlx::query(
                "DELETE FROM nodes WHERE seen < clock_timestamp() - make_interval(secs => $1) RETURNING id",
            )
            .bind(silent.as_secs_f64())
            .fetch_all(&self.control)
            .await?;
            lost.iter().map(|row| read_node(row, "id")).collect()
        }
        .boxed()
    }

    fn take_orphans(&self, limit: u32) -> Pending<'_, u64> {
        async move {
            // A call that another node took meanwhile is locked as it is now, but has been chosen for the node it had before: Postgres
            // does not ask again which rows are missing. So whose it is now is looked at once more.
            let taken = sqlx::query(
                "WITH orphans AS MATERIALIZED ( \
                     SELECT id, node FROM calls WHERE ended_us IS NULL \
                     AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = calls.node) \
                     ORDER BY created_us, id LIMIT $2 FOR UPDATE SKIP LOCKED) \
                 UPDATE calls SET node = $1 FROM orphans WHERE calls.id = orphans.id \
                 AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = orphans.node) \
                 AND EXISTS (SELECT 1 FROM nodes WHERE nodes.id = $1)",
            )
            .bind(self.node())
            .bind(i64::from(limit))
            .execute(&self.control)
            .await?;
            Ok(taken.rows_affected())
        }
        .boxed()
    }

    fn own_calls(&self) -> Pending<'_, Vec<CallId>> {
        async {
            let rows = sqlx::query(
                "SELECT id FROM calls WHERE ended_us IS NULL AND node = $1 ORDER BY created_us, id",
            )
            .bind(self.node())
            .fetch_all(&self.control)
            .await?;
            rows.iter().map(|row| super::Reading::new(row, "calls", "id")?.text("id")).collect()
        }
        .boxed()
    }

    fn find_owned(&self, call: CallId) -> Pending<'_, Option<(StoredCall, Option<NodeId>)>> {
        async move {
            let row = sqlx::query(AssertSqlSafe(format!("SELECT {CALL}, node FROM calls WHERE id = $1")))
                .bind(call.to_string())
                .fetch_optional(&self.control)
                .await?;
            let owned = |row: &Row| {
                let owner = row.try_get::<Option<String>, _>("node")?;
                Ok((calls::read(row)?, owner.map(|_| read_node(row, "node")).transpose()?))
            };
            row.as_ref().map(owned).transpose()
        }
        .boxed()
    }

    fn hand_over(&self, call: CallId, to: NodeId) -> Pending<'_, bool> {
        async move {
            let done = sqlx::query(
                "UPDATE calls SET node = $3 WHERE id = $1 AND node = $2 AND joined_us IS NULL AND ended_us IS NULL \
                 AND EXISTS (SELECT 1 FROM nodes WHERE nodes.id = $3)",
            )
            .bind(call.to_string())
            .bind(self.node())
            .bind(to.to_string())
            .execute(&self.control)
            .await?;
            Ok(done.rows_affected() > 0)
        }
        .boxed()
    }

    fn send<'a>(&'a self, to: Addressee, letter: &'a str) -> Pending<'a, bool> {
        async move {
            let (node, others) = match to {
                Addressee::Node(node) => (Some(node.to_string()), None),
                Addressee::Others => (None, self.node()),
            };
            let sent = sqlx::query(
                "WITH sent AS ( \
                     INSERT INTO letters (node, sent, letter) SELECT id, clock_timestamp(), $3 FROM nodes \
                     WHERE id = $1 OR id <> $2 RETURNING node) \
                 SELECT node, pg_notify($4, $5 || node) FROM sent",
            )
            .bind(node)
            .bind(others)
            .bind(letter)
            .bind(notices::CHANNEL)
            .bind(notices::LETTERS_FOR)
            .fetch_all(&self.control)
            .await?;
            Ok(to == Addressee::Others || !sent.is_empty())
        }
        .boxed()
    }

    fn letters(&self) -> Pending<'_, Vec<(String, Duration)>> {
        async {
            let rows = sqlx::query(
                "DELETE FROM letters WHERE node = $1 RETURNING number, letter, \
                 EXTRACT(EPOCH FROM clock_timestamp() - sent)::FLOAT8 AS age",
            )
            .bind(self.node())
            .fetch_all(&self.control)
            .await?;
            let mut letters = Vec::with_capacity(rows.len());
            for row in &rows {
                let age = Duration::try_from_secs_f64(row.try_get("age")?).unwrap_or_default();
                letters.push((row.try_get::<i64, _>("number")?, row.try_get("letter")?, age));
            }
            letters.sort_unstable_by_key(|(number, ..)| *number);
            Ok(letters.into_iter().map(|(_, letter, age)| (letter, age)).collect())
        }
        .boxed()
    }

    fn mail(&self) -> watch::Receiver<()> {
        self.mail.subscribe()
    }
}

fn read_node(row: &Row, column: &'static str) -> Result<NodeId, StorageError> {
    let row = super::Reading::new(row, "nodes", column)?;
    Ok(NodeId(row.text(column)?))
}
