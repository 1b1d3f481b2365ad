//! `POST /api/tools/{tool_id}/test`: runs an HTTP tool with the body's parameters, and passes its answer back.

use antiphon_api::rest::tools::TestTool;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::super::Http;
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::own_tool;
use crate::outbound::OutboundError;
use crate::tools::Trial;

pub(in crate::http) async fn test(
    State(http): State<Http>,
    account: Account,
    request: Requested<TestTool>,
) -> Result<Response, ApiError> {
    let tool = own_tool(&http, &account, request.path).await?;
    let trial = Trial::new(tool.definition, request.body)?;
    let answer = trial.run(&http.outbound).await.map_err(|error| unanswered(&error))?;
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(answer.body)).into_response();
    let headers = response.headers_mut();
    let kind = answer.headers.get(header::CONTENT_TYPE).cloned();
    headers
        .insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    // It is anybody's text, on our own origin.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    Ok(response)
}

fn unanswered(error: &OutboundError) -> ApiError {
    let status = match error {
        OutboundError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        OutboundError::Refused(_)
        | OutboundError::Insecure { .. }
        | OutboundError::Scheme(_)
        | OutboundError::NoHost
        | OutboundError::NoTls(_)
        | OutboundError::Unknown { .. }
        | OutboundError::Unreachable { .. }
        | OutboundError::Broken { .. }
        | OutboundError::BadRedirect
        | OutboundError::Downgrade { .. }
        | OutboundError::Handshake { .. }
        | OutboundError::TooManyRedirects(_) => StatusCode::BAD_GATEWAY,
    };
    ApiError::new(status, format!("the tool gave no answer: {error}"))
}
