//! Documents: what a source has brought into a corpus, one uploaded file or one crawled page each.

use super::CorpusPageQuery;
use crate::endpoint::endpoint;
use crate::ids::{CorpusDocumentId, CorpusId, CorpusSourceId};
use crate::json::record;
use crate::page::Page;
use crate::timestamp::Timestamp;

/// The types that documents are read from.
pub const READABLE_TYPES: [&str; 6] = [
    "text/plain",
    "text/markdown",
    "text/html",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
];

endpoint! {
    /// Lists a source's documents, oldest first.
    pub ListCorpusDocuments: Get "/api/corpora/{corpus_id}/sources/{source_id}/documents"
        path (CorpusId, CorpusSourceId), query CorpusPageQuery, -> 200 Page<CorpusDocument>
}

endpoint! {
    /// Reads one document.
    pub ReadCorpusDocument: Get "/api/corpora/{corpus_id}/sources/{source_id}/documents/{document_id}"
        path (CorpusId, CorpusSourceId, CorpusDocumentId), -> 200 CorpusDocument
}

record! {
    /// A document.
    pub struct CorpusDocument {
        /// The corpus that it is in.
        corpus_id: CorpusId,
        /// The source that brought it.
        source_id: CorpusSourceId,
        /// Its id.
        document_id: CorpusDocumentId,
        /// When it was created.
        created: Timestamp,
        /// Its MIME type.
        mime_type: String,
        /// What is known about it.
        metadata: CorpusDocumentMetadata => CorpusDocumentMetadata::default(),
        /// Its size in bytes, in digits (protocol.md 0).
        size_bytes: String => "0".to_owned(),
    }
}

record! {
    /// What is known about a document.
    #[derive(Default)]
    pub struct CorpusDocumentMetadata {
        /// Where it is on the web.
        public_url: Option<String>,
        /// Its language, as BCP 47 has it.
        language: Option<String>,
        /// Its title.
        title: Option<String>,
        /// What it says of itself.
        description: Option<String>,
        /// When it was published.
        published: Option<Timestamp>,
        /// The queries that find it, of an advanced source's document.
        example_queries: Vec<String>,
        /// Why nothing could be read from it. An extension of ours.
        failure as "antiphon.failure": Option<String>,
    }
}
