//! The HTTP interface. The path of a file is the path of its URL; a file holds one operation.
//!
//! Requests and answers are the api crate's endpoints, so that server and client cannot disagree. What a call does is the call
//! side's business: nothing here knows a conversation.

mod accounts;
mod agents;
mod answer;
mod api_keys;
mod auth;
mod call_throttles;
mod calls;
mod corpora;
mod corpus_uploads;
mod deleted_calls;
#[cfg(feature = "echo-route")]
mod echo;
mod error;
mod health;
mod join;
mod limits;
mod merge;
mod metrics;
mod models;
mod page;
mod patch;
mod range;
mod request;
mod router;
mod schema;
mod sip;
mod slow_bodies;
mod telephony_configs;
mod tools;
mod trace;
mod voice_preview;
mod voices;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_backends::registry::Backends;

use crate::call::live::Calls;
use crate::call::recording::Recordings;
use crate::call::voices::samples::Samples;
use crate::config::{self, PublicUrl, Server};
use crate::current::Current;
use crate::outbound::Outbound;
use crate::retrieval::Retrieval;
use crate::storage::Storage;

pub(crate) use auth::ConfiguredKey;
pub(crate) use limits::RequestLimits;
pub(crate) use metrics::figures;
pub(crate) use router::router;
pub(crate) use schema::Documents;

/// What every handler may use. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http(Arc<Shared>);

/// What is built once for all requests.
pub(crate) struct Shared {
    /// Everything that is kept.
    pub(crate) storage: Storage,
    /// The way to what users have the server dial.
    pub(crate) outbound: Outbound,
    /// What calls sounded like.
    pub(crate) recordings: Recordings,
    /// What cloned voices were cloned from.
    pub(crate) samples: Samples,
    /// The way to what is in corpora.
    pub(crate) retrieval: Retrieval,
    /// The configuration's `[retrieval]` section.
    pub(crate) corpora: config::Retrieval,
    /// The calls in progress.
    pub(crate) calls: Calls,
    /// The configuration's keys.
    pub(crate) configured_keys: Current<Vec<ConfiguredKey>>,
    /// How many requests an account may make.
    pub(crate) limits: RequestLimits,
    /// The base of all URLs that clients are given.
    pub(crate) public_url: PublicUrl,
    /// The configuration's `[server]` section.
    pub(crate) server: Server,
    /// The API's description of itself, once somebody has asked for it.
    pub(crate) documents: Documents,
    /// Whether the server takes new calls: false once it was told to stop.
    pub(crate) ready: AtomicBool,
}

impl Http {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Stops being ready: load balancers then send nothing new here.
    pub(crate) fn retire(&self) {
        self.0.ready.store(false, Ordering::Relaxed);
    }

    /// What thinks and speaks now; a reload of the configuration may put others in its place.
    fn backends(&self) -> Arc<Backends> {
        self.0.calls.backends()
    }

    fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Relaxed)
    }
}

impl std::ops::Deref for Http {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
