//! The tables, and how they are brought up to date while other nodes use them.
//!
//! A migration only adds: tables, columns that are nullable or have a default, indexes. What it makes superfluous goes with a later
//! release, when no node is left that needs it. So nodes of the release before go on while a new one starts. An index on a table that
//! grows with calls is made CONCURRENTLY, in a migration of its own outside a transaction ([`CONCURRENT`]). One that has been released
//! never changes.

use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::Connection;

/// Nodes that start at the same time look so often whether they may.
const TURN: Duration = Duration::from_millis(100);

/// In a transaction.
const SIMPLE: bool = false;
/// Outside: the one statement in it cannot be in any.
#[expect(dead_code, reason = "no migration so far adds an index to a table that has grown")]
const CONCURRENT: bool = true;

fn migrations() -> Migrator {
    let one = |version, name: &'static str, sql: &'static str, outside| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), outside)
    };
    let mut migrator = Migrator::with_migrations(vec![
        one(1, "stores", include_str!("../../../migrations/postgres/0001_stores.sql"), SIMPLE),
        one(2, "cluster", include_str!("../../../migrations/postgres/0002_cluster.sql"), SIMPLE),
    ]);
    migrator.set_locking(false);
    migrator
}

/// Applies what is missing; of several nodes, one after the other.
pub(super) async fn run(connection: &mut Connection) -> Result<(), MigrateError> {
    // Asking for the lock again and again, and not waiting for it: what waits is in a transaction, and an index that is made
    // CONCURRENTLY waits for all transactions.
    while !ask(connection, "SELECT pg_try_advisory_lock(hashtextextended('migrations', 0))").await? {
        tokio::time::sleep(TURN).await;
    }
    let ran = migrations().run(&mut *connection).await;
    ask(connection, "SELECT pg_advisory_unlock(hashtextextended('migrations', 0))").await?;
    ran
}

async fn ask(connection: &mut Connection, question: &'static str) -> Result<bool, MigrateError> {
    Ok(sqlx::query_scalar(question).fetch_one(connection).await?)
}
