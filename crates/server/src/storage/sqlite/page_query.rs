//! The calls on a page of a list of calls, in order.
//!
//! Where a text that many calls have is looked for, they are met in the order of their numbers, in strides, which is nearly that of
//! their creation. Ends and joins lie behind that by no more than a call has ever lasted (`bounds`): in these orders, a page is found
//! without going through all that have the text. By duration they are gone through once, and few of them sorted.

use antiphon_api::Timestamp;
use sqlx::Row as _;

use super::super::StorageError;
use super::super::catalog::CallFilter;
use super::Sqlite;
use super::bounds::Bounds;
use super::catalog::Query;
use super::choice::{Choice, Way};
use super::numbers::Numbers;
use super::page::Page;
use super::texts::Text;

/// Calls that are tried in the order of the list before all that have a text are gone through: most pages are found by then.
const TRIED: i64 = 1_000;
/// Numbers that are gone through at first, and at most: four times as many each time. Of the first stride that has any of the page, all
/// is sorted.
const STRIDES: (i64, i64) = (1_000, 32_000);

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
        self.push_columns(&mut query);
        if let Some(numbers) = self.numbers(database, choice).await? {
            query.push(" FROM call_heads WHERE number IN (SELECT value FROM json_each(");
            query.push_bind(format!("{numbers:?}")).push("))");
        } else {
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
        let Way::Many(text) = &choice.way else { return Ok(None) };
        let bounds = Bounds::of(self, database, choice.owner).await?;
        if bounds.is_none() {
            let tried = self.first_tried(database, choice).await?;
            if tried.is_some() {
                return Ok(tried);
            }
        }
        self.by_number(database, choice, text, bounds.as_ref()).await.map(Some)
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
    async fn by_number(
        &self,
        database: &Sqlite,
        choice: &Choice<'_>,
        text: &Text,
        bounds: Option<&Bounds>,
    ) -> Result<Vec<i64>, StorageError> {
        let CallFilter { created_from, created_to, .. } = choice.filter;
        let mut earliest = created_from.map(Timestamp::unix_micros);
        let mut latest = created_to.map(Timestamp::unix_micros);
        let mut met: Vec<Met> = Vec::new();
        let mut odd: &[i64] = &[];
        if let Some(bounds) = bounds {
            let after = self.after.map(|(place, _)| bounds.created_behind(self.falling, place));
            match self.falling {
                true => latest = latest.into_iter().chain(after).min(),
                false => earliest = earliest.max(after),
            }
            odd = &bounds.odd;
        }
        if !odd.is_empty() {
            let mut query = Query::new("");
            self.push_columns(&mut query);
            query.push(" FROM call_heads WHERE number IN (SELECT value FROM json_each(");
            query.push_bind(format!("{odd:?}")).push("))");
            choice.push_facts(&mut query);
            choice.push_trials(&mut query, None);
            self.meet(database, query, &mut met, &[]).await?;
        }
        let mut numbers = Numbers::of(database, choice.owner, text).await?;
        numbers.narrow(database, earliest, latest).await?;

        let (mut length, longest) = STRIDES;
        while let Some(stride) = numbers.take(length, self.falling) {
            let mut query = Query::new("");
            self.push_columns(&mut query);
            choice.push_between(&mut query, stride, None);
            self.meet(database, query, &mut met, odd).await?;
            if let (Some(bounds), Some(last)) = (bounds, self.last(&met)) {
                let created = Some(bounds.created_before(self.falling, last.place));
                let (earliest, latest) = if self.falling { (created, None) } else { (None, created) };
                numbers.narrow(database, earliest, latest).await?;
            }
            length = longest.min(length * 4);
        }
        Ok(met.into_iter().map(|met| met.number).collect())
    }

    /// Adds what a query of calls finds that may be on the page, but for those with these numbers, which have been met already.
    async fn meet(
        &self,
        database: &Sqlite,
        mut query: Query,
        met: &mut Vec<Met>,
        already: &[i64],
    ) -> Result<(), StorageError> {
        self.push_after(&mut query);
        if let Some(last) = self.last(met) {
            let sign = if self.falling { ">" } else { "<" };
            self.push_beside(&mut query, sign, (last.place, last.id.clone()));
        }
        self.push_end(&mut query, self.limit);
        for row in query.build().fetch_all(&database.pool).await? {
            let number: i64 = row.try_get("number")?;
            if already.binary_search(&number).is_err() {
                met.push(Met { place: row.try_get("place")?, id: row.try_get("id")?, number });
            }
        }
        met.sort_unstable();
        if self.falling {
            met.reverse();
        }
        met.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        Ok(())
    }

    /// The last of a page that is full.
    fn last<'m>(&self, met: &'m [Met]) -> Option<&'m Met> {
        met.get(usize::try_from(self.limit).unwrap_or(usize::MAX) - 1)
    }
}
