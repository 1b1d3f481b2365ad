//! A node without a server around it: a store, directories, object storage, and what hands over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_api::{CallId, Timestamp};
use antiphon_audio::{Channels, SampleRate, WavWriter};
use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::TranscriptionConfig;
use antiphon_engine::output::EndReason;
use antiphon_server::call::journal::{Journals, UserText};
use antiphon_server::call::live::{Calls, Files};
use antiphon_server::call::recording::Recordings;
use antiphon_server::config::{self, Config};
use antiphon_server::jobs::hand_over::{HandOver, Place};
use antiphon_server::objects::{Kind, Objects};
use antiphon_server::outbound::Outbound;
use antiphon_server::retrieval::Retrieval;
use antiphon_server::storage::{AccountId, Storage, StoredCall};
use antiphon_server::telemetry::metrics::Metrics;
use futures::TryStreamExt as _;
use uuid::Uuid;

use crate::weather::Store;

pub(crate) struct Stand {
    pub(crate) directory: PathBuf,
    pub(crate) store: Arc<Store>,
    pub(crate) objects: Objects,
    pub(crate) metrics: Metrics,
    pub(crate) storage: Storage,
    pub(crate) calls: Calls,
    pub(crate) recordings: Recordings,
    pub(crate) account: AccountId,
    pub(crate) backends: Arc<Backends>,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        Self::beside(Store::new(), Storage::in_memory()).await
    }

    /// Another node of the same cluster.
    pub(crate) async fn neighbour(&self) -> Self {
        Self::beside(Arc::clone(&self.store), self.storage.clone()).await
    }

    async fn beside(store: Arc<Store>, storage: Storage) -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-objects-{}", Uuid::new_v4()));
        for part in ["recordings", "journals", "voices"] {
            std::fs::create_dir_all(directory.join(part)).unwrap();
        }
        let metrics = Metrics::default();
        let objects = Objects::new(Arc::clone(&store) as _, "a", "memory".to_owned(), metrics.clone());
        let recordings = Recordings::new(directory.join("recordings"), SampleRate::EAR)
            .with_objects(Some(objects.clone()));
        let account = storage.accounts.default_account(AccountId(Uuid::from_u128(1)), at(0)).await.unwrap();
        let journals = Journals {
            directory: directory.join("journals"),
            flush_interval: Duration::from_secs(1),
            user_text: UserText::Keep,
        };
        let files = Files {
            journals: Some(journals),
            recordings: Some(recordings.clone()),
            objects: Some(objects.clone()),
            ..Files::default()
        };
        let config = Config { transcription: TranscriptionConfig::None, ..Config::default() };
        let backends = Arc::new(config.build_backends().unwrap());
        let calls = Calls::with_files(
            config::Calls::default(),
            config::TurnTaking::default(),
            files,
            Outbound::new(&config::Outbound::default()),
            Arc::clone(&backends),
            storage.clone(),
            Retrieval::new(storage.clone(), None),
        );
        Self { directory, store, objects, metrics, storage, calls, recordings, account, backends }
    }

    pub(crate) fn hand_over(&self) -> HandOver {
        let place = |kind, part| Place { kind, directory: self.directory.join(part) };
        HandOver::new(
            self.objects.clone(),
            self.calls.clone(),
            self.storage.clone(),
            self.recordings.clone(),
            vec![
                place(Kind::Journal, "journals"),
                place(Kind::Recording, "recordings"),
                place(Kind::Sample, "voices"),
            ],
        )
    }

    /// A call that the store knows and that goes on, elsewhere or nowhere.
    pub(crate) async fn going_on(&self) -> CallId {
        self.asking(StartCallRequest::default()).await
    }

    /// The same, with a request of its own.
    pub(crate) async fn asking(&self, request: StartCallRequest) -> CallId {
        let call = StoredCall {
            id: CallId::new(Uuid::new_v4()),
            account: self.account,
            created: at(0),
            joined: Some(at(1)),
            ended: None,
            client_version: None,
            greeting_prompt: false,
            agent: None,
            summary: None,
            request,
        };
        self.storage.calls.insert(&call).await.unwrap();
        call.id
    }

    pub(crate) async fn end(&self, call: CallId) {
        assert!(self.storage.calls.mark_ended(call, at(2), EndReason::HangUp).await.unwrap());
    }

    /// A call that has ended and left a recording and a journal.
    pub(crate) async fn ended(&self) -> CallId {
        let call = self.going_on().await;
        self.end(call).await;
        self.record(call, "wav", 1);
        std::fs::write(self.directory.join(format!("journals/{call}.journal")), "what happened").unwrap();
        call
    }

    /// Writes a recording of so many seconds, whose samples count.
    pub(crate) fn record(&self, call: CallId, extension: &str, seconds: u32) {
        let path = self.directory.join(format!("recordings/{call}.{extension}"));
        let file = std::fs::File::create(path).unwrap();
        let mut wav = WavWriter::new(file, SampleRate::EAR, Channels::Stereo).unwrap();
        let samples: Vec<i16> = (0..seconds * 32_000).map(|sample| sample as i16).collect();
        for piece in samples.chunks(32_000) {
            wav.write(piece).unwrap();
        }
        wav.finish().unwrap();
    }

    /// What lies here.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        for part in ["journals", "recordings", "voices"] {
            for file in std::fs::read_dir(self.directory.join(part)).unwrap() {
                names.push(format!("{part}/{}", file.unwrap().file_name().into_string().unwrap()));
            }
        }
        names.sort();
        names
    }

    /// The recording of a call, from wherever it is read.
    pub(crate) async fn heard(&self, call: CallId) -> Option<Vec<u8>> {
        let recorded = self.recordings.open(call).await.unwrap()?;
        let pieces: Vec<_> = recorded.bytes(0..u64::MAX).await.unwrap().try_collect().await.unwrap();
        Some(pieces.concat())
    }

    pub(crate) fn figure(&self, name: &str) -> Option<u64> {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// So many seconds after the beginning of time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
}
