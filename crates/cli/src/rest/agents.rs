//! `antiphon agents`: definitions that calls are created from.

use antiphon_api::AgentId;
use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::agents::{
    AgentUsage, CreateAgent, DeleteAgent, ListAgentCalls, ListAgentUsage, ListAgents, ReadAgent,
    StartAgentCall, StartAgentCallQuery, UpdateAgent,
};
use clap::Subcommand;
use serde_json::json;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon agents list --search support
  antiphon agents create --set name=Baker --set callTemplate.systemPrompt=@prompt.txt
  antiphon agents update ID --set callTemplate.voice=kal
  antiphon agents start ID --set templateContext.customer=Anna --json | jq -r .joinUrl")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List agents, newest first.
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show an agent.
    Get {
        /// The agent.
        id: AgentId,
    },
    /// Create an agent.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Change an agent: what the body says is merged into what it is, and null clears a field.
    Update {
        /// The agent.
        id: AgentId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete agents. Their calls stay.
    Delete {
        /// The agents.
        #[arg(required = true)]
        ids: Vec<AgentId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the calls of an agent, newest first.
    Calls {
        /// The agent.
        id: AgentId,
        #[command(flatten)]
        extent: Extent,
    },
    /// Create a call of an agent. Its join URL is what a client joins.
    Start {
        /// The agent.
        id: AgentId,
        #[command(flatten)]
        body: Body,
    },
    /// Sum up the calls of each agent, by the day.
    Usage {
        /// Only calls created on this day or later, such as 2026-11-20.
        #[arg(long, value_name = "DAY")]
        from: Option<String>,
        /// Only calls created on this day or earlier.
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
    },
}

/// Which agents.
#[derive(Debug, clap::Args)]
struct Filters {
    /// Only agents with this in their name.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// What to order by: name, created; with a - before it, backwards.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    sort: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { filters, extent } => {
            let query = Query::new().with("search", filters.search).with("sort", filters.sort);
            session.list(ListAgents, &(), query, &extent, columns::AGENTS, "agents").await
        }
        Command::Get { id } => session.read(ReadAgent, &id).await,
        Command::Create { body } => session.write(CreateAgent, &(), &body).await,
        Command::Update { id, body } => session.change(UpdateAgent, &id, &body).await,
        Command::Delete { ids, consent } => session.remove(DeleteAgent, &ids, "agent", consent).await,
        Command::Calls { id, extent } => {
            session.list(ListAgentCalls, &id, Query::new(), &extent, columns::CALLS, "calls").await
        }
        Command::Start { id, body } => {
            let query = StartAgentCallQuery::default();
            let call = session.client.send(StartAgentCall, &id, &query, &body.read()?).await?;
            Ok(session.printer.resource(&call)?)
        }
        Command::Usage { from, to } => {
            let query = Query::new().with("fromDate", from).with("toDate", to).read()?;
            let usage = session.client.send(ListAgentUsage, &(), &query, &NoBody).await?;
            show_usage(&session, &usage)
        }
    }
}

/// For people, a line for each agent and day.
fn show_usage(session: &Session, usage: &[AgentUsage]) -> anyhow::Result<()> {
    if session.printer.is_json() {
        return Ok(session.printer.list(columns::AGENT_USAGE).items(usage)?);
    }
    let days =
        usage.iter().flat_map(|of| of.usage.iter().map(move |day| json!({"agent": of.agent, "day": day})));
    let days: Vec<_> = days.collect();
    session.printer.list(columns::AGENT_USAGE).items(&days)?;
    if days.is_empty() {
        session.printer.note("there were no calls of agents")?;
    }
    Ok(())
}
