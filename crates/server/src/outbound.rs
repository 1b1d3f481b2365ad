//! Everything that the server dials on a user's behalf: one HTTP client and one way to connect, both under one policy.
//!
//! The address that is checked is the address that is connected to: names are looked up once, by `resolver`, and what it lets
//! pass is dialled without another look. Each redirect is checked again. Answers are bounded in bytes and time. Errors name
//! what was refused and the setting that allows it; they are for developers, hold no path, query or credential of a URL, and never
//! go to a model. Knows nothing of tools, calls or whatever else dials. Backends are the operator's own and dial by themselves.

mod connect;
mod error;
mod exchange;
mod policy;
mod resolver;
mod web_socket;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use reqwest::header::{self, HeaderMap};
use reqwest::{Client, ClientBuilder, Method, StatusCode, redirect};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::config;

pub use connect::Connection;
pub use error::{OutboundError, Refused};
pub use resolver::{Lookup, SystemLookup};
pub use web_socket::WebSocket;

use policy::Policy;
use resolver::Checked;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the body of an answer is waited for whose status is all that matters.
const REMARKS: Duration = Duration::from_secs(1);
/// Redirects that are followed.
const REDIRECTS: usize = 3;
/// How the server calls itself.
const USER_AGENT: &str = concat!("Antiphon/", env!("CARGO_PKG_VERSION"));

/// The way out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    policy: Arc<Policy>,
    lookup: Arc<dyn Lookup>,
    plain: Client,
    /// The client for `https`, or why there is none. Made when it is first used, since it reads the machine's certificates.
    secure: OnceLock<Result<Client, String>>,
    max_response_bytes: usize,
}

/// A request. Header values marked as sensitive are credentials: they are not carried along to another origin.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes: `http` or `https`.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
}

/// How much of an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may take from the first look-up to the last byte.
    pub time: Duration,
    /// How many bytes of its body are read.
    pub bytes: usize,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// Where it came from, once redirects were followed.
    pub url: Url,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or as much of it as the bounds allow.
    pub body: Bytes,
    /// Whether there was more of the body.
    pub cut: bool,
}

