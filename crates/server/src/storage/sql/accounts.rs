//! Accounts, in SQL.

use std::collections::BTreeMap;

use antiphon_api::{Secret, Timestamp};
use futures::FutureExt;

use super::super::{AccountId, AccountStore, Pending, StorageError, StoredAccount};
use super::{Reading, Row, Store, storable};

/// The number of an account is not given away to one that is there already.
const INSERT: &str = "INSERT INTO accounts (id, name, created_us) \
     SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE name = $2) ON CONFLICT (name) DO NOTHING";

impl AccountStore for Store {
    fn insert_account<'a>(&'a self, account: &'a StoredAccount) -> Pending<'a, bool> {
        async {
            let inserted = sqlx::query(INSERT)
                .bind(account.id.to_string())
                .bind(storable(&account.name))
                .bind(account.created.unix_micros())
                .execute(&self.pool)
                .await?;
            Ok(inserted.rows_affected() == 1)
        }
        .boxed()
    }

    fn account_named<'a>(&'a self, name: &'a str) -> Pending<'a, Option<StoredAccount>> {
        async move {
            let row = sqlx::query("SELECT * FROM accounts WHERE name = $1")
                .bind(storable(name))
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn accounts(&self) -> Pending<'_, Vec<StoredAccount>> {
        async {
            let rows = sqlx::query("SELECT * FROM accounts ORDER BY created_us, id").fetch_all(&self.pool);
            rows.await?.iter().map(read).collect()
        }
        .boxed()
    }

    fn ensure_account<'a>(&'a self, name: &'a str, id: AccountId, now: Timestamp) -> Pending<'a, AccountId> {
        async move {
            sqlx::query(INSERT)
                .bind(id.to_string())
                .bind(storable(name))
                .bind(now.unix_micros())
                .execute(&self.pool)
                .await?;
            let row = sqlx::query("SELECT * FROM accounts WHERE name = $1").bind(storable(name));
            Ok(read(&row.fetch_one(&self.pool).await?)?.id)
        }
        .boxed()
    }

    fn name(&self, id: AccountId) -> Pending<'_, Option<String>> {
        async move {
            let row = sqlx::query("SELECT id, name FROM accounts WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.pool)
                .await?;
            row.map(|row| Reading::new(&row, "accounts", "id")?.plain("name")).transpose()
        }
        .boxed()
    }

    fn provider_keys(&self, account: AccountId) -> Pending<'_, BTreeMap<String, Secret>> {
        async move {
            let rows = sqlx::query("SELECT * FROM provider_keys WHERE account_id = $1")
                .bind(account.to_string())
                .fetch_all(&self.pool)
                .await?;
            let read = |row| {
                let row = Reading::new(row, "provider_keys", "account_id")?;
                Ok((row.plain("provider")?, Secret::new(row.plain::<String>("secret")?)))
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn change_provider_keys<'a>(
        &'a self,
        account: AccountId,
        changes: &'a BTreeMap<String, Option<Secret>>,
    ) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin().await?;
            for (provider, secret) in changes {
                match secret {
                    Some(secret) => {
                        sqlx::query(
                            "INSERT INTO provider_keys (account_id, provider, secret) VALUES ($1, $2, $3) \
                             ON CONFLICT (account_id, provider) DO UPDATE SET secret = excluded.secret",
                        )
                        .bind(account.to_string())
                        .bind(storable(provider))
                        .bind(storable(secret.expose()))
                        .execute(&mut *transaction)
                        .await?
                    }
                    None => {
                        sqlx::query("DELETE FROM provider_keys WHERE account_id = $1 AND provider = $2")
                            .bind(account.to_string())
                            .bind(storable(provider))
                            .execute(&mut *transaction)
                            .await?
                    }
                };
            }
            Ok(transaction.commit().await?)
        }
        .boxed()
    }
}

fn read(row: &Row) -> Result<StoredAccount, StorageError> {
    let row = Reading::new(row, "accounts", "id")?;
    Ok(StoredAccount {
        id: AccountId(row.text("id")?),
        name: row.plain("name")?,
        created: row.time("created_us")?,
    })
}
