//! What a session asks for, and what is told to it: the whole of what its host must know. No JavaScript here, no sound.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Headers of a call or a request, by name.
pub type Headers = BTreeMap<String, String>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id with this number.
            #[must_use]
            pub fn new(number: u32) -> Self {
                Self(format!(concat!($prefix, "-{}"), number))
            }

            /// The id as the scenario sees it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A call of the session.
    CallId,
    "call"
);
id!(
    /// A client of the session: a connection to a call of a voice agent.
    ClientId,
    "client"
);
id!(
    /// An HTTP request of the session.
    RequestId,
    "request"
);

/// Something that gives and takes sound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A call.
    Call(CallId),
    /// A client.
    Client(ClientId),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(id) => fmt::Display::fmt(id, f),
            Self::Client(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// The network that a call goes out to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The telephone network.
    Pstn,
    /// A SIP address.
    Sip,
    /// A user of the application.
    User,
}

/// A call that goes out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Dial {
    /// Where it goes out to.
    pub network: Network,
    /// Whom it calls: a telephone number, a SIP address or a user's name.
    pub number: String,
    /// Who calls, often empty.
    pub callerid: String,
    /// The name that is shown for the caller, often empty.
    pub display_name: String,
    /// Headers of its own.
    pub headers: Headers,
    /// The user that authenticates with a SIP server.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<String>,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial")
            .field("network", &self.network)
            .field("number", &self.number)
            .field("callerid", &self.callerid)
            .finish_non_exhaustive()
    }
}

/// Which call of a voice agent a client is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// One that is created: `POST /api/calls`.
    CreateCall {
        /// The body of the request, as the scenario gives it.
        body: Json,
    },
    /// One of an agent: `POST /api/agents/{agent}/calls`.
    CreateAgentCall {
        /// The agent.
        agent: String,
        /// The body of the request, as the scenario gives it.
        body: Json,
    },
    /// One that is there.
    JoinCall {
        /// Its join URL.
        join_url: String,
    },
}

/// A client that is wanted.
#[derive(Clone, PartialEq)]
pub struct ClientRequest {
    /// The call that it is for.
    pub target: Target,
    /// Headers of the request, credentials among them.
    pub headers: Headers,
    /// What the request asks for behind the question mark.
    pub query: Headers,
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither credentials nor join URLs.
        let target = match &self.target {
            Target::CreateCall { .. } => "CreateCall",
            Target::CreateAgentCall { .. } => "CreateAgentCall",
            Target::JoinCall { .. } => "JoinCall",
        };
        f.debug_struct("ClientRequest").field("target", &target).finish_non_exhaustive()
    }
}

/// The body of an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A text, in UTF-8.
    Text(String),
    /// Bytes in Base64.
    Base64(String),
    /// The fields of a form.
    Form(Vec<(String, String)>),
}

/// An HTTP request.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct HttpRequest {
    /// Where it goes.
    pub url: String,
    /// Its method, in capitals.
    pub method: String,
    /// Its headers, credentials among them.
    pub headers: Vec<(String, String)>,
    /// What is appended to the URL's query.
    pub params: Vec<(String, String)>,
    /// Its body.
    pub body: Option<Body>,
    /// How long it may take, in milliseconds; at most 90 s.
    pub timeout_ms: u32,
    /// How long connecting may take, in milliseconds; at most 6 s.
    pub connect_timeout_ms: u32,
    /// Whether the answer's bytes are wanted rather than its text.
    pub raw: bool,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without what may be secret: the URL's query, the headers, the body.
        f.debug_struct("HttpRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What became of an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpAnswer {
    /// The status; 0 or less where no server has answered.
    pub code: i32,
    /// The body as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The body in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl HttpAnswer {
    /// No answer, and why.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self { code: 0, text: None, base64: None, headers: Vec::new(), error: Some(why.into()) }
    }
}

/// Whose a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The scenario's, by `Logger.write`.
    Script,
    /// The runtime's, about the scenario.
    Note,
    /// The runtime's: an error of the scenario.
    Error,
}

