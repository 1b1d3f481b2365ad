//! Queries: what of a corpus answers a question.

use crate::endpoint::endpoint;
use crate::ids::{CorpusDocumentId, CorpusId, CorpusSourceId};
use crate::json::check::{Chars, Within};
use crate::json::record;

endpoint! {
    /// Finds the chunks of a corpus that fit a query best: a plain array, the best first.
    pub QueryCorpus: Post "/api/corpora/{corpus_id}/query"
        path CorpusId, body QueryCorpusRequest, -> 200 Vec<CorpusQueryResult>
}

record! {
    /// What is looked for.
    pub struct QueryCorpusRequest {
        /// The query, at most 4,000 characters.
        query: String where Chars(1, 4_000),
        /// How many results at most, 1 to 20; 5 if not given.
        max_results: Option<u32> where Within(1, 20),
    }
}

record! {
    /// A chunk that was found.
    pub struct CorpusQueryResult {
        /// Its text.
        content: String,
        /// How well it fits, from 0 to 1.
        score: f64,
        /// Where it is from.
        citation: CorpusQueryCitation,
    }
}

record! {
    /// Where a chunk is from.
    pub struct CorpusQueryCitation {
        /// The source that brought its document.
        source_id: CorpusSourceId,
        /// Its document.
        document_id: CorpusDocumentId,
        /// Where the document is on the web.
        public_url: Option<String>,
        /// The document's title.
        title: Option<String>,
    }
}
