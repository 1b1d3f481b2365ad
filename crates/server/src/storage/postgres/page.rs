//! One page of a list of calls: which calls are on it, in order.

use std::future::{Ready, ready};

use antiphon_api::CallId;

use super::super::catalog::{CallKey, CallSort, SortPlace};
use super::super::{Direction, StorageError, Window};
use super::Postgres;
use super::catalog::Query;
use super::choice::Choice;

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
    pub(super) fn query(
        &self,
        _: &Postgres,
        choice: &Choice<'_>,
        (table, number): (&'static str, &'static str),
    ) -> Ready<Result<Query, StorageError>> {
        // What is walked and sorted is the index; only what is shown is read.
        let mut query = Query::new("SELECT ");
        query.push(table).push(".* FROM (SELECT number, ").push(self.key()).push(" AS place, id");
        choice.push(&mut query);
        if let Some((place, call)) = self.after {
            query.push(" AND (").push(self.key()).push(", id) ");
            query.push(if self.falling { "< (" } else { "> (" });
            query.push_bind(place).push(", ").push_bind(call.uuid().as_bytes().to_vec()).push(")");
        }
        self.push_order(&mut query, self.key(), "id");
        query.push(" LIMIT ").push_bind(self.limit);
        query.push(") AS chosen JOIN ").push(table).push(" ON ").push(table).push(".number = ").push(number);
        self.push_order(&mut query, "chosen.place", "chosen.id");
        ready(Ok(query))
    }

    fn key(&self) -> &'static str {
        match self.by {
            CallKey::Created => "created_us",
            CallKey::Duration => "COALESCE(duration_us, 9223372036854775807)",
            CallKey::Ended => "COALESCE(ended_us, 9223372036854775807)",
            CallKey::Joined => "COALESCE(joined_us, 9223372036854775807)",
        }
    }

    fn push_order(&self, query: &mut Query, key: &'static str, id: &'static str) {
        let way = if self.falling { " DESC" } else { "" };
        query.push(" ORDER BY ").push(key).push(way).push(", ").push(id).push(way);
    }
}
