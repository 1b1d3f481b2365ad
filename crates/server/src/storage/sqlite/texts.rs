//! Texts that calls are found by, each in an index: metadata, words, and words too short to have three letters in a row.
//!
//! `MATCH` is SQLite's own.

use super::super::catalog::{CallFilter, Facts, fact};
use super::super::{AccountId, StorageError};
use super::Connection;
use super::catalog::Query;
use super::choice::Owner;

/// Letters in a row that the index of words knows.
const GRAM: usize = 3;

/// What a filter asks for that is looked for in one of the indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// All of these words of three letters or more.
    Words(Vec<String>),
    /// The letters of all of these words: they have them if they are of one or two letters, and may have them if they are longer.
    Letters(Vec<String>),
    /// A metadatum, as the index has it.
    Fact(AccountId, String),
}

impl Text {
    /// All texts of a filter, those that cost least to look for first.
    pub(super) fn of(account: AccountId, filter: &CallFilter) -> Vec<Self> {
        let words = filter.search.iter().flat_map(|search| search.split_whitespace()).map(str::to_lowercase);
        let (long, short): (Vec<_>, Vec<_>) = words.partition(|word| is_indexed(word));
        let words = (!long.is_empty()).then_some(Self::Words(long));
        let letters = (!short.is_empty()).then_some(Self::Letters(short));
        let facts = filter
            .metadata
            .iter()
            .map(|(key, value)| Self::Fact(account, fact(key, value).trim().to_owned()));
        words.into_iter().chain(letters).chain(facts).collect()
    }

    /// The table that numbers of calls are read from.
    pub(super) const fn table(&self) -> &'static str {
        match self {
            Self::Words(_) => "call_words",
            Self::Letters(_) => "call_letters",
            Self::Fact(..) => "call_facts",
        }
    }

    /// The column of that table with the number of the call.
    pub(super) const fn number(&self) -> &'static str {
        match self {
            Self::Words(_) => "call_words.rowid",
            Self::Letters(_) => "call_letters.rowid",
            Self::Fact(..) => "call_facts.number",
        }
    }

    /// Adds which rows of the table are meant: those of calls with numbers between these two.
    pub(super) fn push(&self, query: &mut Query, (behind, before): (i64, i64)) {
        query.push(self.number()).push(" > ").push_bind(behind).push(" AND ");
        query.push(self.number()).push(" < ").push_bind(before).push(" AND ");
        match self {
            Self::Words(words) => {
                let quoted: Vec<_> =
                    words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
                query.push("call_words MATCH ").push_bind(quoted.join(" AND "));
            }
            Self::Letters(words) => {
                let all: Vec<_> = words.iter().map(|word| sought(word)).collect();
                query.push("call_letters MATCH ").push_bind(all.join(" AND "));
            }
            Self::Fact(account, fact) => {
                query.push("account_id = ").push_bind(account.to_string());
                query.push(" AND fact = ").push_bind(fact.clone());
            }
        }
    }

    /// Adds that calls have it, to be tried on each of them; nothing of what `found` says of them already.
    pub(super) fn push_trial(&self, query: &mut Query, found: Option<&Self>) {
        let words = match self {
            Self::Words(_) if found == Some(self) => return,
            Self::Words(words) => words.clone(),
            Self::Letters(words) if found == Some(self) => {
                words.iter().filter(|word| word.chars().count() >= GRAM).cloned().collect()
            }
            Self::Letters(words) => words.clone(),
            Self::Fact(..) if found == Some(self) => return,
            Self::Fact(account, fact) => {
                query.push(" AND EXISTS (SELECT 1 FROM call_facts WHERE account_id = ");
                query.push_bind(account.to_string()).push(" AND fact = ").push_bind(fact.clone());
                query.push(" AND call_facts.number = call_heads.number)");
                return;
            }
        };
        for word in words {
            query.push(
                " AND instr((SELECT words FROM call_texts WHERE call_texts.number = call_heads.number), ",
            );
            query.push_bind(word).push(") > 0");
        }
    }

    /// Adds a list of the numbers of an owner's calls that have it.
    pub(super) fn push_numbers(&self, query: &mut Query, owner: &Owner) {
        query.push("SELECT ").push(self.number()).push(" AS number FROM ").push(self.table()).push(" WHERE ");
        self.push(query, owner.numbers());
    }

    /// Adds the lowest, or the highest, of these numbers.
    pub(super) fn push_end(&self, query: &mut Query, owner: &Owner, highest: bool) {
        self.push_numbers(query, owner);
        let way = if highest { " DESC LIMIT 1" } else { " LIMIT 1" };
        query.push(" ORDER BY ").push(self.number()).push(way);
    }
}

/// Keeps what the call with this number is found by; its metadata are kept by the table of calls.
pub(super) async fn keep(
    connection: &mut Connection,
    _: AccountId,
    number: i64,
    facts: &Facts<'_>,
) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO call_texts (number, words) VALUES ($1, $2)")
        .bind(number)
        .bind(&facts.words)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO call_letters (rowid, letters) VALUES ($1, $2)")
        .bind(number)
        .bind(letters(&facts.words))
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the index of words knows this one.
fn is_indexed(word: &str) -> bool {
    word.chars().count() >= GRAM && !word.contains('\0')
}

/// A word as a query of the index of letters.
fn sought(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    match letters.as_slice() {
        [letter] => one(*letter),
        letters => letters.windows(2).map(pair).collect::<Vec<_>>().join(" AND "),
    }
}

/// What the index of letters is given of a text in lower case: every letter and every two in a row, once.
fn letters(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let pairs = letters.windows(2).map(pair);
    let mut marks: Vec<String> = letters.iter().copied().map(one).chain(pairs).collect();
    marks.sort_unstable();
    marks.dedup();
    marks.join(" ")
}

fn one(letter: char) -> String {
    format!("{:x}", u32::from(letter))
}

fn pair(letters: &[char]) -> String {
    letters.iter().map(|letter| one(*letter)).collect::<Vec<_>>().join("g")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_its_letters_and_by_two_in_a_row() {
        assert_eq!(letters("aba"), "61 61g62 62 62g61");
        assert_eq!(letters(""), "");
        assert_eq!(sought("a"), "61");
        assert_eq!(sought("ab"), "61g62");
        assert_eq!(sought("a\0b"), "61g0 AND 0g62");
        assert_eq!(sought("王芳"), "738bg82b3");
    }
}
