//! `POST /api/calls/{call_id}/send_data_message`: speaks into a call that is under way (protocol.md 3.5).

use std::time::Duration;

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::calls::SendDataMessage;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::Requested;
use super::own_call;
use crate::call::RequestError;

pub(in crate::http) async fn send(
    State(http): State<Http>,
    account: Account,
    request: Requested<SendDataMessage>,
) -> Answered<SendDataMessage> {
    let call = own_call(&http, &account, request.path).await?;
    http.calls.request(call.id, request.body.into()).await?;
    Ok(Answer(NoBody))
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotActive(error) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            RequestError::Refused(why) => Self::new(StatusCode::BAD_REQUEST, why),
            RequestError::Storage(error) => error.into(),
            RequestError::Unanswered => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                .retry_after(Duration::from_secs(1)),
        }
    }
}
