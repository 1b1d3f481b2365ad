//! What is kept beyond a call's life, as traits that know no database.
//!
//! Conventions: a lookup returns an `Option`, because absence is no error; whatever records a time or needs an id takes it as an
//! argument; a write is there for every later read once it has returned. Every implementation passes the contract suite
//! in `tests/storage/contract.rs`. Nothing here knows what is above it.

pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod batches;
pub mod calls;
pub mod catalog;
pub mod cluster;
pub mod corpora;
pub mod deliveries;
pub mod endings;
mod memory;
pub mod passages;
#[expect(
    clippy::duplicate_mod,
    reason = "the queries in `sql` are compiled for each database by itself: rows and connections have no type in common"
)]
mod postgres;
pub(crate) mod relevance;
mod sql;
mod sqlite;
pub mod telephony;
pub mod throttles;
pub mod tools;
pub mod voices;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;

pub use accounts::{AccountId, AccountStore, DEFAULT_ACCOUNT, StoredAccount};
pub use agents::{AgentOrder, AgentPlace, AgentStore, StoredAgent, StoredRevision};
pub use api_keys::{Farewell, KeyPlace, KeyStore, MakeKeyError, NewKey, Parting, StoredKey};
pub use batches::{BatchPlace, BatchStore, ScheduledPlace, Settled, StoredBatch, StoredScheduledCall};
pub use calls::{
    Addition, Admission, Attempt, CallAgent, CallPlace, CallStore, Deletion, MessageChoice, MessagePlace,
    Severity, StoredCall, StoredEvent, StoredMessage, StoredStage, Terms,
};
pub use catalog::{
    AgentDay, CallCatalog, CallFilter, CallKey, CallSort, CallSpan, EventChoice, EventPlace, HourOfCalls,
    SortPlace, Tombstone,
};
pub use cluster::{Addressee, Beat, ClusterStore, NodeId, Roll};
pub use corpora::{
    CorpusPlace, CorpusStatistics, CorpusStore, Filling, StoredCorpus, StoredSource, StoredUpload,
};
pub use deliveries::{
    AttemptOutcome, DeliveryKey, DeliveryPlace, DeliveryQueue, DeliveryState, DeliveryStore, DueDelivery,
    EventNumber, Receiver, StoredDelivery,
};
pub use endings::{Ending, EndingStore, EndingTimes, Summary};
pub use memory::{Line, SharedMemory};
pub use passages::{Contents, DocumentPlace, Found, Passage, PassageStore, StoredDocument, Wanted};
pub use postgres::{PostgresProbe, probe as probe_postgres};
pub use telephony::{Provider, ProviderSettings, StoredRegistration, TelephonyStore};
pub use throttles::{Keeping, StoredThrottle, ThrottleDeletion, ThrottleStore};
pub use tools::{StoredTool, ToolStore, ToolUse};
pub use voices::{MostVoices, StoredVoice, VoiceKeeping, VoiceSource, VoiceStore};
pub use webhooks::{StoredWebhook, WebhookHealth, WebhookPlace, WebhookStore};

/// An operation under way.
pub type Pending<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// All stores of one database. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    /// Accounts.
    pub accounts: Arc<dyn AccountStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// Calls, their messages and events.
    pub calls: Arc<dyn CallStore>,
    /// Calls as lists.
    pub catalog: Arc<dyn CallCatalog>,
    /// Corpora, their sources and uploads.
    pub corpora: Arc<dyn CorpusStore>,
    /// What is in the documents of corpora.
    pub passages: Arc<dyn PassageStore>,
    /// Agents.
    pub agents: Arc<dyn AgentStore>,
    /// Tools that last, and which calls had them.
    pub tools: Arc<dyn ToolStore>,
    /// Limits on how many calls are created.
    pub throttles: Arc<dyn ThrottleStore>,
    /// Scheduled calls.
    pub batches: Arc<dyn BatchStore>,
    /// SIP, and accounts at telephony providers.
    pub telephony: Arc<dyn TelephonyStore>,
    /// Voices of accounts' own.
    pub voices: Arc<dyn VoiceStore>,
    /// Who is told what happens to calls.
    pub webhooks: Arc<dyn WebhookStore>,
    /// What is to be told.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Calls that ended and are not done with.
    pub endings: Arc<dyn EndingStore>,
    /// The nodes that share the database, if it can be shared.
    pub cluster: Option<Arc<dyn ClusterStore>>,
    database: Arc<dyn Database>,
}

/// What a database as a whole can do.
trait Database: Send + Sync {
    fn check(&self) -> Pending<'_, ()>;
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl Storage {
    /// Opens the SQLite database at `path`, makes it if it is not there, and brings its tables up to date.
    pub async fn open_sqlite(path: &Path) -> Result<Self, OpenError> {
        Ok(Self::of(Arc::new(sqlite::Sqlite::open(path).await?)))
    }

    /// Opens the Postgres database at `url`, which is shared by all that do, and brings its tables up to date; with at most so many
    /// connections, and three more to live among the others by.
    pub async fn open_postgres(url: &str, connections: u32) -> Result<Self, OpenError> {
        let database = Arc::new(postgres::Postgres::open(url, connections).await?);
        Ok(Self { cluster: Some(Arc::clone(&database) as _), ..Self::of(database) })
    }

    /// Keeps everything in memory, and nothing beyond the life of the last clone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::of(Arc::new(memory::Memory::default()))
    }

