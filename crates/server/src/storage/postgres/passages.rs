//! Documents and their passages: which passages have which words in lists (`words`), vectors in rows of many.
//!
//! A document comes and goes in one transaction, which is alone with its corpus: whoever searches sees all of it or nothing.

mod words;

use std::collections::{BTreeMap, HashMap};

use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};
use futures::FutureExt;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};

use super::super::relevance::{self, CANDIDATES};
use super::super::sql::Alone;
use super::super::{
    Contents, Direction, DocumentPlace, Found, Passage, PassageStore, Pending, Slice, StorageError,
    StoredDocument, Wanted, Window,
};
use super::calls::{slice, total};
use super::documents::{DOCUMENT, read};
use super::{Connection, Postgres, Reading, alone, storable, to_json, vectors};

use words::Words;

/// Passages, or words, that are inserted by one statement.
const ROWS: usize = 1_000;
/// One state of the corpus from the first look to the last.
const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl PassageStore for Postgres {
    fn find_document(
        &self,
        source: CorpusSourceId,
        id: CorpusDocumentId,
    ) -> Pending<'_, Option<StoredDocument>> {
        self.document(source, id).boxed()
    }

    fn documents(
        &self,
        source: CorpusSourceId,
        window: Window<DocumentPlace>,
    ) -> Pending<'_, Slice<StoredDocument>> {
        async move {
            let rising = window.direction == Direction::Forward;
            let mut query =
                QueryBuilder::new(format!("SELECT {DOCUMENT} FROM corpus_documents WHERE source_id = "));
            query.push_bind(source.to_string());
            if let Some(after) = &window.after {
                query.push(" AND (created_us, id) ").push(if rising { "> (" } else { "< (" });
                query.push_bind(after.created.unix_micros()).push(", ");
                query.push_bind(after.id.to_string()).push(")");
            }
            let way = if rising { "" } else { " DESC" };
            query.push(" ORDER BY created_us").push(way).push(", id").push(way);
            query.push(" LIMIT ").push_bind(i64::from(window.limit) + 1);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read)
        }
        .boxed()
    }

    fn count_documents(&self, source: CorpusSourceId) -> Pending<'_, u64> {
        async move {
            let query = sqlx::query("SELECT COUNT(*) AS total FROM corpus_documents WHERE source_id = $1");
            total(&query.bind(source.to_string()).fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn put_document<'a>(
        &'a self,
        document: &'a StoredDocument,
        revision: u32,
        contents: Contents<'a>,
    ) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Corpus(document.corpus)).await?;
            let corpus = loading_corpus(&mut transaction, document.source, revision).await?;
            let Some((corpus, _)) = corpus else { return Ok(false) };
            sqlx::query("DELETE FROM corpus_documents WHERE source_id = $1 AND id = $2")
                .bind(document.source.to_string())
                .bind(document.id.to_string())
                .execute(&mut *transaction)
                .await?;
            let key = insert(&mut transaction, document, contents).await?;
            let passages = insert_passages(&mut transaction, key, contents.passages).await?;
            insert_words(&mut transaction, corpus, key, &passages, contents.passages).await?;
            vectors::insert(&mut transaction, document, key, &passages, contents).await?;
            count(&mut transaction, document.source).await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn finish_source<'a>(
        &'a self,
        source: CorpusSourceId,
        revision: u32,
        keep: &'a [CorpusDocumentId],
        at: Timestamp,
    ) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin().await?;
            let corpus = loading_corpus(&mut transaction, source, revision).await?;
            let Some((_, corpus)) = corpus else { return Ok(false) };
            alone(&mut transaction, Alone::Corpus(corpus)).await?;
            // It may have changed while this waited.
            let corpus = loading_corpus(&mut transaction, source, revision).await?;
            let Some((key, _)) = corpus else { return Ok(false) };
            let keep: Vec<String> = keep.iter().map(ToString::to_string).collect();
            sqlx::query("DELETE FROM corpus_documents WHERE source_id = $1 AND id <> ALL($2)")
                .bind(source.to_string())
                .bind(keep)
                .execute(&mut *transaction)
                .await?;
            count(&mut transaction, source).await?;
            sqlx::query("UPDATE corpus_sources SET loading = FALSE, updated_us = $2 WHERE id = $1")
                .bind(source.to_string())
                .bind(at.unix_micros())
                .execute(&mut *transaction)
                .await?;
            sqlx::query("UPDATE corpora SET updated_us = $2 WHERE key = $1")
                .bind(key)
                .bind(at.unix_micros())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn search<'a>(&'a self, corpus: CorpusId, wanted: &'a Wanted, limit: u32) -> Pending<'a, Vec<Found>> {
        async move {
            let mut connection = self.pool.begin_with(LOOK).await?;
            let row = sqlx::query(
                "SELECT corpora.key AS key, CAST(COALESCE(SUM(passages), 0) AS BIGINT) AS passages, \
                 CAST(COALESCE(SUM(words), 0) AS BIGINT) AS words \
                 FROM corpora LEFT JOIN corpus_sources ON corpus_id = corpora.id WHERE corpora.id = $1 \
                 GROUP BY corpora.key",
            );
            let row = row.bind(corpus.to_string()).fetch_optional(&mut *connection).await?;
            let Some(row) = row else { return Ok(Vec::new()) };
            let words = Words {
                corpus: row.try_get("key")?,
                passages: row.try_get::<i64, _>("passages")?.unsigned_abs(),
                words: row.try_get::<i64, _>("words")?.unsigned_abs(),
            };
            let most = if wanted.meaning.is_some() { limit.max(CANDIDATES) } else { limit };
            let mut scores = words.search(&mut connection, &wanted.words, most as usize).await?;
            if let Some((model, vector)) = &wanted.meaning
                && let Some(cosines) = vectors::by_meaning(&mut connection, corpus, model, vector).await?
            {
                scores = relevance::with_meaning(scores, cosines, limit as usize);
            }
            let keys: Vec<i64> = scores.iter().map(|(key, _)| *key).collect();
            let rows = sqlx::query(AssertSqlSafe(format!(
                "SELECT corpus_passages.key AS passage_key, text, {DOCUMENT} FROM corpus_passages \
                 JOIN corpus_documents ON corpus_documents.key = document_key WHERE corpus_passages.key = ANY($1)"
            )))
            .bind(keys)
            .fetch_all(&mut *connection)
            .await?;
            let mut passages = HashMap::with_capacity(rows.len());
            for row in &rows {
                passages.insert(row.try_get::<i64, _>("passage_key")?, row);
            }
            let mut found = Vec::with_capacity(scores.len());
            for (key, score) in scores {
                let Some(row) = passages.get(&key) else { continue };
                let document = read(row)?;
                found.push(Found {
                    text: row.try_get("text")?,
                    score,
                    source: document.source,
                    document: document.id,
                    metadata: document.metadata,
                });
            }
            Ok(found)
        }
        .boxed()
    }
}

