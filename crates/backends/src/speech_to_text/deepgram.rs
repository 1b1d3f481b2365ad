//! Recognizers that are streamed to over a WebSocket as Deepgram's `/v1/listen` is.
//!
//! A turn is a stream of its own: its audio goes out as fast as it is taken, then the end of the stream; finished pieces come back
//! while it does. Owns the connection and the reading of what comes. It must not know what the words are for.

mod results;

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, http::header::AUTHORIZATION};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use self::results::{Results, Told};
use super::{Heard, Request, SpeechToText};
use crate::http::Endpoint;

/// Where the vendor has it.
pub const BASE_URL: &str = "https://api.deepgram.com/v1";
/// Samples of one message: a quarter of a second.
const FRAME: usize = 4_000;
/// Bytes of one message from there; more is no result.
const LARGEST: usize = 1024 * 1024;

/// How a recognizer is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The model's name at the endpoint.
    pub model: Arc<str>,
    /// The language that is assumed where the conversation has none (BCP-47).
    pub language: Option<Arc<str>>,
    /// Further parameters of the query, such as `smart_format=true`.
    pub extra: Vec<(String, String)>,
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

    async fn words(&self, request: Request) -> Result<Arc<str>, String> {
        if request.samples.is_empty() {
            return Ok("".into());
        }
        let by = Instant::now() + self.settings.timeout;
        let connected = by.min(Instant::now() + self.settings.connect);
        let silent = |_| "did not answer in time".to_owned();
        let dialled = self.dial(request.language.as_deref());
        let socket = timeout_at(connected, dialled).await.map_err(silent)??;
        timeout_at(by, self.listen(socket, &request.samples)).await.map_err(silent)?
    }

    async fn dial(&self, language: Option<&str>) -> Result<Socket, String> {
        let none = || "has an address that is none".to_owned();
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
                ("interim_results", "false"),
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
                let why = self.endpoint.shortened(body);
                Err(format!("answered {}: {why}", response.status().as_u16()))
            }
            Err(error) => Err(self.endpoint.shortened(format!("cannot be reached: {error}").as_bytes())),
        }
    }

    /// Sends the turn and takes what comes back, at the same time: neither side waits for the other.
    async fn listen(&self, socket: Socket, samples: &[i16]) -> Result<Arc<str>, String> {
        let (mut to, mut from) = socket.split();
        let sending = async {
            for frame in samples.chunks(FRAME) {
                let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                to.feed(Message::binary(bytes)).await?;
            }
            to.send(Message::text(r#"{"type":"CloseStream"}"#)).await
        };
        let receiving = async {
            let mut results = Results::default();
            while let Some(message) = from.next().await {
                let message = match message {
                    Ok(Message::Text(text)) => text,
                    Ok(Message::Close(Some(frame))) if !results.are_complete() => {
                        let why = self.endpoint.shortened(frame.reason.as_bytes());
                        return Err(format!("closed the connection: {} {why}", u16::from(frame.code)));
                    }
                    Ok(_) => continue,
                    Err(error) => {
                        let why = format!("broke off: {error}");
                        return Err(self.endpoint.shortened(why.as_bytes()));
                    }
                };
                match results.read(&message) {
                    Told::More => {}
                    Told::Complete(words) => return Ok(words),
                    Told::Failed(why) => return Err(self.endpoint.shortened(why.as_bytes())),
                }
            }
            Err("ended its answer in the middle".to_owned())
        };
        let (sending, receiving) = (std::pin::pin!(sending), std::pin::pin!(receiving));
        // A send that fails is no answer yet: why it failed may be under way.
        let sending = sending.then(|_| std::future::pending::<()>());
        tokio::select! {
            words = receiving => words,
            () = sending => unreachable!("it is pending for ever"),
        }
    }
}

impl SpeechToText for DeepgramTranscriber {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        let transcriber = self.clone();
        async move {
            let transcription = match transcriber.words(request).await {
                Ok(words) => Transcription::Words(words),
                Err(reason) => {
                    let model = &transcriber.settings.model;
                    Transcription::Failed(format!("the transcription model \"{model}\" {reason}").into())
                }
            };
            Heard::by(&transcriber.name, transcription)
        }
        .boxed()
    }
}
