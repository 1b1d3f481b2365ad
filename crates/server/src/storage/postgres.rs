//! The stores in a Postgres database, which several nodes share. What is not written for all SQL databases (`sql`) is written here: the
//! lists of calls and the search in documents, with nothing but what every Postgres has built in.
//!
//! Transactions see what others have committed, statement by statement (READ COMMITTED). One that writes what depends on what it has
//! read holds an advisory lock on that; the order of such locks is that of [`Alone`], and rows come after them.

#[path = "sql/accounts.rs"]
mod accounts;
#[path = "sql/agents.rs"]
mod agents;
#[path = "sql/api_keys.rs"]
mod api_keys;
#[path = "sql/batches.rs"]
mod batches;
#[path = "sql/calls.rs"]
mod calls;
#[path = "sql/catalog.rs"]
mod catalog;
mod choice;
mod cluster;
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
mod migrations;
mod notices;
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

use std::borrow::Cow;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Transaction};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::sql::{Alone, Notice, escaped, to_json};
use super::{Database, NodeId, OpenError, Pending, StorageError};
use notices::{CHANNEL, Wakes};
use reading::Reading;

type Db = sqlx::Postgres;
type Row = sqlx::postgres::PgRow;
type Connection = sqlx::postgres::PgConnection;
type Store = Postgres;

/// What a new call's number is, in terms of its account's row.
const CALL_NUMBER: &str = "nextval('call_numbers')";
/// The elements of an array in JSON, each as `value`.
const ROWS: &str = "json_array_elements($1::JSON)";
/// What stands around columns, and makes one text of all rows.
const PACKED: (&str, &str) = ("COALESCE(json_agg(json_build_array(", ")), '[]')::TEXT");
/// Of hours that are summed up, the agent's name in the latest.
const LATEST_AGENT_NAME: &str = "(array_agg(agent_name ORDER BY hour DESC))[1]";
/// Of calls that are summed up, the number of the latest.
const LATEST_NUMBER: &str = "(MAX(ARRAY[created_us, call_heads.number]))[2]";
/// Documents come and go whole.
const SEEN: &str = "";
/// Which index to use is Postgres's own business.
const BY_END: &str = "";

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// How long a node waits for its first connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an operation waits for a connection: who asks is told soon that the database is away.
const WAIT: Duration = Duration::from_secs(5);
/// Answers that are timed.
const PROBES: usize = 5;
/// A node that hangs, or is cut off in the middle of a transaction, does not keep the others from writing for longer. What is sorted or
/// summed up stays in memory up to 16 MB, where sums over 100,000 calls would go to files by the default of 4.
const LIMITS: &str = "SET statement_timeout = '60s'; SET lock_timeout = '15s'; \
                      SET idle_in_transaction_session_timeout = '60s'; SET work_mem = '16MB'";

/// Connections that a node lives by: beats, and letters beside them.
const CONTROL_CONNECTIONS: u32 = 2;
/// Nothing of that takes long, or it is tried again.
const CONTROL_LIMITS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '5s'; \
                              SET idle_in_transaction_session_timeout = '5s'";

/// A pool of connections to one database.
pub(super) struct Postgres {
    pool: PgPool,
    /// Tells that there may be something to deliver.
    outbox: watch::Sender<()>,
    /// Tells that there may be scheduled calls to create.
    schedule: watch::Sender<()>,
    /// Tells that there may be letters.
    mail: watch::Sender<()>,
    /// Which node this process is, once it is one.
    node: watch::Sender<Option<NodeId>>,
    /// What a node lives by.
    control: PgPool,
    listener: AbortOnDropHandle<()>,
}