    /// Another node of those that keep everything in this memory, and its line to it.
    #[must_use]
    pub fn in_shared_memory(shared: &SharedMemory) -> (Self, Line) {
        let (memory, line) = shared.node();
        let memory = Arc::new(memory);
        (Self { cluster: Some(memory.clone()), ..Self::of(memory) }, line)
    }

    fn of<D>(database: Arc<D>) -> Self
    where
        D: AccountStore
            + KeyStore
            + CallStore
            + CallCatalog
            + CorpusStore
            + PassageStore
            + AgentStore
            + ToolStore
            + ThrottleStore
            + BatchStore
            + TelephonyStore
            + VoiceStore
            + WebhookStore
            + DeliveryStore
            + EndingStore
            + Database
            + 'static,
    {
        Self {
            accounts: database.clone(),
            keys: database.clone(),
            calls: database.clone(),
            catalog: database.clone(),
            corpora: database.clone(),
            passages: database.clone(),
            agents: database.clone(),
            tools: database.clone(),
            throttles: database.clone(),
            batches: database.clone(),
            telephony: database.clone(),
            voices: database.clone(),
            webhooks: database.clone(),
            deliveries: database.clone(),
            endings: database.clone(),
            cluster: None,
            database,
        }
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<(), StorageError> {
        self.database.check().await
    }

    /// Waits for what is under way and closes the database. Later operations fail.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Which part of an ordered list is wanted: what lies behind `after` in `direction`, at most `limit` items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<K> {
    /// The place to go on from, itself excluded; the list's beginning, or going backward its end, if there is none.
    pub after: Option<K>,
    /// Which way to go on.
    pub direction: Direction,
    /// How many items at most.
    pub limit: u32,
}

/// A way through a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Against the list's order.
    Backward,
    /// Along the list's order.
    Forward,
}

/// A part of an ordered list, in the list's order whichever way it was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there is more in the direction that was asked for.
    pub more: bool,
}

impl<T> Slice<T> {
    /// How many items the whole list has, if this is all of it.
    #[must_use]
    pub fn whole<K>(&self, window: &Window<K>) -> Option<u64> {
        (window.after.is_none() && !self.more).then_some(self.items.len() as u64)
    }
}

/// An operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database did not do it: full, locked for too long, closed, gone. The caller may try again; the operator looks at
    /// the disk.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row says something that no version of this server writes. The operator restores it or removes it.
    #[error("the database holds a value in {table}.{column} of {row} that makes no sense: {reason}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: String,
        /// What is wrong with the value.
        reason: String,
    },
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened.
    #[error(
        "the database {path} cannot be opened: {source}; check `storage.path` and the rights of the directory it is in"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought up to date.
    #[error(
        "the tables of the database {path} cannot be brought up to date: {source}; if a newer server wrote it, start that one, \
         else restore a backup"
    )]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// Its address is none.
    #[error(
        "`storage.url` is no address of a Postgres database; write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with what is no letter \
         or digit in a password written as %XX"
    )]
    PostgresUrl,
    /// It cannot be reached, or does not let the server in.
    #[error("the Postgres database {place} cannot be used: {source}; {}", remedy(source))]
    Connect {
        /// Database, host and port.
        place: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// It cannot hold all texts.
    #[error(
        "the Postgres database {place} has the encoding {encoding}; make it with ENCODING 'UTF8' and TEMPLATE template0"
    )]
    Encoding {
        /// Database, host and port.
        place: String,
        /// What it has.
        encoding: String,
    },
    /// Its tables cannot be brought up to date.
    #[error(
        "the tables of the Postgres database {place} cannot be brought up to date: {source}; if a newer server wrote them, start that \
         one, else let the user in `storage.url` create tables in the schema, or restore a backup"
    )]
    MigratePostgres {
        /// Database, host and port.
        place: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
}

/// What to do about a Postgres database that cannot be used.
fn remedy(error: &sqlx::Error) -> &'static str {
    match error.as_database_error().and_then(|error| error.code()).as_deref() {
        Some("28P01" | "28000") => {
            "check the user and the password in `storage.url`, and the server's pg_hba.conf"
        }
        Some("3D000") => "make the database that `storage.url` names (CREATE DATABASE), or name another",
        Some("42501") => "let the user in `storage.url` connect to the database and use its schema",
        Some("53300") => {
            "the server has no connection left: lower `storage.connections`, or raise its max_connections"
        }
        Some("57P03") => "it is starting or stopping: try again",
        Some(_) => "the server's log says more",
        None => {
            "check the host and the port in `storage.url`, that the server runs, and what it demands of TLS (`sslmode`)"
        }
    }
}
