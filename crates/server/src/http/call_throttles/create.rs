//! `POST /api/call_throttles`: creates a throttle.

use antiphon_api::rest::call_throttles::{CallThrottleRequest, CreateThrottle};
use antiphon_api::{ThrottleId, Timestamp};
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::ApiError;
use super::super::request::{Requested, insist_on_known};
use super::{name_taken, no_throttle, throttle_resource};
use crate::storage::{Keeping, StoredThrottle};

/// How many throttles an account may have: a list of them is looked at as a whole.
const MOST: u32 = 1_000;

pub(in crate::http) async fn create(
    State(http): State<Http>,
    account: Account,
    request: Requested<CreateThrottle>,
) -> Answered<CreateThrottle> {
    insist_on_known(&http, request.ignored)?;
    let CallThrottleRequest { name, rules } = request.body;
    let throttle = StoredThrottle {
        id: ThrottleId::new(Uuid::new_v4()),
        account: account.0,
        name,
        created: Timestamp::from(jiff::Timestamp::now()),
        rules,
        version: 0,
    };
    match http.storage.throttles.insert_throttle(&throttle, MOST).await? {
        Keeping::Kept => Ok(Answer(throttle_resource(throttle))),
        Keeping::NameTaken => Err(name_taken(&throttle.name)),
        Keeping::Full => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            format!("an account has at most {MOST} throttles; delete some first"),
        )),
        Keeping::Changed => Err(no_throttle()),
    }
}
