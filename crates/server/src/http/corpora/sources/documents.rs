//! `/api/corpora/{corpus_id}/sources/{source_id}/documents`: what a source has brought.

pub(in crate::http) mod list;
pub(in crate::http) mod read;

use antiphon_api::rest::corpora::CorpusDocument;

use crate::storage::StoredDocument;

/// A document as clients see it.
fn document_resource(document: StoredDocument) -> CorpusDocument {
    CorpusDocument {
        corpus_id: document.corpus,
        source_id: document.source,
        document_id: document.id,
        created: document.created,
        mime_type: document.mime_type,
        metadata: document.metadata,
        size_bytes: document.size.to_string(),
    }
}
