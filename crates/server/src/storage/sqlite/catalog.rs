//! Calls as lists, in SQLite.
//!
//! Filters are tried on the index that a list is walked by, which holds all that they look at but texts, so that what does not fit
//! costs no look at a call. Texts are looked for in indexes of their own (`narrowing`); those that many calls have are soon met while
//! walking. Counts end at [`MANY`]. `instr`, and a column beside `MAX` that is of the same row, are SQLite's own.

mod narrowing;
mod whole_hours;

use antiphon_api::{CallId, Timestamp, WireDuration};
use futures::FutureExt;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

use super::super::catalog::{
    AgentDay, CallCatalog, CallFilter, CallKey, CallSort, CallSpan, EventChoice, EventPlace, HourOfCalls,
    MANY, SortPlace, Tombstone, fact, micros,
};
use super::super::{
    AccountId, CallPlace, Direction, Pending, Slice, StorageError, StoredCall, StoredEvent, Window,
};
use super::calls::{ended, read, slice, total};
use super::messages::read_event;
use super::{Reading, Sqlite};

use narrowing::Narrowing;
use whole_hours::WholeHours;

type Query = QueryBuilder<sqlx::Sqlite>;

/// Units of six seconds that a call is billed.
const BILLED: &str = "COALESCE(SUM((duration_us + 5999999) / 6000000), 0) AS billed";
const HOUR_US: &str = "3600000000";
const DAY_US: &str = "86400000000";

