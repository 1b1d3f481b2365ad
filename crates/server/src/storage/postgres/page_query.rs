//! The calls on a page of a list of calls, in order.

use std::future::{Ready, ready};

use super::super::StorageError;
use super::Postgres;
use super::catalog::Query;
use super::choice::Choice;
use super::page::Page;

impl Page {
    /// The calls on it, as a query of these columns of `table`, whose numbers are what `number` says of a call's.
    pub(super) fn query(
        &self,
        _: &Postgres,
        choice: &Choice<'_>,
        (columns, table, number): (&'static str, &'static str, &'static str),
    ) -> Ready<Result<Query, StorageError>> {
        // What is walked and sorted is the index; only what is shown is read.
        let mut query = Query::new("SELECT ");
        query.push(columns).push(" FROM (");
        self.push_columns(&mut query);
        choice.push(&mut query);
        self.push_after(&mut query);
        self.push_end(&mut query, self.limit);
        query.push(") AS chosen JOIN ").push(table).push(" ON ").push(table).push(".number = ").push(number);
        self.push_order(&mut query, "chosen.place", "chosen.id");
        ready(Ok(query))
    }
}
