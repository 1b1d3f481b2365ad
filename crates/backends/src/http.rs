//! What all backends behind an OpenAI-compatible HTTP interface share: the address, the key, time-outs, and errors that can be
//! read.
//!
//! It must not know what is asked for. The key goes into one header and nowhere else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, redirect};
use tokio::time::{Instant, timeout_at};

use crate::language_model::{Failure, Fault};
use crate::text_to_speech::exchange::{Answer, Exchange, Question, retry_after};

/// How long a connection may take, where nothing else is said.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long a backend is left alone that is overloaded and does not say for how long.
pub(crate) const OVERLOADED: Duration = Duration::from_secs(1);
/// Bytes of an error's body that are read, and characters of it that are told.
const ERROR_BODY: usize = 4_096;
const ERROR_TEXT: usize = 300;

/// A key that proves who we are to a backend. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// Takes the key without the blanks around it.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.trim().into())
    }

    /// The key, for the header that it goes to.
    pub(crate) fn secret(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is none.
    #[error("{0:?} is no http or https address; write it like \"http://localhost:8080/v1\"")]
    Address(String),
    /// No client could be made for it.
    #[error(
        "no HTTPS client can be made ({0}); install the system's certificates (apt install ca-certificates)"
    )]
    Client(String),
}

/// Where a backend is and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    client: Client,
    base: Arc<str>,
    key: Option<ApiKey>,
    /// The header that takes the bare key; `Authorization` takes it as a bearer token.
    key_header: Option<HeaderName>,
}

impl Endpoint {
    /// An endpoint whose paths begin with `base`, such as `http://localhost:8080/v1`.
    pub fn new(base: &str, key: Option<ApiKey>) -> Result<Self, EndpointError> {
        Self::connecting_within(CONNECT, base, key)
    }

    /// The same, where a connection may take so long.
    pub fn connecting_within(
        connect: Duration,
        base: &str,
        key: Option<ApiKey>,
    ) -> Result<Self, EndpointError> {
        let base = base.trim_end_matches('/');
        let url = reqwest::Url::parse(base).map_err(|_| EndpointError::Address(base.to_owned()))?;
        // The process may have chosen a provider already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().connect_timeout(connect).redirect(redirect::Policy::none());
        let client = match url.scheme() {
            "https" => client,
            // Without encryption no certificates are needed, so a machine that has none can still speak to its neighbour.
            "http" => client.tls_certs_only([]),
            _ => return Err(EndpointError::Address(base.to_owned())),
        };
        let client = client.build().map_err(|error| EndpointError::Client(told(&error)))?;
        Ok(Self { client, base: base.into(), key, key_header: None })
    }

    /// The same, with the bare key in a header of its own.
    #[must_use]
    pub fn with_key_in(mut self, header: HeaderName) -> Self {
        self.key_header = Some(header);
        self
    }

    /// Where its paths begin.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether there is a key: then what is asked may cost money.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The key as the value of a header, for what is no HTTP request.
    pub(crate) fn key_as(&self, scheme: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{scheme} {}", self.key.as_ref()?.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// A request to a path below the base.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.base));
        match (&self.key, &self.key_header) {
            (Some(key), None) => request.bearer_auth(&key.0),
            (Some(key), Some(header)) => match HeaderValue::from_str(&key.0) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    request.header(header, value)
                }
                // The backend says that there is no key.
                Err(_) => request,
            },
            (None, _) => request,
        }
    }

    /// The address of a path below the base.
    pub(crate) fn url(&self, path: &str) -> reqwest::Url {
        let url = reqwest::Url::parse(&format!("{}{path}", self.base));
        url.expect("a path behind an address that was parsed is an address")
    }

    /// The value of the header that proves who we are.
    pub(crate) fn bearer(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("Bearer {}", key.0))
    }

    /// Sends a request, and gives the response once it is known to be a success. Dropping the future or the response closes
    /// the connection, which is how backends learn that nobody listens any more.
    pub(crate) async fn send(&self, request: RequestBuilder, by: Instant) -> Result<Response, HttpFailure> {
        let response = timeout_at(by, answered(request))
            .await
            .map_err(|_| HttpFailure::Silent)?
            .map_err(HttpFailure::from)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = retry_after(response.headers());
        let body = timeout_at(by, beginning(response)).await.unwrap_or_default();
        Err(HttpFailure::Refused { status: status.as_u16(), text: self.shortened(&body), retry_after })
    }

    /// A foreign text, short enough for a log and without our key in it.
    pub(crate) fn shortened(&self, body: &[u8]) -> String {
        let body = String::from_utf8_lossy(body);
        let message = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|json| error_message(&json))
            .unwrap_or_else(|| body.into_owned());
        let message = match &self.key {
            Some(key) if !key.0.is_empty() => message.replace(&*key.0, "[key]"),
            Some(_) | None => message,
        };
        let mut words = message.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = words.char_indices().nth(ERROR_TEXT) {
            words.truncate(cut);
            words.push_str("...");
        }
        words
    }
}