impl CallCatalog for Sqlite {
    fn list<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
        sort: CallSort,
        window: Window<SortPlace>,
    ) -> Pending<'a, Slice<StoredCall>> {
        async move {
            let key = match sort.by {
                CallKey::Created => "created_us",
                CallKey::Duration => "COALESCE(duration_us, 9223372036854775807)",
                CallKey::Ended => "COALESCE(ended_us, 9223372036854775807)",
                CallKey::Joined => "COALESCE(joined_us, 9223372036854775807)",
            };
            let narrowing = Narrowing::find(self, account, filter).await?;
            // What is walked and sorted is the index; only what is shown is read.
            let mut query = Query::new("SELECT calls.* FROM (SELECT id, ");
            query.push(key).push(" AS place FROM calls");
            push_choice(&mut query, account, filter, &narrowing);
            let falling = sort.descending == (window.direction == Direction::Forward);
            let after = window.after.map(|after| (after.key, after.id));
            push_window(&mut query, key, "id", falling, after, window.limit);
            let way = if falling { " DESC" } else { "" };
            query.push(") AS chosen JOIN calls ON calls.id = chosen.id ORDER BY chosen.place").push(way);
            query.push(", chosen.id").push(way);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count<'a>(&'a self, account: AccountId, filter: &'a CallFilter) -> Pending<'a, Option<u64>> {
        async move {
            if *filter == CallFilter::default() {
                let query =
                    sqlx::query("SELECT COALESCE(SUM(calls), 0) AS total FROM accounts WHERE id = $1");
                let row = query.bind(account.to_string()).fetch_one(&self.pool).await?;
                return Ok(Some(total(&row)?));
            }
            let narrowing = Narrowing::find(self, account, filter).await?;
            if narrowing == Narrowing::Many {
                return Ok(None);
            }
            let mut query =
                chosen("SELECT COUNT(*) AS total FROM (SELECT 1 FROM calls", account, filter, &narrowing);
            query.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(")");
            bounded(total(&query.build().fetch_one(&self.pool).await?)?)
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
            let mut query = chosen_events("SELECT * FROM call_events", call, choice);
            let (sign, order) = match window.direction {
                Direction::Backward => ("<", " DESC"),
                Direction::Forward => (">", ""),
            };
            if let Some(EventPlace(after)) = window.after {
                query.push(" AND position ").push(sign).push_bind(after);
            }
            query.push(" ORDER BY position").push(order);
            query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
            let read = |row: &SqliteRow| {
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
            let mut query = chosen("SELECT * FROM tombstones", account, filter, &Narrowing::None);
            let falling = window.direction == Direction::Forward;
            let after = window.after.map(|after| (after.created.unix_micros(), after.id));
            push_window(&mut query, "created_us", "call_id", falling, after, window.limit);
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
            let head = "SELECT COUNT(*) AS total FROM (SELECT 1 FROM tombstones";
            let mut query = chosen(head, account, filter, &Narrowing::None);
            query.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(")");
            bounded(total(&query.build().fetch_one(&self.pool).await?)?)
        }
        .boxed()
    }

    fn find_tombstone(&self, account: AccountId, id: CallId) -> Pending<'_, Option<Tombstone>> {
        async move {
            let row = sqlx::query("SELECT * FROM tombstones WHERE call_id = $1 AND account_id = $2")
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
                let mut query = Query::new(
                    "SELECT hour, SUM(calls) AS total, SUM(joined) AS joined, SUM(failed) AS failed, \
                     SUM(duration_us) AS duration, SUM(billed) AS billed FROM call_hours",
                );
                hours.push(&mut query, account);
                query
            } else {
                let narrowing = Narrowing::find(self, account, filter).await?;
                let mut query = Query::new("SELECT created_us / ");
                query.push(HOUR_US).push(" AS hour, COUNT(*) AS total, COUNT(joined_us) AS joined, ");
                query
                    .push("COALESCE(SUM(end_reason IN ('connection_error', 'system_error')), 0) AS failed, ");
                query.push("COALESCE(SUM(duration_us), 0) AS duration, ").push(BILLED).push(" FROM calls");
                push_choice(&mut query, account, filter, &narrowing);
                query
            };
            query.push(" GROUP BY hour ORDER BY hour");
            query.build().fetch_all(&self.pool).await?.iter().map(read_hour).collect()
        }
        .boxed()
    }

    fn by_agent_and_day<'a>(
        &'a self,
        account: AccountId,
        filter: &'a CallFilter,
    ) -> Pending<'a, Vec<AgentDay>> {
        async move {
            let mut query = if let Some(hours) = WholeHours::of(filter) {
                let mut query = Query::new(
                    "SELECT agent_id, agent_name, MAX(hour), hour / 24 AS day, SUM(calls) AS total, \
                     SUM(billed) AS billed FROM call_hours",
                );
                hours.push(&mut query, account);
                query.push(" AND agent_id <> ''");
                query
            } else {
                let narrowing = Narrowing::find(self, account, filter).await?;
                let mut query = Query::new("SELECT agent_id, agent_name, MAX(created_us), created_us / ");
                query.push(DAY_US).push(" AS day, COUNT(*) AS total, ").push(BILLED).push(" FROM calls");
                push_choice(&mut query, account, filter, &narrowing);
                query.push(" AND agent_id IS NOT NULL");
                query
            };
            query.push(" GROUP BY agent_id, day ORDER BY agent_id, day");
            let rows = query.build().fetch_all(&self.pool).await?;
            let mut days = rows.iter().map(read_agent_day).collect::<Result<Vec<_>, _>>()?;
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
            let rows = sqlx::query(
                "SELECT id, created_us, joined_us, ended_us FROM calls WHERE account_id = $1 AND created_us <= $2 \
                 AND (ended_us IS NULL OR ended_us >= $3) ORDER BY created_us DESC, id DESC LIMIT $4",
            )
            .bind(account.to_string())
            .bind(to.unix_micros())
            .bind(from.unix_micros())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
            let read = |row| {
                let row = Reading::new(row, "calls", "id")?;
                Ok(CallSpan {
                    created: row.time("created_us")?,
                    joined: row.optional_time("joined_us")?,
                    ended: row.optional_time("ended_us")?,
                })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }
}

/// A count, unless it has gone as far as counts go.
pub(super) fn bounded(count: u64) -> Result<Option<u64>, StorageError> {
    Ok((count <= MANY.into()).then_some(count))
}

/// `head`, and which of the account's calls are meant.
fn chosen(head: &'static str, account: AccountId, filter: &CallFilter, narrowing: &Narrowing) -> Query {
    let mut query = Query::new(head);
    push_choice(&mut query, account, filter, narrowing);
    query
}

