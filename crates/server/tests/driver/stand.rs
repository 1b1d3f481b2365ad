//! Calls of a test's own: scripted backends, everything kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::json::from_request;
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_backends::voice_activity::scripted::Loudness;
use antiphon_engine::input::Transcription;
use antiphon_engine::output::EndReason;
use antiphon_server::call::journal::replay::{Replayed, replay};
use antiphon_server::call::journal::{self, Journal, Journals, UserText};
use antiphon_server::call::live::Files;
use antiphon_server::call::{Calls, CreateOptions, Join};
use antiphon_server::config;
use antiphon_server::outbound::Outbound;
use antiphon_server::retrieval::Retrieval;
use antiphon_server::storage::{
    AccountId, Direction, MessageChoice, Severity, Storage, StoredCall, StoredEvent, Window,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;

/// How long the voice takes for each character.
pub(crate) const PER_CHARACTER: Duration = Duration::from_millis(30);

const SCRIPT: &str = r#"
pace: 0
rules:
  - when: [bye]
    say: Goodbye then.
    hang_up: true
default:
  say: "You said {user}."
"#;

pub(crate) struct Stand {
    pub(crate) calls: Calls,
    pub(crate) storage: Storage,
    /// Where calls leave journals, each of which is replayed; not where memory is counted.
    journals: Option<Journals>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        if let Some(journals) = &self.journals {
            let _ = std::fs::remove_dir_all(&journals.directory);
        }
    }
}

impl Stand {
    pub(crate) fn new() -> Self {
        Self::journaling(backends())
    }

    /// A stand with other backends, whose calls are replayed.
    pub(crate) fn journaling(backends: Backends) -> Self {
        Self::waiting(backends, |_| {})
    }

    /// The same with other settings, such as how long clients are waited for that were lost.
    pub(crate) fn waiting(backends: Backends, change: impl FnOnce(&mut config::Calls)) -> Self {
        let journals = Journals {
            directory: std::env::temp_dir().join(format!("antiphon-driver-{}", Uuid::new_v4())),
            flush_interval: Duration::from_secs(1),
            user_text: UserText::Keep,
        };
        let files = Files { journals: Some(journals.clone()), ..Files::default() };
        let mut settings = config::Calls::default();
        change(&mut settings);
        let mut stand = Self::with_settings(settings, backends, files, Storage::in_memory());
        stand.journals = Some(journals);
        stand
    }

    pub(crate) fn with(backends: Backends, storage: Storage) -> Self {
        Self::with_files(backends, Files::default(), storage)
    }

    pub(crate) fn with_files(backends: Backends, files: Files, storage: Storage) -> Self {
        Self::with_settings(config::Calls::default(), backends, files, storage)
    }

    pub(crate) fn with_settings(
        settings: config::Calls,
        backends: Backends,
        files: Files,
        storage: Storage,
    ) -> Self {
        let calls = Calls::with_files(
            settings,
            config::TurnTaking::default(),
            files,
            Outbound::new(&config::Outbound::default()),
            Arc::new(backends),
            storage.clone(),
            Retrieval::new(storage.clone(), None),
        );
        Self { calls, storage, journals: None }
    }

    /// A new call with 16 kHz both ways and a user who speaks first, unless `fields` say otherwise.
    pub(crate) async fn create(&self, fields: Value) -> CallId {
        let mut request = json!({
            "medium": {"serverWebSocket": {"inputSampleRate": 16_000}},
            "firstSpeakerSettings": {"user": {}},
        });
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let request = from_request(request.to_string().as_bytes()).unwrap().value;
        let account = AccountId(Uuid::nil());
        self.calls.create(account, request, CreateOptions::default()).await.unwrap().id
    }

    pub(crate) async fn join(&self, call: CallId) -> Client {
        Client::new(self.calls.join(call, Join::default()).await.unwrap())
    }

    /// A call that a client has joined.
    pub(crate) async fn call(&self, fields: Value) -> (CallId, Client) {
        let call = self.create(fields).await;
        (call, self.join(call).await)
    }

    pub(crate) async fn stored(&self, call: CallId) -> StoredCall {
        self.storage.calls.find(call).await.unwrap().unwrap()
    }

    /// Waits until a call's end is recorded.
    pub(crate) async fn ended(&self, call: CallId) -> EndReason {
        loop {
            if let Some((_, reason)) = self.stored(call).await.ended {
                self.assert_replays(call).await;
                return reason;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Fails if the engine does not say again what it said in the call.
    async fn assert_replays(&self, call: CallId) {
        if self.journals.is_some() {
            assert_eq!(replay(&self.journal(call).await), Replayed::Same);
        }
    }

    /// What a call has left, once all of it is written.
    pub(crate) async fn journal(&self, call: CallId) -> Journal {
        let path = self.journals.as_ref().unwrap().path(call);
        loop {
            match journal::read(&path) {
                Ok(journal) if journal.is_complete() => return journal,
                // The desk writes in real time; the clock of the call stands meanwhile.
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// What was said in a call.
    pub(crate) async fn messages(&self, call: CallId) -> Vec<String> {
        let window = Window { after: None, direction: Direction::Forward, limit: 1_000 };
        let slice = self.storage.calls.messages(call, MessageChoice::InCall, window).await.unwrap();
        slice.items.into_iter().map(|(_, stored)| stored.message.text).collect()
    }

    /// What went wrong in a call.
    pub(crate) async fn events(&self, call: CallId) -> Vec<StoredEvent> {
        self.storage.calls.events(call, Severity::Warning, 1_000).await.unwrap()
    }

    /// The names of what went wrong in a call.
    pub(crate) async fn troubles(&self, call: CallId) -> Vec<String> {
        self.events(call).await.into_iter().map(|event| event.kind).collect()
    }
}

/// A request's field that lets the agent begin with this text.
pub(crate) fn greeting(text: &str) -> Value {
    json!({"agent": {"text": text}})
}

/// A text that takes about this long to say.
pub(crate) fn story(length: Duration) -> String {
    const SENTENCE: &str = "And then they walked on through the wood. ";
    let characters = length.as_millis() / PER_CHARACTER.as_millis();
    SENTENCE.repeat(usize::try_from(characters).unwrap() / SENTENCE.len()).trim_end().to_owned()
}

/// How long the voice takes to say it: sentence by sentence, without the blanks between them.
pub(crate) fn spoken(text: &str) -> Duration {
    let characters = text.split_inclusive('.').map(|sentence| sentence.trim().len()).sum::<usize>();
    PER_CHARACTER * u32::try_from(characters).unwrap()
}

/// Backends that answer at once; everything loud is speech, and every utterance of the user is "hello".
pub(crate) fn backends() -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::from_yaml(SCRIPT).unwrap());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Humming {
        ms_per_character: u32::try_from(PER_CHARACTER.as_millis()).unwrap(),
        ..Humming::default()
    });
    let hello = || Transcription::Words(Arc::from("hello"));
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("hum"), voice)]),
        default_voice: Arc::from("hum"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: Some(Arc::new(Prepared::in_order((0..100).map(|_| hello())))),
        voice_activity: Arc::new(Loudness::default()),
        turn_detector: None,
    }
}
