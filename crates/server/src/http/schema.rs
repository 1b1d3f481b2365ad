//! `GET /api/schema/`: the API's description of itself (protocol.md 7.18). Everybody may read it.

use antiphon_api::endpoint::Endpoint as _;
use antiphon_api::openapi;
use antiphon_api::rest::schema::{ApiDocument, DocumentFormat, ReadSchema};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::Http;
use super::error::{ApiError, internal};
use super::request::Requested;

/// The document in each of its forms: written when first asked for, since it never changes.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    json: OnceCell<Bytes>,
    yaml: OnceCell<Bytes>,
}

impl Documents {
    /// The document in one form; none if it cannot be written.
    async fn of(&self, format: DocumentFormat, server: String) -> Option<Bytes> {
        let kept = match format {
            DocumentFormat::Json => &self.json,
            DocumentFormat::Yaml => &self.yaml,
        };
        // Writing it takes so long that calls on this thread would be heard to wait.
        let written = || async move {
            let written = spawn_blocking(move || write(format, &openapi::document(&server))).await;
            written.ok().flatten().ok_or(())
        };
        kept.get_or_try_init(written).await.ok().cloned()
    }
}

fn write(format: DocumentFormat, document: &Value) -> Option<Bytes> {
    match format {
        DocumentFormat::Json => serde_json::to_vec(document).ok().map(Bytes::from),
        DocumentFormat::Yaml => serde_saphyr::to_string(document).ok().map(Bytes::from),
    }
}

pub(super) async fn read(
    State(http): State<Http>,
    headers: HeaderMap,
    request: Requested<ReadSchema>,
) -> Result<Response, ApiError> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let accepted: Vec<&str> = accepted.flat_map(|accept| accept.split(',')).collect();
    let (kind, format) = kind(request.query.format, &accepted).ok_or_else(|| {
        let kinds = ApiDocument::KINDS.map(|(kind, _)| kind).join(", ");
        ApiError::new(StatusCode::NOT_ACCEPTABLE, format!("the document can be had as one of {kinds}"))
    })?;
    let document = http.documents.of(format, http.public_url.rest("")).await.ok_or_else(internal)?;
    let status = StatusCode::from_u16(ReadSchema::SUCCESS).expect("an endpoint's status is one");
    // What the answer is depends on what was asked for.
    let headers = [(header::CONTENT_TYPE, kind), (header::VARY, "Accept")];
    Ok((status, headers, document).into_response())
}

/// The media type to answer with: of those in this format, if one is given, the one that is accepted most.
fn kind(format: Option<DocumentFormat>, accepted: &[&str]) -> Option<(&'static str, DocumentFormat)> {
    let kinds =
        ApiDocument::KINDS.into_iter().filter(|(_, each)| format.is_none_or(|format| format == *each));
    // The first of equals is preferred.
    let best = kinds.rev().max_by_key(|(kind, _)| weight(kind, accepted))?;
    // Who names a format gets it, whatever the browser in between accepts.
    (format.is_some() || weight(best.0, accepted) > 0).then_some(best)
}

/// How much `kind` is accepted, in thousandths: as its most specific range says.
fn weight(kind: &str, accepted: &[&str]) -> u32 {
    if accepted.is_empty() {
        return 1_000;
    }
    let ranges = accepted.iter().filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let pattern = parts.next()?.to_ascii_lowercase();
        let specificity = match pattern.as_str() {
            "*/*" => 0,
            "application/*" => 1,
            pattern if pattern == kind => 2,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1000")]
        Some((specificity, (weight.clamp(0.0, 1.0) * 1_000.0) as u32))
    });
    ranges.max_by_key(|(specificity, _)| *specificity).map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_was_asked_for() {
        for (format, accepted, expected) in [
            (None, &[][..], Some("application/vnd.oai.openapi")),
            (None, &["*/*"], Some("application/vnd.oai.openapi")),
            (None, &["application/json"], Some("application/json")),
            (
                None,
                &["text/html", " application/xml;q=0.9", "*/*;q=0.8"],
                Some("application/vnd.oai.openapi"),
            ),
            (None, &["application/yaml;q=0.5", "application/json;q=0.7"], Some("application/json")),
            (None, &["*/*", "application/vnd.oai.openapi;q=0"], Some("application/yaml")),
            (None, &["text/html"], None),
            (Some(DocumentFormat::Json), &["text/html"], Some("application/vnd.oai.openapi+json")),
            (Some(DocumentFormat::Json), &["application/json"], Some("application/json")),
            (Some(DocumentFormat::Yaml), &["*/*"], Some("application/vnd.oai.openapi")),
        ] {
            assert_eq!(kind(format, accepted).map(|(kind, _)| kind), expected, "{format:?} {accepted:?}");
        }
    }
}
