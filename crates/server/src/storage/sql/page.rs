//! The part of a list of calls that a page is: behind which place, in which order. How its calls are found is each database's own
//! (`page_query`).

use antiphon_api::CallId;

use super::super::catalog::{CallKey, CallSort, SortPlace};
use super::super::{Direction, Window};
use super::catalog::Query;

/// The part of a list that is asked for: so many, behind a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) by: CallKey,
    /// Whether the highest comes first.
    pub(super) falling: bool,
    pub(super) after: Option<(i64, CallId)>,
    /// One more than is wanted, which tells whether there are more.
    pub(super) limit: i64,
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

    /// What the list is ordered by.
    pub(super) fn key(&self) -> &'static str {
        match self.by {
            CallKey::Created => "created_us",
            CallKey::Duration => "COALESCE(duration_us, 9223372036854775807)",
            CallKey::Ended => "COALESCE(ended_us, 9223372036854775807)",
            CallKey::Joined => "COALESCE(joined_us, 9223372036854775807)",
        }
    }

    /// Adds what is read of each call: its number, and its place in the list.
    pub(super) fn push_columns(&self, query: &mut Query) {
        query.push("SELECT call_heads.number AS number, ").push(self.key()).push(" AS place, id");
    }

    /// Adds that they are behind the place.
    pub(super) fn push_after(&self, query: &mut Query) {
        if let Some((place, call)) = self.after {
            let sign = if self.falling { "<" } else { ">" };
            self.push_beside(query, sign, (place, call.uuid().as_bytes().to_vec()));
        }
    }

    /// Adds on which side of a place they are.
    pub(super) fn push_beside(&self, query: &mut Query, sign: &'static str, (place, id): (i64, Vec<u8>)) {
        query.push(" AND (").push(self.key()).push(", id) ").push(sign).push(" (");
        query.push_bind(place).push(", ").push_bind(id).push(")");
    }

    /// Adds the list's order, by a key and an id of these names.
    pub(super) fn push_order(&self, query: &mut Query, key: &'static str, id: &'static str) {
        let way = if self.falling { " DESC" } else { "" };
        query.push(" ORDER BY ").push(key).push(way).push(", ").push(id).push(way);
    }

    /// Adds the order, and how many there are at most.
    pub(super) fn push_end(&self, query: &mut Query, limit: i64) {
        self.push_order(query, self.key(), "id");
        query.push(" LIMIT ").push_bind(limit);
    }
}
