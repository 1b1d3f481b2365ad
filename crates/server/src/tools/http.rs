//! Tools behind HTTP endpoints: from an invocation's parameters to a request (protocol.md 6.3, A-41), and from a response to an
//! outcome (6.6, A-43).
//!
//! What the model is told of a failure and what the developer is told are two texts. Dials through `outbound`, and knows nothing
//! of where that leads.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::endpoint::Method;
use antiphon_api::json::{FromJson, Source, from_value};
use antiphon_api::realtime::{AgentReaction, ResponseType};
use antiphon_api::rest::calls::{HttpToolDetails, ParameterLocation};
use antiphon_engine::input::ToolOutcome;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::ToolError;
use super::authentication::{Credential, header_name};
use super::outcome::{Answer, failed, impossible, reaction, read};
use super::parameters::{Parameters, Placed};
use crate::outbound::{Bounds, Outbound, OutboundError, Request, Response};

/// What stays as it is in a path: RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How much longer than the tool's own time a request may take: the call's clock decides, this is for a call without one.
const GRACE: Duration = Duration::from_secs(1);
/// Characters of a failure's body that the model is told, and the developer.
const TOLD_MODEL: usize = 1_024;
const TOLD_DEVELOPER: usize = 4_096;
/// The headers of an answer that mean something to the call.
const RESPONSE_TYPE: &str = "x-ultravox-response-type";
const REACTION: &str = "x-ultravox-agent-reaction";
const STATE: &str = "x-ultravox-update-call-state";
/// A secret shorter than this is not looked for in what is told: it would be found by chance.
const SHORT_SECRET: usize = 6;

/// A tool behind an HTTP endpoint.
#[derive(Debug, Clone)]
pub(super) struct HttpTool {
    method: reqwest::Method,
    /// Texts and placeholders, by turns, beginning and ending with a text.
    pattern: Arc<[String]>,
    credentials: Arc<[Credential]>,
    time: Duration,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct HttpCall {
    request: Request,
    time: Duration,
    secrets: Vec<String>,
}

/// What a request came to.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What the tool's call came to.
    pub(crate) answer: Answer,
    /// What of the answer was ignored, for developers.
    pub(crate) remark: Option<String>,
}

impl Finished {
    pub(crate) fn failed(outcome: ToolOutcome) -> Self {
        Self { answer: Answer::Outcome(outcome), remark: None }
    }
}

impl HttpTool {
    /// Reads a definition whose field is `at`.
    pub(super) fn new(
        details: &HttpToolDetails,
        parameters: &Parameters,
        credentials: Vec<Credential>,
        time: Duration,
        at: &str,
    ) -> Result<Self, ToolError> {
        let url_field = format!("{at}.http.baseUrlPattern");
        let pattern = pattern(&details.base_url_pattern).map_err(|why| ToolError::new(&url_field, why))?;
        let placeholders = || pattern.iter().skip(1).step_by(2);
        for name in placeholders() {
            if !parameters.dynamic().chain(parameters.others()).any(|(known, _)| known == name) {
                let message = format!("{{{name}}} names no parameter of the tool");
                return Err(ToolError::new(url_field, message));
            }
        }
        // Whoever sets a part of the host decides who is told the tool's tokens, and a model may be talked into anything.
        for name in hosts_placeholders(&pattern) {
            if parameters.dynamic().any(|(known, _)| known == name) {
                let message = format!(
                    "{{{name}}} is in the URL's host, which a model may not set; override the parameter"
                );
                return Err(ToolError::new(url_field, message));
            }
        }
        let probe: String =
            pattern.iter().enumerate().map(|(at, text)| if at % 2 == 0 { text } else { "x" }).collect();
        if !Url::parse(&probe).is_ok_and(|url| url.has_host()) {
            return Err(ToolError::new(url_field, "is no URL once its placeholders are filled in"));
        }
        for (name, location) in parameters.dynamic().chain(parameters.others()) {
            match location {
                ParameterLocation::Header => {
                    header_name(name).map_err(|why| ToolError::new(at, why))?;
                }
                ParameterLocation::Path if !placeholders().any(|known| known == name) => {
                    let message = format!("has no {{{name}}} for the path parameter of that name");
                    return Err(ToolError::new(url_field, message));
                }
                ParameterLocation::Path | ParameterLocation::Body | ParameterLocation::Query => {}
            }
        }
        Ok(Self {
            method: method(details.http_method),
            pattern: pattern.into(),
            credentials: credentials.into(),
            time,
        })
    }

