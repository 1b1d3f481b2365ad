//! Calls as lists, in SQL.
//!
//! Which calls are meant is `choice`'s to say, and how a page of them is found `page`'s; sums are read from where they are kept already,
//! where the filter permits (`whole_hours`). Counts end at [`MANY`].

use antiphon_api::{AgentId, CallId, Timestamp, WireDuration};
use futures::FutureExt;
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};

use super::super::catalog::{
    AgentDay, CallCatalog, CallFilter, CallKey, CallSort, CallSpan, EventChoice, EventPlace, HourOfCalls,
    MANY, SortPlace, Tombstone,
};
use super::super::{
    AccountId, CallPlace, Direction, Pending, Slice, StorageError, StoredCall, StoredEvent, Window,
};
use super::calls::{CALL, ended, read, slice, total};
use super::choice::{Choice, Owner};
use super::messages::{EVENT, read_event};
use super::page::Page;
use super::whole_hours::WholeHours;
use super::{BY_END, Db, LATEST_AGENT_NAME, LATEST_NUMBER, PACKED, Reading, Row, Store, storable};

/// What is read of a tombstone.
const TOMBSTONE: &str = "tombstones.call_id, tombstones.account_id, tombstones.created_us, tombstones.joined_us, \
     tombstones.ended_us, tombstones.end_reason, tombstones.max_duration_us, \
     tombstones.recording_enabled, tombstones.had_summary, tombstones.deleted_us";

pub(super) type Query = QueryBuilder<Db>;

/// Units of six seconds that a call is billed.
const BILLED: &str = "COALESCE(SUM((duration_us + 5999999) / 6000000), 0) AS billed";
const HOUR_US: &str = "3600000000";
pub(super) const DAY_US: &str = "86400000000";

