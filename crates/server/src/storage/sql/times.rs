//! What a filter asks of the times of calls, tried on their heads. See [`CallFilter::fits`], which says the same.

use super::super::catalog::{CallFilter, micros};
use super::catalog::{DAY_US, Query};

/// Adds when they were created, at which time of day, and how long they lasted.
pub(super) fn push_times(query: &mut Query, filter: &CallFilter) {
    for (bound, sign) in [(filter.created_from, ">="), (filter.created_to, "<=")] {
        if let Some(bound) = bound {
            query.push(" AND created_us ").push(sign).push_bind(bound.unix_micros());
        }
    }
    for (bound, sign) in [(filter.lasted_at_least, ">="), (filter.lasted_at_most, "<=")] {
        if let Some(bound) = bound {
            query.push(" AND duration_us ").push(sign).push_bind(micros(bound));
        }
    }
    if let Some((from, to)) = filter.time_of_day {
        let joint = if from <= to { " AND " } else { " OR " };
        query.push(" AND (created_us % ").push(DAY_US).push(" >= ").push_bind(from).push(joint);
        query.push("created_us % ").push(DAY_US).push(" <= ").push_bind(to).push(")");
    }
}
