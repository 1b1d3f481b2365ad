//! API keys, in SQL.

use antiphon_api::Timestamp;
use futures::FutureExt;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Database, QueryBuilder};

use super::super::{
    AccountId, Farewell, KeyPlace, KeyStore, Parting, Pending, Slice, StorageError, StoredKey, Window,
};
use super::calls::{slice, total};
use super::owned::{Owned, push_page};
use super::{Alone, Db, Reading, Row, Store, storable};
use crate::api_key::KeyHash;

/// What is read of a key.
const KEY: &str = "prefix, account_id, name, creator, hash, created_us, expiry_us, revoked_us";
const KEYS: Owned<StoredKey> = Owned::new("api_keys", KEY, "prefix", read);

impl KeyStore for Store {
    fn insert<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool> {
        async { Ok(insert_key(key).execute(&self.pool).await?.rows_affected() == 1) }.boxed()
    }

    fn insert_first<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool> {
        async {
            let mut transaction = self.begin_alone(Alone::Account(key.account)).await?;
            if find_valid(key.created).fetch_optional(&mut *transaction).await?.is_some() {
                return Ok(false);
            }
            let inserted = insert_key(key).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() == 1)
        }
        .boxed()
    }

    fn find<'a>(&'a self, prefix: &'a str) -> Pending<'a, Option<StoredKey>> {
        async move {
            let row = sqlx::query(AssertSqlSafe(format!("SELECT {KEY} FROM api_keys WHERE prefix = $1")))
                .bind(storable(prefix))
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn any_valid(&self, now: Timestamp) -> Pending<'_, bool> {
        async move { Ok(find_valid(now).fetch_optional(&self.pool).await?.is_some()) }.boxed()
    }

    fn keys(&self, account: AccountId, window: Window<KeyPlace>) -> Pending<'_, Slice<StoredKey>> {
        async move {
            let mut query = QueryBuilder::new(format!("SELECT {KEY} FROM api_keys WHERE account_id = "));
            query.push_bind(account.to_string());
            let after = window.after.as_ref().map(|after| (after.created, after.prefix.clone()));
            push_page(&mut query, "prefix", window.direction, after, window.limit);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_keys(&self, account: AccountId) -> Pending<'_, u64> {
        KEYS.count(&self.pool, account).boxed()
    }

    fn part_with<'a>(
        &'a self,
        account: AccountId,
        prefix: &'a str,
        farewell: Farewell,
        at: Timestamp,
        may_be_last: bool,
    ) -> Pending<'a, Parting> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(account)).await?;
            let key = KEYS.find(&mut *transaction, account, prefix).await?;
            let Some(key) = key else { return Ok(Parting::Unknown) };
            if key.is_valid(at) && !may_be_last {
                let others = sqlx::query(
                    "SELECT COUNT(*) AS total FROM api_keys WHERE account_id = $1 AND prefix <> $2 \
                     AND revoked_us IS NULL AND (expiry_us IS NULL OR expiry_us > $3)",
                )
                .bind(account.to_string())
                .bind(storable(prefix))
                .bind(at.unix_micros())
                .fetch_one(&mut *transaction)
                .await?;
                if total(&others)? == 0 {
                    return Ok(Parting::Last);
                }
            }
            match farewell {
                Farewell::Deleted => {
                    sqlx::query("DELETE FROM api_keys WHERE prefix = $1")
                        .bind(storable(prefix))
                        .execute(&mut *transaction)
                        .await?
                }
                Farewell::Revoked => {
                    sqlx::query("UPDATE api_keys SET revoked_us = COALESCE(revoked_us, $2) WHERE prefix = $1")
                        .bind(storable(prefix))
                        .bind(at.unix_micros())
                        .execute(&mut *transaction)
                        .await?
                }
            };
            transaction.commit().await?;
            Ok(Parting::Gone)
        }
        .boxed()
    }
}

/// Keeps a key, unless its prefix is taken.
fn insert_key(key: &StoredKey) -> Query<'_, Db, <Db as Database>::Arguments> {
    sqlx::query(
        "INSERT INTO api_keys (prefix, account_id, name, creator, hash, created_us, expiry_us, revoked_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (prefix) DO NOTHING",
    )
    .bind(storable(&key.prefix))
    .bind(key.account.to_string())
    .bind(storable(&key.name))
    .bind(key.creator.as_deref().map(storable))
    .bind(key.hash.as_bytes())
    .bind(key.created.unix_micros())
    .bind(key.expires.map(Timestamp::unix_micros))
    .bind(key.revoked.map(Timestamp::unix_micros))
}

/// One of all keys that are valid at a moment.
fn find_valid(now: Timestamp) -> Query<'static, Db, <Db as Database>::Arguments> {
    let sql =
        "SELECT 1 FROM api_keys WHERE revoked_us IS NULL AND (expiry_us IS NULL OR expiry_us > $1) LIMIT 1";
    sqlx::query(sql).bind(now.unix_micros())
}

fn read(row: &Row) -> Result<StoredKey, StorageError> {
    let row = Reading::new(row, "api_keys", "prefix")?;
    let hash: Vec<u8> = row.plain("hash")?;
    Ok(StoredKey {
        prefix: row.plain("prefix")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        creator: row.plain("creator")?,
        hash: KeyHash::from_bytes(&hash).ok_or_else(|| row.wrong("hash", &"it is not 32 bytes long"))?,
        created: row.time("created_us")?,
        expires: row.optional_time("expiry_us")?,
        revoked: row.optional_time("revoked_us")?,
    })
}
