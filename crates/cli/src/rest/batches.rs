//! `antiphon batches`: calls of an agent that the server creates by itself.

use antiphon_api::rest::scheduled_batches::{
    CreateBatch, DeleteBatch, ListBatches, ListCreatedCalls, ListScheduledCalls, ReadBatch, UpdateBatch,
};
use antiphon_api::{AgentId, BatchId};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon batches create AGENT --file calls.json --set throttle=calm
  antiphon batches get AGENT BATCH                     how far it is
  antiphon batches calls AGENT BATCH --status ERROR
  antiphon batches update AGENT BATCH --set paused=true")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the batches of an agent, newest first.
    List {
        /// The agent.
        agent: AgentId,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a batch.
    Get {
        /// The agent.
        agent: AgentId,
        /// The batch.
        batch: BatchId,
    },
    /// Create a batch. Its first call is created as soon as its window begins.
    Create {
        /// The agent.
        agent: AgentId,
        #[command(flatten)]
        body: Body,
    },
    /// Change a batch: what the body says is merged into what it is, and null clears a field. Its calls cannot be changed.
    Update {
        /// The agent.
        agent: AgentId,
        /// The batch.
        batch: BatchId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete batches with those of their calls that are not created.
    Delete {
        /// The agent.
        agent: AgentId,
        /// The batches.
        #[arg(required = true)]
        batches: Vec<BatchId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the calls of a batch and what became of each.
    Calls {
        /// The agent.
        agent: AgentId,
        /// The batch.
        batch: BatchId,
        /// Only calls of which this became: FUTURE, PENDING, SUCCESS, EXPIRED, ERROR.
        #[arg(long, value_name = "STATUS", conflicts_with = "created")]
        status: Option<String>,
        /// The calls that were created, as `antiphon calls list` shows them.
        #[arg(long)]
        created: bool,
        #[command(flatten)]
        extent: Extent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { agent, extent } => {
            session.list(ListBatches, &agent, Query::new(), &extent, columns::BATCHES, "batches").await
        }
        Command::Get { agent, batch } => session.read(ReadBatch, &(agent, batch)).await,
        Command::Create { agent, body } => session.write(CreateBatch, &agent, &body).await,
        Command::Update { agent, batch, body } => session.change(UpdateBatch, &(agent, batch), &body).await,
        Command::Delete { agent, batches, consent } => {
            let path = |batch: &BatchId| (agent, *batch);
            session.remove_within(DeleteBatch, &batches, path, "batch", consent).await
        }
        Command::Calls { agent, batch, created: true, extent, .. } => {
            let (path, calls) = ((agent, batch), columns::CALLS);
            session.list(ListCreatedCalls, &path, Query::new(), &extent, calls, "created calls").await
        }
        Command::Calls { agent, batch, status, created: false, extent } => {
            let (path, query) = ((agent, batch), Query::new().with("status", status));
            let calls = columns::SCHEDULED_CALLS;
            session.list(ListScheduledCalls, &path, query, &extent, calls, "scheduled calls").await
        }
    }
}
