//! A key goes into one header, and nowhere else: not into what is logged, at whatever level, nor into what is told of a failure.
//!
//! A file of its own, for the log is the process's. One target is left out, as the server leaves it out: the WebSocket library
//! traces the bytes of its handshake.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use antiphon_backends::language_model::{Clips, LanguageModel, Request, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::BackendsConfig;
use antiphon_backends::{speech_to_text, text_to_speech};
use antiphon_engine::input::Transcription;
use antiphon_engine::message::Prompt;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// The key that must be seen by the server alone.
const KEY: &str = "canary-0123456789abcdef";

/// What was logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A server that refuses everybody and repeats what it was sent. Gives its address and everything that it saw.
async fn refusing() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let all = Arc::clone(&all);
            tokio::spawn(async move {
                let mut head = vec![0; 64 * 1024];
                let length = stream.read(&mut head).await.unwrap_or(0);
                all.lock().unwrap().extend_from_slice(&head[..length]);
                let body = format!("{{\"error\":{{\"message\":\"the key {KEY} is not known\"}}}}");
                let answer = format!(
                    "HTTP/1.1 401 Unauthorized\r\nx-echo: {KEY}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                while stream.read(&mut head).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    (base, seen)
}

/// Everything that a model tells.
async fn told(model: &dyn LanguageModel) -> String {
    let prompt = Prompt {
        system: None,
        messages: Vec::new(),
        instruction: None,
        tools: [].into(),
        temperature: 0.0,
        model: "m".into(),
        language: None,
    };
    let request = Request { prompt, clips: Clips::default() };
    model.warm_up(request.clone()).await;
    let events: Vec<RunEvent> = model.generate(request).collect().await;
    format!("{events:?}")
}

#[tokio::test]
async fn no_key_is_logged_or_told() {
    let logged = Logged::default();
    let writer = logged.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace,tungstenite::handshake::client=debug"))
        .with_writer(move || writer.clone())
        .init();
    let (base, seen) = refusing().await;
    let folder = std::env::temp_dir().join(format!("antiphon-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("key");
    std::fs::write(&file, KEY).unwrap();
    let key = format!("base_url = \"{base}\"\napi_key_file = \"{}\"", file.display());
    let build = |transcription: &str| {
        let config: BackendsConfig = toml::from_str(&format!(
            "[models.openai]\ntype = \"openai\"\nmodel = \"m\"\nwarm_up = \"always\"\npatience_ms = 0\n{key}\n\
             [models.anthropic]\ntype = \"anthropic\"\nmodel = \"m\"\npatience_ms = 0\n{key}\n\
             [voices.openai]\ntype = \"openai\"\nmodel = \"m\"\nvoice = \"v\"\n{key}\n\
             [transcription]\ntype = \"{transcription}\"\nmodel = \"m\"\n{key}\n"
        ))
        .unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains(KEY), "{shown}");
        Backends::build(&config).unwrap()
    };
    let mut failures = Vec::new();
    for transcription in ["openai", "deepgram"] {
        let backends = build(transcription);
        for name in ["openai", "anthropic"] {
            failures.push(told(&*backends.models[name]).await);
        }
        let request = speech_to_text::Request { samples: vec![1; 160].into(), language: None };
        let heard = backends.speech_to_text.unwrap().transcribe(request).await;
        assert!(matches!(heard.transcription, Transcription::Failed(_)), "{heard:?}");
        failures.push(format!("{heard:?}"));
        let request = text_to_speech::Request { text: "Hello.".into(), language: None, sample: None };
        let spoken: Vec<_> = backends.voices["openai"].speak(request).collect().await;
        failures.push(format!("{spoken:?}"));
    }
    std::fs::remove_dir_all(folder).unwrap();
    let seen = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    // Nothing would be shown if the keys had not been used.
    for used in [format!("Bearer {KEY}"), format!("x-api-key: {KEY}"), format!("Token {KEY}")] {
        assert!(seen.to_lowercase().contains(&used.to_lowercase()), "{used} in {seen}");
    }
    for failure in &failures {
        assert!(failure.contains("401") && !failure.contains(KEY), "{failure}");
    }
    let logged = String::from_utf8_lossy(&logged.0.lock().unwrap()).into_owned();
    assert!(logged.contains("TRACE"), "everything is logged");
    let leak = logged.lines().find(|line| line.contains(KEY));
    assert_eq!(leak, None);
}
