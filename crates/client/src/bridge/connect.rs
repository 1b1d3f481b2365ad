//! How a bridge comes about: a call is created, or an agent's is, or one is joined.

use antiphon_api::endpoint::Method;
use antiphon_api::json::JsonObject;
use antiphon_audio::{SampleRate, UnsupportedRate};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Bridge;
use super::event::{Event, Events, HttpResponse};
use crate::realtime::{self, ConnectError, Options, Sender, connect, connect_over};
use crate::rest::{Client, RestError};

/// What a bridge is made from.
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is connected"]
pub struct Builder {
    source: Source,
    input: SampleRate,
    output: SampleRate,
    options: Options,
    clears: bool,
}

/// Where the call comes from.
#[derive(Debug, Clone)]
enum Source {
    Created(Box<Creation>),
    Joined { join_url: String },
}

/// The request that creates a call.
#[derive(Debug, Clone)]
struct Creation {
    client: Client,
    path: Vec<String>,
    query: Vec<(String, String)>,
    /// Nothing if what was given is no object.
    body: Option<JsonObject>,
}

/// Why there is no bridge.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The request is no object.
    #[error("the request must be a JSON object, such as {{\"systemPrompt\": …}}")]
    Body,
    /// The call was created, or was to be joined, and could not be.
    #[error("{error}")]
    Connect {
        /// Why.
        #[source]
        error: ConnectError,
        /// What the REST API had answered, if it was asked.
        response: Option<HttpResponse>,
    },
    /// The request asks for a call whose audio does not come over its WebSocket.
    #[error(
        "the medium of the request must be serverWebSocket, which is what a bridge speaks; leave it out to get one of 16000 Hz"
    )]
    Medium,
    /// The call was created without a join URL.
    #[error("the server created the call without a join URL; it seems to dial out by itself")]
    NoJoinUrl {
        /// What it answered.
        response: HttpResponse,
    },
    /// The request asks for a rate that there is not.
    #[error("{field}: {error}")]
    Rate {
        /// The field of the request.
        field: &'static str,
        /// Which rate.
        #[source]
        error: UnsupportedRate,
    },
    /// The REST API refused.
    #[error("the server refused to create the call (status {}): {}", .response.status, .response.complaint())]
    Refused {
        /// What it answered.
        response: HttpResponse,
    },
    /// A call is to be created over a stream.
    #[error("a stream leads to one call; create the call first, then join it over the stream")]
    Tunnel,
    /// The REST API was not reached, or its answer could not be read.
    #[error(transparent)]
    Rest(#[from] RestError),
}

impl BridgeError {
    /// What the REST API answered, if it was asked and did.
    #[must_use]
    pub fn response(&self) -> Option<&HttpResponse> {
        match self {
            Self::Connect { response, .. } => response.as_ref(),
            Self::NoJoinUrl { response } | Self::Refused { response } => Some(response),
            Self::Body | Self::Medium | Self::Rate { .. } | Self::Rest(_) | Self::Tunnel => None,
        }
    }
}

impl Builder {
    pub(super) fn creating(client: &Client, path: &[&str]) -> Self {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        let (query, body) = (Vec::new(), Some(JsonObject::new()));
        Self::new(Source::Created(Box::new(Creation { client: client.clone(), path, query, body })))
    }

    pub(super) fn joining(join_url: String) -> Self {
        Self::new(Source::Joined { join_url })
    }

    fn new(source: Source) -> Self {
        let rate = SampleRate::EAR;
        Self { source, input: rate, output: rate, options: Options::default(), clears: true }
    }

    /// The body of the creation, as it is sent. If it names no medium, the call gets a WebSocket with this builder's
    /// [`rates`](Self::rates); if it names one, its rates count. Nothing if a call is joined.
    pub fn body(self, body: JsonObject) -> Self {
        self.with_body(Some(body))
    }

    /// The same, from a request such as `StartCallRequest` or `StartAgentCallRequest`, or anything that serializes to an object.
    pub fn request(self, request: &impl serde::Serialize) -> Self {
        match serde_json::to_value(request) {
            Ok(Value::Object(body)) => self.with_body(Some(body)),
            Ok(_) | Err(_) => self.with_body(None),
        }
    }

    fn with_body(mut self, body: Option<JsonObject>) -> Self {
        if let Source::Created(creation) = &mut self.source {
            creation.body = body;
        }
        self
    }

