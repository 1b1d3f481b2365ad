//! `[storage]`: where calls, messages and keys are kept.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::Secret;
use super::problem::Checks;

/// Connections to a Postgres database that one server may have.
const MOST_CONNECTIONS: u32 = 1_000;

/// The `[storage]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The SQLite database file, made when it is not there. Default `antiphon.db` in the working directory.
    pub path: PathBuf,
    /// Instead of a file, a Postgres database, which several servers may share: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with
    /// `?sslmode=verify-full` and what else libpq knows of TLS. A password that is left out is taken from PGPASSWORD or from the file
    /// that PGPASSFILE names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// How many connections to the Postgres database the server has at most, from 1 to 1000, beside one that it listens by.
    /// Default 10.
    pub connections: u32,
    /// Where files lie that are no rows of the database: recordings, journals, voices. Default the directory of `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
}

impl Default for Storage {
    fn default() -> Self {
        Self { path: PathBuf::from("antiphon.db"), url: None, connections: 10, directory: None }
    }
}

impl Storage {
    /// Where the recordings lie that voices were cloned from.
    #[must_use]
    pub fn voice_samples(&self) -> PathBuf {
        self.file("voices")
    }

    /// Where a file lies, or a directory, that is no row of the database.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(name),
            None => self.path.with_file_name(name),
        }
    }

    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Some(url) = &self.url {
            let parsed = Url::parse(url.expose());
            if !parsed.is_ok_and(|url| ["postgres", "postgresql"].contains(&url.scheme())) {
                checks.refuse(
                    "storage.url",
                    "this is no address of a Postgres database; write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with what is no \
                     letter or digit in a password written as %XX",
                );
            }
            if self.path != Self::default().path {
                checks.refuse(
                    "storage.path",
                    "there is one database, and storage.url says that it is a Postgres database; leave this out, and name the place \
                     for files in storage.directory",
                );
            }
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            checks.refuse("storage.connections", format!("choose a number from 1 to {MOST_CONNECTIONS}"));
        }
        for (field, directory) in
            [("storage.path", self.path.parent()), ("storage.directory", self.directory.as_deref())]
        {
            let Some(directory) = directory.filter(|path| !path.as_os_str().is_empty()) else { continue };
            if !Path::is_dir(directory) {
                checks.refuse(
                    field,
                    format!("there is no directory {}; make it, or name another", directory.display()),
                );
            }
        }
    }
}
