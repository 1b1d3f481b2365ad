//! The stores in SQLite. One file of queries per resource; rows do not leave it.
//!
//! The SQL is also Postgres's: `$1` placeholders, row values, `ON CONFLICT`. Every write is one statement or one transaction
//! that takes the write lock at its beginning, so that none fails halfway because another one was faster.

mod accounts;
mod agents;
mod api_keys;
mod batches;
mod calls;
mod catalog;
mod corpora;
mod deliveries;
mod endings;
mod messages;
mod owned;
mod passages;
mod stages;
mod telephony;
mod throttles;
mod tools;
mod voices;
mod webhooks;

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use antiphon_api::Timestamp;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr};
use tokio::sync::watch;

use super::{Database, OpenError, Pending, StorageError};

/// Takes the write lock now instead of at the first write, where waiting for it would fail the transaction.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// A pool of connections to one file.
pub(super) struct Sqlite {
    pool: SqlitePool,
    /// Tells that there may be something to deliver.
    outbox: watch::Sender<()>,
    /// Tells that there may be scheduled calls to create.
    schedule: watch::Sender<()>,
}

impl Sqlite {
    /// Opens the file, makes it if it is not there, and applies the migrations it lacks.
    pub(super) async fn open(path: &Path) -> Result<Self, OpenError> {
        make_private(path)
            .map_err(|source| OpenError::Open { path: path.to_owned(), source: source.into() })?;
        // WAL lets readers go on while one writes; NORMAL then loses no committed transaction unless the machine itself stops.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            // The index that 100,000 calls are counted by has about this size.
            .pragma("cache_size", "-16384")
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|source| OpenError::Open { path: path.to_owned(), source })?;
        migrations()
            .run(&pool)
            .await
            .map_err(|source| OpenError::Migrate { path: path.to_owned(), source })?;
        Ok(Self { pool, outbox: watch::Sender::default(), schedule: watch::Sender::default() })
    }
}

/// Makes the file, if it is not there, so that only its owner can read it: calls are kept with their secrets. SQLite gives the
/// files beside it the same rights.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// All migrations, in order. One that has been released never changes.
fn migrations() -> Migrator {
    let one = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        one(1, "calls", include_str!("../../migrations/sqlite/0001_calls.sql")),
        one(2, "tools", include_str!("../../migrations/sqlite/0002_tools.sql")),
        one(3, "stages", include_str!("../../migrations/sqlite/0003_stages.sql")),
        one(4, "agents", include_str!("../../migrations/sqlite/0004_agents.sql")),
        one(5, "call lists", include_str!("../../migrations/sqlite/0005_call_lists.sql")),
        one(10, "corpora", include_str!("../../migrations/sqlite/0010_corpora.sql")),
        one(12, "webhooks", include_str!("../../migrations/sqlite/0012_webhooks.sql")),
        one(13, "summaries", include_str!("../../migrations/sqlite/0013_summaries.sql")),
        one(14, "tenants", include_str!("../../migrations/sqlite/0014_tenants.sql")),
        one(15, "call search", include_str!("../../migrations/sqlite/0015_call_search.sql")),
        one(16, "throttles", include_str!("../../migrations/sqlite/0016_throttles.sql")),
        one(17, "batches", include_str!("../../migrations/sqlite/0017_batches.sql")),
        one(18, "telephony", include_str!("../../migrations/sqlite/0018_telephony.sql")),
        one(19, "voices", include_str!("../../migrations/sqlite/0019_voices.sql")),
        one(20, "call heads", include_str!("../../migrations/sqlite/0020_call_heads.sql")),
        one(
            21,
            "documents in parts",
            include_str!("../../migrations/sqlite/0021_corpus_documents_in_parts.sql"),
        ),
        one(22, "summary attempts", include_str!("../../migrations/sqlite/0022_summary_attempts.sql")),
    ])
}

impl Database for Sqlite {
    fn check(&self) -> Pending<'_, ()> {
        async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pool.close().boxed()
    }
}

/// A row of one table, which says where it stands when a value in it makes no sense.
struct Reading<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    id: String,
}

impl<'r> Reading<'r> {
    /// Reads `row` of `table`, whose key is in the column `id`.
    fn new(row: &'r SqliteRow, table: &'static str, id: &'static str) -> Result<Self, StorageError> {
        Ok(Self { row, table, id: row.try_get(id)? })
    }

    fn wrong(&self, column: &'static str, reason: &dyn std::fmt::Display) -> StorageError {
        StorageError::Inconsistent {
            table: self.table,
            column,
            row: self.id.clone(),
            reason: reason.to_string(),
        }
    }

    /// A column that SQL itself has a type for.
    fn plain<T>(&self, column: &'static str) -> Result<T, StorageError>
    where
        T: for<'d> sqlx::Decode<'d, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        Ok(self.row.try_get(column)?)
    }

    /// A column with a number from 0 that is not large.
    fn count(&self, column: &'static str) -> Result<u32, StorageError> {
        let count: i64 = self.plain(column)?;
        u32::try_from(count).map_err(|error| self.wrong(column, &error))
    }

    /// A column with how often something was changed.
    fn version(&self, column: &'static str) -> Result<u64, StorageError> {
        let version: i64 = self.plain(column)?;
        u64::try_from(version).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a text that says a `T`.
    fn text<T: std::str::FromStr<Err: ToString>>(&self, column: &'static str) -> Result<T, StorageError> {
        let text: String = self.plain(column)?;
        text.parse().map_err(|error: T::Err| self.wrong(column, &error.to_string()))
    }

    /// A column with JSON that says a `T`.
    fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StorageError> {
        let text: String = self.plain(column)?;
        serde_json::from_str(&text).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a time.
    fn time(&self, column: &'static str) -> Result<Timestamp, StorageError> {
        Timestamp::from_unix_micros(self.plain(column)?).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a time or nothing.
    fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, StorageError> {
        let micros: Option<i64> = self.plain(column)?;
        micros
            .map(|micros| Timestamp::from_unix_micros(micros).map_err(|error| self.wrong(column, &error)))
            .transpose()
    }
}

/// What a type of the wire is in a column of JSON.
fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("wire types have string keys")
}

/// A text as a part of a pattern of LIKE, in which `\` says that what follows it is meant as it is.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
