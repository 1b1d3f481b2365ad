//! `/api/models`: the names that a call's model may have.

pub(super) mod list;