impl CallCatalog for Store {
    fn list<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        sort: CallSort,
        window: Window<SortPlace>,
    ) -> Pending<'a, Slice<StoredCall>> {
        async move {
            let owner = Owner::find(self, account).await?;
            let choice = Choice::for_page(self, owner, filter).await?;
            let page = Page::of(sort, &window);
            let mut query = page.query(self, &choice, (CALL, "calls", "chosen.number")).await?;
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Option<u64>> {
        async move {
            if *filter == CallFilter::default() {
                let query = sqlx::query(
                    "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) AS total FROM accounts WHERE id = $1",
                );
                let row = query.bind(account.to_string()).fetch_one(&self.pool).await?;
                return Ok(Some(total(&row)?));
            }
            let owner = Owner::find(self, account).await?;
            self.count_chosen(owner, filter).await
        }
        .boxed()
    }

    fn count_live(&self, account: AccountId) -> Pending<'_, u64> {
        async move {
            let sql = "SELECT COUNT(*) AS total FROM calls WHERE ended_us IS NULL AND account_id = $1";
            let row = sqlx::query(sql).bind(account.to_string()).fetch_one(&self.pool).await?;
            total(&row)
        }
        .boxed()
    }

    fn list_events<'a>(
        &'a self,
        call: CallId,
        choice: &'a EventChoice,
        window: Window<EventPlace>,
    ) -> Pending<'a, Slice<(EventPlace, StoredEvent)>> {
        async move {
            let mut query = chosen_events(format!("SELECT {EVENT} FROM call_events"), call, choice);
            let (sign, order) = match window.direction {
                Direction::Backward => ("<", " DESC"),
                Direction::Forward => (">", ""),
            };
            if let Some(EventPlace(after)) = window.after {
                query.push(" AND position ").push(sign).push_bind(after);
            }
            query.push(" ORDER BY position").push(order);
            query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
            let read = |row: &Row| {
                let place = Reading::new(row, "call_events", "call_id")?.plain("position")?;
                Ok((EventPlace(place), read_event(row)?))
            };
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_events<'a>(&'a self, call: CallId, choice: &'a EventChoice) -> Pending<'a, u64> {
        async move {
            let mut query = chosen_events("SELECT COUNT(*) AS total FROM call_events", call, choice);
            total(&query.build().fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn tombstones<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        window: Window<CallPlace>,
    ) -> Pending<'a, Slice<Tombstone>> {
        async move {
            // Nothing is left of their metadata.
            if !filter.metadata.is_empty() {
                return Ok(Slice { items: Vec::new(), more: false });
            }
            let owner = Owner::find(self, account).await?.deleted();
            let choice = Choice::for_page(self, owner, filter).await?;
            let after =
                window.after.map(|after| SortPlace { key: after.created.unix_micros(), id: after.id });
            let places = Window { after, direction: window.direction, limit: window.limit };
            let page = Page::of(CallSort { by: CallKey::Created, descending: true }, &places);
            let mut query = page.query(self, &choice, (TOMBSTONE, "tombstones", "-chosen.number")).await?;
            slice(&query.build().fetch_all(&self.pool).await?, &window, read_tombstone)
        }
        .boxed()
    }

    fn count_tombstones<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Option<u64>> {
        async move {
            // Nothing is left of their metadata.
            if !filter.metadata.is_empty() {
                return Ok(Some(0));
            }
            let owner = Owner::find(self, account).await?.deleted();
            self.count_chosen(owner, filter).await
        }
        .boxed()
    }

    fn find_tombstone(&self, account: AccountId, id: CallId) -> Pending<'_, Option<Tombstone>> {
        async move {
            let row = sqlx::query(AssertSqlSafe(format!(
                "SELECT {TOMBSTONE} FROM tombstones WHERE call_id = $1 AND account_id = $2"
            )))
            .bind(id.to_string())
            .bind(account.to_string())
            .fetch_optional(&self.pool)
            .await?;
            row.as_ref().map(read_tombstone).transpose()
        }
        .boxed()
    }

    fn by_hour<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Vec<HourOfCalls>> {
        async move {
            let mut query = if let Some(hours) = WholeHours::of(filter) {
                let mut query = packing("hour, total, joined, failed, duration, billed");
                query.push(
                    "SELECT hour, SUM(calls) AS total, SUM(joined) AS joined, SUM(failed) AS failed, \
                     SUM(duration_us) AS duration, SUM(billed) AS billed FROM call_hours",
                );
                hours.push(&mut query, account);
                query
            } else {
                let owner = Owner::find(self, account).await?;
                let choice = Choice::find(self, owner, filter).await?;
                let mut query = packing("hour, total, joined, failed, duration, billed");
                query
                    .push("SELECT created_us / ")
                    .push(HOUR_US)
                    .push(" AS hour, COUNT(*) AS total, COUNT(joined_us) AS joined, ");
                query.push("COUNT(*) FILTER (WHERE failed) AS failed, ");
                query.push("COALESCE(SUM(duration_us), 0) AS duration, ").push(BILLED);
                choice.push_by(&mut query, "call_heads_by_hour");
                for (bound, sign) in [(filter.created_from, " >= "), (filter.created_to, " <= ")] {
                    if let Some(bound) = bound {
                        query.push(" AND created_us / ").push(HOUR_US).push(sign);
                        query.push_bind(bound.unix_micros()).push(" / ").push(HOUR_US);
                    }
                }
                query
            };
            query.push(" GROUP BY hour) AS sums");
            let mut hours: Vec<HourOfCalls> =
                self.packed::<HourRow>(query).await?.into_iter().map(hour_of).collect();
            hours.sort_unstable_by_key(|hour| hour.hour);
            Ok(hours)
        }
        .boxed()
    }

    fn by_agent_and_day<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Vec<AgentDay>> {
        async move {
            let query = if let Some(hours) = WholeHours::of(filter) {
                let mut query = packing("agent_id, agent_name, day, total, billed");
                query.push("SELECT agent_id, ").push(LATEST_AGENT_NAME).push(
                    " AS agent_name, hour / 24 AS day, SUM(calls) AS total, SUM(billed) AS billed FROM call_hours",
                );
                hours.push(&mut query, account);
                query.push(" AND agent_id <> '' GROUP BY agent_id, day) AS sums");
                query
            } else {
                let owner = Owner::find(self, account).await?;
                let choice = Choice::find(self, owner, filter).await?;
                let mut query = packing("agent_id, agent_name, day, total, billed");
                query.push("SELECT agent, ").push(LATEST_NUMBER);
                query.push(" AS number, COUNT(*) AS total, created_us / ").push(DAY_US).push(" AS day, ").push(BILLED);
                match Choice::is_long(self, owner, filter).await? {
                    true => choice.push_by(&mut query, "call_heads_by_agent_and_day"),
                    false => choice.push(&mut query),
                }
                query.push(" AND agent IS NOT NULL GROUP BY agent, day) AS sums ");
                query.push("JOIN calls ON calls.number = sums.number");
                query
            };
            let mut days: Vec<AgentDay> =
                self.packed::<DayRow>(query).await?.into_iter().map(agent_day).collect();
            days.sort_unstable_by_key(|day| (day.agent, day.day));
            // The name of an agent's last day is that of all its days.
            for index in (1..days.len()).rev() {
                if days[index - 1].agent == days[index].agent {
                    days[index - 1].name = days[index].name.clone();
                }
            }
            Ok(days)
        }
        .boxed()
    }

    fn spans(
        &self,
        account: AccountId,
        from: Timestamp,
        to: Timestamp,
        limit: u32,
    ) -> Pending<'_, Vec<CallSpan>> {
        async move {
            let owner = Owner::find(self, account).await?;
            // What has ended by `from` was not created later than the longest call before it.
            let mut query = packing("created_us, joined_us, ended_us");
            query.push("SELECT id, created_us, joined_us, ended_us FROM call_heads WHERE account = ");
            query.push_bind(owner.number).push(" AND created_us >= ");
            query.push_bind(from.unix_micros().saturating_sub(owner.longest_us));
            query.push(" AND created_us <= ").push_bind(to.unix_micros());
            query.push(" AND ended_us >= ").push_bind(from.unix_micros());
            // Of what has not ended there is little.
            query
                .push(" UNION ALL SELECT id, created_us, joined_us, ended_us FROM call_heads")
                .push(BY_END)
                .push(" WHERE COALESCE(ended_us, 9223372036854775807) = 9223372036854775807 AND account = ");
            query.push_bind(owner.number).push(" AND created_us <= ").push_bind(to.unix_micros());
            query
                .push(" ORDER BY created_us DESC, id DESC LIMIT ")
                .push_bind(i64::from(limit))
                .push(") AS spans");
            let spans = self.packed::<(i64, Option<i64>, Option<i64>)>(query).await?;
            let moment = |micros| Timestamp::from_unix_micros(micros).map_err(|error| not_packed(&error));
            let span = |(created, joined, ended): (i64, Option<i64>, Option<i64>)| {
                Ok(CallSpan {
                    created: moment(created)?,
                    joined: joined.map(moment).transpose()?,
                    ended: ended.map(moment).transpose()?,
                })
            };
            spans.into_iter().map(span).collect()
        }
        .boxed()
    }
}

