//! Documents and their passages in SQLite: words in a full-text index a corpus, vectors in rows of many.
//!
//! A document may be long, and whoever writes keeps all others from writing: calls, too. So it comes and goes in parts, with the lock
//! free in between, and is seen once all of it is there, and no more as soon as it is to go.

mod words;

use std::collections::HashSet;
use std::time::Duration;

use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};
use futures::FutureExt;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection, SqliteExecutor};

use super::super::relevance::{self, CANDIDATES};
use super::super::{
    Contents, Direction, DocumentPlace, Found, Passage, PassageStore, Pending, Slice, StorageError,
    StoredDocument, Wanted, Window,
};
use super::calls::{slice, total};
use super::documents::{DOCUMENT, read};
use super::indexes::index;
use super::{Sqlite, to_json, vectors};

use words::Words;

/// Passages that come or go in one transaction, a matter of milliseconds.
const PART: usize = 64;
/// How long others may write between two of them, even those that look for the lock now and then only.
const PAUSE: Duration = Duration::from_millis(5);

impl PassageStore for Sqlite {
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
            query.push_bind(source.to_string()).push(" AND visible");
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
            let query = sqlx::query(
                "SELECT COUNT(*) AS total FROM corpus_documents WHERE source_id = $1 AND visible",
            );
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
            let staged = format!("{} staged", document.id);
            let mut key = None;
            let mut before = documents_with_id(&self.pool, document.source, &staged).await?;
            let mut parts = contents.passages.chunks(PART).peekable();
            loop {
                let part = parts.next().unwrap_or_default();
                let mut transaction = self.begin().await?;
                let corpus = corpus_key(&mut transaction, document.source, revision).await?;
                let Some(corpus) = corpus else {
                    drop(transaction);
                    self.sweep(&key.into_iter().collect::<Vec<_>>()).await?;
                    return Ok(false);
                };
                let document_key = match key {
                    Some(key) => key,
                    None => {
                        // What a process left that ended halfway makes room for its id at once, and goes later.
                        hide(&mut transaction, &before).await?;
                        insert(&mut transaction, document, &staged, contents).await?
                    }
                };
                key = Some(document_key);
                insert_part(&mut transaction, &index(corpus), document, document_key, part, contents.model)
                    .await?;
                if parts.peek().is_some() {
                    transaction.commit().await?;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                let id = document.id.to_string();
                let replaced = documents_with_id(&mut *transaction, document.source, &id).await?;
                hide(&mut transaction, &replaced).await?;
                sqlx::query("UPDATE corpus_documents SET id = $2, visible = TRUE WHERE key = $1")
                    .bind(document_key)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                count(&mut transaction, document.source).await?;
                transaction.commit().await?;
                before.extend(replaced);
                break;
            }
            self.sweep(&before).await?;
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
            let key = corpus_key(&mut transaction, source, revision).await?;
            let Some(key) = key else { return Ok(false) };
            let documents = sqlx::query("SELECT key, id FROM corpus_documents WHERE source_id = $1")
                .bind(source.to_string())
                .fetch_all(&mut *transaction)
                .await?;
            let keep: HashSet<String> = keep.iter().map(ToString::to_string).collect();
            let mut gone = Vec::new();
            for row in documents {
                if !keep.contains(row.try_get::<&str, _>("id")?) {
                    gone.push(row.try_get("key")?);
                }
            }
            hide(&mut transaction, &gone).await?;
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
            self.sweep(&gone).await?;
            Ok(true)
        }
        .boxed()
    }

    fn search<'a>(&'a self, corpus: CorpusId, wanted: &'a Wanted, limit: u32) -> Pending<'a, Vec<Found>> {
        async move {
            // One state of the corpus from the first look to the last.
            let mut connection = self.pool.begin().await?;
            let row = sqlx::query(
                "SELECT key, (SELECT SUM(passages) FROM corpus_sources WHERE corpus_id = corpora.id) AS passages, \
                 (SELECT COUNT(*) FROM corpus_documents d JOIN corpus_passages ON document_key = d.key \
                 WHERE d.corpus_id = corpora.id AND NOT visible) AS unseen FROM corpora WHERE id = $1",
            );
            let row = row.bind(corpus.to_string()).fetch_optional(&mut *connection).await?;
            let Some(row) = row else { return Ok(Vec::new()) };
            let words = Words {
                corpus,
                index: index(row.try_get("key")?),
                passages: row.try_get::<Option<i64>, _>("passages")?.unwrap_or(0).unsigned_abs(),
                unseen: row.try_get::<i64, _>("unseen")?.unsigned_abs(),
            };
            let most = if wanted.meaning.is_some() { limit.max(CANDIDATES) } else { limit };
            let mut scores = words.search(&mut connection, &wanted.words, most).await?;
            if let Some((model, vector)) = &wanted.meaning
                && let Some(cosines) = vectors::by_meaning(&mut connection, corpus, model, vector).await?
            {
                scores = relevance::with_meaning(scores, cosines, limit as usize);
            }
            let mut found = Vec::with_capacity(scores.len());
            for (key, score) in scores {
                let row = sqlx::query(AssertSqlSafe(format!(
                    "SELECT text, {DOCUMENT} FROM corpus_passages JOIN corpus_documents \
                     ON corpus_documents.key = document_key WHERE corpus_passages.key = $1"
                )))
                .bind(key)
                .fetch_optional(&mut *connection)
                .await?;
                let Some(row) = row else { continue };
                let document = read(&row)?;
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

/// The key of the corpus of a source that is being loaded in this revision.
async fn corpus_key(
    connection: &mut SqliteConnection,
    source: CorpusSourceId,
    revision: u32,
) -> Result<Option<i64>, StorageError> {
    let row = sqlx::query(
        "SELECT corpora.key FROM corpus_sources JOIN corpora ON corpora.id = corpus_id \
         WHERE corpus_sources.id = $1 AND revision = $2 AND loading",
    )
    .bind(source.to_string())
    .bind(revision)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get("key")).transpose()?)
}

impl Sqlite {
    /// Deletes documents that are not seen, with their passages.
    async fn sweep(&self, documents: &[i64]) -> Result<(), StorageError> {
        for document in documents {
            loop {
                let mut transaction = self.begin().await?;
                let row = sqlx::query(
                    "SELECT corpora.key FROM corpus_documents d JOIN corpora ON corpora.id = corpus_id WHERE d.key = $1",
                )
                .bind(document)
                .fetch_optional(&mut *transaction)
                .await?;
                // It may have gone with its source.
                let Some(row) = row else { break };
                let index = index(row.try_get("key")?);
                let part = "SELECT key FROM corpus_passages WHERE document_key = $1 ORDER BY key LIMIT $2";
                for sql in [
                    format!("DELETE FROM {index} WHERE rowid IN ({part})"),
                    format!("DELETE FROM corpus_passages WHERE key IN ({part})"),
                ] {
                    sqlx::query(AssertSqlSafe(sql))
                        .bind(document)
                        .bind(i64::try_from(PART).unwrap_or(i64::MAX))
                        .execute(&mut *transaction)
                        .await?;
                }
                let gone = sqlx::query(
                    "DELETE FROM corpus_documents WHERE key = $1 \
                     AND NOT EXISTS (SELECT 1 FROM corpus_passages WHERE document_key = $1)",
                )
                .bind(document)
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                if gone.rows_affected() > 0 {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

/// The keys of the documents of a source with this id: one at most.
async fn documents_with_id(
    executor: impl SqliteExecutor<'_>,
    source: CorpusSourceId,
    id: &str,
) -> Result<Vec<i64>, StorageError> {
    let query = sqlx::query("SELECT key FROM corpus_documents WHERE source_id = $1 AND id = $2");
    let row = query.bind(source.to_string()).bind(id).fetch_optional(executor).await?;
    Ok(row.map(|row| row.try_get("key")).transpose()?.into_iter().collect())
}

/// Has documents seen no more.
async fn hide(connection: &mut SqliteConnection, documents: &[i64]) -> Result<(), StorageError> {
    for document in documents {
        sqlx::query("UPDATE corpus_documents SET id = 'gone ' || key, visible = FALSE WHERE key = $1")
            .bind(document)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Inserts a document that is not seen yet, and gives its key.
async fn insert(
    connection: &mut SqliteConnection,
    document: &StoredDocument,
    id: &str,
    contents: Contents<'_>,
) -> Result<i64, StorageError> {
    let vectors: usize = contents.passages.iter().map(|passage| passage.vectors.len()).sum();
    let row = sqlx::query(
        "INSERT INTO corpus_documents (id, corpus_id, source_id, created_us, mime_type, size, metadata, passages, \
         vectors, visible) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE) RETURNING key",
    )
    .bind(id)
    .bind(document.corpus.to_string())
    .bind(document.source.to_string())
    .bind(document.created.unix_micros())
    .bind(&document.mime_type)
    .bind(i64::try_from(document.size).unwrap_or(i64::MAX))
    .bind(to_json(&document.metadata))
    .bind(i64::try_from(contents.passages.len()).unwrap_or(i64::MAX))
    .bind(i64::try_from(vectors).unwrap_or(i64::MAX))
    .fetch_one(connection)
    .await?;
    Ok(row.try_get("key")?)
}

/// Inserts some of a document's passages.
async fn insert_part(
    connection: &mut SqliteConnection,
    index: &str,
    document: &StoredDocument,
    document_key: i64,
    passages: &[Passage],
    model: &str,
) -> Result<(), StorageError> {
    let words = format!("INSERT INTO {index} (rowid, words) VALUES ($1, $2)");
    let mut keys = Vec::with_capacity(passages.len());
    for passage in passages {
        let inserted = sqlx::query("INSERT INTO corpus_passages (document_key, text) VALUES ($1, $2)")
            .bind(document_key)
            .bind(&passage.text)
            .execute(&mut *connection)
            .await?;
        keys.push(inserted.last_insert_rowid());
        sqlx::query(AssertSqlSafe(words.as_str()))
            .bind(inserted.last_insert_rowid())
            .bind(passage.words.join(" "))
            .execute(&mut *connection)
            .await?;
    }
    vectors::insert(connection, document, document_key, &keys, Contents { passages, model }).await
}

/// Counts what a source has brought.
async fn count(connection: &mut SqliteConnection, source: CorpusSourceId) -> Result<(), StorageError> {
    sqlx::query(
        "UPDATE corpus_sources SET (documents, passages, vectors) = (SELECT COUNT(*), COALESCE(SUM(d.passages), 0), \
         COALESCE(SUM(d.vectors), 0) FROM corpus_documents d WHERE d.source_id = $1 AND d.visible) WHERE id = $1",
    )
    .bind(source.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
