//! Where the calls are: in SQLite or Postgres, thrown away at the end, or kept for the next run.

use std::path::PathBuf;

use antiphon_server::storage::Storage;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::server::Database;

pub(crate) enum Place {
    /// A file in a directory of its own, which goes with it.
    Directory(PathBuf),
    /// A file that stays.
    File(PathBuf),
    /// A database in the server that tests use.
    Postgres(Database),
    /// One that stays.
    Url(String),
}

impl Place {
    /// The one that an argument names.
    pub(crate) async fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let named = arguments.find(|argument| argument.starts_with("postgres") || argument.ends_with(".db"));
        match named.as_deref() {
            Some("postgres") => Self::Postgres(Database::empty().await),
            Some(url) if url.starts_with("postgres") => Self::Url(url.to_owned()),
            Some(path) => Self::File(path.into()),
            None => {
                let directory = std::env::temp_dir().join(format!("antiphon-lists-{}", Uuid::new_v4()));
                std::fs::create_dir(&directory).unwrap();
                Self::Directory(directory)
            }
        }
    }

    pub(crate) async fn open(&self) -> Storage {
        match self {
            Self::Directory(directory) => Storage::open_sqlite(&directory.join("antiphon.db")).await.unwrap(),
            Self::File(path) => Storage::open_sqlite(path).await.unwrap(),
            Self::Postgres(database) => Storage::open_postgres(&database.url(), 4).await.unwrap(),
            Self::Url(url) => Storage::open_postgres(url, 4).await.unwrap(),
        }
    }

    /// Does what Postgres does by itself a while after so much was written.
    pub(crate) async fn settle(&self) {
        let url = match self {
            Self::Directory(_) | Self::File(_) => return,
            Self::Postgres(database) => database.url(),
            Self::Url(url) => url.clone(),
        };
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) fn leave(self) {
        if let Self::Directory(directory) = self {
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}
