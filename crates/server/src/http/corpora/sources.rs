//! `/api/corpora/{corpus_id}/sources`: where the documents of a corpus come from.

pub(in crate::http) mod create;
pub(in crate::http) mod delete;
pub(in crate::http) mod documents;
pub(in crate::http) mod list;
pub(in crate::http) mod read;
pub(in crate::http) mod update;

use antiphon_api::rest::corpora::{CorpusSource, CorpusSourceRequest, SourceSpec, SourceStats, SourceStatus};
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId};
use axum::http::StatusCode;
use url::Url;

use super::super::Http;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::own_corpus;
use crate::storage::StoredSource;

/// The source with this id, if its corpus is the account's.
async fn own_source(
    http: &Http,
    account: &Account,
    (corpus, id): (CorpusId, CorpusSourceId),
) -> Result<StoredSource, ApiError> {
    let corpus = own_corpus(http, account, corpus).await?;
    http.storage.corpora.find_source(corpus.id, id).await?.ok_or_else(no_source)
}

fn no_source() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such source")
}

/// Where the documents come from, if that can be.
async fn spec(http: &Http, corpus: CorpusId, request: &CorpusSourceRequest) -> Result<SourceSpec, ApiError> {
    let Some(spec) = request.spec() else {
        let message =
            "is missing; say where the documents come from by one of \"crawl\", \"upload\" and \"advanced\"";
        return Err(ApiError::field("crawl", message));
    };
    match &spec {
        SourceSpec::Crawl(crawl) => {
            let name = if request.crawl.is_some() { "crawl" } else { "loadSpec" };
            for (index, url) in crawl.start_urls.iter().enumerate() {
                check_url(http, url)
                    .map_err(|why| ApiError::field(&format!("{name}.startUrls[{index}]"), why))?;
            }
        }
        SourceSpec::Upload(upload) => {
            let ids = upload.document_ids.iter().enumerate();
            let ids = ids.map(|(index, id)| (format!("upload.documentIds[{index}]"), *id));
            check_uploads(http, corpus, ids).await?;
        }
        SourceSpec::Advanced(advanced) => {
            let documents = advanced.documents.iter().enumerate();
            let ids = documents.map(|(index, document)| {
                (format!("advanced.documents[{index}].documentId"), document.document_id)
            });
            check_uploads(http, corpus, ids).await?;
        }
    }
    Ok(spec)
}

fn check_url(http: &Http, url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| format!("is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "carries a user or a password, which would be shown; crawl what everybody may see".to_owned()
        );
    }
    http.outbound.check(&url).map_err(|error| error.to_string())
}

async fn check_uploads(
    http: &Http,
    corpus: CorpusId,
    ids: impl Iterator<Item = (String, CorpusDocumentId)>,
) -> Result<(), ApiError> {
    let mut seen = Vec::new();
    for (field, id) in ids {
        if seen.contains(&id) {
            return Err(ApiError::field(&field, "is there twice; leave one out"));
        }
        seen.push(id);
        match http.storage.corpora.find_upload(corpus, id).await? {
            None => {
                return Err(ApiError::field(
                    &field,
                    "is no upload of this corpus; ask for one and send its file",
                ));
            }
            Some(upload) if upload.size.is_none() => {
                return Err(ApiError::field(
                    &field,
                    "has no file yet; send it to the upload's \"presignedUrl\"",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A source as clients see it.
fn source_resource(source: StoredSource) -> CorpusSource {
    let status = match (source.loading, source.updated) {
        (true, None) => SourceStatus::Initializing,
        (true, Some(_)) => SourceStatus::Updating,
        (false, _) => SourceStatus::Ready,
    };
    CorpusSource {
        corpus_id: source.corpus,
        source_id: source.id,
        created: source.created,
        name: source.name,
        description: source.description,
        stats: SourceStats { status, last_updated: source.updated, num_docs: source.documents },
        spec: source.spec,
    }
}
