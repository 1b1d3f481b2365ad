//! Throttles and what they count, in SQL.

use antiphon_api::rest::call_throttles::CallThrottleRule;
use antiphon_api::{ThrottleId, Timestamp};
use futures::FutureExt;
use sqlx::Row as _;

use super::super::throttles::{LONGEST_WINDOW, leaves, window_start};
use super::super::{
    AccountId, Admission, Keeping, Pending, StorageError, StoredCall, StoredThrottle, ThrottleDeletion,
    ThrottleStore,
};
use super::owned::{Order, Owned};
use super::{Alone, Connection, Reading, Row, Store, alone, storable, to_json};

const THROTTLES: Owned<StoredThrottle> = Owned::new("call_throttles", "id", read);

impl ThrottleStore for Store {
    fn insert_throttle<'a>(&'a self, throttle: &'a StoredThrottle, most: u32) -> Pending<'a, Keeping> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(throttle.account)).await?;
            if name_is_taken(throttle, &mut transaction).await? {
                return Ok(Keeping::NameTaken);
            }
            if THROTTLES.count(&mut *transaction, throttle.account).await? >= u64::from(most) {
                return Ok(Keeping::Full);
            }
            sqlx::query(
                "INSERT INTO call_throttles (id, account_id, name, created_us, rules, version) \
                 VALUES ($1, $2, $3, $4, $5, 0)",
            )
            .bind(throttle.id.to_string())
            .bind(throttle.account.to_string())
            .bind(storable(&throttle.name))
            .bind(throttle.created.unix_micros())
            .bind(to_json(&throttle.rules))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Keeping::Kept)
        }
        .boxed()
    }

    fn find_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, Option<StoredThrottle>> {
        THROTTLES.find(&self.pool, account, id).boxed()
    }

    fn throttle_named<'a>(
        &'a self,
        account: AccountId,
        name: &'a str,
    ) -> Pending<'a, Option<StoredThrottle>> {
        THROTTLES.named(&self.pool, account, name).boxed()
    }

    fn throttles(&self, account: AccountId) -> Pending<'_, Vec<StoredThrottle>> {
        THROTTLES.all(&self.pool, account, Order::NewestFirst).boxed()
    }

    fn update_throttle<'a>(&'a self, throttle: &'a StoredThrottle) -> Pending<'a, Keeping> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(throttle.account)).await?;
            if name_is_taken(throttle, &mut transaction).await? {
                return Ok(Keeping::NameTaken);
            }
            let updated = sqlx::query(
                "UPDATE call_throttles SET name = $4, rules = $5, version = version + 1 \
                 WHERE id = $1 AND account_id = $2 AND version = $3",
            )
            .bind(throttle.id.to_string())
            .bind(throttle.account.to_string())
            .bind(throttle.version.cast_signed())
            .bind(storable(&throttle.name))
            .bind(to_json(&throttle.rules))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(if updated.rows_affected() == 1 { Keeping::Kept } else { Keeping::Changed })
        }
        .boxed()
    }

    fn delete_throttle(&self, account: AccountId, id: ThrottleId) -> Pending<'_, ThrottleDeletion> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(account)).await?;
            // What it has counted goes with it.
            let deleted = sqlx::query(
                "DELETE FROM call_throttles WHERE id = $1 AND account_id = $2 AND NOT EXISTS \
                 (SELECT 1 FROM batches WHERE throttle_id = $1 AND ended_us IS NULL AND NOT paused)",
            )
            .bind(id.to_string())
            .bind(account.to_string())
            .execute(&mut *transaction)
            .await?;
            let left = THROTTLES.find(&mut *transaction, account, id).await?;
            transaction.commit().await?;
            Ok(match (deleted.rows_affected(), left) {
                (0, None) => ThrottleDeletion::Unknown,
                (0, Some(_)) => ThrottleDeletion::InUse,
                (_, _) => ThrottleDeletion::Deleted,
            })
        }
        .boxed()
    }
}

/// Counts a call, if the throttle lets it pass; says why not if it does not. The connection is in a transaction, which is alone with the
/// throttle from here on, so that of two calls at once only one takes the last place.
pub(super) async fn count(
    id: ThrottleId,
    call: &StoredCall,
    connection: &mut Connection,
) -> Result<Result<(), Admission>, StorageError> {
    alone(connection, Alone::Throttle(id)).await?;
    let row = sqlx::query("SELECT * FROM call_throttles WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(throttle) = row.as_ref().map(read).transpose()? else { return Ok(Err(Admission::NoThrottle)) };
    let mut until = None;
    for rule in &throttle.rules {
        until = until.max(full_until(id, rule, call.created, connection).await?);
    }
    if let Some(until) = until {
        return Ok(Err(Admission::throttled(until)));
    }
    let longest = i64::try_from(LONGEST_WINDOW.as_micros()).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM throttled_calls WHERE throttle_id = $1 AND created_us <= $2")
        .bind(id.to_string())
        .bind(call.created.unix_micros() - longest)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO throttled_calls (throttle_id, created_us, call_id) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(call.created.unix_micros())
        .bind(call.id.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(Ok(()))
}

/// When a window is no longer full that is now, in microseconds; none if it is not.
async fn full_until(
    id: ThrottleId,
    rule: &CallThrottleRule,
    now: Timestamp,
    connection: &mut Connection,
) -> Result<Option<i64>, StorageError> {
    // Of so many calls as there may be, the oldest: once it has left, there is room for one.
    let row = sqlx::query(
        "SELECT created_us FROM throttled_calls WHERE throttle_id = $1 AND created_us > $2 \
         ORDER BY created_us DESC LIMIT 1 OFFSET $3",
    )
    .bind(id.to_string())
    .bind(window_start(rule, now))
    .bind(i64::from(rule.max_calls) - 1)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get("created_us")).transpose()?.map(|created| leaves(rule, created)))
}

async fn name_is_taken(throttle: &StoredThrottle, connection: &mut Connection) -> Result<bool, StorageError> {
    THROTTLES.is_taken(connection, throttle.account, &throttle.name, throttle.id).await
}

fn read(row: &Row) -> Result<StoredThrottle, StorageError> {
    let row = Reading::new(row, "call_throttles", "id")?;
    Ok(StoredThrottle {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        created: row.time("created_us")?,
        rules: row.json("rules")?,
        version: row.version("version")?,
    })
}
