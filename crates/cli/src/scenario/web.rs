//! The way of scenarios to other servers: the same that the server takes on its users' behalf, under the same rules.

use std::time::Duration;

use antiphon_scenario::{Body, HttpAnswer, HttpRequest, Stream, Web};
use antiphon_server::outbound::{Bounds, Outbound, OutboundError, Refused, Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use url::form_urlencoded::Serializer;

const FORM: &str = "application/x-www-form-urlencoded";

/// See the head of this file.
pub(super) struct Internet(pub(super) Outbound);

impl Web for Internet {
    fn send(&self, http: HttpRequest) -> BoxFuture<'static, HttpAnswer> {
        let outbound = self.0.clone();
        Box::pin(async move {
            let (raw, time) = (http.raw, Duration::from_millis(http.timeout_ms.into()));
            let request = match request(http) {
                Ok(request) => request,
                Err(why) => return HttpAnswer::failed(why),
            };
            let bounds = Bounds { time, bytes: outbound.max_response_bytes() };
            match outbound.send(request, bounds).await {
                Ok(response) => answer(response, raw),
                Err(error) => HttpAnswer::failed(explain(&error)),
            }
        })
    }

    fn connect(&self, url: &str) -> BoxFuture<'static, Result<Box<dyn Stream>, String>> {
        let outbound = self.0.clone();
        let url = Url::parse(url.trim());
        Box::pin(async move {
            // A join URL is what permits to join, so it is not repeated.
            let url = url.map_err(|_| {
                "the joinUrl is no URL; copy the whole joinUrl of the created call".to_owned()
            })?;
            match outbound.connect(&url).await {
                Ok(connection) => Ok(Box::new(connection) as Box<dyn Stream>),
                Err(error) => Err(explain(&error)),
            }
        })
    }
}

/// Where the server's words name its configuration, this command's name an option.
fn explain(error: &OutboundError) -> String {
    if let OutboundError::Refused(Refused::Special { host, address, kind, .. }) = error {
        return format!(
            "{host} is at {address}, {kind}, which scenarios may only reach with --allow-private"
        );
    }
    error.to_string()
}

fn request(http: HttpRequest) -> Result<Request, String> {
    let HttpRequest { url, method, headers, params, body, .. } = http;
    let mut url = Url::parse(url.trim()).map_err(|error| format!("the URL cannot be read: {error}"))?;
    if !params.is_empty() {
        url.query_pairs_mut().extend_pairs(params);
    }
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|error| format!("the method cannot be used: {error}"))?;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let problem = |why: &dyn std::fmt::Display| format!("the header {name:?} cannot be sent: {why}");
        let key = HeaderName::try_from(name.trim()).map_err(|error| problem(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| problem(&error))?;
        // Any of them may be a credential, so none goes on to another host.
        value.set_sensitive(true);
        map.append(key, value);
    }
    let body = match body {
        None => None,
        Some(Body::Text(text)) => Some(Bytes::from(text)),
        Some(Body::Base64(text)) => Some(STANDARD.decode(text).map_err(|error| error.to_string())?.into()),
        Some(Body::Form(fields)) => {
            map.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(FORM));
            Some(Serializer::new(String::new()).extend_pairs(fields).finish().into())
        }
    };
    Ok(Request { method, url, headers: map, body })
}

fn answer(response: Response, raw: bool) -> HttpAnswer {
    let Response { status, headers, body, cut, .. } = response;
    let headers = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    HttpAnswer {
        code: status.as_u16().into(),
        text: (!raw).then(|| String::from_utf8_lossy(&body).into_owned()),
        base64: raw.then(|| STANDARD.encode(&body)),
        headers: headers.collect(),
        error: cut.then(|| format!("the answer is longer than {} bytes, and was cut", body.len())),
    }
}
