//! API keys in SQLite.

use antiphon_api::Timestamp;
use futures::FutureExt;
use sqlx::Row;

use super::super::{AccountId, KeyStore, Pending, StoredKey};
use super::{Reading, Sqlite};
use crate::api_key::KeyHash;

impl KeyStore for Sqlite {
    fn insert<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool> {
        async {
            let result = sqlx::query(
                "INSERT INTO api_keys (prefix, account_id, name, hash, created_us, revoked_us) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (prefix) DO NOTHING",
            )
            .bind(&key.prefix)
            .bind(key.account.to_string())
            .bind(&key.name)
            .bind(key.hash.as_bytes())
            .bind(key.created.unix_micros())
            .bind(key.revoked.map(Timestamp::unix_micros))
            .execute(&self.pool)
            .await?;
            Ok(result.rows_affected() == 1)
        }
        .boxed()
    }

    fn find<'a>(&'a self, prefix: &'a str) -> Pending<'a, Option<StoredKey>> {
        async move {
            let row = sqlx::query(
                "SELECT prefix, account_id, name, hash, created_us, revoked_us FROM api_keys WHERE prefix = $1",
            )
            .bind(prefix)
            .fetch_optional(&self.pool)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let row = Reading::new(&row, "api_keys", "prefix")?;
            let hash: Vec<u8> = row.plain("hash")?;
            Ok(Some(StoredKey {
                prefix: row.plain("prefix")?,
                account: AccountId(row.text("account_id")?),
                name: row.plain("name")?,
                hash: KeyHash::from_bytes(&hash).ok_or_else(|| row.wrong("hash", &"it is not 32 bytes long"))?,
                created: row.time("created_us")?,
                revoked: row.optional_time("revoked_us")?,
            }))
        }
        .boxed()
    }

    fn any_valid(&self) -> Pending<'_, bool> {
        async {
            let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM api_keys WHERE revoked_us IS NULL) AS found")
                .fetch_one(&self.pool)
                .await?;
            Ok(row.try_get("found")?)
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, prefix: &'a str, at: Timestamp) -> Pending<'a, bool> {
        async move {
            let result =
                sqlx::query("UPDATE api_keys SET revoked_us = $2 WHERE prefix = $1 AND revoked_us IS NULL")
                    .bind(prefix)
                    .bind(at.unix_micros())
                    .execute(&self.pool)
                    .await?;
            Ok(result.rows_affected() == 1)
        }
        .boxed()
    }
}
