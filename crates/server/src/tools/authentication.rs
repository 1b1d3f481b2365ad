//! How a tool's endpoint learns who calls it (protocol.md 6.5): which of its ways is taken, and where its tokens go.
//!
//! Tokens are secrets: they go into a request, marked as credentials, and nowhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use antiphon_api::Secret;
use antiphon_api::rest::calls::{
    SecurityOptions, SecurityRequirement, SecurityRequirements, ToolRequirements,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::ToolError;

/// The header of a call's own token.
const CALL_TOKEN: HeaderName = HeaderName::from_static("x-ultravox-call-token");

/// A token that stands for one call. Only this server can tell whose it is; it dies with the call.
#[derive(Clone)]
pub(crate) struct CallToken(Arc<str>);

impl CallToken {
    /// A new token that nobody can guess.
    pub(crate) fn mint() -> Self {
        let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        Self(Arc::from(format!("{}{}", one.simple(), two.simple())))
    }
}

impl fmt::Debug for CallToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallToken(..)")
    }
}

/// A token in its place.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A parameter of the query.
    Query(String, Secret),
    /// A header; its value is marked as sensitive.
    Header(HeaderName, HeaderValue),
}

impl Credential {
    /// Puts the token into a request.
    pub(super) fn apply(&self, url: &mut Url, headers: &mut HeaderMap) {
        match self {
            Self::Query(name, token) => {
                url.query_pairs_mut().append_pair(name, token.expose());
            }
            Self::Header(name, value) => {
                headers.insert(name, value.clone());
            }
        }
    }

    /// The token as a text that must not be repeated.
    pub(super) fn secret(&self) -> String {
        match self {
            Self::Query(_, token) => token.expose().to_owned(),
            Self::Header(_, value) => {
                let text = String::from_utf8_lossy(value.as_bytes());
                // The scheme before it is no secret.
                text.rsplit(' ').next().unwrap_or_default().to_owned()
            }
        }
    }
}

/// The first way that the tokens are enough for; the one that asks for nothing comes last. `None` if there is none.
fn chosen<'o>(
    options: &'o [SecurityRequirements],
    tokens: &BTreeMap<String, Secret>,
) -> Option<&'o SecurityRequirements> {
    let asks = |option: &&SecurityRequirements| {
        !option.requirements.is_empty() || option.ultravox_call_token_requirement.is_some()
    };
    let fits =
        |option: &&SecurityRequirements| option.requirements.keys().all(|name| tokens.contains_key(name));
    let asking = options.iter().filter(asks).find(fits);
    asking.or_else(|| options.iter().find(|option| !asks(option)))
}

/// The headers, the parameters of the query and the permissions that the way asks for which is taken.
pub(super) fn names(
    options: Option<&SecurityOptions>,
    tokens: &BTreeMap<String, Secret>,
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let (mut headers, mut query) = (Vec::new(), Vec::new());
    let options = options.map(|options| options.options.as_slice()).unwrap_or_default();
    let Some(option) = chosen(options, tokens) else { return Default::default() };
    for requirement in option.requirements.values() {
        match requirement {
            SecurityRequirement::QueryApiKey(key) => query.push(key.name.clone()),
            SecurityRequirement::HeaderApiKey(key) => headers.push(key.name.clone()),
            SecurityRequirement::HttpAuth(_) => headers.push("Authorization".to_owned()),
        }
    }
    let token = option.ultravox_call_token_requirement.as_ref();
    (headers, query, token.map(|token| token.scopes.clone()).unwrap_or_default())
}

/// The tokens of the way that is taken, each in its place. `at` is the selected tool's field.
pub(super) fn choose(
    options: Option<&SecurityOptions>,
    tokens: &BTreeMap<String, Secret>,
    call_token: &CallToken,
    at: &str,
) -> Result<Vec<Credential>, ToolError> {
    let options = options.map(|options| options.options.as_slice()).unwrap_or_default();
    match chosen(options, tokens) {
        Some(option) => return credentials(option, tokens, call_token, at),
        None if options.is_empty() => return Ok(Vec::new()),
        None => {}
    }
    let ways: Vec<String> = options
        .iter()
        .map(|option| {
            option.requirements.keys().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" and ")
        })
        .collect();
    Err(ToolError::new(
        format!("{at}.authTokens"),
        format!("the tool needs tokens that are not given; give {}", ways.join(", or ")),
    ))
}

fn credentials(
    option: &SecurityRequirements,
    tokens: &BTreeMap<String, Secret>,
    call_token: &CallToken,
    at: &str,
) -> Result<Vec<Credential>, ToolError> {
    let mut credentials = Vec::with_capacity(option.requirements.len() + 1);
    for (name, requirement) in &option.requirements {
        let Some(token) = tokens.get(name) else { continue };
        let field = || format!("{at}.authTokens.{name}");
        let sensitive = |text: &str| {
            let mut value = HeaderValue::from_bytes(text.as_bytes())
                .map_err(|_| ToolError::new(field(), "has characters that a header cannot have"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        credentials.push(match requirement {
            SecurityRequirement::QueryApiKey(key) => Credential::Query(key.name.clone(), token.clone()),
            SecurityRequirement::HeaderApiKey(key) => {
                let header = header_name(&key.name).map_err(|message| ToolError::new(field(), message))?;
                Credential::Header(header, sensitive(token.expose())?)
            }
            SecurityRequirement::HttpAuth(auth) => {
                Credential::Header(AUTHORIZATION, sensitive(&format!("{} {}", auth.scheme, token.expose()))?)
            }
        });
    }
    if option.ultravox_call_token_requirement.is_some() {
        let mut value = HeaderValue::from_str(&call_token.0).expect("hexadecimal digits make a header");
        value.set_sensitive(true);
        credentials.push(Credential::Header(CALL_TOKEN, value));
    }
    Ok(credentials)
}

/// A header that a user may set: not one that says how the message itself is sent.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, String> {
    const OURS: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let header =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no name of a header"))?;
    if OURS.contains(&header.as_str()) {
        return Err(format!("the header {name:?} is the connection's own; choose another"));
    }
    Ok(header)
}

/// Whether the ways that a definition offers can be gone at all. `at` is the definition's field.
pub(super) fn check(requirements: Option<&ToolRequirements>, at: &str) -> Result<(), ToolError> {
    let options = requirements.and_then(|requirements| requirements.http_security_options.as_ref());
    for (index, option) in options.iter().flat_map(|options| &options.options).enumerate() {
        for (name, requirement) in &option.requirements {
            let field =
                || format!("{at}.requirements.httpSecurityOptions.options[{index}].requirements.{name}");
            let problem = match requirement {
                SecurityRequirement::HeaderApiKey(key) => header_name(&key.name).err(),
                SecurityRequirement::QueryApiKey(key) => {
                    key.name.is_empty().then(|| "needs the name of a parameter".to_owned())
                }
                SecurityRequirement::HttpAuth(auth) => HeaderValue::from_str(&auth.scheme)
                    .is_err()
                    .then(|| "has characters that a header cannot have".to_owned()),
            };
            if let Some(problem) = problem {
                return Err(ToolError::new(field(), problem));
            }
        }
    }
    Ok(())
}
