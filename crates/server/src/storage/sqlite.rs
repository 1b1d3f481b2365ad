//! The stores in SQLite, in one file. What is not written for all SQL databases (`sql`) is written here: the lists of calls and the
//! search in documents, which go by SQLite's full-text indexes.
//!
//! Every transaction that writes takes the write lock at its beginning, so that none fails halfway because another one was faster, and
//! each is alone with the whole database.

#[path = "sql/accounts.rs"]
mod accounts;
#[path = "sql/agents.rs"]
mod agents;
#[path = "sql/api_keys.rs"]
mod api_keys;
#[path = "sql/batches.rs"]
mod batches;
mod bounds;
#[path = "sql/calls.rs"]
mod calls;
#[path = "sql/catalog.rs"]
mod catalog;
mod choice;
#[path = "sql/corpora.rs"]
mod corpora;
#[path = "sql/deliveries.rs"]
mod deliveries;
#[path = "sql/documents.rs"]
mod documents;
#[path = "sql/endings.rs"]
mod endings;
mod indexes;
#[path = "sql/messages.rs"]
mod messages;
mod numbers;
#[path = "sql/owned.rs"]
mod owned;
#[path = "sql/page.rs"]
mod page;
mod page_query;
mod passages;
#[path = "sql/reading.rs"]
mod reading;
#[path = "sql/stages.rs"]
mod stages;
#[path = "sql/telephony.rs"]
mod telephony;
mod texts;
#[path = "sql/throttles.rs"]
mod throttles;
#[path = "sql/times.rs"]
mod times;
#[path = "sql/tools.rs"]
mod tools;
#[path = "sql/vectors.rs"]
mod vectors;
#[path = "sql/voices.rs"]
mod voices;
#[path = "sql/webhooks.rs"]
mod webhooks;
#[path = "sql/whole_hours.rs"]
mod whole_hours;

use std::future::Ready;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{SqlSafeStr, Transaction};
use tokio::sync::watch;

use super::sql::{Alone, Notice, escaped, to_json};
use super::{Database, OpenError, Pending, StorageError};
use crate::private;
use reading::Reading;

type Db = sqlx::Sqlite;
type Row = sqlx::sqlite::SqliteRow;
type Connection = sqlx::sqlite::SqliteConnection;
type Store = Sqlite;

/// Takes the write lock now instead of at the first write, where waiting for it would fail the transaction.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// What a new call's number is, in terms of its account's row.
const CALL_NUMBER: &str = "number * 1099511627776 + calls_made + 1";
/// What stands around columns, and makes one text of all rows.
const PACKED: (&str, &str) = ("json_group_array(json_array(", "))");
/// The elements of an array in JSON, each as `value`.
const ROWS: &str = "json_each($1)";
/// Of hours that are summed up, the agent's name in the latest. A column beside `MAX` is of the same row.
const LATEST_AGENT_NAME: &str = "MAX(hour), agent_name";
/// Of calls that are summed up, the number of the latest.
const LATEST_NUMBER: &str = "MAX(created_us), call_heads.number";
/// Of vectors, in terms of their table and their corpus (`$1`): they are of documents that are all there.
const SEEN: &str = " AND document_key NOT IN \
                    (SELECT key FROM corpus_documents WHERE corpus_id = $1 AND NOT visible)";
/// Calls are found by when they ended.
const BY_END: &str = " INDEXED BY call_heads_by_end";

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

    /// There is one, which needs no name.
    const fn node(&self) -> Option<String> {
        None
    }

    async fn begin(&self) -> Result<Transaction<'static, Db>, StorageError> {
        Ok(self.pool.begin_with(BEGIN).await?)
    }

    /// For what is alone with several records.
    async fn begin_alone_with<'a>(
        &self,
        _: impl Iterator<Item = Alone<'a>>,
    ) -> Result<Transaction<'static, Db>, StorageError> {
        self.begin().await
    }

    async fn begin_alone(&self, _: Alone<'_>) -> Result<Transaction<'static, Db>, StorageError> {
        self.begin().await
    }
}

/// Every transaction is alone with all there is.
fn alone(_: &mut Connection, _: Alone<'_>) -> Ready<Result<(), StorageError>> {
    std::future::ready(Ok(()))
}

/// There are no other nodes to tell.
fn tell_nodes(_: &mut Connection, _: Notice) -> Ready<Result<(), StorageError>> {
    std::future::ready(Ok(()))
}

/// A text as a column can have it: any text.
const fn storable(text: &str) -> &str {
    text
}

/// Makes the file, if it is not there, so that only its owner can read it: calls are kept with their secrets. SQLite gives the
/// files beside it the same rights.
fn make_private(path: &Path) -> io::Result<()> {
    match private::options().create_new(true).open(path) {
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
        one(23, "nodes", include_str!("../../migrations/sqlite/0023_nodes.sql")),
        one(24, "call voices", include_str!("../../migrations/sqlite/0024_call_voices.sql")),
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
