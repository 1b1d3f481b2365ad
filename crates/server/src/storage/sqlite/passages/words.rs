//! Passages by their words, from the full-text index of a corpus.
//!
//! Each word is looked up by itself: what FTS5 gives for one word is known but for a factor, so that the words can be weighed as they
//! are everywhere. It has to count what it weighs, which costs most; so the common words of a query are weighed in the passages alone
//! that its rarer ones find.

use std::collections::HashMap;

use antiphon_api::CorpusId;
use sqlx::{QueryBuilder, Row as _, SqliteConnection};

use super::super::super::StorageError;
use super::super::super::relevance::{self, CANDIDATES, Weighed};

/// The index of a corpus.
pub(super) struct Words {
    pub(super) corpus: CorpusId,
    /// Its table.
    pub(super) index: String,
    /// How many passages there are to be found.
    pub(super) passages: u64,
    /// How many more are in it of documents that are not seen.
    pub(super) unseen: u64,
}

impl Words {
    /// The passages that fit best by their words, the best first, with their scores.
    pub(super) async fn search(
        &self,
        connection: &mut SqliteConnection,
        words: &[String],
        limit: u32,
    ) -> Result<Vec<(i64, f64)>, StorageError> {
        let counted = self.count(connection, &relevance::sought(words)).await?;
        // Those that are not seen are counted as well.
        let seen: Vec<_> =
            counted.iter().map(|(word, passages)| (*word, self.passages.min(*passages))).collect();
        let mut weighed = relevance::weighed(self.passages, &seen);
        let (finding, weighing) = relevance::finding(&mut weighed);
        if finding.is_empty() {
            return Ok(Vec::new());
        }
        let counts: HashMap<&str, u64> = counted.into_iter().collect();
        let most = if weighing.is_empty() { limit } else { limit.max(CANDIDATES) };
        let mut query = QueryBuilder::new("SELECT key, SUM(score) AS score FROM (");
        self.push(&mut query, finding, &counts, None);
        query.push(") GROUP BY key ORDER BY score DESC, key LIMIT ").push_bind(most);
        let mut scores: Vec<(i64, f64)> = Vec::new();
        for row in query.build().fetch_all(&mut *connection).await? {
            scores.push((row.try_get("key")?, row.try_get("score")?));
        }
        if weighing.is_empty() {
            return Ok(scores);
        }
        let keys: Vec<i64> = scores.iter().map(|(key, _)| *key).collect();
        let mut query = QueryBuilder::new("SELECT key, SUM(score) AS score FROM (");
        self.push(&mut query, weighing, &counts, Some(&format!("{keys:?}")));
        query.push(") GROUP BY key");
        let mut more = HashMap::new();
        for row in query.build().fetch_all(connection).await? {
            more.insert(row.try_get::<i64, _>("key")?, row.try_get::<f64, _>("score")?);
        }
        for (key, score) in &mut scores {
            *score += more.get(key).copied().unwrap_or(0.0);
        }
        scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scores.truncate(limit as usize);
        Ok(scores)
    }

    /// How many passages have each word.
    async fn count<'w>(
        &self,
        connection: &mut SqliteConnection,
        words: &[&'w str],
    ) -> Result<Vec<(&'w str, u64)>, StorageError> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::new("SELECT term, doc FROM ");
        query.push(&self.index).push("_words WHERE term IN (");
        let mut terms = query.separated(", ");
        for word in words {
            terms.push_bind(*word);
        }
        query.push(")");
        let mut counts: HashMap<String, u64> = HashMap::new();
        for row in query.build().fetch_all(connection).await? {
            let passages: i64 = row.try_get("doc")?;
            counts.insert(row.try_get("term")?, passages.unsigned_abs());
        }
        Ok(words.iter().map(|word| (*word, counts.get(*word).copied().unwrap_or(0))).collect())
    }

    /// Adds what each passage gets for each of these words; of a list of passages, in JSON, if there is one.
    fn push(
        &self,
        query: &mut QueryBuilder<sqlx::Sqlite>,
        words: &[Weighed<'_>],
        counts: &HashMap<&str, u64>,
        passages: Option<&str>,
    ) {
        for (at, weighed) in words.iter().enumerate() {
            let found = counts.get(weighed.word).copied().unwrap_or(weighed.passages);
            let factor = weighed.weight / relevance::fts5_factor(self.passages + self.unseen, found);
            query.push(if at == 0 { "SELECT rowid AS key, " } else { " UNION ALL SELECT rowid, " });
            // The column `rank` is what `bm25` gives. It is made for rows alone that everything else lets through, which is why the
            // index is kept from looking for them by their ids: it would begin anew for each.
            query.push("rank * ").push_bind(factor).push(" AS score FROM ").push(&self.index);
            query
                .push(" WHERE ")
                .push(&self.index)
                .push(" MATCH ")
                .push_bind(format!("\"{}\"", weighed.word));
            if let Some(passages) = passages {
                query.push(" AND +rowid IN (SELECT value FROM json_each(");
                query.push_bind(passages.to_owned()).push("))");
            }
            if self.unseen > 0 {
                query.push(" AND +rowid NOT IN (SELECT p.key FROM corpus_documents d JOIN corpus_passages p");
                query.push(" ON p.document_key = d.key WHERE NOT visible AND corpus_id = ");
                query.push_bind(self.corpus.to_string()).push(")");
            }
        }
    }
}
