//! Texts that calls are found by: words and metadata, both by hashes in one index, of an account's own.
//!
//! A text has the hashes of every one, two and three letters in a row, a metadatum its own. Texts that have all hashes of what is
//! looked for may have it; whether they do is then looked for in themselves.

use super::super::catalog::{CallFilter, Facts, fact};
use super::super::{AccountId, StorageError};
use super::catalog::Query;
use super::{Connection, storable};

/// Letters in a row that are hashed together.
const GRAM: usize = 3;

/// What a filter asks for that is looked for in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    words: Vec<String>,
    facts: Vec<String>,
    grams: Vec<i32>,
}

impl Texts {
    /// All texts of a filter; none if it asks for none.
    pub(super) fn of(account: AccountId, filter: &CallFilter) -> Option<Self> {
        let words: Vec<String> = filter
            .search
            .iter()
            .flat_map(|search| search.split_whitespace())
            .map(|word| storable(&word.to_lowercase()).into_owned())
            .collect();
        let facts: Vec<String> =
            filter.metadata.iter().map(|(key, value)| fact(key, value).trim().to_owned()).collect();
        if words.is_empty() && facts.is_empty() {
            return None;
        }
        let mut grams = Grams::of(account);
        words.iter().for_each(|word| grams.add_parts(word, word.chars().count().clamp(1, GRAM)));
        facts.iter().for_each(|fact| grams.add(fact));
        Some(Self { words, facts, grams: grams.sorted() })
    }

    /// Adds a list of the numbers of the account's calls that have them.
    pub(super) fn push_numbers(&self, query: &mut Query, account: i64) {
        query.push("SELECT number FROM call_texts WHERE grams @> ").push_bind(self.grams.clone());
        query.push(if account < 0 { " AND number < 0" } else { " AND number > 0" });
        self.push_test(query);
    }

    /// Adds that calls have them, to be tried on each.
    pub(super) fn push_trial(&self, query: &mut Query) {
        query.push(" AND EXISTS (SELECT 1 FROM call_texts WHERE call_texts.number = call_heads.number");
        self.push_test(query);
        query.push(")");
    }

    fn push_test(&self, query: &mut Query) {
        for word in &self.words {
            query.push(" AND strpos(words, ").push_bind(word.clone()).push(") > 0");
        }
        if !self.facts.is_empty() {
            query.push(" AND facts @> ").push_bind(self.facts.clone());
        }
    }
}

/// Keeps what the call with this number is found by.
pub(super) async fn keep(
    connection: &mut Connection,
    account: AccountId,
    number: i64,
    facts: &Facts<'_>,
) -> Result<(), StorageError> {
    let words = storable(&facts.words);
    let facts: Vec<&str> = facts.facts.split('\n').filter(|fact| !fact.is_empty()).collect();
    let mut grams = Grams::of(account);
    (1..=GRAM).for_each(|length| grams.add_parts(&words, length));
    facts.iter().for_each(|fact| grams.add(fact));
    sqlx::query("INSERT INTO call_texts (number, words, facts, grams) VALUES ($1, $2, $3, $4)")
        .bind(number)
        .bind(words)
        .bind(facts)
        .bind(grams.sorted())
        .execute(connection)
        .await?;
    Ok(())
}

/// Hashes of what an account's calls are found by. They are written down, so that the function never changes: it is FNV-1a of 32 bits.
struct Grams {
    account: u32,
    all: Vec<i32>,
}

impl Grams {
    fn of(account: AccountId) -> Self {
        Self { account: hash(0x811c_9dc5, account.0.as_bytes()), all: Vec::new() }
    }

    /// Adds a text as a whole.
    fn add(&mut self, text: &str) {
        self.all.push(hash(self.account, text.as_bytes()).cast_signed());
    }

    /// Adds every so many letters of a text in a row.
    fn add_parts(&mut self, text: &str, length: usize) {
        let begins: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len())).collect();
        begins.windows(length + 1).for_each(|window| self.add(&text[window[0]..window[length]]));
    }

    /// Each once.
    fn sorted(mut self) -> Vec<i32> {
        self.all.sort_unstable();
        self.all.dedup();
        self.all
    }
}

fn hash(begin: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(begin, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_text_has_the_hashes_of_all_that_it_is_found_by() {
        let account = AccountId(Uuid::from_u128(1));
        let mut kept = Grams::of(account);
        (1..=GRAM).for_each(|length| kept.add_parts("a 王芳 called", length));
        let kept = kept.sorted();
        for word in ["a", "王", "王芳", "lle", "called", " "] {
            let filter = CallFilter { search: Some(word.to_owned()), ..CallFilter::default() };
            let sought = Texts::of(account, &filter);
            assert_eq!(sought.is_some(), word != " ");
            assert!(sought.iter().flat_map(|sought| &sought.grams).all(|gram| kept.contains(gram)), "{word}");
        }
        let other = Texts::of(
            AccountId(Uuid::from_u128(2)),
            &CallFilter { search: Some("called".to_owned()), ..CallFilter::default() },
        );
        assert!(!other.unwrap().grams.iter().all(|gram| kept.contains(gram)), "it is another account's");
    }

    #[test]
    fn hashes_never_change() {
        assert_eq!(hash(0x811c_9dc5, b"foobar"), 0xbf9c_f968);
    }
}
