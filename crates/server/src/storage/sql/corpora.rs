//! Corpora, sources and uploads, in SQL.

use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};
use futures::FutureExt;
use sqlx::{QueryBuilder, Row as _};

use super::super::{
    AccountId, CorpusPlace, CorpusStatistics, CorpusStore, Filling, Pending, Slice, StorageError,
    StoredCorpus, StoredSource, StoredUpload, Window,
};
use super::calls::{slice, total};
use super::owned::push_page;
use super::{Alone, Db, Reading, Row, Store, alone, indexes, storable, to_json};

/// Corpora with what is in them.
const CORPORA: &str = "SELECT corpora.*, \
     (SELECT COUNT(*) FROM corpus_sources s WHERE s.corpus_id = corpora.id) AS sources, \
     (SELECT COUNT(*) FROM corpus_sources s WHERE s.corpus_id = corpora.id AND s.loading) AS loading, \
     (SELECT CAST(COALESCE(SUM(s.documents), 0) AS BIGINT) FROM corpus_sources s WHERE s.corpus_id = corpora.id) \
     AS documents, \
     (SELECT CAST(COALESCE(SUM(s.passages), 0) AS BIGINT) FROM corpus_sources s WHERE s.corpus_id = corpora.id) \
     AS passages, \
     (SELECT CAST(COALESCE(SUM(s.vectors), 0) AS BIGINT) FROM corpus_sources s WHERE s.corpus_id = corpora.id) \
     AS vectors \
     FROM corpora ";

impl CorpusStore for Store {
    fn insert_corpus<'a>(&'a self, corpus: &'a StoredCorpus, most: u32) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(corpus.account)).await?;
            let inserted = sqlx::query(
                "INSERT INTO corpora (id, account_id, name, description, created_us) \
                 SELECT $1, $2, $3, $4, $5 WHERE (SELECT COUNT(*) FROM corpora WHERE account_id = $2) < $6 \
                 RETURNING key",
            )
            .bind(corpus.id.to_string())
            .bind(corpus.account.to_string())
            .bind(storable(&corpus.name))
            .bind(storable(&corpus.description))
            .bind(corpus.created.unix_micros())
            .bind(i64::from(most))
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = inserted else { return Ok(false) };
            indexes::make(&mut transaction, row.try_get("key")?).await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn find_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, Option<StoredCorpus>> {
        async move {
            let mut query = QueryBuilder::new(CORPORA);
            query.push("WHERE id = ").push_bind(id.to_string());
            query.push(" AND account_id = ").push_bind(account.to_string());
            let row = query.build().fetch_optional(&self.pool).await?;
            row.as_ref().map(read_corpus).transpose()
        }
        .boxed()
    }

    fn corpora(&self, account: AccountId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredCorpus>> {
        async move {
            let mut query = QueryBuilder::new(CORPORA);
            query.push("WHERE account_id = ").push_bind(account.to_string());
            push_window(&mut query, &window);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read_corpus)
        }
        .boxed()
    }

    fn count_corpora(&self, account: AccountId) -> Pending<'_, u64> {
        async move {
            let query = sqlx::query("SELECT COUNT(*) AS total FROM corpora WHERE account_id = $1");
            total(&query.bind(account.to_string()).fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn update_corpus<'a>(&'a self, corpus: &'a StoredCorpus) -> Pending<'a, bool> {
        async move {
            let updated = sqlx::query(
                "UPDATE corpora SET name = $3, description = $4 WHERE id = $1 AND account_id = $2",
            )
            .bind(corpus.id.to_string())
            .bind(corpus.account.to_string())
            .bind(storable(&corpus.name))
            .bind(storable(&corpus.description))
            .execute(&self.pool)
            .await?;
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Corpus(id)).await?;
            // All else goes with it.
            let deleted = sqlx::query("DELETE FROM corpora WHERE id = $1 AND account_id = $2 RETURNING key")
                .bind(id.to_string())
                .bind(account.to_string())
                .fetch_optional(&mut *transaction)
                .await?;
            let Some(row) = deleted else { return Ok(false) };
            indexes::remove(&mut transaction, row.try_get("key")?).await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn insert_source<'a>(&'a self, source: &'a StoredSource, most: u32) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Corpus(source.corpus)).await?;
            let inserted = sqlx::query(
                "INSERT INTO corpus_sources (id, corpus_id, name, description, created_us, spec, crawls, revision, loading, \
                 documents, passages, vectors) SELECT $1, $2, $3, $4, $5, $6, $8, 0, TRUE, 0, 0, 0 \
                 WHERE EXISTS (SELECT 1 FROM corpora WHERE id = $2) \
                 AND (SELECT COUNT(*) FROM corpus_sources WHERE corpus_id = $2) < $7",
            )
            .bind(source.id.to_string())
            .bind(source.corpus.to_string())
            .bind(storable(&source.name))
            .bind(storable(&source.description))
            .bind(source.created.unix_micros())
            .bind(to_json(&source.spec))
            .bind(i64::from(most))
            .bind(source.crawls())
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() == 1)
        }
        .boxed()
    }

