//! A row of a table, read column by column: a value that makes no sense is said to, with its place.

use antiphon_api::Timestamp;
use sqlx::Row as _;

use super::super::StorageError;
use super::{Db, Row};

/// A row of one table, which says where it stands when a value in it makes no sense.
pub(super) struct Reading<'r> {
    row: &'r Row,
    table: &'static str,
    id: String,
}

impl<'r> Reading<'r> {
    /// Reads `row` of `table`, whose key is in the column `id`.
    pub(super) fn new(row: &'r Row, table: &'static str, id: &'static str) -> Result<Self, StorageError> {
        Ok(Self { row, table, id: row.try_get(id)? })
    }

    pub(super) fn wrong(&self, column: &'static str, reason: &dyn std::fmt::Display) -> StorageError {
        StorageError::Inconsistent {
            table: self.table,
            column,
            row: self.id.clone(),
            reason: reason.to_string(),
        }
    }

    /// A column that SQL itself has a type for.
    pub(super) fn plain<T>(&self, column: &'static str) -> Result<T, StorageError>
    where
        T: for<'d> sqlx::Decode<'d, Db> + sqlx::Type<Db>,
    {
        Ok(self.row.try_get(column)?)
    }

    /// A column with a number from 0 that is not large.
    pub(super) fn count(&self, column: &'static str) -> Result<u32, StorageError> {
        let count: i64 = self.plain(column)?;
        u32::try_from(count).map_err(|error| self.wrong(column, &error))
    }

    /// A column with how often something was changed.
    pub(super) fn version(&self, column: &'static str) -> Result<u64, StorageError> {
        let version: i64 = self.plain(column)?;
        u64::try_from(version).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a text that says a `T`.
    pub(super) fn text<T: std::str::FromStr<Err: ToString>>(
        &self,
        column: &'static str,
    ) -> Result<T, StorageError> {
        let text: String = self.plain(column)?;
        text.parse().map_err(|error: T::Err| self.wrong(column, &error.to_string()))
    }

    /// A column with JSON that says a `T`.
    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<T, StorageError> {
        let text: String = self.plain(column)?;
        serde_json::from_str(&text).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a time.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StorageError> {
        Timestamp::from_unix_micros(self.plain(column)?).map_err(|error| self.wrong(column, &error))
    }

    /// A column with a time or nothing.
    pub(super) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, StorageError> {
        let micros: Option<i64> = self.plain(column)?;
        micros
            .map(|micros| Timestamp::from_unix_micros(micros).map_err(|error| self.wrong(column, &error)))
            .transpose()
    }
}
