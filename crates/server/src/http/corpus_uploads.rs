//! `PUT /corpus_uploads/{token}`: takes the bytes of a file that was announced (protocol.md 7.3). The token is the credential: whoever
//! has it may send these bytes, for as long as it is valid, and do nothing else.

use std::fmt;

use antiphon_api::Timestamp;
use antiphon_api::rest::corpora::MAXIMUM_DOCUMENT_BYTES;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::routing::{MethodRouter, put};
use sha2::{Digest as _, Sha256};

use super::Http;
use super::error::ApiError;
use crate::storage::Filling;

/// The route. It takes larger bodies than others.
pub(super) const ROUTE: &str = "/corpus_uploads/{token}";

pub(super) fn route() -> MethodRouter<Http> {
    put(take).layer(DefaultBodyLimit::max(MAXIMUM_DOCUMENT_BYTES as usize))
}

/// Where the bytes that a token lets in are sent.
pub(super) fn path(token: &Token) -> String {
    format!("/corpus_uploads/{}", token.0)
}

/// What lets a file's bytes in: 256 random bits, in hexadecimal. Kept as a hash only.
pub(super) struct Token(String);

impl Token {
    /// A new one, if there is randomness.
    pub(super) fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).ok()?;
        Some(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

async fn take(
    State(http): State<Http>,
    token: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let forbidden = |detail: &str| ApiError::new(StatusCode::FORBIDDEN, detail);
    // What is no text is no token.
    let token = token.map_or_else(|_| String::new(), |Path(token)| token);
    let upload = http.storage.corpora.find_upload_by_token(Token(token).hash()).await?;
    let upload = upload.ok_or_else(|| forbidden("the upload URL is not valid; ask for a new one"))?;
    if upload.expires <= Timestamp::from(jiff::Timestamp::now()) {
        return Err(forbidden("the upload URL is not valid any more; ask for a new one"));
    }
    let sent = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !sent.is_some_and(|sent| sent.trim().eq_ignore_ascii_case(upload.mime_type.trim())) {
        let detail = format!(
            "the header Content-Type must be {:?}, as the upload was announced; this request has {}",
            upload.mime_type,
            sent.map_or_else(
                || "none".to_owned(),
                |sent| format!("{:?}", sent.chars().take(200).collect::<String>())
            )
        );
        return Err(ApiError::new(StatusCode::BAD_REQUEST, detail));
    }
    let content = Bytes::from_request(request, &http).await.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the file is larger than {MAXIMUM_DOCUMENT_BYTES} bytes, the most that one may have; split it"
            ),
        ),
        status => ApiError::new(status, error.body_text()),
    })?;
    if content.is_empty() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "the file is empty; send its bytes as the body"));
    }
    let most = http.corpora.upload_bytes_per_account;
    match http.storage.corpora.fill_upload(upload.id, content.to_vec(), most).await? {
        Filling::Kept => Ok(StatusCode::OK),
        Filling::Unknown => Err(forbidden("the upload URL is not valid any more; its corpus is gone")),
        Filling::Full => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!(
                "an account's uploads have at most {most} bytes on this server; delete corpora, or have its operator raise \
                 retrieval.upload_bytes_per_account"
            ),
        )),
    }
}