    /// Adds a parameter to the query of the creation.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Source::Created(creation) = &mut self.source {
            creation.query.push((name.into(), value.into()));
        }
        self
    }

    /// The rates of the call: of what the agent hears (`inputSampleRate`), and of what it says (`outputSampleRate`). 16000 Hz both if
    /// they are not said. A call that is joined has the rates it was created with, and they must be said here if they are others.
    pub fn rates(mut self, input: SampleRate, output: SampleRate) -> Self {
        (self.input, self.output) = (input, output);
        self
    }

    /// What is asked for when joining.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Leaves it to the caller to clear what was not yet played when the agent is interrupted
    /// ([`Event::PlaybackClearBuffer`]), as Voximplant's scenarios do. Otherwise the bridge does it, before it tells.
    pub fn clearing_by_hand(mut self) -> Self {
        self.clears = false;
        self
    }

    /// Creates the call, if one is to be created, and joins it. Must be called within a tokio runtime.
    ///
    /// The events begin with the answer of the REST API; none is lost until they are taken. The call goes on until it is closed
    /// from either side, or all clones of the bridge are dropped.
    ///
    /// # Errors
    ///
    /// The server could not be reached or refused, or the call could not be joined.
    pub async fn connect(mut self) -> Result<(Bridge, Events), BridgeError> {
        let (join_url, response) = match self.source.clone() {
            Source::Joined { join_url } => (join_url, None),
            Source::Created(creation) => {
                let Creation { client, path, query, body } = *creation;
                let mut body = body.ok_or(BridgeError::Body)?;
                self.settle_medium(&mut body)?;
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let body = serde_json::to_vec(&body).expect("a JSON object has string keys");
                let answer = client.exchange(Method::Post, &path, &query, Some(&body)).await?;
                let response = HttpResponse::from(answer);
                (join_url(&response)?, Some(response))
            }
        };
        match connect(&join_url, &self.options).await {
            Ok(joined) => Ok(self.begin(joined, response)),
            Err(error) => Err(BridgeError::Connect { error, response }),
        }
    }

    /// Joins the call over a stream that is connected already, such as a tunnel. Only for calls that are joined.
    ///
    /// # Errors
    ///
    /// There is no WebSocket at the stream's other end, or the call is to be created.
    pub async fn connect_over<S>(self, stream: S) -> Result<(Bridge, Events), BridgeError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Source::Joined { join_url } = &self.source else { return Err(BridgeError::Tunnel) };
        match connect_over(stream, join_url, &self.options).await {
            Ok(joined) => Ok(self.begin(joined, None)),
            Err(error) => Err(BridgeError::Connect { error, response: None }),
        }
    }

    fn begin(self, joined: (Sender, realtime::Events), response: Option<HttpResponse>) -> (Bridge, Events) {
        let call_id = response.as_ref().and_then(|response| text(response, "callId"));
        let first = response.map(Event::HttpResponse);
        Bridge::begin(joined, (self.input, self.output), self.clears, call_id, first)
    }

    /// Reads the rates of a medium that the body names, or names one.
    fn settle_medium(&mut self, body: &mut JsonObject) -> Result<(), BridgeError> {
        match body.get("medium") {
            None | Some(Value::Null) => {
                let rates =
                    json!({ "inputSampleRate": self.input.hz(), "outputSampleRate": self.output.hz() });
                body.insert("medium".to_owned(), json!({ "serverWebSocket": rates }));
            }
            Some(medium) => {
                let medium =
                    ["serverWebSocket", "server_web_socket"].iter().find_map(|name| medium.get(name));
                let medium = medium.and_then(Value::as_object).ok_or(BridgeError::Medium)?;
                let rate = |field: &'static str| match medium.get(field) {
                    None | Some(Value::Null) => Ok(None),
                    Some(value) => {
                        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                        let hz = number.and_then(|hz| u32::try_from(hz).ok()).unwrap_or(0);
                        SampleRate::new(hz).map(Some).map_err(|error| BridgeError::Rate { field, error })
                    }
                };
                // Without an input rate the server says what is wrong with the request.
                self.input = rate("inputSampleRate")?.unwrap_or(self.input);
                self.output = rate("outputSampleRate")?.unwrap_or(self.input);
            }
        }
        Ok(())
    }
}

fn join_url(response: &HttpResponse) -> Result<String, BridgeError> {
    if !response.is_success() {
        return Err(BridgeError::Refused { response: response.clone() });
    }
    text(response, "joinUrl").ok_or_else(|| BridgeError::NoJoinUrl { response: response.clone() })
}

fn text(response: &HttpResponse, field: &str) -> Option<String> {
    Some(response.json()?.get(field)?.as_str()?.to_owned())
}