/// The corpus of a source that is being loaded in this revision: its key and its id.
async fn loading_corpus(
    connection: &mut Connection,
    source: CorpusSourceId,
    revision: u32,
) -> Result<Option<(i64, CorpusId)>, StorageError> {
    let row = sqlx::query(
        "SELECT corpora.key AS key, corpora.id AS id FROM corpus_sources JOIN corpora ON corpora.id = corpus_id \
         WHERE corpus_sources.id = $1 AND revision = $2 AND loading FOR UPDATE OF corpus_sources",
    )
    .bind(source.to_string())
    .bind(i64::from(revision))
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Reading::new(&row, "corpora", "id")?;
    Ok(Some((row.plain("key")?, row.text("id")?)))
}

/// Inserts a document, and gives its key.
async fn insert(
    connection: &mut Connection,
    document: &StoredDocument,
    contents: Contents<'_>,
) -> Result<i64, StorageError> {
    let sum = |of: fn(&Passage) -> usize| {
        i64::try_from(contents.passages.iter().map(of).sum::<usize>()).unwrap_or(i64::MAX)
    };
    let row = sqlx::query(
        "INSERT INTO corpus_documents (id, corpus_id, source_id, created_us, mime_type, size, metadata, passages, \
         vectors, words) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING key",
    )
    .bind(document.id.to_string())
    .bind(document.corpus.to_string())
    .bind(document.source.to_string())
    .bind(document.created.unix_micros())
    .bind(storable(&document.mime_type))
    .bind(i64::try_from(document.size).unwrap_or(i64::MAX))
    .bind(to_json(&document.metadata))
    .bind(sum(|_| 1))
    .bind(sum(|passage| passage.vectors.len()))
    .bind(sum(|passage| passage.words.len()))
    .fetch_one(connection)
    .await?;
    Ok(row.try_get("key")?)
}

