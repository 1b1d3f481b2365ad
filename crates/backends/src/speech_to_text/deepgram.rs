//! Recognizers that are streamed to over a WebSocket as Deepgram's `/v1/listen` is: while the user speaks, or a whole turn at once.
//!
//! Owns how they are dialled and what is an error of theirs. It must not know what the words are for.

mod live;
mod messages;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, http::header::AUTHORIZATION};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::{Heard, Listener, Request, Speech, SpeechToText};
use crate::http::{Endpoint, HttpFailure};
use crate::text_to_speech::exchange::retry_after;

/// Where the vendor has it.
pub const BASE_URL: &str = "https://api.deepgram.com/v1";
/// Bytes of one message from there; more is no result.
const LARGEST: usize = 1024 * 1024;
/// What says that no more audio comes.
const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

/// How a recognizer is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The language that is assumed where the conversation has none (BCP-47).
    pub language: Option<Arc<str>>,
    /// Further parameters of the query, such as `smart_format=true`.
    pub extra: Vec<(String, String)>,
    /// Whether it listens while the user speaks.
    pub live: bool,
    /// How long the connection may take.
    pub connect: Duration,
    /// How long a whole answer may take.
    pub timeout: Duration,
}

/// A recognizer behind a WebSocket.
#[derive(Debug, Clone)]
pub struct DeepgramTranscriber {
    endpoint: Endpoint,
    settings: Arc<Settings>,
    name: Arc<str>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl DeepgramTranscriber {
    /// A recognizer at an endpoint; `http` means `ws` and `https` means `wss`.
    #[must_use]
    pub fn new(endpoint: Endpoint, settings: Settings) -> Self {
        let name = settings.model.as_ref().into();
        Self { endpoint, settings: Arc::new(settings), name }
    }

    async fn words(&self, request: Request) -> Result<Arc<str>, HttpFailure> {
        if request.samples.is_empty() {
            return Ok("".into());
        }
        let by = Instant::now() + self.settings.timeout;
        let connected = by.min(Instant::now() + self.settings.connect);
        let dialled = self.dial(request.language.as_deref(), false);
        let socket = timeout_at(connected, dialled).await.map_err(|_| HttpFailure::Silent)??;
        timeout_at(by, turn::transcribe(self, socket, &request.samples.to_vec()))
            .await
            .map_err(|_| HttpFailure::Silent)?
    }

    /// Opens a stream; with words that may still change, if these are wanted.
    async fn dial(&self, language: Option<&str>, interim: bool) -> Result<Socket, HttpFailure> {
        let none = || HttpFailure::Connection("has an address that is none".to_owned());
        let mut url = Url::parse(&format!("{}/listen", self.endpoint.base())).map_err(|_| none())?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| none())?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("model", &self.settings.model);
            for (name, value) in [
                ("encoding", "linear16"),
                ("sample_rate", "16000"),
                ("channels", "1"),
                ("interim_results", if interim { "true" } else { "false" }),
                ("punctuate", "true"),
            ] {
                query.append_pair(name, value);
            }
            if let Some(language) = language.or(self.settings.language.as_deref()) {
                query.append_pair("language", language);
            }
            for (name, value) in &self.settings.extra {
                query.append_pair(name, value);
            }
        }
        let mut request = url.as_str().into_client_request().map_err(|_| none())?;
        if let Some(key) = self.endpoint.key_as("Token") {
            request.headers_mut().insert(AUTHORIZATION, key);
        }
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        match connect_async_with_config(request, Some(config), true).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(HttpFailure::Refused {
                    status: response.status().as_u16(),
                    text: self.endpoint.shortened(body),
                    retry_after: retry_after(response.headers()),
                })
            }
            Err(error) => {
                let why = self.endpoint.shortened(format!("cannot be reached: {error}").as_bytes());
                Err(HttpFailure::Connection(why))
            }
        }
    }

    /// The text of a message, if it has one, or why there is none any more.
    fn text(&self, message: Result<Message, Error>) -> Result<Option<Utf8Bytes>, String> {
        match message {
            Ok(Message::Text(text)) => Ok(Some(text)),
            Ok(Message::Close(frame)) => Err(match frame {
                Some(frame) => {
                    let why = self.endpoint.shortened(frame.reason.as_bytes());
                    format!("closed the connection: {} {why}", u16::from(frame.code))
                }
                None => "closed the connection".to_owned(),
            }),
            Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(None),
            Err(error) => Err(self.broke_off(&error)),
        }
    }

    fn broke_off(&self, error: &Error) -> String {
        self.endpoint.shortened(format!("broke off: {error}").as_bytes())
    }
}

/// Audio as it is sent.
fn audio(samples: &[i16]) -> Message {
    Message::binary(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
}

impl SpeechToText for DeepgramTranscriber {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let transcriber = self.clone();
        async move {
            let words = transcriber.words(request).await;
            Heard::from_model(&transcriber.name, &transcriber.settings.model, words)
        }
        .boxed()
    }

    fn listen(&self, speech: mpsc::Receiver<Speech>, language: Option<Arc<str>>) -> Option<Listener> {
        self.settings.live.then(|| Listener {
            by: Arc::clone(&self.name),
            told: live::listen(self.clone(), speech, language),
        })
    }
}
