//! REST: any operation of the API by its endpoint type, with errors that say who acts next.
//!
//! Knows no operation by name; [`antiphon_api`] has them. Never shows the API key.

mod answer;
mod download;
mod error;
mod exchange;
mod form;
mod pages;
mod retries;

use std::time::Duration;

use antiphon_api::Secret;
use antiphon_api::endpoint::{Endpoint, PathArguments as _, Payload as _};
use antiphon_api::json::to_query;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Method, Url, redirect};

use crate::tls::{self, Authorities};

use answer::answer_to;

pub use answer::Answer;
pub use error::{BuildError, RestError};
pub use exchange::RawAnswer;
pub use form::Form;
pub use retries::Retries;

/// Where [`Client::from_env`] expects a server if `ANTIPHON_URL` does not say.
pub const LOCAL_URL: &str = "http://127.0.0.1:8080";
/// The hosted service.
pub const HOSTED_URL: &str = "https://api.ultravox.ai";

const API_KEY: &str = "X-API-Key";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte to the last. Creating a call may involve inference on the hosted service.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two pieces of what may take longer as a whole: downloads and uploads.
const STALLED: Duration = Duration::from_secs(60);

/// A client of one server, with one key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Knows no key: for URLs that the server gives out for elsewhere.
    keyless: reqwest::Client,
    base: Url,
    retries: Retries,
}

/// What a [`Client`] is made from.
#[derive(Debug, Clone, Default)]
pub struct ClientBuilder {
    url: Option<String>,
    key: Option<Secret>,
    headers: Vec<(String, Secret)>,
    retries: Retries,
    authorities: Option<Authorities>,
}

impl Client {
    /// Begins a client of [`LOCAL_URL`] without a key.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client of the server that the environment names; see [`ClientBuilder::environment`].
    ///
    /// # Errors
    ///
    /// What in the environment is missing or wrong.
    pub fn from_env() -> Result<Self, BuildError> {
        Self::builder().environment(|name| std::env::var(name).ok()).build()
    }

    /// The server, without the path of the API.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// Sends a request and reads the answer. What may be sent twice is sent again if the server was not reached or has no time
    /// ([`Retries`]).
    ///
    /// # Errors
    ///
    /// The server could not be reached, or refused, or did not answer as the API says.
    pub async fn send<E: Endpoint>(
        &self,
        endpoint: E,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, RestError> {
        self.send_raw(endpoint, path, query, body).await?.parsed()
    }

    /// The same, for an answer that is taken as it comes.
    ///
    /// # Errors
    ///
    /// The server could not be reached, or refused.
    pub async fn send_raw<E: Endpoint>(
        &self,
        _endpoint: E,
        path: &E::Path,
        query: &E::Query,
        body: &E::Body,
    ) -> Result<Answer, RestError> {
        let (url, body) = (self.address::<E>(path, query), body.to_body());
        let mut attempts = self.retries.attempts(E::METHOD);
        loop {
            let mut request = self.http.request(method(E::METHOD), url.clone());
            if let Some(body) = &body {
                request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
            }
            match answer_to(request).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    /// Where an operation is found.
    fn address<E: Endpoint>(&self, path: &E::Path, query: &E::Query) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), path.fill(E::PATH)));
        let query = to_query(query);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl ClientBuilder {
    /// The server: `http` or `https`, with or without the `/api` behind it.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The API key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Secret::new(key));
        self
    }

    /// Adds a header to every request, such as what a proxy in front of the server wants to see. `X-API-Key` is the
    /// [`key`](Self::key).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if name.eq_ignore_ascii_case(API_KEY) {
            return self.key(value);
        }
        self.headers.push((name, Secret::new(value)));
        self
    }

    /// How often, and with which pauses, a request is sent again that failed for the moment.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Whose certificates the server may have beside those that the machine trusts.
    #[must_use]
    pub fn authorities(mut self, authorities: Authorities) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Fills in what is not yet said from environment variables: the URL from `ANTIPHON_URL`, the key from `ANTIPHON_API_KEY` or
    /// else `ULTRAVOX_API_KEY`. The hosted service is only ever sent the latter. A variable that is empty is not set.
    #[must_use]
    pub fn environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        self.url = self.url.or_else(|| variable("ANTIPHON_URL"));
        let hosted = parse(self.url.as_deref()).is_ok_and(|url| is_hosted(&url));
        let ours = || variable("ANTIPHON_API_KEY").filter(|_| !hosted);
        let key = || ours().or_else(|| variable("ULTRAVOX_API_KEY")).map(Secret::new);
        self.key = self.key.or_else(key);
        self
    }

    /// Makes the client. Opens no connection.
    ///
    /// # Errors
    ///
    /// The URL is none, or there is no key, or one that no header can hold.
    pub fn build(self) -> Result<Client, BuildError> {
        tls::prepare();
        let base = parse(self.url.as_deref())?;
        let Some(key) = self.key else {
            return Err(if is_hosted(&base) {
                BuildError::NoHostedKey
            } else {
                BuildError::NoKey { server: authority(&base) }
            });
        };
        let mut key = HeaderValue::from_str(key.expose().trim()).map_err(|_| BuildError::Key)?;
        key.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(API_KEY, key);
        for (name, value) in self.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).ok();
            let value = HeaderValue::from_str(value.expose()).ok();
            let (Some(header), Some(mut value)) = (header, value) else {
                return Err(BuildError::Header { name });
            };
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let authorities: Vec<Certificate> = self
            .authorities
            .iter()
            .flat_map(Authorities::certificates)
            .map(Certificate::from_der)
            .collect::<Result<_, _>>()
            .map_err(BuildError::Http)?;
        let http = || {
            let builder = match authorities.is_empty() {
                true => reqwest::Client::builder(),
                false => reqwest::Client::builder().tls_certs_merge(authorities.clone()),
            };
            builder
                .user_agent(concat!("antiphon-client/", env!("CARGO_PKG_VERSION")))
                // A redirect would take the key to wherever it points.
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(STALLED)
        };
        Ok(Client {
            http: http().timeout(TIMEOUT).default_headers(headers).build().map_err(BuildError::Http)?,
            keyless: http().build().map_err(BuildError::Http)?,
            base,
            retries: self.retries,
        })
    }
}

