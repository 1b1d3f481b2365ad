//! Storage that speaks S3: which of it, with which credentials, and the HTTP client of ours that the library speaks through.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::{Client, redirect};

use super::error::OpenError;
use crate::config;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long nothing may come. A part of an object goes there meanwhile.
const SILENCE: Duration = Duration::from_secs(80);
/// Attempts after the first, all of them soon: whoever asks waits for them.
const RETRIES: usize = 2;
/// No attempt begins later than this.
const RETRY_WITHIN: Duration = Duration::from_secs(5);

/// The storage that is configured, for one bucket.
pub(super) fn open(settings: &config::Objects, bucket: &str) -> Result<AmazonS3, OpenError> {
    let broken = |why: String| OpenError::Settings(why);
    let secret =
        settings.secret().map_err(|error| broken(format!("objects.secret_access_key_file: {error}")))?;
    // What the environment says belongs together: a configured key does not go with its session token.
    let builder = match (&settings.access_key_id, secret) {
        (Some(id), Some(secret)) => {
            AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.expose())
        }
        _ => AmazonS3Builder::from_env(),
    };
    let mut builder = builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_retry(RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() },
            max_retries: RETRIES,
            retry_timeout: RETRY_WITHIN,
        })
        // Not everything that speaks S3 deletes many at once.
        .with_disable_bulk_delete(true);
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &settings.endpoint {
        let endpoint = match (settings.path_style, endpoint.split_once("://")) {
            (false, Some((scheme, host))) => format!("{scheme}://{bucket}.{host}"),
            _ => endpoint.clone(),
        };
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    let is_plain = settings.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let client = client(is_plain && settings.access_key_id.is_some());
    let client = client.map_err(|error| broken(format!("there is no HTTP client for them: {error}")))?;
    builder.with_http_connector(Ours(client)).build().map_err(|error| broken(error.to_string()))
}

/// The client. What is only ever reached without encryption needs no certificates.
fn client(is_plain: bool) -> reqwest::Result<Client> {
    // The process may have chosen a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("Antiphon/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .redirect(redirect::Policy::none());
    if is_plain { client.tls_certs_only([]).build() } else { client.build() }
}

/// The client as the library wants it.
#[derive(Debug, Clone)]
struct Ours(Client);

impl HttpConnector for Ours {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Ours {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let url =
            head.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(head.method, url);
        *request.headers_mut() = head.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let response: axum::http::Response<reqwest::Body> =
            self.0.execute(request).await.map_err(failed)?.into();
        let (head, body) = response.into_parts();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body.map_err(failed))))
    }
}

/// What may be tried again, by what failed.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}
