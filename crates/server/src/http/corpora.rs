//! `/api/corpora`: collections of documents (protocol.md 7.3). One operation a file. What they share: finding a corpus that is the
//! asker's own, and showing it.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod list;
pub(super) mod query;
pub(super) mod read;
pub(super) mod sources;
pub(super) mod update;
pub(super) mod uploads;

use antiphon_api::rest::corpora::{Corpus, CorpusStats, CorpusStatus};
use antiphon_api::{CorpusId, Timestamp};
use axum::http::StatusCode;

use super::Http;
use super::auth::Account;
use super::error::ApiError;
use crate::storage::{CorpusStatistics, StoredCorpus};

/// What a corpus or a source says of itself that is the server's: it may come back in a request, and means nothing there.
const OWN: [&str; 8] =
    ["corpusId", "corpus_id", "sourceId", "source_id", "documentId", "document_id", "created", "stats"];

/// The account's corpus with this id. Another account's corpus is no corpus.
async fn own_corpus(http: &Http, account: &Account, id: CorpusId) -> Result<StoredCorpus, ApiError> {
    http.storage.corpora.find_corpus(account.0, id).await?.ok_or_else(no_corpus)
}

fn no_corpus() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such corpus")
}

/// Fields that mean nothing are refused where the operator wants that.
fn strict(http: &Http, ignored: Vec<String>) -> Result<(), ApiError> {
    let is_own = |field: &String| OWN.contains(&field.split('.').next().unwrap_or_default());
    let wrong: Vec<String> = ignored.into_iter().filter(|field| !is_own(field)).collect();
    if http.server.strict_fields && !wrong.is_empty() {
        return Err(ApiError::fields(wrong, "does not exist; leave it out"));
    }
    Ok(())
}

/// A corpus as clients see it.
fn corpus_resource(corpus: StoredCorpus) -> Corpus {
    let CorpusStatistics { sources, loading, documents, passages, vectors, updated } = corpus.statistics;
    let status = match (updated, loading) {
        _ if sources == 0 => CorpusStatus::Empty,
        (None, 1..) => CorpusStatus::Initializing,
        (Some(_), 1..) => CorpusStatus::Updating,
        (_, 0) if documents == 0 => CorpusStatus::Empty,
        (_, 0) => CorpusStatus::Ready,
    };
    Corpus {
        corpus_id: corpus.id,
        created: corpus.created,
        name: corpus.name,
        description: corpus.description,
        stats: CorpusStats {
            status,
            last_updated: updated,
            num_chunks: passages,
            num_docs: documents,
            num_vectors: vectors,
        },
    }
}

fn now() -> Timestamp {
    Timestamp::from(jiff::Timestamp::now())
}
