//! `GET /api/calls/{call_id}/stages/{stage_id}`: reads one stage of a call.

use antiphon_api::rest::calls::ReadCallStage;
use axum::extract::State;

use super::super::super::Http;
use super::super::super::answer::{Answer, Answered};
use super::super::super::auth::Account;
use super::super::super::request::Requested;
use super::super::own_call;
use super::{errors, own_stage, stage_resource};

pub(in crate::http) async fn read(
    State(http): State<Http>,
    account: Account,
    request: Requested<ReadCallStage>,
) -> Answered<ReadCallStage> {
    let (call, stage) = request.path;
    let call = own_call(&http, &account, call).await?;
    let stage = own_stage(&http, &call, stage).await?;
    let errors = errors(&http, &call).await?;
    Ok(Answer(stage_resource(&call, &stage, &errors)))
}
