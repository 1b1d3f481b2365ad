//! The server as a whole: builds the parts once, serves, and stops gracefully.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use antiphon_api::Timestamp;
use antiphon_backends::registry::{BackendError, Backends};
use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api_key::{ApiKey, KeyHash};
use crate::call::journal::{Journals, UserText};
use crate::call::limits::CallLimits;
use crate::call::live::{Calls, Files};
use crate::call::recording::Recordings;
use crate::call::summary::Summarizer;
use crate::call::voices::samples::Samples;
use crate::config::{self, Config, KeyError, PublicUrl};
use crate::connections::Connections;
use crate::http::{ConfiguredKey, Documents, Http, RequestLimits, Shared, figures, router};
use crate::jobs::Clock;
use crate::jobs::batches::Scheduler;
use crate::jobs::endings::Endings;
use crate::jobs::loading::Loading;
use crate::jobs::retention::{self, Keeping, Kind};
use crate::jobs::webhooks::Dispatcher;
use crate::outbound::Outbound;
use crate::probes::{self, Book};
use crate::retrieval::Retrieval;
use crate::storage::{AccountId, DEFAULT_ACCOUNT, MakeKeyError, NewKey, OpenError, Storage, StorageError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{Traces, TracesError};

/// How long calls that had to end may take to say so and to write it down: a little more than they wait for the user's last words.
const LAST_RECORDS: Duration = Duration::from_secs(5);
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
    connections: Connections,
    router: Router,
    /// Where figures are, if they are anywhere.
    figures: Option<(SocketAddr, JoinHandle<io::Result<()>>)>,
    /// What goes on beside everything else, and may stop at any time.
    sweeping: [JoinHandle<()>; 3],
    /// What creates the calls of batches.
    scheduling: (CancellationToken, JoinHandle<()>),
    /// What is done when calls have ended, in the order in which it stops.
    aftermath: [(CancellationToken, JoinHandle<()>); 2],
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
    /// The address of the figures cannot be listened on.
    #[error(
        "cannot listen on {address} for metrics: {source}; set telemetry.metrics_listen to another address, or leave it out"
    )]
    ListenForMetrics {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A configured key names an account that is not there.
    #[error(
        "the API key \"{key}\" of the configuration is of the account \"{account}\", which is not there; make it with \
         `antiphon accounts create {account}`, or add it to auth.accounts"
    )]
    NoAccount {
        /// What the key is called.
        key: String,
        /// What the account is called.
        account: String,
    },
    /// There is no first key.
    #[error(transparent)]
    FirstKey(#[from] MakeKeyError),
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
        let embeddings = config.build_embeddings()?;
        let Config {
            server,
            auth,
            storage,
            recordings,
            calls,
            connections,
            limits,
            retrieval,
            turn_taking,
            journal,
            outbound,
            telemetry,
            webhooks,
            summaries,
            models,
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
        let hashes = hashes(&auth)?;
        let samples = Samples::new(storage.voice_samples());
        samples.forget_uploads();
        let traces = Traces::start(&telemetry)?;
        // Before anything is written: a key that is made is shown only by a server that starts.
        let unbound = |source| StartError::Listen { address: server.listen, source };
        let listener = TcpListener::bind(server.listen).await.map_err(unbound)?;
        let local_addr = listener.local_addr().map_err(unbound)?;

        let listener_of_figures = match telemetry.metrics_listen {
            Some(address) => {
                let unbound = |source| StartError::ListenForMetrics { address, source };
                let listener = TcpListener::bind(address).await.map_err(unbound)?;
                let address = listener.local_addr().map_err(unbound)?;
                Some((listener, address))
            }
            None => None,
        };
        let metrics = Metrics::default();

        let known = Book::beside(&storage.path);
        let storage = Storage::open_sqlite(&storage.path).await?;
        let now = now();
        let default_account = storage.accounts.default_account(AccountId::random(), now).await?;
        let mut own_limits = HashMap::new();
        for account in &auth.accounts {
            let id = storage.accounts.ensure_account(&account.name, AccountId::random(), now).await?;
            own_limits.insert(id, limits.with(account.limits));
        }
        let configured_keys = configured_keys(&storage, auth, hashes).await?;
        let api_key_made = match configured_keys.is_empty() && !storage.keys.any_valid(now).await? {
            true => Some(first_key(&storage, default_account, now).await?),
            false => None,
        };

        let public_url = server.public_url.clone().unwrap_or_else(|| PublicUrl::listening_on(local_addr));
        let drain_deadline = server.drain_deadline;
        let files = Files {
            journals,
            recordings: Some(recordings.clone()),
            traces: traces.clone(),
            samples: Some(samples.clone()),
            metrics: metrics.clone(),
        };
        let outbound = Outbound::new(&outbound);
        let backends = Arc::new(backends);
        let corpora = retrieval;
        let retrieval = Retrieval::new(storage.clone(), embeddings);
        let running_calls = Calls::with_files(
            calls,
            turn_taking,
            files,
            outbound.clone(),
            backends.clone(),
            storage.clone(),
            retrieval.clone(),
        )
        .limited(CallLimits::new(limits, own_limits.clone()));
        running_calls.recover().await?;
        let probing = tokio::spawn(probes::find_out(known, backends.subjects.clone()));
        let loading = Loading::new(storage.clone(), retrieval.clone(), outbound.clone(), corpora.clone());
        let clock: Clock = Arc::new(self::now);
        let courier = Arc::new(outbound.clone());
        let scheduler = Scheduler::new(
            running_calls.clone(),
            storage.clone(),
            courier.clone(),
            public_url.clone(),
            Arc::clone(&clock),
        );
        let no_batches = CancellationToken::new();
        let scheduling = (no_batches.clone(), tokio::spawn(scheduler.run(no_batches)));
        let dispatcher = Dispatcher::new(storage.clone(), courier, public_url.clone(), Arc::clone(&clock));
        let rules = summaries.clone();
        let summarizer = Arc::new(Summarizer::new(
            backends.clone(),
            storage.clone(),
            summaries.model.as_deref(),
            move |model| rules.sums_up(model, &models),
        ));
        let endings = Endings::new(running_calls.clone(), storage.clone(), summarizer, summaries, clock);
        let sweeping = [
            tokio::spawn(retention::run(running_calls.clone(), storage.clone(), keeping)),
            tokio::spawn(dispatcher.clone().keep_log(webhooks.keep_log)),
            tokio::spawn(loading.run()),
        ];
        let (no_endings, no_webhooks) = (CancellationToken::new(), CancellationToken::new());
        let aftermath = [
            (no_endings.clone(), tokio::spawn(endings.run(no_endings))),
            (no_webhooks.clone(), tokio::spawn(dispatcher.run(no_webhooks))),
        ];
        let http = Http::new(Shared {
            backends,
            retrieval,
            corpora,
            calls: running_calls.clone(),
            outbound,
            storage,
            recordings,
            samples,
            configured_keys,
            limits: RequestLimits::new(limits, own_limits),
            public_url: public_url.clone(),
            server,
            documents: Documents::default(),
            ready: AtomicBool::new(true),
        });
        let router = router(http.clone(), connections.body_timeout);
        let connections = Connections::new(connections, room_for(connections.maximum), metrics.clone());
        tokio::spawn(connections.clone().accept(listener, router.clone()));
        let figures = listener_of_figures.map(|(listener, address)| {
            tracing::info!(%address, "figures are at http://{address}/metrics");
            let serve = axum::serve(listener, figures(metrics));
            (address, tokio::spawn(async { serve.await }))
        });
        tracing::info!(address = %local_addr, public_url = %public_url, "listening on {local_addr}");
        Ok(Running {
            local_addr,
            public_url,
            api_key_made,
            http,
            drain_deadline,
            traces,
            connections,
            router,
            figures,
            sweeping,
            scheduling,
            aftermath,
            probing,
        })
    }
}

