//! `GET /api/calls/{call_id}/events`: lists what went on behind a conversation (protocol.md 2.4, 7.16).

use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::{CallEvent, ListCallEvents, Severity};
use antiphon_api::{Timestamp, WireDuration};
use axum::extract::State;
use serde_json::Value;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::page::{Place, page, window};
use super::super::request::Requested;
use super::own_call;
use crate::call::first_stage;
use crate::storage::{EventChoice, EventPlace, Severity as Stored, Slice, StoredCall, StoredEvent};

impl Place for EventPlace {
    fn write(self) -> String {
        self.0.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

pub(in crate::http) async fn events(
    State(http): State<Http>,
    account: Account,
    request: Requested<ListCallEvents>,
) -> Answered<ListCallEvents> {
    let call = own_call(&http, &account, request.path).await?;
    let minimum = match request.query.minimum_severity {
        Some(Severity::Debug) => Stored::Debug,
        None | Some(Severity::Info) => Stored::Info,
        Some(Severity::Warning) => Stored::Warning,
        Some(Severity::Error) => Stored::Error,
    };
    let choice = EventChoice { minimum, kind: request.query.kind };
    let window = window(request.query.cursor.as_deref(), request.query.page_size)?;
    let catalog = &http.storage.catalog;
    let slice = catalog.list_events(call.id, &choice, window).await?;
    let total = match slice.whole(&window) {
        Some(total) => total,
        None => catalog.count_events(call.id, &choice).await?,
    };
    let items = slice.items.into_iter().map(|(place, event)| (place, resource(&call, event))).collect();
    Ok(Answer(page(&http.public_url, &request.uri, &window, Slice { items, more: slice.more }, total)))
}

fn resource(call: &StoredCall, event: StoredEvent) -> CallEvent {
    let at = since(call.joined.unwrap_or(call.created), event.at);
    CallEvent {
        call_id: call.id,
        call_stage_id: event.stage.unwrap_or_else(|| first_stage(call.id)),
        call_timestamp: at,
        severity: match event.severity {
            Stored::Debug => Severity::Debug,
            Stored::Info => Severity::Info,
            Stored::Warning => Severity::Warning,
            Stored::Error => Severity::Error,
        },
        kind: event.kind,
        text: event.text,
        extras: event.extras.and_then(object),
        wall_clock_timestamp: Some(at),
    }
}

fn object(extras: Value) -> Option<JsonObject> {
    match extras {
        Value::Object(extras) => Some(extras),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// On the call's clock, which stands at 0 until somebody joins.
fn since(beginning: Timestamp, at: Timestamp) -> WireDuration {
    let micros = at.unix_micros().saturating_sub(beginning.unix_micros());
    std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0)).into()
}
