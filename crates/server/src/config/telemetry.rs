//! `[telemetry]`: where the spans of calls are sent, if anywhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::{HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use super::Secret;
use super::problem::Checks;

/// The `[telemetry]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// An OpenTelemetry collector that takes OTLP over HTTP, without the path: `http://127.0.0.1:4318`. Default none: no spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// Headers of every request to it, such as `authorization`. Their values are never shown.
    pub otlp_headers: BTreeMap<String, Secret>,
    /// An address and port at which Prometheus finds figures of the server (`GET /metrics`), apart from the API and without a key.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// What the server calls itself in its spans (`service.name`). Default `antiphon`.
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            otlp_headers: BTreeMap::new(),
            metrics_listen: None,
            service_name: "antiphon".to_owned(),
        }
    }
}

impl Telemetry {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Some(endpoint) = &self.otlp_endpoint {
            let uri: Option<Uri> = endpoint.parse().ok();
            let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
            if !uri.as_ref().is_some_and(|uri| is_http(uri) && uri.query().is_none()) {
                checks.refuse(
                    "telemetry.otlp_endpoint",
                    "is no http or https address; write it like \"http://127.0.0.1:4318\"",
                );
            } else if endpoint.trim_end_matches('/').ends_with("/v1/traces") {
                checks.refuse("telemetry.otlp_endpoint", "names the path as well; leave out /v1/traces");
            }
        }
        for (name, value) in &self.otlp_headers {
            let field = format!("telemetry.otlp_headers.{name}");
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                checks.refuse(&field, "is no name of an HTTP header");
            } else if HeaderValue::from_str(value.expose()).is_err() {
                checks.refuse(&field, "cannot be sent in an HTTP header; write visible ASCII characters");
            }
        }
        if self.service_name.trim().is_empty() {
            checks.refuse("telemetry.service_name", "is empty; write a name, or leave it out");
        }
    }
}