impl Running {
    /// The address that the server listens on, with the port it really has.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The address at which figures are, if they are anywhere.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.figures.as_ref().map(|(address, _)| *address)
    }

    /// The base of the URLs that clients are given.
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The key that was made on this start, if one was: the only moment in which it can be shown.
    pub fn api_key_made(&self) -> Option<&ApiKey> {
        self.api_key_made.as_ref()
    }

    /// Serves a stream that came in another way than by the address: over a tunnel, a Unix socket, a pipe. False when there is no
    /// room for it.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> bool {
        self.connections.serve_stream(stream, self.router.clone()).await.is_some()
    }

    /// Stops: first says that it is not ready and takes no new calls, lets those there are go on until the configured deadline at the
    /// latest, ends what is left of them, then finishes the requests in progress and closes the database.
    pub async fn stop(self) {
        let Self {
            http,
            drain_deadline,
            traces,
            connections,
            figures,
            sweeping,
            scheduling,
            aftermath,
            probing,
            ..
        } = self;
        http.retire();
        let (no_batches, scheduling) = scheduling;
        no_batches.cancel();
        for sweeping in sweeping {
            sweeping.abort();
        }
        probing.abort();
        let (calls, deadline_s) = (http.calls.count(), drain_deadline.as_secs());
        tracing::info!(
            calls,
            deadline_s,
            "stopping: no new calls, and those there are may end by themselves"
        );
        http.calls.drain(drain_deadline).await;
        http.calls.shut_down(LAST_RECORDS).await;
        // It has ended meanwhile, or does so soon.
        let _ = scheduling.await;
        // Nothing new comes from now on; who is being answered has until the end of what follows.
        let closing = tokio::spawn(async move { connections.close().await });
        for (stop, job) in aftermath {
            stop.cancel();
            // It ends by itself, soon.
            let _ = job.await;
        }
        if let Some(traces) = traces {
            traces.shut_down().await;
        }
        if tokio::time::timeout(LAST_REQUESTS, closing).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        if let Some((_, figures)) = figures {
            figures.abort();
        }
        http.storage.close().await;
        tracing::info!("stopped");
    }
}

