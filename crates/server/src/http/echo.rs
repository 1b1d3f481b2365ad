//! `GET /echo` (feature `echo-route`): a WebSocket like that of a join, which repeats what it is told. For tests of conformance
//! only; a server that is for users is built without it.

use axum::extract::State;
use axum::response::Response;

use super::Http;
use crate::transport::echo;
use crate::transport::handshake::Handshake;

pub(super) async fn echo(State(http): State<Http>, handshake: Handshake) -> Response {
    handshake.accept(http.server.max_data_message_bytes, echo::echo)
}
