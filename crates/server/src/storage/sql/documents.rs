//! Documents of corpora, as rows.

use antiphon_api::{CorpusDocumentId, CorpusSourceId};
use sqlx::AssertSqlSafe;

use super::super::{StorageError, StoredDocument};
use super::corpora::number;
use super::{Reading, Row, Store};

/// What is read of a document.
pub(super) const DOCUMENT: &str = "id, corpus_id, source_id, created_us, mime_type, size, metadata";

impl Store {
    /// The document of a source that has this id.
    pub(super) async fn document(
        &self,
        source: CorpusSourceId,
        id: CorpusDocumentId,
    ) -> Result<Option<StoredDocument>, StorageError> {
        let query = sqlx::query(AssertSqlSafe(format!(
            "SELECT {DOCUMENT} FROM corpus_documents WHERE source_id = $1 AND id = $2"
        )));
        let query = query.bind(source.to_string()).bind(id.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(read).transpose()
    }
}

/// Reads one.
pub(super) fn read(row: &Row) -> Result<StoredDocument, StorageError> {
    let row = Reading::new(row, "corpus_documents", "id")?;
    Ok(StoredDocument {
        id: row.text("id")?,
        corpus: row.text("corpus_id")?,
        source: row.text("source_id")?,
        created: row.time("created_us")?,
        mime_type: row.plain("mime_type")?,
        size: number(&row, "size")?,
        metadata: row.json("metadata")?,
    })
}