    fn find_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, Option<StoredSource>> {
        async move {
            let query = sqlx::query("SELECT * FROM corpus_sources WHERE id = $1 AND corpus_id = $2");
            let query = query.bind(id.to_string()).bind(corpus.to_string());
            let row = query.fetch_optional(&self.pool).await?;
            row.as_ref().map(read_source).transpose()
        }
        .boxed()
    }

    fn sources(&self, corpus: CorpusId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredSource>> {
        async move {
            let mut query = QueryBuilder::new("SELECT * FROM corpus_sources WHERE corpus_id = ");
            query.push_bind(corpus.to_string());
            push_window(&mut query, &window);
            slice(&query.build().fetch_all(&self.pool).await?, &window, read_source)
        }
        .boxed()
    }

    fn count_sources(&self, corpus: CorpusId) -> Pending<'_, u64> {
        async move {
            let query = sqlx::query("SELECT COUNT(*) AS total FROM corpus_sources WHERE corpus_id = $1");
            total(&query.bind(corpus.to_string()).fetch_one(&self.pool).await?)
        }
        .boxed()
    }

    fn update_source<'a>(&'a self, source: &'a StoredSource) -> Pending<'a, bool> {
        async move {
            let updated = sqlx::query(
                "UPDATE corpus_sources SET name = $4, description = $5, spec = $6, crawls = $7, \
                 revision = revision + 1, loading = TRUE WHERE id = $1 AND corpus_id = $2 AND revision = $3",
            )
            .bind(source.id.to_string())
            .bind(source.corpus.to_string())
            .bind(i64::from(source.revision))
            .bind(storable(&source.name))
            .bind(storable(&source.description))
            .bind(to_json(&source.spec))
            .bind(source.crawls())
            .execute(&self.pool)
            .await?;
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Corpus(corpus)).await?;
            let found = sqlx::query(
                "SELECT corpora.key FROM corpus_sources JOIN corpora ON corpora.id = corpus_id \
                 WHERE corpus_sources.id = $1 AND corpora.id = $2",
            );
            let found = found.bind(id.to_string()).bind(corpus.to_string());
            let Some(row) = found.fetch_optional(&mut *transaction).await? else { return Ok(false) };
            indexes::forget_source(&mut transaction, row.try_get("key")?, id).await?;
            sqlx::query("DELETE FROM corpus_sources WHERE id = $1")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn sources_to_load(&self, crawls: bool, limit: u32) -> Pending<'_, Vec<StoredSource>> {
        async move {
            let query = sqlx::query(
                "SELECT * FROM corpus_sources WHERE loading AND crawls = $1 ORDER BY created_us, id LIMIT $2",
            );
            query
                .bind(crawls)
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await?
                .iter()
                .map(read_source)
                .collect()
        }
        .boxed()
    }

