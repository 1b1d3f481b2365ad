//! The query of a list: the options that are given, as the pairs that the endpoint reads.

use std::fmt::Display;

use antiphon_api::json::{FromJson, from_query};

use super::body::wrong;

/// The pairs of a query.
#[derive(Debug, Default, Clone)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter for each value.
    #[must_use]
    pub(super) fn with(mut self, name: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        self.0.extend(values.into_iter().map(|value| (name.to_owned(), value.to_string())));
        self
    }

    /// Reads the pairs as the endpoint does, so that what makes no sense is told before anything is sent.
    pub(super) fn read<Q: FromJson>(self) -> anyhow::Result<Q> {
        Ok(from_query(self.0).map_err(|invalid| wrong(&invalid))?.value)
    }
}
