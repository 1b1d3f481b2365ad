//! Calls: from the request that creates one to the record that it leaves.
//!
//! [`live`] knows the calls in progress, `run` drives one of them, and everything else in here is a part of that: the way in
//! (`ear`) and out (`mouth`), the work of backends, the words of the wire, the record. Knows no HTTP and no socket, but for the one
//! that it dials itself (`data_connection`); clients arrive through a [`leg`].

mod account_limits;
pub mod agents;
mod backlog;
mod callbacks;
mod clips;
mod corpora;
mod data_connection;
mod dictation;
mod ear;
mod handover;
mod inheritance;
pub mod journal;
mod lasting_tools;
pub mod leg;
pub mod limits;
pub mod live;
pub(crate) mod messages;
mod mouth;
pub mod parts;
mod record;
pub mod recording;
pub(crate) mod resource;
mod run;
pub(crate) mod setup;
mod spans;
pub(crate) mod stages;
pub mod summary;
mod threads;
pub mod voices;
pub mod waterfall;
pub(crate) mod wire;
mod witness;
mod work;

pub use account_limits::AccountLimits;
pub use backlog::Received;
pub use live::{Calls, CreateError, CreateOptions, DeleteError, NotActive, RequestError};
pub use run::Join;
pub use setup::{SetupError, model_names};
pub use stages::{first_stage, last_stage_of, stages_of};

use antiphon_engine::output::Severity;

fn severity(severity: Severity) -> crate::storage::Severity {
    match severity {
        Severity::Debug => crate::storage::Severity::Debug,
        Severity::Info => crate::storage::Severity::Info,
        Severity::Warning => crate::storage::Severity::Warning,
        Severity::Error => crate::storage::Severity::Error,
    }
}
