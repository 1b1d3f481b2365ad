//! The commands over the REST API: `antiphon agents`, `calls`, `tools`, `voices` and so on, one file each.
//!
//! Each command is one typed endpoint of the API crate, sent by the client SDK; nothing here knows a path or a field by itself but
//! what [`columns`] shows. What all commands share is in [`session`]: connecting, sending, showing.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod agents;
pub(crate) mod batches;
mod body;
pub(crate) mod calls;
mod columns;
pub(crate) mod corpora;
mod details;
mod file;
pub(crate) mod keys;
pub(crate) mod models;
mod moments;
mod printer;
mod query;
mod session;
pub(crate) mod sip;
pub(crate) mod telephony;
pub(crate) mod throttles;
pub(crate) mod tools;
pub(crate) mod voices;
pub(crate) mod webhooks;

use antiphon_client::rest::RestError;
use std::fmt::Write as _;

/// What a server refused, for people: a line for the reason, one for each field, one for the request.
pub(crate) fn explain(error: &RestError) -> Option<String> {
    let RestError::Refused { status, detail, fields, request_id, retry_after } = error else { return None };
    // A key that is not known, or an answer that is none of the API's, is told in words of the SDK's.
    if *status == 401 || detail.is_empty() || (300..400).contains(status) {
        return None;
    }
    // The detail lists the fields, too, which are easier to read below each other.
    let mut text = if fields.is_empty() {
        format!("{} (status {status})", detail.trim())
    } else {
        format!("the server refused the request (status {status})")
    };
    for (field, problem) in
        fields.iter().flat_map(|(field, problems)| problems.iter().map(move |it| (field, it)))
    {
        let _ = write!(text, "\n  {field}: {problem}");
    }
    if let Some(after) = retry_after {
        let _ = write!(text, "\n  try again in {} s", after.as_secs());
    }
    if let Some(id) = request_id {
        let _ = write!(text, "\n  request {id}");
    }
    Some(text)
}
