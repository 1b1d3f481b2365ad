//! The database that a configuration names: opened, or looked at from afar.

use std::time::Duration;

use crate::config;
use crate::doctor::{Level, Line};
use crate::storage::{OpenError, PostgresProbe, Storage, probe_postgres};

/// One that takes longer for an answer makes whoever creates calls wait.
const FAR: Duration = Duration::from_millis(5);

/// Opens what is kept where a configuration says, and brings it up to date.
pub async fn open_storage(storage: &config::Storage) -> Result<Storage, OpenError> {
    match &storage.url {
        Some(url) => Storage::open_postgres(url.expose(), storage.connections).await,
        None => Storage::open_sqlite(&storage.path).await,
    }
}

/// Whether a Postgres database lets the server in, and how far away it is; nothing of a file. Changes nothing in it.
pub async fn examine_storage(storage: &config::Storage) -> Option<Line> {
    let url = storage.url.as_ref()?;
    let (level, text) = match probe_postgres(url.expose()).await {
        Err(error) => (Level::Failure, error.to_string()),
        Ok(PostgresProbe { place, version, round_trip }) => {
            let text = format!(
                "{place} runs Postgres {version} and answers in {:.1} ms",
                round_trip.as_secs_f64() * 1e3
            );
            match round_trip > FAR {
                true => (
                    Level::Warning,
                    format!("{text}; a call is created in about twelve answers: bring them nearer together"),
                ),
                false => (Level::Good, text),
            }
        }
    };
    Some(Line { level, about: "database".to_owned(), text })
}
