//! The server as a whole: builds the parts once, serves, and stops gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use antiphon_api::Timestamp;
use antiphon_backends::registry::{BackendError, Backends};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::api_key::{ApiKey, NoRandomness};
use crate::call::journal::{Journals, UserText};
use crate::call::live::{Calls, Files};
use crate::call::recording::Recordings;
use crate::call::voices::samples::Samples;
use crate::config::{self, Config, KeyError, PublicUrl};
use crate::http::{Documents, Http, Shared, router};
use crate::jobs::retention::{self, Keeping, Kind};
use crate::outbound::Outbound;
use crate::probes::{self, Book};
use crate::storage::{AccountId, OpenError, Storage, StorageError, StoredKey};
use crate::telemetry::traces::{Traces, TracesError};

/// How long requests in progress may take once all calls have ended.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// The server.
pub struct App;

/// A server that runs. Dropping it without [`Running::stop`] leaves its calls to the next start.
pub struct Running {
    local_addr: SocketAddr,
    public_url: PublicUrl,
    api_key_made: Option<ApiKey>,
    http: Http,
    drain_deadline: Duration,
    traces: Option<Traces>,
    close: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
    sweeping: JoinHandle<()>,
    probing: JoinHandle<()>,
}

/// Why a server does not start. All are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A backend cannot be made.
    #[error("the configuration's backends cannot be made: {0}")]
    Backend(#[from] BackendError),
    /// A configured key cannot be used.
    #[error("the API key \"{name}\" of the configuration cannot be used: {source}")]
    ConfiguredKey {
        /// What the key is called.
        name: String,
        /// Why.
        source: KeyError,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; stop what is listening there, or set server.listen to another address"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no randomness for a first key.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Spans cannot be sent as configured.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The database can be opened and fails.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl App {
    /// Builds all parts and starts to serve. On the first start without a configured key, makes one.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let backends = config.build_backends()?;
        Self::start_with(config, backends).await
    }

    /// The same with backends of the caller's own in the place of the configured ones.
    pub async fn start_with(config: Config, backends: Backends) -> Result<Running, StartError> {
        let Config {
            server,
            auth,
            storage,
            recordings,
            calls,
            turn_taking,
            journal,
            outbound,
            telemetry,
            ..
        } = config;
        let keeping = vec![
            Keeping {
                what: Kind::Journal,
                directory: journal.directory(&storage),
                keep: journal.keep,
                maximum_bytes: journal.maximum_bytes,
            },
            Keeping {
                what: Kind::Recording,
                directory: recordings.directory(&storage),
                keep: recordings.keep,
                maximum_bytes: recordings.maximum_bytes,
            },
        ];
        let journals = journals(&journal, &storage);
        let recordings = Recordings::new(recordings.directory(&storage), recordings.rate());
        let samples = Samples::new(storage.voice_samples());
        let mut configured_keys = Vec::with_capacity(auth.api_keys.len());
        for key in auth.api_keys {
            match key.hash() {
                Ok(hash) => configured_keys.push(hash),
                Err(source) => return Err(StartError::ConfiguredKey { name: key.name, source }),
            }
        }
        let traces = Traces::start(&telemetry)?;
        // Before anything is written: a key that is made is shown only by a server that starts.
        let unbound = |source| StartError::Listen { address: server.listen, source };
        let listener = TcpListener::bind(server.listen).await.map_err(unbound)?;
        let local_addr = listener.local_addr().map_err(unbound)?;

        let known = Book::beside(&storage.path);
        let storage = Storage::open_sqlite(&storage.path).await?;
        let now = now();
        let default_account = storage.accounts.default_account(AccountId(Uuid::new_v4()), now).await?;
        let api_key_made = match configured_keys.is_empty() && !storage.keys.any_valid().await? {
            true => Some(make_key(&storage, default_account, now).await?),
            false => None,
        };

        let public_url = server.public_url.clone().unwrap_or_else(|| PublicUrl::listening_on(local_addr));
        let drain_deadline = server.drain_deadline;
        let files = Files {
            journals,
            recordings: Some(recordings.clone()),
            traces: traces.clone(),
            samples: Some(samples.clone()),
        };
        let outbound = Outbound::new(&outbound);
        let backends = Arc::new(backends);
        let running_calls =
            Calls::with_files(calls, turn_taking, files, outbound.clone(), backends.clone(), storage.clone());
        running_calls.recover().await?;
        let probing = tokio::spawn(probes::find_out(known, backends.subjects.clone()));
        let sweeping = tokio::spawn(retention::run(running_calls.clone(), storage.clone(), keeping));
        let http = Http::new(Shared {
            backends,
            calls: running_calls.clone(),
            outbound,
            storage,
            recordings,
            samples,
            configured_keys,
            default_account,
            public_url: public_url.clone(),
            server,
            documents: Documents::default(),
            ready: AtomicBool::new(true),
        });
        // Audio comes in small pieces, and each should leave at once.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps Nagle's algorithm");
            }
        });
        let (close, closed) = oneshot::channel();
        let serve = axum::serve(listener, router(http.clone())).with_graceful_shutdown(async {
            // Dropped without a word means the same.
            let _ = closed.await;
        });
        let serving = tokio::spawn(async { serve.await });
        tracing::info!(address = %local_addr, public_url = %public_url, "listening on {local_addr}");
        Ok(Running {
            local_addr,
            public_url,
            api_key_made,
            http,
            drain_deadline,
            traces,
            close,
            serving,
            sweeping,
            probing,
        })
    }
}

impl Running {
    /// The address that the server listens on, with the port it really has.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The base of the URLs that clients are given.
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The key that was made on this start, if one was: the only moment in which it can be shown.
    pub fn api_key_made(&self) -> Option<&ApiKey> {
        self.api_key_made.as_ref()
    }

    /// Stops: first says that it is not ready and takes no new calls, then ends the calls there are, at the latest after the
    /// configured deadline, then finishes the requests in progress and closes the database.
    pub async fn stop(self) {
        let Self { http, drain_deadline, traces, close, mut serving, sweeping, probing, .. } = self;
        http.retire();
        sweeping.abort();
        probing.abort();
        tracing::info!(deadline_s = drain_deadline.as_secs(), "stopping: no new calls");
        http.calls.shut_down(drain_deadline).await;
        let _ = close.send(());
        if let Some(traces) = traces {
            traces.shut_down().await;
        }
        if tokio::time::timeout(LAST_REQUESTS, &mut serving).await.is_err() {
            tracing::warn!("some requests did not finish in time");
            serving.abort();
        }
        http.storage.close().await;
        tracing::info!("stopped");
    }
}

/// How calls keep journals, if they do.
fn journals(journal: &config::Journal, storage: &config::Storage) -> Option<Journals> {
    journal.enabled.then(|| Journals {
        directory: journal.directory(storage),
        flush_interval: journal.flush_interval,
        user_text: match journal.user_text {
            config::UserTextChoice::Keep => UserText::Keep,
            config::UserTextChoice::Omit => UserText::Omit,
        },
    })
}

async fn make_key(storage: &Storage, account: AccountId, now: Timestamp) -> Result<ApiKey, StartError> {
    loop {
        let key = ApiKey::generate()?;
        let stored = StoredKey {
            prefix: key.prefix().to_owned(),
            account,
            name: "made on the first start".to_owned(),
            hash: key.hash(),
            created: now,
            revoked: None,
        };
        if storage.keys.insert(&stored).await? {
            return Ok(key);
        }
    }
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}