/// Inserts passages, and gives their keys, in their order.
async fn insert_passages(
    connection: &mut Connection,
    document: i64,
    passages: &[Passage],
) -> Result<Vec<i64>, StorageError> {
    let mut keys = Vec::with_capacity(passages.len());
    for (part, passages) in passages.chunks(ROWS).enumerate() {
        let texts: Vec<String> =
            passages.iter().map(|passage| storable(&passage.text).into_owned()).collect();
        let rows = sqlx::query(
            "INSERT INTO corpus_passages (document_key, position, text) \
             SELECT $1, $2 + place, text FROM unnest($3) WITH ORDINALITY AS given (text, place) ORDER BY place \
             RETURNING key, position",
        )
        .bind(document)
        .bind(i64::try_from(part * ROWS).unwrap_or(i64::MAX) - 1)
        .bind(texts)
        .fetch_all(&mut *connection)
        .await?;
        let mut placed: Vec<(i64, i64)> = Vec::with_capacity(rows.len());
        for row in &rows {
            placed.push((row.try_get("position")?, row.try_get("key")?));
        }
        placed.sort_unstable();
        keys.extend(placed.into_iter().map(|(_, key)| key));
    }
    Ok(keys)
}

/// Inserts for every word of a document which of its passages have it.
async fn insert_words(
    connection: &mut Connection,
    corpus: i64,
    document: i64,
    keys: &[i64],
    passages: &[Passage],
) -> Result<(), StorageError> {
    let mut lists: BTreeMap<&str, [Vec<i64>; 3]> = BTreeMap::new();
    for (key, passage) in keys.iter().zip(passages) {
        let length = i64::try_from(passage.words.len()).unwrap_or(i64::MAX);
        for word in &passage.words {
            let [passages, times, lengths] = lists.entry(word).or_default();
            match (passages.last(), times.last_mut()) {
                (Some(last), Some(times)) if last == key => *times += 1,
                (_, _) => {
                    passages.push(*key);
                    times.push(1);
                    lengths.push(length);
                }
            }
        }
    }
    let lists: Vec<_> = lists.into_iter().collect();
    for lists in lists.chunks(ROWS) {
        let mut query = QueryBuilder::new(
            "INSERT INTO corpus_words (corpus_key, word, document_key, passages, times, lengths) ",
        );
        query.push_values(lists, |mut row, (word, [passages, times, lengths])| {
            row.push_bind(corpus)
                .push_bind(storable(word).into_owned())
                .push_bind(document)
                .push_bind(passages)
                .push_bind(times)
                .push_bind(lengths);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts what a source has brought.
async fn count(connection: &mut Connection, source: CorpusSourceId) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE corpus_sources SET (documents, passages, vectors, words) = (SELECT COUNT(*), \
         COALESCE(SUM(d.passages), 0), COALESCE(SUM(d.vectors), 0), COALESCE(SUM(d.words), 0) \
         FROM corpus_documents d WHERE d.source_id = $1) WHERE id = $1",
    )
    .bind(source.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
