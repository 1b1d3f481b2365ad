//! Corpora: collections of documents that can be queried (protocol.md 7.3).
//!
//! Owns the endpoints under `/api/corpora`. Where documents come from is `source`'s, what is found in them `query`'s.

mod document;
mod query;
mod source;
mod upload;

use crate::endpoint::{NoBody, endpoint};
use crate::ids::CorpusId;
use crate::json::check::{Chars, Within};
use crate::json::{record, words};
use crate::page::Page;
use crate::timestamp::Timestamp;

pub use document::{
    CorpusDocument, CorpusDocumentMetadata, ListCorpusDocuments, READABLE_TYPES, ReadCorpusDocument,
};
pub use query::{CorpusQueryCitation, CorpusQueryResult, QueryCorpus, QueryCorpusRequest};
pub use source::{
    AdvancedDocument, AdvancedSpec, CorpusSource, CorpusSourceRequest, CrawlSpec, CreateCorpusSource,
    DeleteCorpusSource, ListCorpusSources, MAXIMUM_DOCUMENT_BYTES, MAXIMUM_DOCUMENTS, MimeTypeFilter,
    MimeTypeSet, PatchCorpusSource, ReadCorpusSource, ReplaceCorpusSource, SourceSpec, SourceStats,
    SourceStatus, UploadSpec,
};
pub use upload::{CorpusUpload, CorpusUploadRequest, CreateCorpusUpload};

endpoint! {
    /// Creates a corpus.
    pub CreateCorpus: Post "/api/corpora" body CorpusRequest, -> 201 Corpus
}

endpoint! {
    /// Lists the account's corpora, newest first.
    pub ListCorpora: Get "/api/corpora" query CorpusPageQuery, -> 200 Page<Corpus>
}

endpoint! {
    /// Reads one corpus.
    pub ReadCorpus: Get "/api/corpora/{corpus_id}" path CorpusId, -> 200 Corpus
}

endpoint! {
    /// Replaces a corpus's name and description; what is left out becomes empty. Its sources stay.
    pub ReplaceCorpus: Put "/api/corpora/{corpus_id}" path CorpusId, body CorpusRequest, -> 200 Corpus
}

endpoint! {
    /// Changes a corpus's name or description; what is left out stays.
    pub PatchCorpus: Patch "/api/corpora/{corpus_id}" path CorpusId, body CorpusRequest, -> 200 Corpus
}

endpoint! {
    /// Removes a corpus with its sources, documents and uploads.
    pub DeleteCorpus: Delete "/api/corpora/{corpus_id}" path CorpusId, -> 204 NoBody
}

record! {
    /// What a corpus is created from. The rest of a [`Corpus`] is the server's and means nothing in a request.
    #[derive(Default)]
    pub struct CorpusRequest {
        /// Its name, at most 200 characters.
        name: Option<String> where Chars(0, 200),
        /// What it is about, at most 2,000 characters.
        description: Option<String> where Chars(0, 2_000),
    }
}

record! {
    /// A queryable collection of documents.
    pub struct Corpus {
        /// Its id.
        corpus_id: CorpusId,
        /// When it was created.
        created: Timestamp,
        /// Its name.
        name: String => String::new(),
        /// What it is about.
        description: String => String::new(),
        /// What is in it.
        stats: CorpusStats,
    }
}

record! {
    /// What is in a corpus, and whether it can be queried.
    pub struct CorpusStats {
        /// Whether it can be queried.
        status: CorpusStatus => CorpusStatus::Empty,
        /// When its contents last changed, if they ever did.
        last_updated: Option<Timestamp>,
        /// Its chunks: the parts of documents that queries find.
        num_chunks: u64 => 0,
        /// Its documents.
        num_docs: u64 => 0,
        /// Its vectors, if it is searched by meaning.
        num_vectors: u64 => 0,
    }
}

words! {
    /// Whether a corpus can be queried.
    pub enum CorpusStatus {
        /// There is nothing in it.
        Empty = "CORPUS_STATUS_EMPTY",
        /// Its first source is being loaded.
        Initializing = "CORPUS_STATUS_INITIALIZING",
        /// All of it can be queried.
        Ready = "CORPUS_STATUS_READY",
        /// It can be queried, and more is coming.
        Updating = "CORPUS_STATUS_UPDATING",
    }
    unset "CORPUS_STATUS_UNSPECIFIED"
}

record! {
    /// The query of the lists of corpora, of a corpus's sources and of a source's documents.
    #[derive(Default)]
    pub struct CorpusPageQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Items on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}
