//! `POST /api/corpora/{corpus_id}/uploads`: announces a file, and says where its bytes go.

use std::time::Duration;

use antiphon_api::rest::corpora::{CorpusUpload, CorpusUploadRequest, CreateCorpusUpload, READABLE_TYPES};
use antiphon_api::{CorpusDocumentId, Timestamp};
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::corpus_uploads::{self, Token};
use super::super::error::{ApiError, internal};
use super::super::request::Requested;
use super::{no_corpus, now, own_corpus, strict};
use crate::retrieval::Kind;
use crate::storage::StoredUpload;

/// How long the bytes may take to come (protocol.md 12).
const LIFE: Duration = Duration::from_secs(5 * 60);
/// Uploads that a corpus may have: as many as its sources may take, and some.
const MOST: u32 = 5_000;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateCorpusUpload>,
) -> Answered<CreateCorpusUpload> {
    strict(&http, request.ignored)?;
    let corpus = own_corpus(&http, &account, request.path).await?;
    let CorpusUploadRequest { mime_type, file_name } = request.body;
    if Kind::of(&mime_type).is_none() {
        let types = READABLE_TYPES.join(", ");
        let message = format!("files of this type cannot be read; choose one of {types}");
        return Err(ApiError::field("mimeType", message));
    }
    let token = Token::new().ok_or_else(internal)?;
    let created = now();
    let life = i64::try_from(LIFE.as_micros()).unwrap_or(i64::MAX);
    let expires = Timestamp::from_unix_micros(created.unix_micros().saturating_add(life));
    let upload = StoredUpload {
        id: CorpusDocumentId::new(Uuid::new_v4()),
        corpus: corpus.id,
        mime_type,
        file_name: file_name.unwrap_or_default(),
        created,
        expires: expires.map_err(|_| internal())?,
        token_hash: token.hash(),
        size: None,
    };
    if http.storage.corpora.insert_upload(&upload, created, MOST).await? {
        let presigned_url = http.public_url.rest(&corpus_uploads::path(&token));
        return Ok(Answer(CorpusUpload { document_id: upload.id, presigned_url }));
    }
    // The corpus may have gone meanwhile.
    own_corpus(&http, &account, corpus.id).await.map_err(|_| no_corpus())?;
    let detail = format!("a corpus has at most {MOST} uploads; make another corpus");
    Err(ApiError::new(StatusCode::BAD_REQUEST, detail))
}