    /// The request of an invocation, or for the model why there is none.
    pub(super) fn call(&self, placed: &[Placed]) -> Result<HttpCall, String> {
        let mut url = self.url(placed)?;
        let mut headers = HeaderMap::new();
        let mut body = Map::new();
        let mut has_body =
            !matches!(self.method, reqwest::Method::GET | reqwest::Method::HEAD | reqwest::Method::DELETE);
        let mut secrets: Vec<String> = self.credentials.iter().map(Credential::secret).collect();
        for parameter in placed {
            if parameter.value.is_null() && parameter.location != ParameterLocation::Body {
                continue;
            }
            match parameter.location {
                ParameterLocation::Path => {}
                ParameterLocation::Query => {
                    url.query_pairs_mut().append_pair(&parameter.name, &text(&parameter.value));
                }
                ParameterLocation::Header => {
                    let value = text(&parameter.value);
                    let (name, header) = header(&parameter.name, &value, parameter.fixed)?;
                    headers.insert(name, header);
                    if parameter.fixed {
                        secrets.push(value);
                    }
                }
                ParameterLocation::Body => {
                    has_body = true;
                    body.insert(parameter.name.clone(), parameter.value.clone());
                }
            }
        }
        for credential in self.credentials.iter() {
            credential.apply(&mut url, &mut headers);
        }
        let body = has_body.then(|| {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Bytes::from(Value::Object(body).to_string())
        });
        secrets.retain(|secret| secret.len() >= SHORT_SECRET);
        let request = Request { method: self.method.clone(), url, headers, body };
        Ok(HttpCall { request, time: self.time, secrets })
    }

    /// The URL with its placeholders filled in: by path parameters, or by any parameter of that name.
    fn url(&self, placed: &[Placed]) -> Result<Url, String> {
        let mut whole = String::new();
        for (index, part) in self.pattern.iter().enumerate() {
            if index % 2 == 0 {
                whole.push_str(part);
                continue;
            }
            let named = || placed.iter().filter(|parameter| parameter.name == *part);
            let value = named().find(|p| p.location == ParameterLocation::Path).or_else(|| named().next());
            let value = value.filter(|parameter| !parameter.value.is_null()).map(|p| text(&p.value));
            let value = value.filter(|value| !value.is_empty());
            let value =
                value.ok_or_else(|| format!("{part} is missing, and the tool cannot run without it"))?;
            write!(whole, "{}", percent_encode(value.as_bytes(), ENCODED)).expect("a string takes any text");
        }
        let url = Url::parse(&whole).ok().filter(Url::has_host);
        let url = url.ok_or_else(|| "the parameters make no valid address".to_owned())?;
        // A value "..", once in its place, would lead to another path than the one that is meant.
        let path = whole.split(['?', '#']).next().unwrap_or_default();
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("a parameter of the path may not be \".\" or \"..\"".to_owned());
        }
        Ok(url)
    }
}

impl HttpCall {
    /// Sends the request, and gives what came of it. Dropping the future closes the connection.
    pub(crate) async fn run(self, outbound: Outbound) -> Finished {
        let bounds = Bounds { time: self.time + GRACE, bytes: outbound.max_response_bytes() };
        match outbound.send(self.request, bounds).await {
            Err(error) => Finished::failed(unanswered(&error)),
            Ok(response) if response.status.is_success() => answered(&response, bounds.bytes),
            Ok(response) => Finished::failed(refused(&response, &self.secrets)),
        }
    }

    /// Sends the request, and gives the answer as it came.
    pub(crate) async fn raw(self, outbound: &Outbound) -> Result<Response, OutboundError> {
        let bounds = Bounds { time: self.time, bytes: outbound.max_response_bytes() };
        outbound.send(self.request, bounds).await
    }
}

/// No answer. Why not is the developer's business alone.
fn unanswered(error: &OutboundError) -> ToolOutcome {
    let text = match error {
        OutboundError::Timeout { .. } => "The tool did not answer in time.",
        OutboundError::Refused(_)
        | OutboundError::Insecure { .. }
        | OutboundError::Scheme(_)
        | OutboundError::NoHost
        | OutboundError::NoTls(_)
        | OutboundError::Unknown { .. }
        | OutboundError::Unreachable { .. }
        | OutboundError::Broken { .. }
        | OutboundError::Handshake { .. }
        | OutboundError::BadRedirect
        | OutboundError::Downgrade { .. }
        | OutboundError::TooManyRedirects(_) => "The tool could not be reached.",
    };
    failed(text, error.to_string())
}

