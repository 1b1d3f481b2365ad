//! Agents, in SQL.

use antiphon_api::{AgentId, AgentRevisionId};
use futures::FutureExt;
use sqlx::query::Query;
use sqlx::{Database, QueryBuilder};

use super::super::{
    AccountId, AgentOrder, AgentPlace, AgentStore, Direction, Pending, Slice, StorageError, StoredAgent,
    StoredRevision, Window,
};
use super::calls::{slice, total};
use super::{Db, Reading, Row, Store, batches, escaped, storable, to_json};

/// Agents with what they are now.
const AGENTS: &str = "SELECT agents.*, agent_revisions.created_us AS revised_us, agent_revisions.template \
                      FROM agents JOIN agent_revisions ON agent_revisions.id = agents.revision_id ";

impl AgentStore for Store {
    fn insert_agent<'a>(&'a self, agent: &'a StoredAgent) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin().await?;
            sqlx::query(
                "INSERT INTO agents (id, account_id, name, folded_name, created_us, revision_id, calls) \
                 VALUES ($1, $2, $3, $4, $5, $6, 0)",
            )
            .bind(agent.id.to_string())
            .bind(agent.account.to_string())
            .bind(storable(&agent.name))
            .bind(storable(&agent.name.to_lowercase()))
            .bind(agent.created.unix_micros())
            .bind(agent.revision.id.to_string())
            .execute(&mut *transaction)
            .await?;
            insert_revision(agent).execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        }
        .boxed()
    }

    fn find_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, Option<StoredAgent>> {
        async move {
            let mut query = QueryBuilder::new(AGENTS);
            query.push("WHERE agents.id = ").push_bind(id.to_string());
            query.push(" AND account_id = ").push_bind(account.to_string());
            let row = query.build().fetch_optional(&self.pool).await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn agent_of_any_account(&self, id: AgentId) -> Pending<'_, Option<StoredAgent>> {
        async move {
            let mut query = QueryBuilder::new(AGENTS);
            query.push("WHERE agents.id = ").push_bind(id.to_string());
            let row = query.build().fetch_optional(&self.pool).await?;
            row.as_ref().map(read).transpose()
        }
        .boxed()
    }

    fn agents<'a>(
        &'a self,
        account: AccountId,
        search: Option<&'a str>,
        order: AgentOrder,
        window: Window<AgentPlace>,
    ) -> Pending<'a, Slice<StoredAgent>> {
        async move {
            let rising = match (order, window.direction) {
                (AgentOrder::ByName | AgentOrder::OldestFirst, Direction::Forward)
                | (AgentOrder::ByNameBackwards | AgentOrder::NewestFirst, Direction::Backward) => true,
                (AgentOrder::ByName | AgentOrder::OldestFirst, Direction::Backward)
                | (AgentOrder::ByNameBackwards | AgentOrder::NewestFirst, Direction::Forward) => false,
            };
            let key = match order {
                AgentOrder::ByName | AgentOrder::ByNameBackwards => "folded_name",
                AgentOrder::NewestFirst | AgentOrder::OldestFirst => "agents.created_us",
            };
            let mut query = QueryBuilder::new(AGENTS);
            push_choice(&mut query, account, search);
            if let Some(after) = &window.after {
                query.push(" AND (").push(key).push(", agents.id) ");
                query.push(if rising { "> (" } else { "< (" });
                match order {
                    AgentOrder::ByName | AgentOrder::ByNameBackwards => {
                        query.push_bind(storable(&after.name.to_lowercase()));
                    }
                    AgentOrder::NewestFirst | AgentOrder::OldestFirst => {
                        query.push_bind(after.created.unix_micros());
                    }
                }
                query.push(", ").push_bind(after.id.to_string()).push(")");
            }
            let way = if rising { "" } else { " DESC" };
            query.push(" ORDER BY ").push(key).push(way).push(", agents.id").push(way);
            query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_agents<'a>(&'a self, account: AccountId, search: Option<&'a str>) -> Pending<'a, u64> {
        async move {
            let mut query = QueryBuilder::new("SELECT COUNT(*) AS total FROM agents ");
            push_choice(&mut query, account, search);
            total(&query.build().fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn update_agent<'a>(&'a self, agent: &'a StoredAgent, before: AgentRevisionId) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin().await?;
            let updated = sqlx::query(
                "UPDATE agents SET name = $4, folded_name = $5, revision_id = $6 \
                 WHERE id = $1 AND account_id = $2 AND revision_id = $3",
            )
            .bind(agent.id.to_string())
            .bind(agent.account.to_string())
            .bind(before.to_string())
            .bind(storable(&agent.name))
            .bind(storable(&agent.name.to_lowercase()))
            .bind(agent.revision.id.to_string())
            .execute(&mut *transaction)
            .await?;
            if updated.rows_affected() == 0 {
                return Ok(false);
            }
            insert_revision(agent).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn delete_agent(&self, account: AccountId, id: AgentId) -> Pending<'_, bool> {
        async move {
            let mut transaction = self.begin().await?;
            batches::alone_with_all_of(id, &mut transaction).await?;
            // Its revisions and batches go with it.
            let deleted = sqlx::query("DELETE FROM agents WHERE id = $1 AND account_id = $2")
                .bind(id.to_string())
                .bind(account.to_string())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(deleted.rows_affected() == 1)
        }
        .boxed()
    }
}

fn insert_revision(agent: &StoredAgent) -> Query<'static, Db, <Db as Database>::Arguments> {
    sqlx::query("INSERT INTO agent_revisions (id, agent_id, created_us, template) VALUES ($1, $2, $3, $4)")
        .bind(agent.revision.id.to_string())
        .bind(agent.id.to_string())
        .bind(agent.revision.created.unix_micros())
        .bind(to_json(&agent.revision.template))
}

fn push_choice(query: &mut QueryBuilder<Db>, account: AccountId, search: Option<&str>) {
    query.push("WHERE account_id = ").push_bind(account.to_string());
    if let Some(search) = search {
        query
            .push(" AND folded_name LIKE ")
            .push_bind(storable(&format!("%{}%", escaped(&search.to_lowercase()))));
        query.push(" ESCAPE '\\'");
    }
}

fn read(row: &Row) -> Result<StoredAgent, StorageError> {
    let row = Reading::new(row, "agents", "id")?;
    let calls: i64 = row.plain("calls")?;
    Ok(StoredAgent {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        created: row.time("created_us")?,
        revision: StoredRevision {
            id: row.text("revision_id")?,
            created: row.time("revised_us")?,
            template: row.json("template")?,
        },
        calls: calls.unsigned_abs(),
    })
}