/// Something that a session wants done. None of it is waited for; what comes of it is told by a [`Notice`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Writes a line to the log.
    Log {
        /// When, since the session began.
        at: Duration,
        /// Whose it is.
        voice: Voice,
        /// The line; it may contain line breaks and anything else.
        text: String,
    },
    /// Answers a call that came in.
    Answer {
        /// The call.
        call: CallId,
        /// Headers of the answer.
        headers: Headers,
    },
    /// Ends a call, or gives up one that goes out.
    Hangup {
        /// The call.
        call: CallId,
        /// Headers of the farewell.
        headers: Headers,
    },
    /// Refuses a call that came in.
    Reject {
        /// The call.
        call: CallId,
        /// The SIP status that says why.
        code: u16,
        /// Headers of the refusal.
        headers: Headers,
    },
    /// Lets a caller hear that it rings.
    Ring {
        /// The call.
        call: CallId,
    },
    /// Lets a caller hear something before the call is answered.
    StartEarlyMedia {
        /// The call.
        call: CallId,
    },
    /// Begins a call that goes out.
    Dial {
        /// The call.
        call: CallId,
        /// Whom it calls, and how.
        dial: Dial,
    },
    /// Sends the tones of telephone keys into a call.
    SendDigits {
        /// The call.
        call: CallId,
        /// The keys; `p`, `w` and commas are pauses.
        digits: String,
    },
    /// Sends the sound of one unit to another, from where nothing else is heard from then on.
    SendMedia {
        /// Whose sound.
        from: Unit,
        /// Who hears it.
        to: Unit,
        /// A name for the stream.
        tag: Option<String>,
        /// The encoding that is asked for.
        encoding: Option<String>,
        /// What is told to the other side.
        custom_parameters: Option<Json>,
    },
    /// Stops sending the sound of one unit to another.
    StopMedia {
        /// Whose sound.
        from: Unit,
        /// Who heard it.
        to: Unit,
    },
    /// Creates a client: a call of a voice agent, joined.
    CreateClient {
        /// The client.
        client: ClientId,
        /// What is wanted.
        request: ClientRequest,
    },
    /// Sends a data message.
    SendMessage {
        /// The client.
        client: ClientId,
        /// The message as the scenario gives it, with a type.
        message: Json,
    },
    /// Drops the agent's sound that was not played yet.
    ClearMedia {
        /// The client.
        client: ClientId,
        /// The stream that is meant; all of them if none.
        tag: Option<String>,
    },
    /// Leaves the agent's call.
    CloseClient {
        /// The client.
        client: ClientId,
    },
    /// Sends an HTTP request.
    Request {
        /// The request.
        request: RequestId,
        /// What is sent.
        http: HttpRequest,
    },
}

/// A call that comes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Incoming {
    /// The number that was called.
    pub number: String,
    /// The number of the caller.
    pub callerid: String,
    /// The caller's name.
    pub display_name: String,
    /// The call's headers.
    pub headers: Headers,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The other side of a call that goes out is being rung.
    CallRinging {
        /// The call.
        call: CallId,
    },
    /// A call was answered.
    CallConnected {
        /// The call.
        call: CallId,
        /// Headers of the answer.
        headers: Headers,
    },
    /// Sound can be heard on a call for the first time.
    CallAudioStarted {
        /// The call.
        call: CallId,
    },
    /// A call ended before it was answered.
    CallFailed {
        /// The call.
        call: CallId,
        /// A SIP status that says why.
        code: u16,
        /// The same in words.
        reason: String,
    },
    /// A call that was answered has ended.
    CallDisconnected {
        /// The call.
        call: CallId,
        /// A SIP status, 200 for a hang-up.
        code: u16,
        /// The same in words.
        reason: String,
    },
    /// A key was pressed on a call.
    Tone {
        /// The call.
        call: CallId,
        /// The key.
        tone: char,
    },
    /// Something happened at a client; may come before it is opened.
    ClientEvent {
        /// The client.
        client: ClientId,
        /// The event's whole name.
        name: String,
        /// The event but for `client`.
        fields: Json,
    },
    /// A client has joined its call.
    ClientOpened {
        /// The client.
        client: ClientId,
        /// The connection's id.
        web_socket: String,
    },
    /// There is no call for a client, or it could not be joined.
    ClientRefused {
        /// The client.
        client: ClientId,
        /// Why, for the scenario's author.
        why: String,
    },
    /// A client's connection is closed. The last that is told of it.
    ClientClosed {
        /// The client.
        client: ClientId,
        /// The code of the WebSocket.
        code: u16,
        /// The reason.
        reason: String,
        /// Whether both sides said goodbye.
        was_clean: bool,
    },
    /// An HTTP request was answered, or failed.
    Answered {
        /// The request.
        request: RequestId,
        /// What came of it.
        answer: HttpAnswer,
    },
    /// The host has something to say about what the scenario asks for.
    Remark {
        /// What, for the log.
        text: String,
    },
    /// Somebody wants the session to end.
    Stop,
    /// A moment has come that the session wanted to be woken at.
    Timeout,
}