/// An answer that is no success: the model gets the status and the beginning of what was said.
fn refused(response: &Response, secrets: &[String]) -> ToolOutcome {
    let status = response.status.as_u16();
    let mut said =
        String::from_utf8_lossy(&response.body[..response.body.len().min(4 * TOLD_DEVELOPER)]).into_owned();
    for secret in secrets {
        said = said.replace(secret, "[secret]");
    }
    let said = said.trim();
    if said.is_empty() {
        return failed(
            &format!("The tool failed with status {status}."),
            format!("HTTP status {status}, and nothing said"),
        );
    }
    failed(
        &format!("The tool failed with status {status}: {}", beginning(said, TOLD_MODEL)),
        format!("HTTP status {status}: {}", beginning(said, TOLD_DEVELOPER)),
    )
}

fn answered(response: &Response, most: usize) -> Finished {
    if response.cut {
        let detail =
            format!("the answer is longer than {most} bytes, the server's outbound.max_response_bytes");
        return Finished::failed(failed("The tool's answer is too long to be used.", detail));
    }
    let Some(text) = decoded(response) else {
        let kind = response.headers.get(CONTENT_TYPE).map_or("no type", |kind| kind.to_str().unwrap_or("?"));
        let detail = format!("the answer is no UTF-8 text (Content-Type: {})", beginning(kind, 100));
        return Finished::failed(failed("The tool's answer is not text.", detail));
    };
    let header = |name| {
        response
            .headers
            .get(name)
            .map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let kind = match header(RESPONSE_TYPE).map(|word| word_of::<ResponseType>(&word).ok_or(word)) {
        None => ResponseType::ToolResponse,
        Some(Ok(kind)) => kind,
        Some(Err(word)) => {
            let detail = format!(
                "the header X-Ultravox-Response-Type says {:?}, which means nothing",
                beginning(&word, 100)
            );
            return Finished::failed(impossible(detail));
        }
    };
    let (next, remark) = match header(REACTION).map(|word| word_of::<AgentReaction>(&word).ok_or(word)) {
        None => (None, None),
        Some(Ok(next)) => (Some(reaction(next)), None),
        Some(Err(word)) => {
            let word = beginning(&word, 100);
            (
                None,
                Some(format!(
                    "the header X-Ultravox-Agent-Reaction says {word:?}, which means nothing, and is ignored"
                )),
            )
        }
    };
    // What is no object is told by whoever keeps the state.
    let state_update =
        header(STATE).map(|text| Arc::new(serde_json::from_str(&text).unwrap_or(Value::String(text))));
    Finished { answer: read(kind, text, next, state_update), remark }
}

/// The body as text: UTF-8, or Latin-1 if it says so. A few broken characters in what claims to be text are replaced.
fn decoded(response: &Response) -> Option<String> {
    let body = response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body);
    let kind = response.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let latin = ["iso-8859-1", "windows-1252", "latin1"].iter().any(|charset| kind.contains(charset));
    match std::str::from_utf8(body) {
        Ok(text) => Some(text.to_owned()),
        Err(_) if latin => Some(body.iter().copied().map(char::from).collect()),
        Err(_) if kind.starts_with("text/") || kind.contains("json") || kind.contains("xml") => {
            Some(String::from_utf8_lossy(body).into_owned())
        }
        Err(_) => None,
    }
}

fn word_of<T: FromJson>(word: &str) -> Option<T> {
    from_value::<T>(&Value::from(word), Source::RequestBody).ok().map(|parsed| parsed.value)
}

fn beginning(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

/// A value outside of JSON: texts as they are, everything else as compact JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn header(name: &str, value: &str, secret: bool) -> Result<(HeaderName, HeaderValue), String> {
    let mut header = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| format!("{name} has characters that a header cannot have"))?;
    header.set_sensitive(secret);
    Ok((header_name(name)?, header))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Delete => reqwest::Method::DELETE,
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Options => reqwest::Method::OPTIONS,
        Method::Patch => reqwest::Method::PATCH,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    }
}

/// Texts and placeholders by turns.
fn pattern(text: &str) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| "has a \"{\" without a \"}\"; close it, or write %7B".to_owned())?;
        parts.push(before.to_owned());
        parts.push(name.to_owned());
        rest = after;
    }
    parts.push(rest.to_owned());
    Ok(parts)
}

/// The placeholders before the path begins.
fn hosts_placeholders(pattern: &[String]) -> impl Iterator<Item = &String> {
    let mut before = String::new();
    let mut names = Vec::new();
    for (index, part) in pattern.iter().enumerate() {
        if index % 2 == 0 {
            before.push_str(part);
        } else if !before.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#'])) {
            names.push(part);
        } else {
            break;
        }
    }
    names.into_iter()
}
