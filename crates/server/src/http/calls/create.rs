//! `POST /api/calls`: creates a call (protocol.md 1.2, 2.1).

use std::time::Duration;

use antiphon_api::rest::calls::CreateCall;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::call_throttles::named;
use super::super::error::{ApiError, internal};
use super::super::request::Requested;
use crate::call::live::{CreateError, CreateOptions};
use crate::call::resource::call_resource;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateCall>,
) -> Answered<CreateCall> {
    let throttle = named(&http, account.0, request.query.throttle.as_deref()).await?;
    if http.server.strict_fields && !request.ignored.is_empty() {
        return Err(ApiError::fields(request.ignored, "does not exist; leave it out"));
    }
    let options = CreateOptions {
        greeting_prompt: request.query.enable_greeting_prompt,
        prior_call: request.query.prior_call_id,
        agent: None,
        ignored_fields: request.ignored,
        throttle: throttle.map(|throttle| throttle.id),
        ..CreateOptions::default()
    };
    let call = http.calls.create(account.0, request.body, options).await?;
    Ok(Answer(call_resource(&call, &http.public_url)))
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Invalid(error) => Self::field(&error.field, error.message),
            CreateError::NoPriorCall => {
                Self::new(StatusCode::NOT_FOUND, "there is no call with the id priorCallId")
            }
            // Only the server's own scheduler asks for what is scheduled.
            CreateError::Unscheduled => internal(),
            CreateError::NoThrottle => Self::field("throttle", "is gone; name another one, or none"),
            CreateError::Throttled { retry_after } => {
                let detail =
                    "the throttle lets no more calls pass for now; try again after the time in Retry-After";
                Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after)
            }
            CreateError::Capacity { retry_after } => {
                busy("the server has as many calls as it may; try again when some have ended", retry_after)
            }
            CreateError::Limited(limited) => Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string())
                .retry_after(limited.retry_after()),
            CreateError::Overloaded { retry_after } => {
                let detail =
                    "the server has too much to do for another call; try again after the time in Retry-After";
                Self::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after)
            }
            CreateError::Stopping => busy("the server is stopping; try again", Duration::from_secs(5)),
            CreateError::Storage(error) => error.into(),
        }
    }
}

fn busy(detail: &str, retry_after: Duration) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_after)
}
