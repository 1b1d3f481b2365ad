//! What can go wrong with REST, for whom. Shows neither keys nor whole URLs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use antiphon_api::ErrorBody;
use antiphon_api::endpoint::Payload as _;
use antiphon_api::json::Invalid;

/// Characters of an answer without JSON that are quoted.
const LONGEST_QUOTE: usize = 200;

/// Why there is no client. Whoever configures it acts.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A header is none.
    #[error(
        "the header {name:?} cannot be sent; use letters, digits and hyphens in names, no line breaks in values"
    )]
    Header {
        /// Its name.
        name: String,
    },
    /// The HTTP library cannot start.
    #[error("no HTTP client can be made on this machine: {0}")]
    Http(#[source] reqwest::Error),
    /// The key is no header.
    #[error("the API key holds characters that no key has; copy it again, without line breaks")]
    Key,
    /// There is no key for the hosted service.
    #[error("there is no API key for the hosted service; set ULTRAVOX_API_KEY")]
    NoHostedKey,
    /// There is no key.
    #[error(
        "there is no API key for {server}; set ANTIPHON_API_KEY to the one that the server showed on its first start"
    )]
    NoKey {
        /// The server, as host and port.
        server: String,
    },
    /// The URL is none.
    #[error(
        "the server's URL cannot be used; write http://HOST:PORT or https://HOST, without a user or a password"
    )]
    Url,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The server said no. The caller changes the request, or waits, as `detail` says.
    #[error("{}", refusal(*.status, .detail, .fields, .request_id.as_deref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says about it.
        detail: String,
        /// What it says about fields of the request, by their dotted paths.
        fields: BTreeMap<String, Vec<String>>,
        /// What the server's log calls the request.
        request_id: Option<String>,
        /// When the server wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// A file of this machine cannot be read or written: whoever named it acts.
    #[error("{0}")]
    File(#[source] io::Error),
    /// The list never ends: its next page is the one that was just read.
    #[error("the server's list goes in circles; is this a server of the API?")]
    Circle,
    /// The answer is endless.
    #[error("the server's answer is longer than {0} bytes; is this a server of the API?")]
    TooLong(usize),
    /// The server was not reached, or went away.
    #[error("{}", reach(.0))]
    Unreachable(#[source] reqwest::Error),
    /// The answer is not what the API says.
    #[error(
        "the server's answer (status {status}) is not what the API says: {problem}; is this a server of the API?"
    )]
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        problem: Invalid,
        /// What the server's log calls the request.
        request_id: Option<String>,
    },
}

impl RestError {
    /// The HTTP status, if the server answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::Unreadable { status, .. } => Some(*status),
            Self::Circle | Self::File(_) | Self::TooLong(_) | Self::Unreachable(_) => None,
        }
    }

    /// What the server's log calls the request, if it said so.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused { request_id, .. } | Self::Unreadable { request_id, .. } => request_id.as_deref(),
            Self::Circle | Self::File(_) | Self::TooLong(_) | Self::Unreachable(_) => None,
        }
    }

    pub(super) fn unreachable(error: reqwest::Error) -> Self {
        Self::Unreachable(error.without_url())
    }

    pub(super) fn refused(
        status: u16,
        request_id: Option<String>,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let (detail, fields) = match ErrorBody::from_response(body) {
            Ok(parsed) => (parsed.value.detail, parsed.value.errors),
            Err(_) => (String::from_utf8_lossy(body).chars().take(LONGEST_QUOTE).collect(), BTreeMap::new()),
        };
        Self::Refused { status, detail, fields, request_id, retry_after }
    }
}

fn refusal(
    status: u16,
    detail: &str,
    fields: &BTreeMap<String, Vec<String>>,
    request_id: Option<&str>,
) -> String {
    let mut text = match status {
        401 => "the server does not know the API key (status 401)".to_owned(),
        300..=399 => {
            format!(
                "the server redirects (status {status}), which could leak the key; use the URL it redirects to"
            )
        }
        _ => format!("the server refused (status {status})"),
    };
    let detail = detail.trim();
    if !detail.is_empty() {
        let _ = write!(text, ": {detail}");
    }
    for (field, problems) in fields.iter().filter(|(field, _)| !detail.contains(field.as_str())) {
        let _ = write!(text, "; {field}: {}", problems.join(", "));
    }
    if let Some(id) = request_id {
        let _ = write!(text, " [request {id}]");
    }
    text
}

/// The innermost cause names the trouble; the layers around it only say that there is one.
fn reach(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() {
        "the server did not answer in time; is it overloaded, or is this its URL?".to_owned()
    } else if error.is_connect() {
        format!("the server cannot be reached: {cause}; is it running, and is this its URL?")
    } else {
        format!("the connection to the server failed: {cause}; try again")
    }
}