/// How many connections this process has file descriptors for: a quarter of them is left to everything else.
fn room_for(wanted: usize) -> usize {
    let Some(files) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current else {
        return wanted;
    };
    let room = usize::try_from(files / 4 * 3).unwrap_or(usize::MAX).max(1);
    if room < wanted {
        tracing::warn!(
            files,
            "this process may open {files} files, so there can be {room} connections instead of {wanted}; raise its limit \
             (LimitNOFILE of systemd, `ulimit -n`), or lower connections.maximum"
        );
    }
    room
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

/// The hashes of the configuration's keys, in its order.
fn hashes(auth: &config::Auth) -> Result<Vec<KeyHash>, StartError> {
    let hash = |key: &config::ConfiguredKey| {
        key.hash().map_err(|source| StartError::ConfiguredKey { name: key.name.clone(), source })
    };
    auth.api_keys.iter().map(hash).collect()
}

/// The configuration's keys, each with the account that it opens.
async fn configured_keys(
    storage: &Storage,
    auth: config::Auth,
    hashes: Vec<KeyHash>,
) -> Result<Vec<ConfiguredKey>, StartError> {
    let mut keys = Vec::with_capacity(hashes.len());
    for (key, hash) in auth.api_keys.into_iter().zip(hashes) {
        let name = key.account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        let Some(account) = storage.accounts.account_named(name).await? else {
            return Err(StartError::NoAccount { key: key.name, account: name.to_owned() });
        };
        keys.push(ConfiguredKey { name: key.name, hash, account: account.id });
    }
    Ok(keys)
}

async fn first_key(storage: &Storage, account: AccountId, now: Timestamp) -> Result<ApiKey, StartError> {
    let name = "made on the first start".to_owned();
    let (key, _) = storage.make_key(NewKey { account, name, creator: None, expires: None }, now).await?;
    Ok(key)
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}