impl Exchange for Endpoint {
    fn put(&self, question: Question) -> BoxFuture<'static, Result<Answer, String>> {
        let Question { url, headers, body } = question;
        let request = self.client.post(url).headers(headers).body(body);
        async move {
            let response = answered(request).await.map_err(|error| told(&error))?;
            let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
            Ok(Answer {
                status: response.status().as_u16(),
                content_type: content_type.and_then(|value| value.to_str().ok()).map(str::to_owned),
                retry_after: retry_after(response.headers()),
                body: response.bytes_stream().map_err(|error| told(&error)).boxed(),
            })
        }
        .boxed()
    }
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpFailure {
    /// No connection, or it broke, or what came over it was no answer.
    #[error("{0}")]
    Connection(String),
    /// The backend answered with an error.
    #[error("answered {status}: {text}")]
    Refused { status: u16, text: String, retry_after: Option<Duration> },
    /// Nothing came in time.
    #[error("did not answer in time")]
    Silent,
}

impl HttpFailure {
    /// Whether what was asked may be what was wrong.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status: 400 | 404 | 409 | 410 | 413 | 422 | 500, .. })
    }

    /// What it means for a run of what is called so, such as `the model "x"`.
    pub(crate) fn of(self, what: &str) -> Failure {
        let reason = Arc::from(format!("{what} {self}"));
        match self {
            Self::Connection(_) | Self::Silent => {
                Failure { reason, fault: Fault::Backend, retry_after: None }
            }
            Self::Refused { status, text, retry_after } => {
                let fault = match status {
                    // What was sent is wrong; everything else, a wrong key among it, concerns the backend as a whole.
                    400 | 404 | 413 | 415 | 422 => Fault::Request,
                    // llama.cpp's answer to audio where its model has no ear.
                    500 if text.contains("input is not supported") => Fault::Request,
                    _ => Fault::Backend,
                };
                let overloaded = matches!(status, 429 | 503 | 529);
                let retry_after = retry_after.or(overloaded.then_some(OVERLOADED)).filter(|_| overloaded);
                Failure { reason, fault, retry_after }
            }
        }
    }
}

impl From<reqwest::Error> for HttpFailure {
    fn from(error: reqwest::Error) -> Self {
        Self::Connection(told(&error))
    }
}

/// Sends a request, and once more where the connection was closed before anything came back. Servers close connections that they
/// have kept, some after seconds and llama.cpp's right behind a streamed answer, and a request may have been on its way then.
async fn answered(request: RequestBuilder) -> reqwest::Result<Response> {
    let again = request.try_clone();
    match (request.send().await, again) {
        (Err(error), Some(again)) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
            again.send().await
        }
        (answered, _) => answered,
    }
}

/// The next part of a body; `None` at its end.
pub(crate) async fn next_part(response: &mut Response, by: Instant) -> Result<Option<Bytes>, HttpFailure> {
    timeout_at(by, response.chunk()).await.map_err(|_| HttpFailure::Silent)?.map_err(HttpFailure::from)
}

/// An error with its causes, which carry what is worth knowing, and without the address, which may carry a password.
fn told(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() { "cannot be reached".to_owned() } else { "broke off".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < ERROR_BODY
        && let Ok(Some(part)) = response.chunk().await
    {
        body.extend_from_slice(&part[..part.len().min(ERROR_BODY - body.len())]);
    }
    body
}

/// The sentence in an error body: `{"error":{"message":..}}`, `{"error":".."}`, `{"detail":".."}` or `{"message":".."}`.
pub(crate) fn error_message(body: &serde_json::Value) -> Option<String> {
    let error = body.get("error").unwrap_or(body);
    [error.get("message"), Some(error), error.get("detail")]
        .into_iter()
        .flatten()
        .find_map(|text| text.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(base: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(base, Some(ApiKey::new(" sk-123\n")))
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for base in ["localhost:8080", "", "ftp://example.org"] {
            let error = endpoint(base).unwrap_err().to_string();
            assert!(error.contains("http://localhost:8080/v1"), "{error}");
        }
    }

    #[test]
    fn error_bodies_are_told_in_short_and_without_the_key() {
        let endpoint = endpoint("http://localhost/v1/").unwrap();
        let check = |body: &str, text: &str| assert_eq!(endpoint.shortened(body.as_bytes()), text);
        check(r#"{"error":{"message":"no such\n model","type":"x"}}"#, "no such model");
        check(r#"{"error":"busy"}"#, "busy");
        check(r#"{"detail":"not found"}"#, "not found");
        check("<h1>bad  key sk-123</h1>", "<h1>bad key [key]</h1>");
        check(&"é".repeat(1_000), &format!("{}...", "é".repeat(300)));
        check("", "");
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", endpoint("http://localhost").unwrap()).contains("sk-123"));
    }
}
