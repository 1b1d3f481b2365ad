//! `GET /echo` (feature `echo-route`): a WebSocket like that of a join, which repeats what it is told. For tests of conformance
//! only; a server that is for users is built without it.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;

use super::Http;
use super::join::as_for_calls;
use crate::transport::echo;

pub(super) async fn echo(State(http): State<Http>, upgrade: WebSocketUpgrade) -> Response {
    as_for_calls(upgrade, &http).on_upgrade(echo::echo)
}
