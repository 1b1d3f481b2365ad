//! The server as a whole: builds the parts once, serves, and stops gracefully.

mod database;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod reload;

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

pub use database::{examine_storage, open_storage};

use crate::api_key::{ApiKey, KeyHash};
use crate::call::AccountLimits;
use crate::call::journal::{Journals, UserText};
use crate::call::limits::CallLimits;
use crate::call::live::{Calls, Files};
use crate::call::recording::Recordings;
use crate::call::summary::Summarizer;
use crate::call::voices::samples::Samples;
use crate::config::{self, Config, Identity, KeyError, PublicUrl, TlsError};
use crate::connections::Connections;
use crate::current::Current;
use crate::http::{ConfiguredKey, Documents, Http, RequestLimits, Shared, figures, router};
use crate::jobs::Clock;
use crate::jobs::batches::Scheduler;
use crate::jobs::endings::Endings;
use crate::jobs::hand_over::{HandOver, Place};
use crate::jobs::lease::Leases;
use crate::jobs::loading::Loading;
use crate::jobs::membership::Membership;
use crate::jobs::retention::{self, Keeping, Kind, stored};
use crate::jobs::webhooks::Dispatcher;
use crate::objects::{self, Objects};
use crate::outbound::Outbound;
use crate::probes::{self, Book};
use crate::retrieval::Retrieval;
use crate::storage::{AccountId, DEFAULT_ACCOUNT, MakeKeyError, NewKey, OpenError, Storage, StorageError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{Traces, TracesError};
use crate::tls::Tls;

/// How long calls that had to end may take to say so and to write it down: a little more than they wait for the user's last words.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// How long the files of the last calls may take on their way to object storage. What is not there then waits for the next start.
const LAST_FILES: Duration = Duration::from_secs(20);
/// How long a job may take to end: a little more than what it has begun may.
const LAST_JOBS: Duration = Duration::from_secs(10);
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
    /// What the server goes by.
    config: Config,
    limits: AccountLimits,
    dispatcher: Dispatcher,
    endings: Endings,
    traces: Option<Traces>,
    connections: Connections,
    tls: Option<Tls>,
    router: Router,
    /// Where figures are, if they are anywhere.
    figures: Option<(SocketAddr, JoinHandle<io::Result<()>>)>,
    /// What goes on beside everything else, and may stop at any time.
    sweeping: Vec<JoinHandle<()>>,
    /// What hands files to object storage, if there is one.
    handing_over: Option<(CancellationToken, JoinHandle<()>)>,
    /// What forgets deliveries that are over.
    forgetting: JoinHandle<()>,
    /// What creates the calls of batches.
    scheduling: (CancellationToken, JoinHandle<()>),
    /// What is done when calls have ended, in the order in which it stops.
    aftermath: [(CancellationToken, JoinHandle<()>); 2],
    /// What makes the server one of several, if it is; it is told first that the server stops.
    node: Option<(Arc<Membership>, CancellationToken, JoinHandle<()>)>,
    probing: JoinHandle<()>,
}

