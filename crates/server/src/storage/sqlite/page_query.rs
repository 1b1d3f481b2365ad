//! The calls on a page of a list of calls, in order.
//!
//! Where a text that many calls have is looked for, they are met in the order of their numbers, in strides: in the order of creation a
//! page is found without going through all that have the text, and in any other they are gone through once, and few of them sorted.

use antiphon_api::Timestamp;
use sqlx::Row as _;

use super::super::StorageError;
use super::super::catalog::{CallFilter, CallKey};
use super::Sqlite;
use super::catalog::Query;
use super::choice::{Choice, Way};
use super::numbers::Numbers;
use super::page::Page;

/// Calls that are tried in the order of the list before all that have a text are gone through: most pages are found by then.
const TRIED: i64 = 1_000;
/// Numbers that are gone through at first, and at most: twice as many each time. Of the first stride that has any of the page, all is
/// sorted.
const STRIDES: (i64, i64) = (1_000, 8_000);

/// A call that may be on the page, by its place in the list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Met {
    place: i64,
    id: Vec<u8>,
    number: i64,
}

impl Page {
    /// The calls on it, as a query of these columns of `table`, whose numbers are what `number` says of a call's.
    pub(super) async fn query(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
        (columns, table, number): (&'static str, &'static str, &'static str),
    ) -> Result<Query, StorageError> {
        // What is walked and sorted is the index; only what is shown is read.
        let mut query = Query::new("SELECT ");
        query.push(columns).push(" FROM (");
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
            (Way::Walk | Way::Few(_), _) => return Ok(None),
            // The order of the numbers is nearly that of the list.
            (Way::Many(_), CallKey::Created) if choice.owner.number > 0 => {}
            (Way::Many(_), _) => {
                let tried = self.first_tried(database, choice).await?;
                if tried.is_some() {
                    return Ok(tried);
                }
            }
        }
        self.by_number(database, choice).await.map(Some)
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

    /// The calls on the page, by going through those that have a text in strides of numbers, from the end at which the page is likelier
    /// to be. What is met first spares sorting most of what follows, and within a stride the rows are read in the order in which they lie.
    async fn by_number(&self, database: &Sqlite, choice: &Choice<'_>) -> Result<Vec<i64>, StorageError> {
        let CallFilter { created_from, created_to, .. } = choice.filter;
        let mut earliest = created_from.map(Timestamp::unix_micros);
        let mut latest = created_to.map(Timestamp::unix_micros);
        if self.by == CallKey::Created {
            let after = self.after.map(|(created, _)| created);
            match self.falling {
                true => latest = latest.into_iter().chain(after).min(),
                false => earliest = earliest.max(after),
            }
        }
        let mut numbers = Numbers::of(database, choice.owner).await?;
        numbers.narrow(database, earliest, latest).await?;

        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let mut met: Vec<Met> = Vec::new();
        let (mut length, longest) = STRIDES;
        while let Some(stride) = numbers.take(length, self.falling) {
            let mut query = Query::new("");
            self.push_columns(&mut query);
            choice.push_between(&mut query, stride, None);
            self.push_after(&mut query);
            if let Some(last) = met.get(most - 1) {
                let sign = if self.falling { ">" } else { "<" };
                self.push_beside(&mut query, sign, (last.place, last.id.clone()));
            }
            self.push_end(&mut query, self.limit);
            for row in query.build().fetch_all(&database.pool).await? {
                met.push(Met {
                    place: row.try_get("place")?,
                    id: row.try_get("id")?,
                    number: row.try_get("number")?,
                });
            }
            met.sort_unstable();
            if self.falling {
                met.reverse();
            }
            met.truncate(most);
            if let (CallKey::Created, Some(last)) = (self.by, met.get(most - 1)) {
                // Those that come before the last of them have numbers that are at most a little behind its own.
                let (earliest, latest) = match self.falling {
                    true => (Some(last.place), None),
                    false => (None, Some(last.place)),
                };
                numbers.narrow(database, earliest, latest).await?;
            }
            length = longest.min(length * 2);
        }
        Ok(met.into_iter().map(|met| met.number).collect())
    }
}
