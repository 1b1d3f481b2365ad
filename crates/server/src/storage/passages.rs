//! What is in the documents of corpora: passages, and how they are found.

use antiphon_api::rest::corpora::CorpusDocumentMetadata;
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};

use super::{Pending, Slice, Window};

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// Its id.
    pub id: CorpusDocumentId,
    /// The corpus that it is in.
    pub corpus: CorpusId,
    /// The source that brought it. The same upload may be a document of several sources.
    pub source: CorpusSourceId,
    /// When it was created.
    pub created: Timestamp,
    /// Its MIME type.
    pub mime_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// What is known about it.
    pub metadata: CorpusDocumentMetadata,
}

/// A part of a document that can be found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Passage {
    /// What is returned.
    pub text: String,
    /// The words that find it, each as often as it is there (`relevance::words`).
    pub words: Vec<String>,
    /// What finds it by meaning.
    pub vectors: Vec<Vec<f32>>,
}

/// Passages of one document, and what made their vectors.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The passages.
    pub passages: &'a [Passage],
    /// The name of the model that made the vectors. Vectors of different models are not compared.
    pub model: &'a str,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// By these words (`relevance::words`).
    pub words: Vec<String>,
    /// And by meaning: a vector and the model that made it.
    pub meaning: Option<(String, Vec<f32>)>,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its text.
    pub text: String,
    /// How well it fits, from 0 to 1.
    pub score: f64,
    /// The source of its document.
    pub source: CorpusSourceId,
    /// Its document.
    pub document: CorpusDocumentId,
    /// What is known about the document.
    pub metadata: CorpusDocumentMetadata,
}

/// A document's place in a list: oldest first, those of one moment by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its id.
    pub id: CorpusDocumentId,
}

impl StoredDocument {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> DocumentPlace {
        DocumentPlace { created: self.created, id: self.id }
    }
}

/// Where documents and their passages are kept.
pub trait PassageStore: Send + Sync {
    /// The source's document with this id.
    fn find_document(
        &self,
        source: CorpusSourceId,
        id: CorpusDocumentId,
    ) -> Pending<'_, Option<StoredDocument>>;
    /// Part of the source's documents.
    fn documents(
        &self,
        source: CorpusSourceId,
        window: Window<DocumentPlace>,
    ) -> Pending<'_, Slice<StoredDocument>>;
    /// How many documents the source has.
    fn count_documents(&self, source: CorpusSourceId) -> Pending<'_, u64>;
    /// Keeps a document with its passages, in the place of the one before with its id. False, and nothing is changed, if the source is
    /// gone or is being loaded in another revision.
    fn put_document<'a>(
        &'a self,
        document: &'a StoredDocument,
        revision: u32,
        contents: Contents<'a>,
    ) -> Pending<'a, bool>;
    /// Ends the loading of a source: documents that are not in `keep` are deleted. False, and nothing is changed, if the source is gone
    /// or is being loaded in another revision.
    fn finish_source<'a>(
        &'a self,
        source: CorpusSourceId,
        revision: u32,
        keep: &'a [CorpusDocumentId],
        at: Timestamp,
    ) -> Pending<'a, bool>;
    /// The passages of a corpus that fit best, at most `limit`, the best first. `relevance` says what fits.
    fn search<'a>(&'a self, corpus: CorpusId, wanted: &'a Wanted, limit: u32) -> Pending<'a, Vec<Found>>;
}
