//! The calls on a page of a list of calls, in order.
//!
//! Where texts are looked for, some calls are tried in the order of the list before it is counted how many have them: a page of what is
//! common is found by then.

use sqlx::Row as _;

use super::super::StorageError;
use super::Postgres;
use super::catalog::Query;
use super::choice::Choice;
use super::page::Page;

/// Calls that are tried.
const TRIED: i64 = 1_000;

impl Page {
    /// The calls on it, as a query of these columns of `table`, whose numbers are what `number` says of a call's.
    pub(super) async fn query(
        &self,
        database: &Postgres,
        choice: &Choice<'_>,
        (columns, table, number): (&'static str, &'static str, &'static str),
    ) -> Result<Query, StorageError> {
        // What is walked and sorted is the index; only what is shown is read.
        let mut query = Query::new("SELECT ");
        query.push(columns).push(" FROM (");
        self.push_columns(&mut query);
        if let Some(numbers) = self.first_tried(database, choice).await? {
            query.push(" FROM call_heads WHERE number = ANY(").push_bind(numbers).push(")");
        } else {
            let mut choice = choice.clone();
            choice.find_way(database).await?;
            choice.push(&mut query);
            self.push_after(&mut query);
            self.push_end(&mut query, self.limit);
        }
        query.push(") AS chosen JOIN ").push(table).push(" ON ").push(table).push(".number = ").push(number);
        self.push_order(&mut query, "chosen.place", "chosen.id");
        Ok(query)
    }

    /// The calls on the page, if texts are looked for and they are among the first that come into question.
    async fn first_tried(
        &self,
        database: &Postgres,
        choice: &Choice<'_>,
    ) -> Result<Option<Vec<i64>>, StorageError> {
        if !choice.has_texts() {
            return Ok(None);
        }
        let mut query = Query::new("SELECT number FROM (");
        self.push_columns(&mut query);
        query.push(" FROM call_heads WHERE account = ").push_bind(choice.owner.number);
        choice.push_facts(&mut query);
        self.push_after(&mut query);
        self.push_end(&mut query, TRIED.max(self.limit * 4));
        query.push(") AS call_heads WHERE TRUE");
        choice.push_trial(&mut query);
        self.push_order(&mut query, "place", "id");
        query.push(" LIMIT ").push_bind(self.limit);
        let rows = query.build().fetch_all(&database.pool).await?;
        let numbers = rows.iter().map(|row| row.try_get("number")).collect::<Result<Vec<i64>, _>>()?;
        Ok((numbers.len() as i64 == self.limit).then_some(numbers))
    }
}
