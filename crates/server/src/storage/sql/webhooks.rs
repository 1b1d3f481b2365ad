//! Webhooks, in SQL.

use antiphon_api::{AgentId, WebhookId};
use futures::FutureExt;
use sqlx::QueryBuilder;

use super::super::{
    AccountId, EventNumber, Pending, Slice, StorageError, StoredWebhook, WebhookHealth, WebhookPlace,
    WebhookStore, Window,
};
use super::calls::{slice, total};
use super::owned::{Owned, push_page};
use super::{Alone, Connection, Db, Reading, Row, Store, storable, to_json};

const WEBHOOKS: Owned<StoredWebhook> = Owned::new("webhooks", "id", read);

impl WebhookStore for Store {
    fn insert_webhook<'a>(&'a self, webhook: &'a StoredWebhook, most: u32) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(webhook.account)).await?;
            if WEBHOOKS.count(&mut *transaction, webhook.account).await? >= u64::from(most) {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO webhooks (id, account_id, agent_id, created_us, url, secrets, events, naive_timestamps, \
                 unhealthy, failures, recent_failures, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE, 0, '[]', 0)",
            )
            .bind(webhook.id.to_string())
            .bind(webhook.account.to_string())
            .bind(webhook.agent.map(|agent| agent.to_string()))
            .bind(webhook.created.unix_micros())
            .bind(storable(&webhook.url))
            .bind(to_json(&webhook.secrets))
            .bind(events(webhook))
            .bind(webhook.naive_timestamps)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn find_webhook(&self, id: WebhookId) -> Pending<'_, Option<StoredWebhook>> {
        async move {
            let mut connection = self.pool.acquire().await?;
            find(&mut connection, id).await
        }
        .boxed()
    }

    fn webhooks(
        &self,
        account: AccountId,
        agent: Option<AgentId>,
        window: Window<WebhookPlace>,
    ) -> Pending<'_, Slice<StoredWebhook>> {
        async move {
            let mut query = QueryBuilder::new("SELECT * FROM webhooks");
            push_choice(&mut query, account, agent);
            let after = window.after.as_ref().map(|after| (after.created, after.id.to_string()));
            push_page(&mut query, "id", window.direction, after, window.limit);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_webhooks(&self, account: AccountId, agent: Option<AgentId>) -> Pending<'_, u64> {
        async move {
            let mut query = QueryBuilder::new("SELECT COUNT(*) AS total FROM webhooks");
            push_choice(&mut query, account, agent);
            total(&query.build().fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn update_webhook<'a>(&'a self, webhook: &'a StoredWebhook) -> Pending<'a, bool> {
        async move {
            let updated = sqlx::query(
                "UPDATE webhooks SET agent_id = $4, url = $5, secrets = $6, events = $7, naive_timestamps = $8, \
                 version = version + 1 WHERE id = $1 AND account_id = $2 AND version = $3",
            )
            .bind(webhook.id.to_string())
            .bind(webhook.account.to_string())
            .bind(i64::from(webhook.version))
            .bind(webhook.agent.map(|agent| agent.to_string()))
            .bind(storable(&webhook.url))
            .bind(to_json(&webhook.secrets))
            .bind(events(webhook))
            .bind(webhook.naive_timestamps)
            .execute(&self.pool)
            .await?;
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_webhook(&self, account: AccountId, id: WebhookId) -> Pending<'_, bool> {
        async move { Ok(WEBHOOKS.delete(&self.pool, account, id).await?.is_some()) }.boxed()
    }
}

pub(super) async fn find(
    connection: &mut Connection,
    id: WebhookId,
) -> Result<Option<StoredWebhook>, StorageError> {
    let row = sqlx::query("SELECT * FROM webhooks WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn keep_health(
    connection: &mut Connection,
    id: WebhookId,
    health: &WebhookHealth,
) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE webhooks SET unhealthy = $2, status_changed_us = $3, failures = $4, recent_failures = $5 WHERE id = $1",
    )
    .bind(id.to_string())
    .bind(health.unhealthy)
    .bind(health.changed.map(antiphon_api::Timestamp::unix_micros))
    .bind(i64::from(health.failures))
    .bind(to_json(&health.recent))
    .execute(connection)
    .await?;
    Ok(())
}

fn push_choice(query: &mut QueryBuilder<Db>, account: AccountId, agent: Option<AgentId>) {
    query.push(" WHERE account_id = ").push_bind(account.to_string());
    if let Some(agent) = agent {
        query.push(" AND agent_id = ").push_bind(agent.to_string());
    }
}

/// The sum of its events.
fn events(webhook: &StoredWebhook) -> i64 {
    webhook.events.iter().fold(0, |sum, event| sum | EventNumber::from(*event).bit())
}

fn read(row: &Row) -> Result<StoredWebhook, StorageError> {
    let row = Reading::new(row, "webhooks", "id")?;
    let agent = match row.plain::<Option<String>>("agent_id")? {
        None => None,
        Some(_) => Some(row.text("agent_id")?),
    };
    let sum: i64 = row.plain("events")?;
    let events = (0..4).filter_map(EventNumber::from_number).filter(|event| sum & event.bit() != 0);
    Ok(StoredWebhook {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        created: row.time("created_us")?,
        agent,
        url: row.plain("url")?,
        secrets: row.json("secrets")?,
        events: events.map(Into::into).collect(),
        naive_timestamps: row.plain("naive_timestamps")?,
        health: WebhookHealth {
            unhealthy: row.plain("unhealthy")?,
            changed: row.optional_time("status_changed_us")?,
            failures: row.count("failures")?,
            recent: row.json("recent_failures")?,
        },
        version: row.count("version")?,
    })
}
