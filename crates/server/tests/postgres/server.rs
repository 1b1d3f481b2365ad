//! A Postgres for tests: one throwaway server a test binary (`serve`), or the one that ANTIPHON_TEST_POSTGRES names, and in it a database
//! of its own for each test. It goes when the test binary ends, however it ends.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use antiphon_server::storage::Storage;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;
use url::Url;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/postgres/serve");

/// A database of a test's own.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// Makes one without tables.
    pub(crate) async fn empty() -> Self {
        Self::made("").await
    }

    /// Makes one with all tables, which are made once and copied then.
    pub(crate) async fn with_tables() -> Self {
        static TEMPLATE: OnceCell<Database> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(async || {
            let template = Self::empty().await;
            Storage::open_postgres(&template.url(), 1).await.unwrap().close().await;
            template
        });
        Self::made(&format!(" TEMPLATE {}", template.await.name)).await
    }

    async fn made(options: &str) -> Self {
        let name = format!("antiphon_test_{}", uuid::Uuid::new_v4().simple());
        tell(&format!("CREATE DATABASE {name}{options}")).await;
        Self { name }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        let mut url = Url::parse(server()).unwrap();
        url.set_path(&self.name);
        url.into()
    }

    /// Removes it, whoever still uses it.
    pub(crate) async fn remove(self) {
        tell(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

/// Has the server do something that belongs to no database.
async fn tell(sql: &str) {
    let mut connection = PgConnection::connect(server()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The server's address.
fn server() -> &'static str {
    /// The script, which ends once this process does and lets go of its input.
    struct Server {
        _script: Option<Child>,
        url: String,
    }
    static SERVER: OnceLock<Server> = OnceLock::new();
    let start = || {
        if let Ok(url) = std::env::var("ANTIPHON_TEST_POSTGRES") {
            return Server { _script: None, url };
        }
        let mut script =
            Command::new(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("serve starts");
        let mut url = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(!url.is_empty(), "there is no Postgres to test with; see above");
        Server { _script: Some(script), url: url.trim().to_owned() }
    };
    &SERVER.get_or_init(start).url
}
