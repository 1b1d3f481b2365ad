//! A server of a test's own, and scenarios that run against it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{SampleRate, Wav};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::SpeechToText;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_client::rest::Client;
use antiphon_engine::input::Transcription;
use antiphon_scenario::{
    Dial, Exchange, File as Source, HttpAnswer, HttpRequest, Incoming, Outcome, Party, Phones, Setup, Stream,
    Voice, Web, run,
};
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

const KEY: &str = "abcd1234.0123456789abcdef0123456789abcdef";
/// Far more than any of these conversations takes.
const LONG: Duration = Duration::from_secs(90);

/// A server whose agent follows a script.
pub(crate) struct Stand {
    running: Running,
    pub(crate) directory: PathBuf,
}

/// What came of a session.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<(Voice, String)>,
}

impl Story {
    fn lines(&self, wanted: Voice) -> Vec<&str> {
        self.log.iter().filter(|(voice, _)| *voice == wanted).map(|(_, text)| text.as_str()).collect()
    }

    pub(crate) fn said(&self) -> Vec<&str> {
        self.lines(Voice::Script)
    }

    pub(crate) fn errors(&self) -> Vec<&str> {
        self.lines(Voice::Error)
    }

    /// The events that the scenario logged, each by its name and payload; those of the sound by their whole event.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let event = |line: &&str| {
            let event: Value = serde_json::from_str(line).ok()?;
            if let Value::String(name) = &event["data"]["customEvent"] {
                return Some((name.clone(), event["data"]["payload"].clone()));
            }
            let fields = [
                ("encoding", "WebSocketMediaStarted"),
                ("mediaInfo", "WebSocketMediaEnded"),
                ("wasClean", "onWebSocketClose"),
            ];
            let name = fields.iter().find(|(field, _)| !event[field].is_null())?.1;
            Some((name.to_owned(), event))
        };
        self.said().iter().filter_map(event).collect()
    }

    pub(crate) fn payloads(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|(known, _)| known == name).map(|(_, payload)| payload).collect()
    }
}

/// The people of one session.
pub(crate) struct Cast {
    pub(crate) caller: Option<Box<dyn Party>>,
    /// Who takes calls that go out, in their order.
    pub(crate) callees: Vec<Box<dyn Party>>,
}

impl Phones for Cast {
    fn caller(&mut self) -> Result<Box<dyn Party>, String> {
        self.caller.take().ok_or_else(|| "nobody calls".to_owned())
    }

    fn callee(&mut self, _: &Dial) -> Result<Box<dyn Party>, (u16, String)> {
        if self.callees.is_empty() { Err((486, "Busy Here".to_owned())) } else { Ok(self.callees.remove(0)) }
    }
}

/// A web in which every request is answered with its own URL, and nothing else can be reached.
struct Echo;

impl Web for Echo {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, HttpAnswer> {
        let answer =
            HttpAnswer { code: 200, text: Some(request.url), base64: None, headers: Vec::new(), error: None };
        futures::future::ready(answer).boxed()
    }

    fn connect(&self, _: &str) -> BoxFuture<'static, Result<Box<dyn Stream>, String>> {
        futures::future::ready(Err("there is nothing else".to_owned())).boxed()
    }
}

impl Stand {
    /// A server whose users say these words, one after the other, and whose agent follows this script.
    pub(crate) async fn start(words: &[&str], script: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-scenario-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.limits.requests_per_second = 0;
        config.limits.requests_per_second_per_key = 0;
        config.storage.path = directory.join("antiphon.db");
        config.auth.api_keys = vec![ConfiguredKey {
            name: "test".to_owned(),
            account: None,
            key: Some(Secret::new(KEY)),
            key_file: None,
            sha256: None,
        }];
        let running = App::start_with(config, backends(words, script)).await.unwrap();
        Self { running, directory }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.running.local_addr())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Runs a scenario with these people. A cast without a caller begins the session from outside.
    pub(crate) async fn run(&self, source: &str, custom_data: &str, cast: Cast) -> Story {
        let incoming = cast.caller.is_some().then(|| Incoming {
            number: "8005551212".to_owned(),
            callerid: "15551234567".to_owned(),
            ..Incoming::default()
        });
        let setup = Setup {
            files: vec![Source { name: "scenario.js".to_owned(), source: source.to_owned() }],
            incoming,
            custom_data: custom_data.to_owned(),
            secrets: [("ULTRAVOX_API_KEY".to_owned(), KEY.to_owned()), ("URL".to_owned(), self.url())].into(),
            ..Setup::default()
        };
        let url = self.url();
        let make_client = Arc::new(move |key: Option<&str>| {
            let builder = Client::builder().url(&url);
            key.map_or(builder.clone(), |key| builder.key(key)).build()
        });
        let mut exchange = Exchange::new(Box::new(cast), Arc::new(Echo), make_client);
        if setup.incoming.is_some() {
            exchange.ring().unwrap();
        }
        let mut log = Vec::new();
        let mut keep = |_, voice, text: &str| log.push((voice, text.to_owned()));
        let session = run(setup, &mut exchange, &mut keep, std::future::pending());
        let outcome = tokio::time::timeout(LONG, session).await;
        let remarks = exchange.finish().await;
        assert_eq!(remarks, [""; 0]);
        let outcome = outcome.unwrap_or_else(|_| panic!("the session does not end: {log:#?}")).unwrap();
        Story { outcome, log }
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn backends(words: &[&str], script: &str) -> Backends {
    let heard = words.iter().map(|words| Transcription::Words(Arc::from(*words)));
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::from_yaml(script).unwrap());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming { ms_per_character: 40, ..Humming::default() });
    let transcriber: Arc<dyn SpeechToText> = Arc::new(Prepared::in_order(heard));
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: Some(transcriber),
        voice_activity: Arc::new(Earshot),
        turn_detector: None,
    }
}

/// Somebody asking for the opening hours, at 16 kHz.
pub(crate) fn question() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/assets/hours.wav");
    let wav = read(&path);
    assert_eq!(wav.rate_hz, SampleRate::EAR.hz());
    wav.samples
}

pub(crate) fn read(path: &Path) -> Wav {
    Wav::read(File::open(path).unwrap()).unwrap()
}