    fn insert_upload<'a>(&'a self, upload: &'a StoredUpload, now: Timestamp, most: u32) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Corpus(upload.corpus)).await?;
            sqlx::query(
                "DELETE FROM corpus_uploads WHERE corpus_id = $1 AND expires_us <= $2 AND size IS NULL",
            )
            .bind(upload.corpus.to_string())
            .bind(now.unix_micros())
            .execute(&mut *transaction)
            .await?;
            let inserted = sqlx::query(
                "INSERT INTO corpus_uploads (id, corpus_id, mime_type, file_name, created_us, expires_us, token_hash) \
                 SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM corpora WHERE id = $2) \
                 AND (SELECT COUNT(*) FROM corpus_uploads WHERE corpus_id = $2) < $8",
            )
            .bind(upload.id.to_string())
            .bind(upload.corpus.to_string())
            .bind(storable(&upload.mime_type))
            .bind(storable(&upload.file_name))
            .bind(upload.created.unix_micros())
            .bind(upload.expires.unix_micros())
            .bind(hexadecimal(&upload.token_hash))
            .bind(i64::from(most))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(inserted.rows_affected() == 1)
        }
        .boxed()
    }

    fn find_upload_by_token(&self, token_hash: [u8; 32]) -> Pending<'_, Option<StoredUpload>> {
        async move {
            let query = sqlx::query("SELECT * FROM corpus_uploads WHERE token_hash = $1");
            let row = query.bind(hexadecimal(&token_hash)).fetch_optional(&self.pool).await?;
            row.as_ref().map(read_upload).transpose()
        }
        .boxed()
    }

    fn find_upload(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<StoredUpload>> {
        async move {
            let query = sqlx::query("SELECT * FROM corpus_uploads WHERE id = $1 AND corpus_id = $2");
            let query = query.bind(id.to_string()).bind(corpus.to_string());
            query.fetch_optional(&self.pool).await?.as_ref().map(read_upload).transpose()
        }
        .boxed()
    }

    fn fill_upload(&self, id: CorpusDocumentId, content: Vec<u8>, most: u64) -> Pending<'_, Filling> {
        async move {
            let mut transaction = self.begin().await?;
            let owner = sqlx::query(
                "SELECT corpus_uploads.id AS id, account_id FROM corpus_uploads JOIN corpora ON corpora.id = corpus_id \
                 WHERE corpus_uploads.id = $1",
            );
            let owner = owner.bind(id.to_string()).fetch_optional(&mut *transaction).await?;
            let Some(owner) = owner else { return Ok(Filling::Unknown) };
            let account = AccountId(Reading::new(&owner, "corpora", "id")?.text("account_id")?);
            alone(&mut transaction, Alone::Account(account)).await?;
            let row = sqlx::query(
                "SELECT (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM corpus_uploads u JOIN corpora o ON o.id = u.corpus_id \
                 WHERE o.account_id = corpora.account_id AND u.id <> $1) AS others \
                 FROM corpus_uploads JOIN corpora ON corpora.id = corpus_id WHERE corpus_uploads.id = $1",
            )
            .bind(id.to_string())
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = row else { return Ok(Filling::Unknown) };
            let others: i64 = row.try_get("others")?;
            let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
            if others.saturating_add(size) > i64::try_from(most).unwrap_or(i64::MAX) {
                return Ok(Filling::Full);
            }
            sqlx::query("UPDATE corpus_uploads SET size = $2 WHERE id = $1")
                .bind(id.to_string())
                .bind(size)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "INSERT INTO corpus_upload_contents (upload_id, content) VALUES ($1, $2) \
                 ON CONFLICT (upload_id) DO UPDATE SET content = excluded.content",
            )
            .bind(id.to_string())
            .bind(content)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Filling::Kept)
        }
        .boxed()
    }

    fn upload_content(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<Vec<u8>>> {
        async move {
            let query = sqlx::query(
                "SELECT content FROM corpus_upload_contents JOIN corpus_uploads ON corpus_uploads.id = upload_id \
                 WHERE upload_id = $1 AND corpus_id = $2",
            );
            let query = query.bind(id.to_string()).bind(corpus.to_string());
            let row = query.fetch_optional(&self.pool).await?;
            Ok(row.map(|row| row.try_get("content")).transpose()?)
        }
        .boxed()
    }
}

/// Newest first.
fn push_window(query: &mut QueryBuilder<Db>, window: &Window<CorpusPlace>) {
    let after = window.after.as_ref().map(|after| (after.created, after.id.as_hyphenated().to_string()));
    push_page(query, "id", window.direction, after, window.limit);
}

fn read_corpus(row: &Row) -> Result<StoredCorpus, StorageError> {
    let row = Reading::new(row, "corpora", "id")?;
    Ok(StoredCorpus {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        name: row.plain("name")?,
        description: row.plain("description")?,
        created: row.time("created_us")?,
        statistics: CorpusStatistics {
            sources: number(&row, "sources")?,
            loading: number(&row, "loading")?,
            documents: number(&row, "documents")?,
            passages: number(&row, "passages")?,
            vectors: number(&row, "vectors")?,
            updated: row.optional_time("updated_us")?,
        },
    })
}

fn read_source(row: &Row) -> Result<StoredSource, StorageError> {
    let row = Reading::new(row, "corpus_sources", "id")?;
    Ok(StoredSource {
        id: row.text("id")?,
        corpus: row.text("corpus_id")?,
        name: row.plain("name")?,
        description: row.plain("description")?,
        created: row.time("created_us")?,
        spec: row.json("spec")?,
        revision: row.count("revision")?,
        loading: row.plain("loading")?,
        updated: row.optional_time("updated_us")?,
        documents: number(&row, "documents")?,
    })
}

fn read_upload(row: &Row) -> Result<StoredUpload, StorageError> {
    let row = Reading::new(row, "corpus_uploads", "id")?;
    let hash: String = row.plain("token_hash")?;
    let digits = |at: usize| hash.get(2 * at..2 * at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let mut token_hash = [0; 32];
    for (at, byte) in token_hash.iter_mut().enumerate() {
        *byte = digits(at).ok_or_else(|| row.wrong("token_hash", &"is no hash"))?;
    }
    let size: Option<i64> = row.plain("size")?;
    Ok(StoredUpload {
        id: row.text("id")?,
        corpus: row.text("corpus_id")?,
        mime_type: row.plain("mime_type")?,
        file_name: row.plain("file_name")?,
        created: row.time("created_us")?,
        expires: row.time("expires_us")?,
        token_hash,
        size: size.map(i64::unsigned_abs),
    })
}

/// A count that is never negative.
pub(super) fn number(row: &Reading<'_>, column: &'static str) -> Result<u64, StorageError> {
    let number: i64 = row.plain(column)?;
    u64::try_from(number).map_err(|error| row.wrong(column, &error))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
