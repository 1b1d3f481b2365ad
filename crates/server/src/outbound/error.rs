//! Why something was not dialled, or gave no answer. For developers: each says who acts next and how. No text of a URL but its
//! host is repeated, since all else of it may be a credential.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use super::host;

/// Something that the server is not allowed to dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The operator denied it.
    #[error("{host} is in outbound.deny of this server's configuration; its operator decides")]
    Denied {
        /// What was asked for.
        host: String,
    },
    /// It is not among the only ones that may be dialled.
    #[error(
        "this server dials only what outbound.allow names, and {host} is not there; its operator adds it"
    )]
    NotAllowed {
        /// What was asked for.
        host: String,
    },
    /// It is at an address that is not on the public internet.
    #[error(
        "{host} is at {address}, {kind}, which this server does not dial; its operator adds {remedy} to outbound.allow"
    )]
    Special {
        /// What was asked for.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
        /// What to add.
        remedy: String,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It is not allowed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It would not be encrypted.
    #[error(
        "{host} would be dialled without TLS, which outbound.https_only of this server forbids; use an https URL"
    )]
    Insecure {
        /// What was asked for.
        host: String,
    },
    /// It is no URL of a kind that can be dialled.
    #[error("URLs that begin with {0:?} cannot be dialled; use https")]
    Scheme(String),
    /// The URL has no host.
    #[error("the URL has no host; write one")]
    NoHost,
    /// This machine cannot check certificates.
    #[error(
        "no TLS connection can be made ({0}); the operator installs certificates (apt install ca-certificates)"
    )]
    NoTls(String),
    /// Nobody knows the name.
    #[error("the name {host} cannot be looked up ({why}); check it")]
    Unknown {
        /// What was asked for.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// Nobody is there, or its certificate is wrong.
    #[error("{host} cannot be connected to ({why}); check that it runs and can be reached from this server")]
    Unreachable {
        /// What was asked for.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection to {host} broke ({why})")]
    Broken {
        /// What was asked for.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// It is there and speaks no WebSocket, or not with us.
    #[error(
        "{host} did not accept the WebSocket handshake ({why}); check the URL, and the headers that it wants"
    )]
    Handshake {
        /// What was asked for.
        host: String,
        /// What it answered.
        why: String,
    },
    /// The time is over.
    #[error("there was no whole answer within {after:?}")]
    Timeout {
        /// After how long.
        after: Duration,
    },
    /// A redirect that leads nowhere.
    #[error("the answer redirects to something that is no URL")]
    BadRedirect,
    /// A redirect away from TLS.
    #[error("the answer redirects from https to http at {host}, which is not followed")]
    Downgrade {
        /// Where to.
        host: String,
    },
    /// Redirects without end.
    #[error("the answer redirects more than {0} times")]
    TooManyRedirects(usize),
}

/// What the HTTP client's error means.
pub(super) fn from_client(url: &Url, error: reqwest::Error) -> OutboundError {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<OutboundError>() {
            return ours.clone();
        }
        cause = inner.source();
    }
    let (host, why) = (host(url), chain(&error));
    if error.is_connect() || error.is_timeout() {
        OutboundError::Unreachable { host, why }
    } else {
        OutboundError::Broken { host, why }
    }
}

/// An error with its causes. Those of the HTTP client repeat no URL once it was taken out.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    text
}
