//! Tools, in SQL.

use antiphon_api::{CallId, Timestamp, ToolId};
use futures::FutureExt;
use sqlx::Row as _;

use super::super::{
    AccountId, CallPlace, Direction, Pending, Slice, StorageError, StoredCall, StoredTool, ToolStore,
    ToolUse, Window,
};
use super::calls::{read as read_call, slice, total};
use super::catalog::bounded;
use super::owned::{Order, Owned};
use super::{Alone, Reading, Row, Store, storable, to_json};
use crate::storage::catalog::MANY;

/// The calls of an account that had a tool, in the order of the tool's own index, each with how often it failed there. A tool is of
/// one account, and so are all calls that had it.
macro_rules! history {
    ($after:literal, $way:literal) => {
        concat!(
            "SELECT calls.*, history.errors FROM (SELECT call_id, created_us, CAST(SUM(errors) AS BIGINT) AS errors ",
            "FROM call_tools ",
            "WHERE tool_id = $2 AND (created_us, call_id) ",
            $after,
            " ($3, $4) GROUP BY created_us, call_id ORDER BY created_us ",
            $way,
            ", call_id ",
            $way,
            " LIMIT $5) AS history JOIN calls ON calls.id = history.call_id AND calls.account_id = $1 ",
            "ORDER BY history.created_us ",
            $way,
            ", history.call_id ",
            $way
        )
    };
}

const HISTORY_COUNT: &str = "SELECT COUNT(*) AS total FROM (SELECT 1 FROM call_tools JOIN calls ON calls.id = call_id \
     AND calls.account_id = $1 WHERE tool_id = $2 GROUP BY call_tools.created_us, call_id LIMIT $3) AS history";
const HISTORY_RISING: &str = history!(">", "ASC");
const HISTORY_FALLING: &str = history!("<", "DESC");

const TOOLS: Owned<StoredTool> = Owned::new("tools", "id", read);

impl ToolStore for Store {
    fn insert_tools<'a>(
        &'a self,
        account: AccountId,
        tools: &'a [StoredTool],
        most: u32,
    ) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(account)).await?;
            if TOOLS.count(&mut *transaction, account).await? + tools.len() as u64 > u64::from(most) {
                return Ok(false);
            }
            for tool in tools {
                sqlx::query(
                    "INSERT INTO tools (id, account_id, name, created_us, definition) VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(tool.id.to_string())
                .bind(account.to_string())
                .bind(storable(&tool.name))
                .bind(tool.created.unix_micros())
                .bind(to_json(&tool.definition))
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn find_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, Option<StoredTool>> {
        TOOLS.find(&self.pool, account, id).boxed()
    }

    fn tools(&self, account: AccountId) -> Pending<'_, Vec<StoredTool>> {
        TOOLS.all(&self.pool, account, Order::OldestFirst).boxed()
    }

    fn tools_named<'a>(&'a self, account: AccountId, name: &'a str) -> Pending<'a, Vec<StoredTool>> {
        async move {
            let rows = sqlx::query(
                "SELECT * FROM tools WHERE account_id = $1 AND name = $2 ORDER BY created_us, id LIMIT 2",
            )
            .bind(account.to_string())
            .bind(storable(name))
            .fetch_all(&self.pool)
            .await?;
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn update_tool<'a>(&'a self, tool: &'a StoredTool) -> Pending<'a, bool> {
        async move {
            let result =
                sqlx::query("UPDATE tools SET name = $3, definition = $4 WHERE id = $1 AND account_id = $2")
                    .bind(tool.id.to_string())
                    .bind(tool.account.to_string())
                    .bind(storable(&tool.name))
                    .bind(to_json(&tool.definition))
                    .execute(&self.pool)
                    .await?;
            Ok(result.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_tool(&self, account: AccountId, id: ToolId) -> Pending<'_, bool> {
        async move { Ok(TOOLS.delete(&self.pool, account, id).await?.is_some()) }.boxed()
    }

    fn note_uses<'a>(&'a self, call: CallId, uses: &'a [ToolUse]) -> Pending<'a, ()> {
        async move {
            let mut transaction = self.begin().await?;
            for used in uses {
                sqlx::query(
                    "INSERT INTO call_tools (call_id, name, tool_id, errors, created_us) \
                     SELECT id, $2, $3, 0, created_us FROM calls WHERE id = $1 \
                     ON CONFLICT (call_id, name) DO NOTHING",
                )
                .bind(call.to_string())
                .bind(storable(&used.name))
                .bind(used.tool.to_string())
                .execute(&mut *transaction)
                .await?;
            }
            Ok(transaction.commit().await?)
        }
        .boxed()
    }

    fn uses(&self, call: CallId) -> Pending<'_, Vec<ToolUse>> {
        async move {
            let rows = sqlx::query("SELECT * FROM call_tools WHERE call_id = $1 ORDER BY name")
                .bind(call.to_string())
                .fetch_all(&self.pool)
                .await?;
            let read = |row| {
                let row = Reading::new(row, "call_tools", "call_id")?;
                Ok(ToolUse { tool: row.text("tool_id")?, name: row.plain("name")? })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }

    fn tool_history(
        &self,
        account: AccountId,
        tool: ToolId,
        window: Window<CallPlace>,
    ) -> Pending<'_, Slice<(StoredCall, u32)>> {
        async move {
            let rising = match window.direction {
                Direction::Backward => true,
                Direction::Forward => false,
            };
            let (created, id) = match (window.after, rising) {
                (Some(place), _) => (place.created.unix_micros(), place.id.to_string()),
                (None, true) => (i64::MIN, String::new()),
                (None, false) => (i64::MAX, String::new()),
            };
            let rows = sqlx::query(if rising { HISTORY_RISING } else { HISTORY_FALLING })
                .bind(account.to_string())
                .bind(tool.to_string())
                .bind(created)
                .bind(id)
                .bind(i64::from(window.limit) + 1)
                .fetch_all(&self.pool)
                .await?;
            slice(&rows, &window, |row| {
                let errors: i64 = row.try_get("errors")?;
                Ok((read_call(row)?, u32::try_from(errors).unwrap_or(u32::MAX)))
            })
        }
        .boxed()
    }

    fn count_tool_history(&self, account: AccountId, tool: ToolId) -> Pending<'_, Option<u64>> {
        async move {
            let row = sqlx::query(HISTORY_COUNT)
                .bind(account.to_string())
                .bind(tool.to_string())
                .bind(i64::from(MANY) + 1)
                .fetch_one(&self.pool)
                .await?;
            bounded(total(&row)?)
        }
        .boxed()
    }
}

fn read(row: &Row) -> Result<StoredTool, StorageError> {
    let row = Reading::new(row, "tools", "id")?;
    let created: Timestamp = row.time("created_us")?;
    Ok(StoredTool {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        created,
        definition: row.json("definition")?,
    })
}