/// A count, unless it has gone as far as counts go.
pub(super) fn bounded(count: u64) -> Result<Option<u64>, StorageError> {
    Ok((count <= MANY.into()).then_some(count))
}

impl Store {
    /// The rows of a query that makes one text of them: to hand over a row by itself costs several times what it costs to find it.
    pub(super) async fn packed<T: DeserializeOwned>(&self, mut query: Query) -> Result<Vec<T>, StorageError> {
        let row = query.build().fetch_one(&self.pool).await?;
        serde_json::from_str(row.try_get("packed")?).map_err(|error| not_packed(&error))
    }

    /// How many of an owner's calls fit a filter, as long as they are few.
    async fn count_chosen(&self, owner: Owner, filter: &CallFilter) -> Result<Option<u64>, StorageError> {
        let choice = Choice::find(self, owner, filter).await?;
        if choice.is_many() {
            return Ok(None);
        }
        let mut query = Query::new("SELECT COUNT(*) AS total FROM (SELECT 1");
        choice.push(&mut query);
        query.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(") AS counted");
        bounded(total(&query.build().fetch_one(&self.pool).await?)?)
    }
}

/// Begins a query that makes one text of these columns of what is selected next.
fn packing(columns: &'static str) -> Query {
    let (before, behind) = PACKED;
    let mut query = Query::new("SELECT ");
    query.push(before).push(columns).push(behind).push(" AS packed FROM (");
    query
}

fn chosen_events(head: impl Into<String>, call: CallId, choice: &EventChoice) -> Query {
    let mut query = Query::new(head);
    query.push(" WHERE call_id = ").push_bind(call.to_string());
    query.push(
        " AND CASE severity WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END >= ",
    );
    query.push_bind(choice.minimum as i64);
    if let Some(kind) = &choice.kind {
        query.push(" AND type = ").push_bind(String::from(storable(kind)));
    }
    query
}

fn read_tombstone(row: &Row) -> Result<Tombstone, StorageError> {
    let row = Reading::new(row, "tombstones", "call_id")?;
    let max_us: i64 = row.plain("max_duration_us")?;
    let max_duration = std::time::Duration::from_micros(max_us.unsigned_abs());
    Ok(Tombstone {
        id: row.text("call_id")?,
        account: AccountId(row.text("account_id")?),
        created: row.time("created_us")?,
        joined: row.optional_time("joined_us")?,
        ended: ended(&row)?,
        max_duration: WireDuration::from(max_duration),
        recording_enabled: row.plain("recording_enabled")?,
        had_summary: row.plain("had_summary")?,
        deleted: row.time("deleted_us")?,
    })
}

/// Hour, calls, how many joined, how many failed, how long, units billed.
type HourRow = (i64, u64, u64, u64, i64, i64);

fn hour_of((hour, calls, joined, failed, duration_us, billed_units): HourRow) -> HourOfCalls {
    HourOfCalls { hour, calls, failed, joined, duration_us, billed_units }
}

/// Agent, its name, day, calls, units billed.
type DayRow = (AgentId, String, i64, u64, i64);

fn agent_day((agent, name, day, calls, billed_units): DayRow) -> AgentDay {
    AgentDay { agent, name, day, calls, billed_units }
}

/// Rows that were packed make no sense.
fn not_packed(error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Inconsistent {
        table: "calls",
        column: "packed",
        row: "a sum".to_owned(),
        reason: error.to_string(),
    }
}
