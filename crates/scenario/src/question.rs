//! What the prelude asks of the session, in JSON between the two: nobody else's words. A question that cannot be read is a
//! mistake of the prelude.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::command::{CallId, ClientId, Dial, Headers, HttpRequest, Unit};

/// One question.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Question {
    Answer {
        call: CallId,
        headers: Headers,
    },
    ClearMedia {
        client: ClientId,
        tag: Option<String>,
    },
    ClearTimer {
        timer: u32,
    },
    CloseClient {
        client: ClientId,
    },
    CreateClient {
        endpoint: Endpoint,
        headers: Headers,
        query: Headers,
        body: Json,
        #[serde(default)]
        agent: String,
        #[serde(default)]
        join_url: String,
    },
    Dial {
        #[serde(flatten)]
        dial: Dial,
    },
    EarlyMedia {
        call: CallId,
    },
    HandleTones {
        call: CallId,
        on: bool,
    },
    Hangup {
        call: CallId,
        headers: Headers,
    },
    HideTones {
        on: bool,
    },
    Listen {
        client: ClientId,
    },
    Reject {
        call: CallId,
        code: f64,
        headers: Headers,
    },
    Request {
        #[serde(flatten)]
        http: HttpRequest,
    },
    Ring {
        call: CallId,
    },
    SendDigits {
        call: CallId,
        digits: String,
    },
    SendMedia {
        from: Unit,
        to: Unit,
        tag: Option<String>,
        encoding: Option<String>,
        custom_parameters: Option<Json>,
    },
    SendMessage {
        client: ClientId,
        message: Json,
    },
    StopMedia {
        from: Unit,
        to: Unit,
    },
    Terminate,
    Timer {
        delay_ms: f64,
        repeat: bool,
    },
}

/// How a client comes to its call, as scenarios call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Endpoint {
    #[serde(rename = "CreateCall")]
    Create,
    #[serde(rename = "CreateAgentCall")]
    CreateOfAgent,
    #[serde(rename = "JoinCall")]
    Join,
}
