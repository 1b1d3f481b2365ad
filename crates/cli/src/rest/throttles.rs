//! `antiphon throttles`: how many calls may be created within a time.

use antiphon_api::ThrottleId;
use antiphon_api::rest::call_throttles::{
    CreateThrottle, DeleteThrottle, ListThrottles, ReadThrottle, UpdateThrottle,
};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon throttles create --set name=calm --set 'rules=[{\"maxCalls\": 10, \"windowSeconds\": 60}]'
  antiphon throttles update ID --set 'rules=[{\"maxCalls\": 5, \"windowSeconds\": 60}]'
  antiphon calls create --throttle calm")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List throttles.
    List {
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a throttle.
    Get {
        /// The throttle.
        id: ThrottleId,
    },
    /// Create a throttle.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Change a throttle. What it has counted still counts.
    Update {
        /// The throttle.
        id: ThrottleId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete throttles.
    Delete {
        /// The throttles.
        #[arg(required = true)]
        ids: Vec<ThrottleId>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { extent } => {
            session.list(ListThrottles, &(), Query::new(), &extent, columns::THROTTLES, "throttles").await
        }
        Command::Get { id } => session.read(ReadThrottle, &id).await,
        Command::Create { body } => session.write(CreateThrottle, &(), &body).await,
        Command::Update { id, body } => session.change(UpdateThrottle, &id, &body).await,
        Command::Delete { ids, consent } => session.remove(DeleteThrottle, &ids, "throttle", consent).await,
    }
}