fn parse(url: Option<&str>) -> Result<Url, BuildError> {
    let text = url.unwrap_or(LOCAL_URL).trim();
    let mut url = Url::parse(text).map_err(|_| BuildError::Url)?;
    let is_usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_usable || !url.username().is_empty() || url.password().is_some() {
        return Err(BuildError::Url);
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api").unwrap_or(path).to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn is_hosted(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "ultravox.ai" || host.ends_with(".ultravox.ai"))
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn method(method: antiphon_api::endpoint::Method) -> Method {
    Method::from_bytes(method.as_str().as_bytes()).expect("it is a method of HTTP")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn key(url: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
        let builder = ClientBuilder { url: url.map(Into::into), ..ClientBuilder::default() };
        builder.environment(environment(variables)).key.map(|key| key.expose().to_owned())
    }

    #[test]
    fn a_base_url_is_taken_in_every_form_people_write() {
        for (written, meant) in [
            (None, "http://127.0.0.1:8080/"),
            (Some("https://api.ultravox.ai/api"), "https://api.ultravox.ai/"),
            (Some("https://api.ultravox.ai/api/"), "https://api.ultravox.ai/"),
            (Some(" http://[::1]:9/ "), "http://[::1]:9/"),
            (Some("https://example.com/voice/api?x=1#y"), "https://example.com/voice"),
        ] {
            assert_eq!(parse(written).unwrap().as_str(), meant);
        }
        for wrong in ["localhost:8080", "ws://localhost", "http://", "http://me:secret@localhost", ""] {
            let error = parse(Some(wrong)).unwrap_err();
            assert!(matches!(error, BuildError::Url), "{wrong}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_hosted_service_is_never_sent_the_key_of_another_server() {
        let both = [("ANTIPHON_API_KEY", "ours"), ("ULTRAVOX_API_KEY", "theirs")];
        assert_eq!(key(None, &both).as_deref(), Some("ours"));
        assert_eq!(key(Some(HOSTED_URL), &both).as_deref(), Some("theirs"));
        assert_eq!(key(Some(HOSTED_URL), &both[..1]), None);
        assert_eq!(key(None, &both[1..]).as_deref(), Some("theirs"));
        assert_eq!(key(None, &[("ANTIPHON_API_KEY", " "), ("ULTRAVOX_API_KEY", "")]), None);
    }

    #[test]
    fn a_missing_key_says_which_variable_to_set() {
        let error = Client::builder().build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no API key for 127.0.0.1:8080; set ANTIPHON_API_KEY to the one that the server showed on its first start"
        );
        let error = Client::builder().url(HOSTED_URL).build().unwrap_err();
        assert_eq!(error.to_string(), "there is no API key for the hosted service; set ULTRAVOX_API_KEY");
    }

    #[test]
    fn the_key_is_not_shown() {
        let builder = Client::builder().key("MARVEL42.secret");
        assert!(!format!("{builder:?}").contains("MARVEL42"), "{builder:?}");
        let client = builder.build().unwrap();
        assert!(!format!("{client:?}").contains("MARVEL42"), "{client:?}");
        let error = Client::builder().key("MARVEL42\n.secret").build().unwrap_err();
        assert!(!format!("{error:?} {error}").contains("MARVEL42"), "{error:?}");
    }

    #[test]
    fn headers_are_taken_and_not_shown_and_the_key_may_be_one() {
        let builder = Client::builder().header("x-api-key", "k1").header("X-Proxy", "MARVEL42");
        assert_eq!(builder.key.as_ref().map(Secret::expose), Some("k1"));
        assert!(!format!("{builder:?}").contains("MARVEL42"), "{builder:?}");
        let client = builder.build().unwrap();
        assert!(!format!("{client:?}").contains("MARVEL42"), "{client:?}");
        for (name, value) in [("no name", "x"), ("X-Proxy", "MARVEL\n42")] {
            let error = Client::builder().key("k1").header(name, value).build().unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("MARVEL"), "{error}");
        }
    }
}
