//! Accounts in SQLite.

use antiphon_api::Timestamp;
use futures::FutureExt;

use super::super::{AccountId, AccountStore, Pending};
use super::{Reading, Sqlite};

impl AccountStore for Sqlite {
    fn default_account(&self, id: AccountId, now: Timestamp) -> Pending<'_, AccountId> {
        async move {
            sqlx::query(
                "INSERT INTO accounts (id, name, created_us) VALUES ($1, 'default', $2) ON CONFLICT (name) DO NOTHING",
            )
            .bind(id.to_string())
            .bind(now.unix_micros())
            .execute(&self.pool)
            .await?;
            let row =
                sqlx::query("SELECT id FROM accounts WHERE name = 'default'").fetch_one(&self.pool).await?;
            Ok(AccountId(Reading::new(&row, "accounts", "id")?.text("id")?))
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
}