impl Outbound {
    /// The way out that the configuration describes.
    #[must_use]
    pub fn new(settings: &config::Outbound) -> Self {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// The same with another way to look up names.
    #[must_use]
    pub fn with_lookup(settings: &config::Outbound, lookup: Arc<dyn Lookup>) -> Self {
        // The process may have chosen a provider already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(Policy::new(settings));
        // Without encryption no certificates are needed, so a machine that has none can still dial its neighbours.
        let plain = client(&policy, &lookup).tls_certs_only([]).build();
        Self(Arc::new(Inner {
            plain: plain.expect("a client without certificates needs nothing"),
            secure: OnceLock::new(),
            policy,
            lookup,
            max_response_bytes: settings.max_response_bytes,
        }))
    }

    /// The configured bound on answers, in bytes.
    #[must_use]
    pub fn max_response_bytes(&self) -> usize {
        self.0.max_response_bytes
    }

    /// Sends a request and follows redirects. Dropping the future closes the connection.
    ///
    /// # Errors
    /// See [`OutboundError`]. An answer that is no success is none.
    pub async fn send(&self, request: Request, bounds: Bounds) -> Result<Response, OutboundError> {
        let by = Instant::now() + bounds.time;
        let whole = async { read(self.follow(request).await?, bounds.bytes).await };
        match timeout_at(by, whole).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::Timeout { after: bounds.time }),
        }
    }

    /// Sends a request and follows no redirect. A status counts once it is there; of the body as much is given as comes within a
    /// second. Dropping the future closes the connection.
    ///
    /// # Errors
    /// See [`OutboundError`]. An answer that is no success is none.
    pub async fn send_once(&self, request: Request, bounds: Bounds) -> Result<Response, OutboundError> {
        let by = Instant::now() + bounds.time;
        let late = |_| OutboundError::Timeout { after: bounds.time };
        let response = timeout_at(by, self.once(&request)).await.map_err(late)??;
        let (url, status, headers) = (response.url().clone(), response.status(), response.headers().clone());
        match timeout_at(by.min(Instant::now() + REMARKS), read(response, bounds.bytes)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Ok(Response { url, status, headers, body: Bytes::new(), cut: true }),
        }
    }

    /// Connects to the host and port of a URL, with TLS for `https` and `wss`; a WebSocket handshake may follow. Gives up after
    /// five seconds.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn connect(&self, url: &Url) -> Result<Connection, OutboundError> {
        connect::connect(&self.0.policy, self.0.lookup.as_ref(), url, Instant::now() + CONNECT).await
    }

    /// Whether the policy lets a URL pass as far as its text says; what its name means is checked when it is dialled.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.0.policy.check_url(url)
    }

    /// The same for the URL of somebody who is told things, which is shown to others and therefore may hold no credential that a URL
    /// has a place for.
    ///
    /// # Errors
    /// What is wrong with it, for whoever gave it.
    pub fn check_receiver(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|error| format!("is no URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "holds a user or a password, which would be shown; check the signature instead".to_owned()
            );
        }
        self.check(&url).map_err(|error| error.to_string())
    }

    /// Sends a request and follows redirects, up to the head of the answer.
    async fn follow(&self, mut request: Request) -> Result<reqwest::Response, OutboundError> {
        for _ in 0..=REDIRECTS {
            let response = self.once(&request).await?;
            let Some(next) = redirected(&request, &response)? else { return Ok(response) };
            request = next;
        }
        Err(OutboundError::TooManyRedirects(REDIRECTS))
    }

    async fn once(&self, request: &Request) -> Result<reqwest::Response, OutboundError> {
        let Inner { policy, lookup, plain, secure, .. } = self.0.as_ref();
        // The client dials literal addresses without asking the resolver.
        policy.check_url(&request.url)?;
        let make = || client(policy, lookup).build().map_err(|error| error::chain(&error));
        let client = match request.url.scheme() {
            "https" => secure.get_or_init(make).as_ref().map_err(|why| OutboundError::NoTls(why.clone()))?,
            "http" => plain,
            other => return Err(OutboundError::Scheme(other.to_owned())),
        };
        let mut builder =
            client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await.map_err(|error| error::from_client(&request.url, error))
    }
}

fn client(policy: &Arc<Policy>, lookup: &Arc<dyn Lookup>) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Checked::new(Arc::clone(policy), Arc::clone(lookup))))
}

/// The request that an answer redirects to, if it does (RFC 9110, 15.4).
fn redirected(request: &Request, response: &reqwest::Response) -> Result<Option<Request>, OutboundError> {
    let status = response.status();
    let to_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method == Method::POST,
        StatusCode::SEE_OTHER => request.method != Method::HEAD && request.method != Method::GET,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return Ok(None),
    };
    let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
    let url = location.to_str().ok().and_then(|location| request.url.join(location).ok());
    let url = url.ok_or(OutboundError::BadRedirect)?;
    if request.url.scheme() == "https" && url.scheme() == "http" {
        return Err(OutboundError::Downgrade { host: host(&url) });
    }
    let mut next = Request { url, ..request.clone() };
    if to_get {
        next.method = Method::GET;
        next.body = None;
        next.headers.remove(header::CONTENT_TYPE);
    }
    if next.url.origin() != request.url.origin() {
        drop_credentials(&mut next.headers);
    }
    Ok(Some(next))
}

fn drop_credentials(headers: &mut HeaderMap) {
    let mut secret: Vec<_> = vec![header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];
    secret.extend(headers.iter().filter(|(_, value)| value.is_sensitive()).map(|(name, _)| name.clone()));
    for name in secret {
        headers.remove(name);
    }
}

/// Reads so much of a body and no more. What is left is not waited for.
async fn read(response: reqwest::Response, most: usize) -> Result<Response, OutboundError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let url = response.url().clone();
    let host = host(&url);
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    let mut cut = false;
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|error| OutboundError::Broken { host: host.clone(), why: error::chain(&error) })?;
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Response { url, status, headers, body: body.freeze(), cut })
}

/// A URL's host for people.
fn host(url: &Url) -> String {
    url.host().as_ref().map_or_else(|| "no host".to_owned(), Host::to_string)
}
