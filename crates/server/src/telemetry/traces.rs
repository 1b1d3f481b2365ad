//! The way of spans out of the process: to an OpenTelemetry collector, over OTLP and HTTP.
//!
//! Whoever hands over a span never waits. A thread of the SDK sends what has gathered every few seconds; the queue before it is
//! bounded, and what finds no room is dropped, counted, and told in the log when that begins and when the server stops. Knows
//! nothing of calls.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanExporter as _, SpanProcessor as _};
use reqwest::{Client, redirect};
use tokio::runtime::Handle;

use crate::config::Telemetry;

/// How long one request to the collector may take.
const REQUEST: Duration = Duration::from_secs(10);
/// How long the last spans may take when the server stops.
const LAST_SPANS: Duration = Duration::from_secs(5);
/// Bytes of the collector's answer that are read: it has little to say.
const ANSWER: usize = 64 * 1024;

/// Takes spans. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Traces(Arc<BatchSpanProcessor>);

/// Why there are no traces, although they are configured. The operator mends it.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// No client can be made.
    #[error(
        "telemetry.otlp_endpoint: no HTTPS client can be made ({0}); install the system's certificates (apt install ca-certificates)"
    )]
    Client(#[from] reqwest::Error),
    /// The exporter refuses its settings, which may come from `OTEL_` variables.
    #[error("telemetry: the spans' exporter cannot be made: {0}")]
    Exporter(#[from] ExporterBuildError),
}

impl Traces {
    /// Starts to take spans, if there is a collector. Must be called within a tokio runtime, which does the sending.
    ///
    /// # Errors
    /// See [`TracesError`]. A collector that cannot be reached is no error.
    pub fn start(config: &Telemetry) -> Result<Option<Self>, TracesError> {
        let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
        let headers: HashMap<String, String> = config
            .otlp_headers
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Http { client: client(endpoint)?, runtime: Handle::current() })
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(REQUEST)
            .with_headers(headers)
            .build()?;
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        exporter.set_resource(&resource);
        tracing::info!(%endpoint, "the spans of calls are sent to {endpoint}");
        Ok(Some(Self(Arc::new(BatchSpanProcessor::builder(exporter).build()))))
    }

    /// Takes a span that is over.
    pub(crate) fn take(&self, span: SpanData) {
        self.0.on_end(span);
    }

    /// Sends what is left, but not for long. What is handed over later is lost.
    pub(crate) async fn shut_down(self) {
        let shut_down = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_SPANS));
        if let Ok(Err(error)) = shut_down.await {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

/// Who says what is in the spans.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("antiphon").with_version(env!("CARGO_PKG_VERSION")).build()
}

fn client(endpoint: &str) -> Result<Client, reqwest::Error> {
    // The process may have chosen a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirect would carry the headers along.
    let client = Client::builder().timeout(REQUEST).redirect(redirect::Policy::none());
    // Without encryption no certificates are needed, so a machine that has none can still speak to its neighbour.
    let client = if endpoint.starts_with("http:") { client.tls_certs_only([]) } else { client };
    client.build()
}

/// Lets the SDK's thread, which knows no runtime, send over the server's.
#[derive(Debug)]
struct Http {
    client: Client,
    runtime: Handle,
}

impl HttpClient for Http {
    fn send_bytes<'me, 'sending>(
        &'me self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'me: 'sending,
        Self: 'sending,
    {
        let sending = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async { sending.await? })
    }
}

async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut response = client.execute(request.try_into()?).await?;
    let mut answer = Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        // It may say when to try again.
        *headers = std::mem::take(response.headers_mut());
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await?
        && body.len() + piece.len() <= ANSWER
    {
        body.extend_from_slice(&piece);
    }
    Ok(answer.body(body.into())?)
}