/// See [`CallFilter::fits`], which says the same.
fn push_choice(query: &mut Query, account: AccountId, filter: &CallFilter, narrowing: &Narrowing) {
    let CallFilter {
        agents,
        created_from,
        created_to,
        lasted_at_least,
        lasted_at_most,
        metadata,
        search,
        time_of_day,
        voices,
    } = filter;
    // What few calls are known to fit is not walked by an account's order: the sign keeps its indexes from being used.
    let sign = if matches!(narrowing, Narrowing::Few(_)) { "+" } else { "" };
    query.push(" WHERE ").push(sign).push("account_id = ").push_bind(account.to_string());
    narrowing.push(query, account);
    match agents.as_slice() {
        [] => {}
        // One alone is found, in order, by an index of its own.
        [agent] => {
            query.push(" AND ").push(sign).push("agent_id = ").push_bind(agent.to_string());
        }
        agents => {
            query.push(" AND agent_id IN (");
            let mut list = query.separated(", ");
            agents.iter().for_each(|agent| {
                list.push_bind(agent.to_string());
            });
            query.push(")");
        }
    }
    for (bound, sign) in [(created_from, ">="), (created_to, "<=")] {
        if let Some(bound) = bound {
            query.push(" AND created_us ").push(sign).push_bind(bound.unix_micros());
        }
    }
    for (bound, sign) in [(lasted_at_least, ">="), (lasted_at_most, "<=")] {
        if let Some(bound) = bound {
            query.push(" AND duration_us ").push(sign).push_bind(micros(*bound));
        }
    }
    let facts = metadata.iter().map(|(key, value)| fact(key, value));
    for fact in facts.filter(|fact| !narrowing.implies_fact(fact)) {
        query.push(" AND instr(facts, ").push_bind(fact).push(") > 0");
    }
    let words = search.iter().flat_map(|search| search.split_whitespace()).map(str::to_lowercase);
    for word in words.filter(|word| !narrowing.implies_word(word)) {
        query.push(" AND instr(words, ").push_bind(word).push(") > 0");
    }
    if let Some((from, to)) = time_of_day {
        let joint = if from <= to { " AND " } else { " OR " };
        query.push(" AND (created_us % ").push(DAY_US).push(" >= ").push_bind(*from).push(joint);
        query.push("created_us % ").push(DAY_US).push(" <= ").push_bind(*to).push(")");
    }
    if let Some(voices) = voices {
        query.push(if voices.contains(&None) {
            " AND (voice IS NULL OR voice IN ("
        } else {
            " AND (voice IN ("
        });
        let mut list = query.separated(", ");
        voices.iter().flatten().for_each(|voice| {
            list.push_bind(voice.clone());
        });
        query.push("))");
    }
}

/// The part of a list behind `after`: by `key`, then by id, rising or falling.
fn push_window(
    query: &mut Query,
    key: &'static str,
    id: &'static str,
    falling: bool,
    after: Option<(i64, CallId)>,
    limit: u32,
) {
    if let Some((place, call)) = after {
        query.push(" AND (").push(key).push(", ").push(id).push(if falling { ") < (" } else { ") > (" });
        query.push_bind(place).push(", ").push_bind(call.to_string()).push(")");
    }
    let way = if falling { " DESC" } else { "" };
    query.push(" ORDER BY ").push(key).push(way).push(", ").push(id).push(way);
    query.push(" LIMIT ").push_bind(i64::from(limit) + 1);
}

fn chosen_events(head: &'static str, call: CallId, choice: &EventChoice) -> Query {
    let mut query = Query::new(head);
    query.push(" WHERE call_id = ").push_bind(call.to_string());
    query.push(
        " AND CASE severity WHEN 'debug' THEN 0 WHEN 'info' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END >= ",
    );
    query.push_bind(choice.minimum as i64);
    if let Some(kind) = &choice.kind {
        query.push(" AND type = ").push_bind(kind.clone());
    }
    query
}

fn read_tombstone(row: &SqliteRow) -> Result<Tombstone, StorageError> {
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

fn read_hour(row: &SqliteRow) -> Result<HourOfCalls, StorageError> {
    let row = sum(row);
    Ok(HourOfCalls {
        hour: row.plain("hour")?,
        calls: row.plain::<i64>("total")?.unsigned_abs(),
        failed: row.plain::<i64>("failed")?.unsigned_abs(),
        joined: row.plain::<i64>("joined")?.unsigned_abs(),
        duration_us: row.plain("duration")?,
        billed_units: row.plain("billed")?,
    })
}

fn read_agent_day(row: &SqliteRow) -> Result<AgentDay, StorageError> {
    let row = sum(row);
    Ok(AgentDay {
        agent: row.text("agent_id")?,
        name: row.plain("agent_name")?,
        day: row.plain("day")?,
        calls: row.plain::<i64>("total")?.unsigned_abs(),
        billed_units: row.plain("billed")?,
    })
}

/// A row that sums up calls.
fn sum(row: &SqliteRow) -> Reading<'_> {
    Reading { row, table: "calls", id: "a sum".to_owned() }
}
