//! One page of a list of calls: which calls are on it, in order.
//!
//! Where a text that many calls have is looked for, they are met in the order of their numbers, which is nearly that of their creation:
//! how far it is off is known of every account, so that a page is found without going through all that have the text.

use antiphon_api::{CallId, Timestamp};
use sqlx::Row as _;

use super::super::catalog::{CallFilter, CallKey, CallSort, SortPlace};
use super::super::{Direction, StorageError, Window};
use super::Sqlite;
use super::catalog::Query;
use super::choice::{Choice, Way};
use super::texts::Text;

/// Calls that are tried in the order of the list before all that have a text are gone through: most pages are found by then.
const TRIED: i64 = 1_000;

/// The part of a list that is asked for: so many, behind a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    by: CallKey,
    /// Whether the highest comes first.
    falling: bool,
    after: Option<(i64, CallId)>,
    /// One more than is wanted, which tells whether there are more.
    limit: i64,
}

impl Page {
    pub(super) fn of(sort: CallSort, window: &Window<SortPlace>) -> Self {
        Self {
            by: sort.by,
            falling: sort.descending == (window.direction == Direction::Forward),
            after: window.after.map(|after| (after.key, after.id)),
            limit: i64::from(window.limit) + 1,
        }
    }

    /// The calls on it, as a query of the rows of `table`, whose numbers are what `number` says of a call's.
    pub(super) async fn query(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
        (table, number): (&'static str, &'static str),
    ) -> Result<Query, StorageError> {
        // What is walked and sorted is the index; only what is shown is read.
        let mut query = Query::new("SELECT ");
        query.push(table).push(".* FROM (");
        if let Some(numbers) = self.numbers(database, choice).await? {
            self.push_columns(&mut query);
            query.push(" FROM call_heads WHERE number IN (SELECT value FROM json_each(");
            query.push_bind(format!("{numbers:?}")).push("))");
        } else {
            self.push_columns(&mut query);
            choice.push(&mut query);
            self.push_after(&mut query);
            self.push_end(&mut query, self.limit);
        }
        query.push(") AS chosen JOIN ").push(table).push(" ON ").push(table).push(".number = ").push(number);
        self.push_order(&mut query, "chosen.place", "chosen.id");
        Ok(query)
    }

    /// The numbers of the calls on it, where these are found beforehand.
    async fn numbers(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
    ) -> Result<Option<Vec<i64>>, StorageError> {
        match (&choice.way, self.by) {
            (Way::Walk | Way::Few(_), _) => Ok(None),
            (Way::Many(text), CallKey::Created) if choice.owner.number > 0 => {
                Ok(Some(self.by_number(database, choice, text).await?))
            }
            (Way::Many(_), _) => self.first_tried(database, choice).await,
        }
    }

    /// The calls on the page, if they are among the first that come into question.
    async fn first_tried(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
    ) -> Result<Option<Vec<i64>>, StorageError> {
        let mut query = Query::new("SELECT number FROM (");
        self.push_columns(&mut query);
        query.push(" FROM call_heads WHERE account = ").push_bind(choice.owner.number);
        choice.push_facts(&mut query);
        self.push_after(&mut query);
        self.push_end(&mut query, TRIED.max(self.limit * 4));
        query.push(") AS call_heads WHERE TRUE");
        choice.push_trials(&mut query, None);
        self.push_order(&mut query, "place", "id");
        query.push(" LIMIT ").push_bind(self.limit);
        let rows = query.build().fetch_all(&database.pool).await?;
        let numbers = rows.iter().map(|row| row.try_get("number")).collect::<Result<Vec<i64>, _>>()?;
        Ok((numbers.len() as i64 == self.limit).then_some(numbers))
    }

