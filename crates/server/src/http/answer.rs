//! An endpoint's success as a response: the status and the body that the api crate says.

use antiphon_api::endpoint::{Endpoint, Payload};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;

/// What an endpoint answers.
pub(super) type Answered<E> = Result<Answer<E>, ApiError>;

/// The success of an endpoint.
pub(super) struct Answer<E: Endpoint>(pub(super) E::Response);

impl<E: Endpoint> IntoResponse for Answer<E> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(E::SUCCESS).expect("an endpoint's status is one");
        match self.0.to_body() {
            Some(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
            None => status.into_response(),
        }
    }
}