impl Postgres {
    /// Connects to the database that `url` names, with at most so many connections beside one to listen by, and applies the migrations
    /// that it lacks.
    pub(super) async fn open(url: &str, connections: u32) -> Result<Self, OpenError> {
        let (options, place) = options(url)?;
        let refused = |source| OpenError::Connect { place: place.clone(), source };
        // The pool would try again and again, and then say no more than that it took too long.
        let mut first = connect(&options).await.map_err(refused)?;
        let encoding: String =
            sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut first).await.map_err(refused)?;
        if encoding != "UTF8" {
            return Err(OpenError::Encoding { place, encoding });
        }
        migrations::run(&mut first)
            .await
            .map_err(|source| OpenError::MigratePostgres { place: place.clone(), source })?;
        let _ = first.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(WAIT)
            .after_connect(|connection, _| {
                async move { sqlx::raw_sql(LIMITS).execute(connection).await.map(|_| ()) }.boxed()
            })
            .connect_lazy_with(options.clone());
        let (outbox, schedule) = (watch::Sender::default(), watch::Sender::default());
        let (mail, node) = (watch::Sender::default(), watch::Sender::default());
        let control = PgPoolOptions::new()
            .max_connections(CONTROL_CONNECTIONS)
            .acquire_timeout(WAIT)
            .after_connect(|connection, _| {
                async move { sqlx::raw_sql(CONTROL_LIMITS).execute(connection).await.map(|_| ()) }.boxed()
            })
            .connect_lazy_with(options.clone());
        let wakes = Wakes {
            outbox: outbox.clone(),
            schedule: schedule.clone(),
            mail: mail.clone(),
            node: node.subscribe(),
        };
        let listener = notices::listen(options, wakes).await.map_err(refused)?;
        let listener = AbortOnDropHandle::new(tokio::spawn(listener));
        Ok(Self { pool, outbox, schedule, mail, node, control, listener })
    }

    /// Which node this is, as columns have it.
    fn node(&self) -> Option<String> {
        self.node.borrow().as_ref().map(NodeId::to_string)
    }

    async fn begin(&self) -> Result<Transaction<'static, Db>, StorageError> {
        Ok(self.pool.begin_with(BEGIN).await?)
    }

    /// For what is alone with several things of one kind.
    async fn begin_alone_with<'a>(
        &self,
        what: impl Iterator<Item = Alone<'a>>,
    ) -> Result<Transaction<'static, Db>, StorageError> {
        let mut names: Vec<String> = what.map(|what| what.to_string()).collect();
        names.sort_unstable();
        let mut transaction = self.begin().await?;
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest($1::TEXT[]) AS name",
        )
        .bind(names)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction)
    }

    async fn begin_alone(&self, what: Alone<'_>) -> Result<Transaction<'static, Db>, StorageError> {
        let mut transaction = self.begin().await?;
        alone(&mut transaction, what).await?;
        Ok(transaction)
    }
}

/// What a database is like to work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresProbe {
    /// Database, host and port.
    pub place: String,
    /// The server's version.
    pub version: String,
    /// How long it takes for an answer at best.
    pub round_trip: Duration,
}

/// Connects to the database that `url` names, and changes nothing in it.
pub async fn probe(url: &str) -> Result<PostgresProbe, OpenError> {
    let (options, place) = options(url)?;
    let asked = async {
        let mut connection = connect(&options).await?;
        let version = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
        let mut round_trip = PATIENCE;
        for _ in 0..PROBES {
            let began = Instant::now();
            connection.ping().await?;
            round_trip = round_trip.min(began.elapsed());
        }
        let _ = connection.close().await;
        Ok((version, round_trip))
    };
    match asked.await {
        Ok((version, round_trip)) => Ok(PostgresProbe { place, version, round_trip }),
        Err(source) => Err(OpenError::Connect { place, source }),
    }
}

/// How to connect to the database that `url` names, and where it is, without what opens it.
fn options(url: &str) -> Result<(PgConnectOptions, String), OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::PostgresUrl);
    }
    let options: PgConnectOptions = url.parse().map_err(|_| OpenError::PostgresUrl)?;
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let place = format!("{} at {host}", options.get_database().unwrap_or(options.get_username()));
    Ok((options.application_name("antiphon").disable_statement_logging(), place))
}

async fn connect(options: &PgConnectOptions) -> Result<Connection, sqlx::Error> {
    let connected = timeout(PATIENCE, Connection::connect_with(options)).await;
    connected.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// Waits until no other transaction is alone with this; then this one is, until it ends.
async fn alone(connection: &mut Connection, what: Alone<'_>) -> Result<(), StorageError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(what.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Has all nodes told once the transaction is committed.
async fn tell_nodes(connection: &mut Connection, notice: Notice) -> Result<(), StorageError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(notices::word(notice))
        .execute(connection)
        .await?;
    Ok(())
}

/// A text as a column can have it: Postgres knows no NUL in texts.
fn storable(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

impl Database for Postgres {
    fn check(&self) -> Pending<'_, ()> {
        async {
            sqlx::query("SELECT 1").execute(&self.pool).await?;
            Ok(())
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.listener.abort();
        async {
            self.pool.close().await;
            self.control.close().await;
        }
        .boxed()
    }
}
