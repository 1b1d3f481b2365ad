//! Few calls that are all that can fit a filter, found by an index of texts: by a word or a metadatum that few calls have.
//!
//! What it narrows to has the text for certain, so that this is not tried again. `MATCH` is SQLite's own.

use sqlx::Row as _;

use super::super::super::catalog::{CallFilter, MANY, fact};
use super::super::super::{AccountId, StorageError};
use super::super::Sqlite;
use super::Query;

/// Letters in a row that the index of words knows.
const GRAM: usize = 3;

/// What a filter's texts leave of an account's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrowing {
    /// It asks for no text, or for none that is long enough to be looked for.
    None,
    /// Every text that can be looked for is had by many.
    Many,
    /// At most [`MANY`] calls have this text.
    Few(Text),
}

/// A text that calls are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// A metadatum, as [`fact`] writes it, without its breaks.
    Fact(String),
    /// Words, as a query of the index.
    Words(String),
}

impl Text {
    fn push(&self, query: &mut Query, account: AccountId) {
        match self {
            Self::Fact(fact) => {
                query
                    .push("SELECT number FROM call_facts WHERE account_id = ")
                    .push_bind(account.to_string());
                query.push(" AND fact = ").push_bind(fact.clone());
            }
            Self::Words(words) => {
                let account = account.to_string();
                query.push("SELECT rowid FROM call_words WHERE call_words MATCH ").push_bind(words.clone());
                query.push(" AND rowid > (SELECT number * 1099511627776 FROM accounts WHERE id = ");
                query.push_bind(account.clone());
                query.push(") AND rowid < (SELECT (number + 1) * 1099511627776 FROM accounts WHERE id = ");
                query.push_bind(account).push(")");
            }
        }
    }

    /// All texts of a filter that can be looked for.
    fn of(filter: &CallFilter) -> Vec<Self> {
        let facts = filter.metadata.iter().map(|(key, value)| Self::Fact(fact(key, value).trim().to_owned()));
        let words: Vec<String> = filter
            .search
            .iter()
            .flat_map(|search| search.split_whitespace())
            .map(str::to_lowercase)
            .filter(|word| is_indexed(word))
            .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
            .collect();
        let words = (!words.is_empty()).then(|| Self::Words(words.join(" AND ")));
        facts.chain(words).collect()
    }
}

/// Whether the index of words knows this one.
fn is_indexed(word: &str) -> bool {
    word.chars().count() >= GRAM && !word.contains('\0')
}

impl Narrowing {
    /// Whether all that is left has this word, which is in lower case.
    pub(super) fn implies_word(&self, word: &str) -> bool {
        matches!(self, Self::Few(Text::Words(_))) && is_indexed(word)
    }

    /// Whether all that is left has this metadatum.
    pub(super) fn implies_fact(&self, line: &str) -> bool {
        matches!(self, Self::Few(Text::Fact(fact)) if fact == line.trim())
    }

    /// Finds the text that the fewest calls have, if few have it.
    pub(super) async fn find(
        database: &Sqlite,
        account: AccountId,
        filter: &CallFilter,
    ) -> Result<Self, StorageError> {
        let texts = Text::of(filter);
        if texts.is_empty() {
            return Ok(Self::None);
        }
        let mut fewest = (i64::from(MANY) + 1, Self::Many);
        for text in texts {
            let mut query = Query::new("SELECT COUNT(*) AS total FROM (");
            text.push(&mut query, account);
            query.push(" LIMIT ").push_bind(i64::from(MANY) + 1).push(")");
            let found: i64 = query.build().fetch_one(&database.pool).await?.try_get("total")?;
            if found < fewest.0 {
                fewest = (found, Self::Few(text));
            }
        }
        Ok(fewest.1)
    }

    /// Adds it to a query of calls, which is then driven by it.
    pub(super) fn push(&self, query: &mut Query, account: AccountId) {
        match self {
            Self::None | Self::Many => {}
            Self::Few(text) => {
                query.push(" AND number IN (");
                text.push(query, account);
                query.push(")");
            }
        }
    }
}
