//! A recognizer behind a WebSocket as Deepgram's: what goes over the wire, and what comes back.

use std::time::Duration;

use antiphon_backends::http::{ApiKey, Endpoint};
use antiphon_backends::speech_to_text::deepgram::{DeepgramTranscriber, Settings};
use antiphon_backends::speech_to_text::{Request, SpeechToText};
use antiphon_engine::input::Transcription;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Handshake, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::{keeps_the_contract, request, words};

const KEY: &str = "dg-canary-0123456789";

/// What the server does with a turn.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Finds words where there is sound, as the vendor's does.
    Listens,
    /// Says that something is wrong with the key.
    Objects,
    /// Closes with a code and a reason.
    Closes,
    /// Goes away in the middle.
    Breaks,
    /// Says nothing and stays.
    Hangs,
    /// Sends what is no result.
    Babbles,
}

struct Server {
    base: String,
    /// The request line and headers of each handshake, and how much audio came before the end of the stream.
    seen: mpsc::UnboundedReceiver<(String, usize)>,
    left: mpsc::UnboundedReceiver<()>,
}

impl Server {
    async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (see, seen) = mpsc::unbounded_channel();
        let (leave, left) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, act, see.clone(), leave.clone()));
            }
        });
        Self { base, seen, left }
    }

    fn recognizer(&self, timeout: Duration) -> DeepgramTranscriber {
        DeepgramTranscriber::new(
            Endpoint::new(&self.base, Some(ApiKey::new(KEY))).unwrap(),
            Settings {
                model: "nova-3".into(),
                language: Some("de".into()),
                extra: vec![("keyterm".to_owned(), "Bäckerei & Co".to_owned())],
                connect: Duration::from_secs(10),
                timeout,
            },
        )
    }
}

fn piece(text: &str, is_final: bool) -> Message {
    Message::text(
        serde_json::json!({
            "type": "Results", "channel_index": [0, 1], "duration": 1.0, "start": 0.0,
            "is_final": is_final, "speech_final": is_final,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.99, "words": []}]},
            "metadata": {"request_id": "x"}, "from_finalize": false,
        })
        .to_string(),
    )
}

async fn serve(
    stream: TcpStream,
    act: Act,
    see: mpsc::UnboundedSender<(String, usize)>,
    leave: mpsc::UnboundedSender<()>,
) {
    let mut head = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let callback = |request: &Handshake, response: Response| {
        let key = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        head = format!("{} {key}", request.uri());
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    let (mut audio, mut loud) = (0, false);
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => {
                audio += bytes.len();
                loud |= bytes.iter().any(|byte| *byte != 0);
            }
            Message::Text(text) if text.contains("CloseStream") => break,
            Message::Text(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Close(_)
            | Message::Frame(_) => {}
        }
    }
    // The test may be over.
    let _ = see.send((head, audio));
    let metadata =
        Message::text(r#"{"type":"Metadata","transaction_key":"deprecated","duration":1.0,"channels":1}"#);
    let messages = match act {
        Act::Listens if loud => vec![
            piece("what", false),
            piece("what are", true),
            piece("", true),
            piece("your hours", true),
            metadata,
        ],
        Act::Listens => vec![piece("", true), metadata],
        Act::Objects => {
            let error = serde_json::json!({"type": "Error", "description": format!("no key {KEY}")});
            vec![Message::text(error.to_string())]
        }
        Act::Closes => {
            let reason = "NET-0001".into();
            vec![Message::Close(Some(CloseFrame { code: CloseCode::Error, reason }))]
        }
        Act::Breaks => {
            let _ = socket.send(piece("what are", true)).await;
            return;
        }
        Act::Hangs => {
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
            let _ = leave.send(());
            return;
        }
        Act::Babbles => vec![Message::text("<html>")],
    };
    for message in messages {
        let _ = socket.send(message).await;
    }
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
}

#[tokio::test]
async fn a_streaming_recognizer_keeps_the_contract() {
    let server = Server::start(Act::Listens).await;
    let recognizer = server.recognizer(Duration::from_secs(30));
    keeps_the_contract(&recognizer, &[7; 40_001], "what are your hours").await;
}

#[tokio::test]
async fn a_streaming_recognizer_is_sent_the_whole_turn_with_its_key_and_parameters() {
    let mut server = Server::start(Act::Listens).await;
    let recognizer = server.recognizer(Duration::from_secs(30));
    let heard = recognizer.transcribe(request(vec![7; 40_001])).await;
    assert_eq!((heard.transcription, &*heard.by), (words("what are your hours"), "nova-3"));
    let (head, audio) = server.seen.recv().await.unwrap();
    assert_eq!(audio, 80_002);
    assert_eq!(
        head,
        format!(
            "/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000&channels=1&interim_results=false\
             &punctuate=true&language=en-US&keyterm=B%C3%A4ckerei+%26+Co Token {KEY}"
        )
    );
    let plain = Request { language: None, ..request(vec![7; 16]) };
    recognizer.transcribe(plain).await;
    assert!(server.seen.recv().await.unwrap().0.contains("&language=de&"));
}

#[tokio::test]
async fn a_streaming_recognizer_that_fails_says_why() {
    for (act, wanted) in [
        (Act::Objects, "no key [key]"),
        (Act::Closes, "closed the connection: 1011 NET-0001"),
        (Act::Breaks, "broke off"),
        (Act::Babbles, "sent what is no result: <html>"),
    ] {
        let server = Server::start(act).await;
        let heard = server.recognizer(Duration::from_secs(30)).transcribe(request(vec![7; 16])).await;
        let Transcription::Failed(reason) = heard.transcription else { panic!("{act:?}") };
        let begins = reason.starts_with("the transcription model \"nova-3\" ");
        assert!(begins && reason.contains(wanted) && !reason.contains(KEY), "{act:?}: {reason}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_told_without_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4_096];
        let _ = stream.read(&mut head).await;
        let body = format!(r#"{{"err_code":"INVALID_AUTH","message":"bad {KEY}"}}"#);
        let answer = format!("HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.read(&mut head).await;
    });
    let (_, seen) = mpsc::unbounded_channel();
    let (_, left) = mpsc::unbounded_channel();
    let server = Server { base, seen, left };
    let heard = server.recognizer(Duration::from_secs(30)).transcribe(request(vec![7; 16])).await;
    let Transcription::Failed(reason) = heard.transcription else { panic!("a failure") };
    assert!(reason.contains("answered 401") && !reason.contains(KEY), "{reason}");
}

#[tokio::test]
async fn a_streaming_recognizer_that_falls_silent_is_given_up() {
    let mut server = Server::start(Act::Hangs).await;
    let heard = server.recognizer(Duration::from_millis(200)).transcribe(request(vec![7; 16])).await;
    let Transcription::Failed(reason) = heard.transcription else { panic!("a failure") };
    assert!(reason.contains("did not answer in time"), "{reason}");
    server.left.recv().await.unwrap();
}

#[tokio::test]
async fn dropping_a_streamed_turn_closes_the_connection() {
    let mut server = Server::start(Act::Hangs).await;
    let recognizer = server.recognizer(Duration::from_secs(30));
    let hanging = tokio::spawn(recognizer.transcribe(request(vec![7; 16])));
    server.seen.recv().await.unwrap();
    hanging.abort();
    server.left.recv().await.unwrap();
}
