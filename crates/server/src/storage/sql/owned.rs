//! What is alike for all rows that belong to an account: they are found, listed and deleted by it, so that none is another account's.

use antiphon_api::Timestamp;
use sqlx::{AssertSqlSafe, Executor, QueryBuilder};

use super::super::{AccountId, Direction, StorageError};
use super::calls::total;
use super::{Db, Row, storable};

/// A table of such rows, which have an id, and how one is read.
pub(super) struct Owned<T> {
    table: &'static str,
    /// The column of the id.
    id: &'static str,
    read: fn(&Row) -> Result<T, StorageError>,
}

impl<T> Owned<T> {
    pub(super) const fn new(
        table: &'static str,
        id: &'static str,
        read: fn(&Row) -> Result<T, StorageError>,
    ) -> Self {
        Self { table, id, read }
    }

    /// The account's row with this id.
    pub(super) async fn find(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
        id: impl ToString,
    ) -> Result<Option<T>, StorageError> {
        let Self { table, id: column, .. } = self;
        self.one(
            executor,
            format!("SELECT * FROM {table} WHERE account_id = $1 AND {column} = $2"),
            account,
            id,
        )
        .await
    }

    /// The account's row with this name, of which there is one at most.
    pub(super) async fn named(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
        name: &str,
    ) -> Result<Option<T>, StorageError> {
        let table = self.table;
        self.one(
            executor,
            format!("SELECT * FROM {table} WHERE account_id = $1 AND name = $2"),
            account,
            name,
        )
        .await
    }

    /// Whether a row of the account with another id has this name.
    pub(super) async fn is_taken(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
        name: &str,
        id: impl ToString,
    ) -> Result<bool, StorageError> {
        let Self { table, id: column, .. } = self;
        let sql = format!("SELECT 1 FROM {table} WHERE account_id = $1 AND name = $2 AND {column} <> $3");
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(account.to_string())
            .bind(storable(name))
            .bind(id.to_string());
        Ok(query.fetch_optional(executor).await?.is_some())
    }

    /// All rows of the account, by their creation; those of one moment by their ids.
    pub(super) async fn all(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
        order: Order,
    ) -> Result<Vec<T>, StorageError> {
        let Self { table, id, read } = self;
        let way = match order {
            Order::NewestFirst => "DESC",
            Order::OldestFirst => "ASC",
        };
        let sql =
            format!("SELECT * FROM {table} WHERE account_id = $1 ORDER BY created_us {way}, {id} {way}");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(account.to_string()).fetch_all(executor).await?;
        rows.iter().map(read).collect()
    }

    /// How many rows the account has.
    pub(super) async fn count(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
    ) -> Result<u64, StorageError> {
        let sql = format!("SELECT COUNT(*) AS total FROM {} WHERE account_id = $1", self.table);
        total(&sqlx::query(AssertSqlSafe(sql)).bind(account.to_string()).fetch_one(executor).await?)
    }

    /// Deletes the account's row with this id, and gives it as it was.
    pub(super) async fn delete(
        &self,
        executor: impl Executor<'_, Database = Db>,
        account: AccountId,
        id: impl ToString,
    ) -> Result<Option<T>, StorageError> {
        let Self { table, id: column, .. } = self;
        let sql = format!("DELETE FROM {table} WHERE account_id = $1 AND {column} = $2 RETURNING *");
        self.one(executor, sql, account, id).await
    }

    async fn one(
        &self,
        executor: impl Executor<'_, Database = Db>,
        sql: String,
        account: AccountId,
        value: impl ToString,
    ) -> Result<Option<T>, StorageError> {
        let query =
            sqlx::query(AssertSqlSafe(sql)).bind(account.to_string()).bind(storable(&value.to_string()));
        query.fetch_optional(executor).await?.as_ref().map(self.read).transpose()
    }
}

/// The order of rows that are listed as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

/// Adds to a query of rows that a page of them is asked for, newest first: those behind a place, of creation and id, and one more than
/// `limit`, which tells whether there are more.
pub(super) fn push_page(
    query: &mut QueryBuilder<Db>,
    id: &'static str,
    direction: Direction,
    after: Option<(Timestamp, String)>,
    limit: u32,
) {
    let (sign, way) = match direction {
        Direction::Backward => (">", ""),
        Direction::Forward => ("<", " DESC"),
    };
    if let Some((created, after)) = after {
        query.push(" AND (created_us, ").push(id).push(") ").push(sign).push(" (");
        query.push_bind(created.unix_micros()).push(", ").push_bind(after).push(")");
    }
    query.push(" ORDER BY created_us").push(way).push(", ").push(id).push(way);
    query.push(" LIMIT ").push_bind(i64::from(limit) + 1);
}
