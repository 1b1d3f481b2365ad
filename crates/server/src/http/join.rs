//! The join URLs (protocol.md 1.3): where a client becomes a call's participant. Knowing the call's id is the permission.
//!
//! A join that cannot work is accepted and closed with a code that says why; a request that is no WebSocket handshake gets the
//! matching HTTP status. So does a return to a call that goes on at another node, since that may work a moment later.

use std::time::Duration;

use antiphon_api::CallId;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::Http;
use super::error::ApiError;
use crate::call::leg::CloseCode;
use crate::call::{Join, Received};
use crate::transport::handshake::{Handshake, NoHandshake};
use crate::transport::websocket;

/// What clients append to the URL; more than this may be there, and nothing of it has to (protocol.md 1.3).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JoinQuery {
    api_version: Option<String>,
    client_version: Option<String>,
    experimental_messages: Option<String>,
    /// An extension: how many data messages the client has received, if it would come back after the connection was lost.
    rejoin: Option<String>,
    /// And how many samples since it was last told to clear its buffer.
    rejoin_audio: Option<String>,
}

/// Joins a call.
pub(super) async fn join(
    State(http): State<Http>,
    Path(call): Path<String>,
    query: Result<Query<JoinQuery>, QueryRejection>,
    handshake: Result<Handshake, NoHandshake>,
) -> Response {
    let wish = read(&call, query.map(|Query(query)| query).ok());
    let Ok(handshake) = handshake else { return no_websocket(&http, wish).await.into_response() };
    if let Ok((call, Join { rejoin: Some(Received { messages: 1.., .. }), .. })) = &wish
        && http.calls.is_at_another_node(*call).await
    {
        let detail = "the call goes on at another node; try again until you are led there";
        let elsewhere = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return elsewhere.retry_after(Duration::from_secs(1)).into_response();
    }
    handshake.accept(http.server.max_data_message_bytes, async move |socket| {
        let joined = match wish {
            Ok((call, join)) => http.calls.join(call, join).await,
            Err(code) => Err(code),
        };
        match joined {
            Ok(end) => websocket::carry(socket, end),
            Err(code) => websocket::refuse(socket, code).await,
        }
    })
}

fn read(call: &str, query: Option<JoinQuery>) -> Result<(CallId, Join), CloseCode> {
    let call: CallId = call.parse().map_err(|_| CloseCode::UnknownCall)?;
    let query = query.ok_or(CloseCode::BadRequest)?;
    // Only one version is known; official SDKs send it, others send none.
    if query.api_version.is_some_and(|version| version != "1") {
        return Err(CloseCode::BadRequest);
    }
    let messages = query.experimental_messages.unwrap_or_default();
    let debug = messages.split(',').any(|message| message.trim() == "debug");
    let number = |text: Option<String>| {
        text.map(|text| text.parse::<u64>()).transpose().map_err(|_| CloseCode::BadRequest)
    };
    let (messages, samples) = (number(query.rejoin)?, number(query.rejoin_audio)?);
    let rejoin = messages.map(|messages| Received { messages, samples });
    Ok((call, Join { client_version: query.client_version, debug, rejoin }))
}

async fn no_websocket(http: &Http, wish: Result<(CallId, Join), CloseCode>) -> ApiError {
    let upgrade_required = || {
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "this is the join URL of a call: open it as a WebSocket")
    };
    match wish {
        Err(CloseCode::BadRequest) => ApiError::field("apiVersion", "only version 1 is known"),
        Err(_) => ApiError::no_call(),
        Ok((call, _)) if http.calls.is_live(call) => upgrade_required(),
        Ok((call, _)) => match http.storage.calls.find(call).await {
            // It waits at another node, or is there.
            Ok(Some(call)) if http.storage.cluster.is_some() && call.ended.is_none() => upgrade_required(),
            Ok(Some(_)) => {
                ApiError::new(StatusCode::GONE, "the call has ended or its join timeout has passed")
            }
            Ok(None) => ApiError::no_call(),
            Err(error) => error.into(),
        },
    }
}