/// Why a server does not start, or does not take up another configuration. All are the operator's to mend.
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
    /// Object storage cannot be used as configured.
    #[error(transparent)]
    Objects(#[from] objects::OpenError),
    /// There is no first key.
    #[error(transparent)]
    FirstKey(#[from] MakeKeyError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Spans cannot be sent as configured.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The certificate or its key cannot be used.
    #[error("server.tls.{field}: {0}", field = .0.field())]
    Tls(#[from] TlsError),
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
        let in_force = config.clone();
        let Config {
            server,
            auth,
            storage,
            recordings,
            objects,
            calls,
            cluster,
            connections,
            limits,
            retrieval,
            turn_taking,
            journal,
            outbound,
            telemetry,
            webhooks,
            summaries,
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
        let metrics = Metrics::default();
        let objects = Objects::open(&objects, metrics.clone())?;
        let places = vec![
            Place { kind: objects::Kind::Journal, directory: journal.directory(&storage) },
            Place { kind: objects::Kind::Recording, directory: recordings.directory(&storage) },
            Place { kind: objects::Kind::Sample, directory: storage.voice_samples() },
        ];
        let journals = journals(&journal, &storage);
        let recordings =
            Recordings::new(recordings.directory(&storage), recordings.rate()).with_objects(objects.clone());
        let tls = server.tls.as_ref().map(identity).transpose()?.map(Tls::new);
        let hashes = hashes(&auth)?;
        let samples = Samples::new(storage.voice_samples(), objects.clone());
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
        let known = Book::of(&storage);
        let storage = open_storage(&storage).await?;
        let now = now();
        let default_account = storage.accounts.default_account(AccountId::random(), now).await?;
        let own_limits = own_limits(&storage, &auth, limits, now).await?;
        let limits = AccountLimits::new(limits, own_limits);
        let configured_keys = configured_keys(&storage, auth, hashes).await?;
        let api_key_made = match configured_keys.is_empty() {
            true => first_key(&storage, default_account, now).await?,
            false => None,
        };

        let public_url = server
            .public_url
            .clone()
            .unwrap_or_else(|| PublicUrl::listening_on(local_addr, server.tls.is_some()));
        let files = Files {
            journals,
            recordings: Some(recordings.clone()),
            traces: traces.clone(),
            samples: Some(samples.clone()),
            objects: objects.clone(),
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
        .limited(CallLimits::new(limits.clone()));
        running_calls.recover().await?;
        let leaving = CancellationToken::new();
        let membership = match &storage.cluster {
            Some(store) => {
                let (calls, jobs) = (running_calls.clone(), Job::ALL.map(Job::name).to_vec());
                let node = Membership::new(calls, Arc::clone(store), cluster, jobs, leaving.clone());
                node.register().await?;
                Some(Arc::new(node))
            }
            None => None,
        };
        let leases = membership.as_ref().map_or_else(Leases::of_one_node, |node| node.leases());
        let done_once = |job: Job| (leases.clone(), job.name());
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
        let (lease, name) = done_once(Job::Batches);
        let schedule = lease.run(name, no_batches.clone(), move |stop| scheduler.clone().run(stop));
        let scheduling = (no_batches, tokio::spawn(schedule));
        let dispatcher = Dispatcher::new(storage.clone(), courier, public_url.clone(), Arc::clone(&clock));
        let summarizer = summarizer(&in_force, backends, &storage);
        let endings = Endings::new(running_calls.clone(), storage.clone(), summarizer, summaries, clock);
        let no_sweeping = CancellationToken::new();
        let (loading_lease, loading_name) = done_once(Job::Loading);
        let (objects_lease, objects_name) = done_once(Job::Objects);
        let mut sweeping = vec![
            // Of this node's own files.
            tokio::spawn(retention::run(running_calls.clone(), storage.clone(), keeping.clone())),
            tokio::spawn(
                loading_lease.run_and_drop(loading_name, no_sweeping.clone(), move || loading.clone().run()),
            ),
        ];
        let mut handing_over = None;
        if let Some(objects) = objects {
            let (shared, record) = (objects.clone(), storage.clone());
            let sweep = move || stored::run(shared.clone(), record.clone(), keeping.clone());
            sweeping.push(tokio::spawn(objects_lease.run_and_drop(objects_name, no_sweeping, sweep)));
            let hand_over =
                HandOver::new(objects, running_calls.clone(), storage.clone(), recordings.clone(), places);
            let stop = CancellationToken::new();
            handing_over = Some((stop.clone(), tokio::spawn(hand_over.run(stop))));
        }
        let forgetting = tokio::spawn(dispatcher.clone().keep_log(webhooks.keep_log));
        let (no_endings, no_webhooks) = (CancellationToken::new(), CancellationToken::new());
        let ((ending_lease, ending_name), (webhook_lease, webhook_name)) =
            (done_once(Job::Endings), done_once(Job::Webhooks));
        let ends = ending_lease.run(ending_name, no_endings.clone(), {
            let endings = endings.clone();
            move |stop| endings.clone().run(stop)
        });
        let tells = webhook_lease.run(webhook_name, no_webhooks.clone(), {
            let dispatcher = dispatcher.clone();
            move |stop| dispatcher.clone().run(stop)
        });
        let aftermath = [(no_endings, tokio::spawn(ends)), (no_webhooks, tokio::spawn(tells))];
        let node = membership.map(|node| {
            let living = Arc::clone(&node);
            (node, leaving, tokio::spawn(async move { living.run().await }))
        });
        let http = Http::new(Shared {
            retrieval,
            corpora,
            calls: running_calls.clone(),
            outbound,
            storage,
            recordings,
            samples,
            configured_keys: Current::new(configured_keys),
            limits: RequestLimits::new(limits.clone()),
            public_url: public_url.clone(),
            server,
            documents: Documents::default(),
            ready: AtomicBool::new(true),
        });
        let router = router(http.clone(), connections.body_timeout);
        let connections = Connections::new(connections, room_for(connections.maximum), metrics.clone())
            .encrypted(tls.clone());
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
            config: in_force,
            limits,
            dispatcher,
            endings,
            traces,
            connections,
            tls,
            router,
            figures,
            sweeping,
            handing_over,
            forgetting,
            scheduling,
            aftermath,
            node,
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
            config,
            traces,
            connections,
            figures,
            sweeping,
            handing_over,
            forgetting,
            scheduling,
            aftermath,
            node,
            probing,
            ..
        } = self;
        http.retire();
        if let Some((_, leaving, _)) = &node {
            leaving.cancel();
        }
        let (no_batches, scheduling) = scheduling;
        no_batches.cancel();
        for sweeping in sweeping {
            sweeping.abort();
        }
        forgetting.abort();
        probing.abort();
        let drain_deadline = config.server.drain_deadline;
        let (calls, deadline_s) = (http.calls.count(), drain_deadline.as_secs());
        tracing::info!(
            calls,
            deadline_s,
            "stopping: no new calls, and those there are may end by themselves"
        );
        http.calls.drain(drain_deadline).await;
        http.calls.shut_down(LAST_RECORDS).await;
        // It has ended meanwhile, or does so soon.
        end(scheduling).await;
        // Nothing new comes from now on; who is being answered has until the end of what follows.
        let closing = tokio::spawn(async move { connections.close().await });
        for (stop, job) in aftermath {
            stop.cancel();
            end(job).await;
        }
        if let Some((node, _, living)) = node {
            living.abort();
            node.leave().await;
        }
        if let Some((stop, mut hand_over)) = handing_over {
            stop.cancel();
            if tokio::time::timeout(LAST_FILES, &mut hand_over).await.is_err() {
                tracing::warn!("some files are not in object storage yet; the next start hands them over");
                hand_over.abort();
            }
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
        if tokio::time::timeout(LAST_RECORDS, http.storage.close()).await.is_err() {
            tracing::warn!("the database could not be closed properly");
        }
        tracing::info!("stopped");
    }
}

/// Waits until a job has ended that was told to, but not for a database that does not answer.
async fn end(mut job: JoinHandle<()>) {
    if tokio::time::timeout(LAST_JOBS, &mut job).await.is_err() {
        tracing::warn!("a job did not end in time");
        job.abort();
    }
}

/// What is done once for all nodes that share a database.
#[derive(Clone, Copy)]
enum Job {
    Batches,
    Endings,
    Loading,
    Objects,
    Webhooks,
}

impl Job {
    const ALL: [Self; 5] = [Self::Batches, Self::Endings, Self::Loading, Self::Objects, Self::Webhooks];

    /// The name of its lease, which all versions of the server have to agree on.
    const fn name(self) -> &'static str {
        match self {
            Self::Batches => "batches",
            Self::Endings => "endings",
            Self::Loading => "loading",
            Self::Objects => "objects",
            Self::Webhooks => "webhooks",
        }
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

/// Makes the accounts that the configuration names, and works out which of them have limits of their own.
async fn own_limits(
    storage: &Storage,
    auth: &config::Auth,
    usual: config::Limits,
    now: Timestamp,
) -> Result<HashMap<AccountId, config::Limits>, StorageError> {
    let mut own = HashMap::new();
    for account in &auth.accounts {
        let id = storage.accounts.ensure_account(&account.name, AccountId::random(), now).await?;
        own.insert(id, usual.with(account.limits));
    }
    Ok(own)
}

/// Reads the certificate and its key, and says what clients will object to.
fn identity(files: &config::Tls) -> Result<Identity, TlsError> {
    let identity = files.identity()?;
    if let Some(doubt) = identity.doubt(now()) {
        tracing::warn!("server.tls.certificate: {doubt}");
    }
    Ok(identity)
}

/// Who sums calls up.
fn summarizer(config: &Config, backends: Arc<Backends>, storage: &Storage) -> Arc<Summarizer> {
    let (rules, models) = (config.summaries.clone(), config.models.clone());
    let model = config.summaries.model.as_deref();
    let sums_up = move |model: &str| rules.sums_up(model, &models);
    Arc::new(Summarizer::new(backends, storage.clone(), model, sums_up))
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

/// The key that is made when nobody could get in otherwise.
async fn first_key(
    storage: &Storage,
    account: AccountId,
    now: Timestamp,
) -> Result<Option<ApiKey>, StartError> {
    let name = "made on the first start".to_owned();
    Ok(storage.make_first_key(NewKey { account, name, creator: None, expires: None }, now).await?)
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}
