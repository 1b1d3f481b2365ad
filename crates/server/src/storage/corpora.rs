//! Corpora: collections of documents, where the documents come from, and files on their way into them.
//!
//! What is in the documents and how it is found is `passages`'.

use antiphon_api::rest::corpora::SourceSpec;
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};

use super::{AccountId, Pending, Slice, Window};

/// A corpus as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCorpus {
    /// Its id.
    pub id: CorpusId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// What is in it. Counted by the store.
    pub statistics: CorpusStatistics,
}

/// What is in a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CorpusStatistics {
    /// Its sources.
    pub sources: u64,
    /// Those that are to be loaded or being loaded.
    pub loading: u64,
    /// Its documents.
    pub documents: u64,
    /// The parts of documents that can be found.
    pub passages: u64,
    /// The vectors that they are found by.
    pub vectors: u64,
    /// When its contents last changed, if they ever did.
    pub updated: Option<Timestamp>,
}

/// A source as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSource {
    /// Its id.
    pub id: CorpusSourceId,
    /// The corpus that it belongs to.
    pub corpus: CorpusId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// Where its documents come from.
    pub spec: SourceSpec,
    /// How often it was changed: what loads it says which state of it that is for. Counted by the store.
    pub revision: u32,
    /// Whether it is to be loaded, or being loaded.
    pub loading: bool,
    /// When it was last loaded to the end, if ever.
    pub updated: Option<Timestamp>,
    /// Its documents. Counted by the store.
    pub documents: u64,
}

/// A file on its way into a corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUpload {
    /// Its id, and that of the document that is made of it.
    pub id: CorpusDocumentId,
    /// The corpus that it is for.
    pub corpus: CorpusId,
    /// Its MIME type, as it was announced.
    pub mime_type: String,
    /// Its name, if it has one.
    pub file_name: String,
    /// When it was announced.
    pub created: Timestamp,
    /// Until when its bytes may come.
    pub expires: Timestamp,
    /// The hash of the token that lets its bytes in.
    pub token_hash: [u8; 32],
    /// How many bytes came, if they did.
    pub size: Option<u64>,
}

/// What became of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// They are kept.
    Kept,
    /// The account has as many bytes as it may have.
    Full,
    /// The upload is gone.
    Unknown,
}

/// A place in a list of corpora or sources: newest first, those of one moment by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorpusPlace {
    /// When it was created.
    pub created: Timestamp,
    /// Its id.
    pub id: uuid::Uuid,
}

impl StoredCorpus {
    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> CorpusPlace {
        CorpusPlace { created: self.created, id: self.id.uuid() }
    }
}

impl StoredSource {
    /// Whether its documents come from the web.
    #[must_use]
    pub fn crawls(&self) -> bool {
        matches!(self.spec, SourceSpec::Crawl(_))
    }

    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> CorpusPlace {
        CorpusPlace { created: self.created, id: self.id.uuid() }
    }
}

/// Where corpora are kept.
pub trait CorpusStore: Send + Sync {
    /// Keeps a new corpus. False if the account has as many as `most` already.
    fn insert_corpus<'a>(&'a self, corpus: &'a StoredCorpus, most: u32) -> Pending<'a, bool>;
    /// The account's corpus with this id.
    fn find_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, Option<StoredCorpus>>;
    /// Part of the account's corpora.
    fn corpora(&self, account: AccountId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredCorpus>>;
    /// How many corpora the account has.
    fn count_corpora(&self, account: AccountId) -> Pending<'_, u64>;
    /// Changes name and description of the account's corpus with this id. False if it is not there.
    fn update_corpus<'a>(&'a self, corpus: &'a StoredCorpus) -> Pending<'a, bool>;
    /// Deletes the account's corpus with this id, and all that is in it. False if it is not there.
    fn delete_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, bool>;

    /// Keeps a new source, to be loaded. False if the corpus is not there, or has as many as `most` already.
    fn insert_source<'a>(&'a self, source: &'a StoredSource, most: u32) -> Pending<'a, bool>;
    /// The corpus's source with this id.
    fn find_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, Option<StoredSource>>;
    /// Part of the corpus's sources.
    fn sources(&self, corpus: CorpusId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredSource>>;
    /// How many sources the corpus has.
    fn count_sources(&self, corpus: CorpusId) -> Pending<'_, u64>;
    /// Changes a source, which is to be loaded anew, if it still has the revision that it says. False if not.
    fn update_source<'a>(&'a self, source: &'a StoredSource) -> Pending<'a, bool>;
    /// Deletes the corpus's source with this id, and its documents. False if it is not there.
    fn delete_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, bool>;
    /// The sources that are to be loaded, either those that crawl or the others, the oldest first.
    fn sources_to_load(&self, crawls: bool, limit: u32) -> Pending<'_, Vec<StoredSource>>;

    /// Keeps the announcement of a file. Those of the corpus that came to nothing by `now` are forgotten. False if the corpus is not
    /// there, or has as many as `most`.
    fn insert_upload<'a>(&'a self, upload: &'a StoredUpload, now: Timestamp, most: u32) -> Pending<'a, bool>;
    /// The upload that a token lets in.
    fn find_upload_by_token(&self, token_hash: [u8; 32]) -> Pending<'_, Option<StoredUpload>>;
    /// The corpus's upload with this id.
    fn find_upload(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<StoredUpload>>;
    /// Keeps the bytes of a file, in the place of those before, if the account then has `most` bytes or less.
    fn fill_upload(&self, id: CorpusDocumentId, content: Vec<u8>, most: u64) -> Pending<'_, Filling>;
    /// The bytes of a file.
    fn upload_content(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<Vec<u8>>>;
}
