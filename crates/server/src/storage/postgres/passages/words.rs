//! Passages by their words: lists of the passages that have a word are read, and weighed as it is written in `relevance`.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use sqlx::Row as _;

use super::super::super::StorageError;
use super::super::super::relevance::{self, CANDIDATES, Weighed};
use super::super::{Connection, storable};

/// The words of a corpus.
pub(super) struct Words {
    /// Its key.
    pub(super) corpus: i64,
    /// How many passages there are to be found.
    pub(super) passages: u64,
    /// How many words are in them.
    pub(super) words: u64,
}

impl Words {
    /// The passages that fit best by their words, the best first, with their scores.
    pub(super) async fn search(
        &self,
        connection: &mut Connection,
        words: &[String],
        limit: usize,
    ) -> Result<Vec<(i64, f64)>, StorageError> {
        let counted = self.count(connection, &relevance::sought(words)).await?;
        let mut weighed = relevance::weighed(self.passages, &counted);
        let (finding, weighing) = relevance::finding(&mut weighed);
        let mut scores: Vec<(i64, f64)> = self.score(connection, finding, None).await?.into_iter().collect();
        let most = if weighing.is_empty() { limit } else { limit.max(CANDIDATES as usize) };
        relevance::keep_best(&mut scores, most);
        if !weighing.is_empty() && !scores.is_empty() {
            let keys: Vec<i64> = scores.iter().map(|(key, _)| *key).collect();
            let more = self.score(connection, weighing, Some(keys)).await?;
            for (key, score) in &mut scores {
                *score += more.get(key).copied().unwrap_or(0.0);
            }
            relevance::keep_best(&mut scores, limit);
        }
        Ok(scores)
    }

    /// How many passages have each word.
    async fn count<'w>(
        &self,
        connection: &mut Connection,
        words: &[&'w str],
    ) -> Result<Vec<(&'w str, u64)>, StorageError> {
        let sought: Vec<String> = words.iter().map(|word| storable(word).into_owned()).collect();
        let rows = sqlx::query(
            "SELECT word, CAST(SUM(cardinality(passages)) AS BIGINT) AS total FROM corpus_words \
             WHERE corpus_key = $1 AND word = ANY($2) GROUP BY word",
        )
        .bind(self.corpus)
        .bind(&sought)
        .fetch_all(connection)
        .await?;
        let mut counts: HashMap<String, u64> = HashMap::new();
        for row in rows {
            counts.insert(row.try_get("word")?, row.try_get::<i64, _>("total")?.unsigned_abs());
        }
        let counted = |(word, sought): (&&'w str, &String)| (*word, counts.get(sought).copied().unwrap_or(0));
        Ok(words.iter().zip(&sought).map(counted).collect())
    }

    /// What each passage gets for these words; of a list of passages, if there is one.
    async fn score(
        &self,
        connection: &mut Connection,
        words: &[Weighed<'_>],
        passages: Option<Vec<i64>>,
    ) -> Result<HashMap<i64, f64>, StorageError> {
        let mut scores = HashMap::new();
        if words.is_empty() {
            return Ok(scores);
        }
        let weights: HashMap<String, f64> =
            words.iter().map(|weighed| (storable(weighed.word).into_owned(), weighed.weight)).collect();
        let average = self.words as f64 / self.passages.max(1) as f64;
        let mut rows = sqlx::query(
            "SELECT word, passage, each.times AS times, length FROM corpus_words, \
             unnest(passages, times, lengths) AS each (passage, times, length) \
             WHERE corpus_key = $1 AND word = ANY($2) AND ($3 IS NULL OR passage = ANY($3))",
        )
        .bind(self.corpus)
        .bind(weights.keys().cloned().collect::<Vec<_>>())
        .bind(passages)
        .fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let weight = weights.get(row.try_get::<&str, _>("word")?).copied().unwrap_or(0.0);
            let (times, length): (i64, i64) = (row.try_get("times")?, row.try_get("length")?);
            *scores.entry(row.try_get("passage")?).or_insert(0.0) +=
                weight * relevance::share(times as f64, length as f64, average);
        }
        Ok(scores)
    }
}