    /// The calls on the page of a list in the order of creation, by going through those that have a text in the order of their numbers.
    async fn by_number(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
        text: &Text,
    ) -> Result<Vec<i64>, StorageError> {
        let CallFilter { created_from, created_to, .. } = choice.filter;
        let after = self.after.map(|(created, _)| created);
        let (earliest, latest) = match self.falling {
            true => (None, after),
            false => (after, None),
        };
        let earliest = earliest.max(created_from.map(Timestamp::unix_micros));
        let latest = latest.into_iter().chain(created_to.map(Timestamp::unix_micros)).min();
        let mut numbers = choice.owner.numbers();
        self.narrow(database, choice, &mut numbers, earliest, latest).await?;

        let mut query = Query::new("SELECT call_heads.number AS number, created_us");
        choice.push_between(&mut query, numbers, None);
        self.push_after(&mut query);
        query.push(" ORDER BY ").push(text.number()).push(if self.falling { " DESC" } else { "" });
        query.push(" LIMIT ").push_bind(self.limit);
        let rows = query.build().fetch_all(&database.pool).await?;
        let mut met = Vec::with_capacity(rows.len());
        for row in &rows {
            met.push((row.try_get::<i64, _>("number")?, row.try_get::<i64, _>("created_us")?));
        }
        let moments = met.iter().map(|(_, created)| *created);
        let furthest = if self.falling { moments.min() } else { moments.max() };
        let Some(furthest) = furthest.filter(|_| met.len() as i64 == self.limit) else {
            // These are all there are.
            return Ok(met.into_iter().map(|(number, _)| number).collect());
        };
        // Those that come before the last of them may have numbers a little behind its own.
        let (earliest, latest) = match self.falling {
            true => (Some(furthest), latest),
            false => (earliest, Some(furthest)),
        };
        let mut numbers = choice.owner.numbers();
        self.narrow(database, choice, &mut numbers, earliest, latest).await?;
        let mut query = Query::new("SELECT call_heads.number AS number");
        choice.push_between(&mut query, numbers, None);
        self.push_after(&mut query);
        query.push(" AND created_us ").push(if self.falling { ">=" } else { "<=" }).push_bind(furthest);
        self.push_end(&mut query, self.limit);
        let rows = query.build().fetch_all(&database.pool).await?;
        Ok(rows.iter().map(|row| row.try_get("number")).collect::<Result<_, _>>()?)
    }

    /// Narrows numbers down to those that calls can have which were created between two moments.
    async fn narrow(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
        (behind, before): &mut (i64, i64),
        earliest: Option<i64>,
        latest: Option<i64>,
    ) -> Result<(), StorageError> {
        // A call that was created so much earlier, or later, has a lower, or higher, number than all of them.
        let disorder = choice.owner.disorder_us;
        for (bound, moment, sql) in [
            (
                behind,
                earliest.map(|moment| moment.saturating_sub(disorder)),
                "SELECT number FROM call_heads WHERE account = $1 AND created_us < $2 \
                 ORDER BY created_us DESC, id DESC LIMIT 1",
            ),
            (
                before,
                latest.map(|moment| moment.saturating_add(disorder)),
                "SELECT number FROM call_heads WHERE account = $1 AND created_us > $2 \
                 ORDER BY created_us, id LIMIT 1",
            ),
        ] {
            let Some(moment) = moment else { continue };
            let query = sqlx::query(sql).bind(choice.owner.number).bind(moment);
            if let Some(row) = query.fetch_optional(&database.pool).await? {
                *bound = row.try_get("number")?;
            }
        }
        Ok(())
    }

    fn key(&self) -> &'static str {
        match self.by {
            CallKey::Created => "created_us",
            CallKey::Duration => "COALESCE(duration_us, 9223372036854775807)",
            CallKey::Ended => "COALESCE(ended_us, 9223372036854775807)",
            CallKey::Joined => "COALESCE(joined_us, 9223372036854775807)",
        }
    }

    fn push_columns(&self, query: &mut Query) {
        query.push("SELECT call_heads.number AS number, ").push(self.key()).push(" AS place, id");
    }

    fn push_after(&self, query: &mut Query) {
        if let Some((place, call)) = self.after {
            query.push(" AND (").push(self.key()).push(", id) ").push(if self.falling {
                "< ("
            } else {
                "> ("
            });
            query.push_bind(place).push(", ").push_bind(call.uuid().as_bytes().to_vec()).push(")");
        }
    }

    fn push_order(&self, query: &mut Query, key: &'static str, id: &'static str) {
        let way = if self.falling { " DESC" } else { "" };
        query.push(" ORDER BY ").push(key).push(way).push(", ").push(id).push(way);
    }

    fn push_end(&self, query: &mut Query, limit: i64) {
        self.push_order(query, self.key(), "id");
        query.push(" LIMIT ").push_bind(limit);
    }
}
