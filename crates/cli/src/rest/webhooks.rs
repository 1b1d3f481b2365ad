//! `antiphon webhooks`: who is told what happens to calls.

use antiphon_api::rest::webhooks::{
    CreateWebhook, DeleteWebhook, ListWebhookDeliveries, ListWebhooks, ReadWebhook, UpdateWebhook,
};
use antiphon_api::{AgentId, WebhookId};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon webhooks create --set url=https://example.com/calls --set 'events=[\"call.ended\"]'
  antiphon webhooks deliveries ID
  antiphon webhooks get ID                  shows what the receiver checks signatures with")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List webhooks, newest first.
    List {
        /// Only those that are limited to this agent.
        #[arg(long, value_name = "AGENT_ID")]
        agent: Option<AgentId>,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a webhook with its secrets and what went wrong last.
    Get {
        /// The webhook.
        id: WebhookId,
    },
    /// Create a webhook. A secret is made if the body has none.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Change a webhook: what the body says is merged into what it is, and null clears a field.
    Update {
        /// The webhook.
        id: WebhookId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete webhooks, and what waits to be delivered to them.
    Delete {
        /// The webhooks.
        #[arg(required = true)]
        ids: Vec<WebhookId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List what was delivered, what waits and what was given up, newest first.
    Deliveries {
        /// The webhook.
        id: WebhookId,
        #[command(flatten)]
        extent: Extent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { agent, extent } => {
            let query = Query::new().with("agentId", agent);
            session.list(ListWebhooks, &(), query, &extent, columns::WEBHOOKS, "webhooks").await
        }
        Command::Get { id } => session.read(ReadWebhook, &id).await,
        Command::Create { body } => session.write(CreateWebhook, &(), &body).await,
        Command::Update { id, body } => session.change(UpdateWebhook, &id, &body).await,
        Command::Delete { ids, consent } => session.remove(DeleteWebhook, &ids, "webhook", consent).await,
        Command::Deliveries { id, extent } => {
            let deliveries = columns::DELIVERIES;
            session.list(ListWebhookDeliveries, &id, Query::new(), &extent, deliveries, "deliveries").await
        }
    }
}
