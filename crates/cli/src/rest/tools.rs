//! `antiphon tools`: tools that last.

use std::io::Write as _;
use std::path::PathBuf;

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::rest::tools::{
    CreateTool, DeleteTool, ListToolHistory, ListTools, ReadTool, TestTool, Tool, ToolRequest, UpdateTool,
};
use antiphon_api::{Page, ToolId};
use antiphon_client::rest::Form;
use clap::Subcommand;

use super::body::{Body, typed};
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon tools list --ownership private
  antiphon tools create --file weather.json
  antiphon tools create --openapi petstore.yaml
  antiphon tools update ID --set definition.timeout=5s
  antiphon tools test ID --set city=Bern")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List tools, the account's own and the built-in ones.
    List {
        /// Only those in whose name or description this is.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those of the account, or those of everybody: private, public.
        #[arg(long, value_name = "WHOSE")]
        ownership: Option<String>,
        /// alphabetic, reverseAlphabetic, chronologic, reverseChronologic, display, default.
        #[arg(long, value_name = "ORDER")]
        sort: Option<String>,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a tool.
    Get {
        /// The tool.
        id: ToolId,
    },
    /// Create a tool, or one for each operation of an OpenAPI document.
    Create {
        /// The OpenAPI document, JSON or YAML.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "fields"])]
        openapi: Option<PathBuf>,
        #[command(flatten)]
        body: Body,
    },
    /// Change a tool: a file replaces it, --set changes single fields.
    Update {
        /// The tool.
        id: ToolId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete tools. Calls that have them keep them.
    Delete {
        /// The tools.
        #[arg(required = true)]
        ids: Vec<ToolId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Run a tool with the arguments of the body, and print what it answers.
    Test {
        /// The tool.
        id: ToolId,
        #[command(flatten)]
        body: Body,
    },
    /// List the calls that had a tool, newest first.
    History {
        /// The tool.
        id: ToolId,
        #[command(flatten)]
        extent: Extent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { search, ownership, sort, extent } => {
            let query =
                Query::new().with("search", search).with("ownership", ownership).with("sortOrder", sort);
            session.list(ListTools, &(), query, &extent, columns::TOOLS, "tools").await
        }
        Command::Get { id } => session.read(ReadTool, &id).await,
        Command::Create { openapi: None, body } => session.write(CreateTool, &(), &body).await,
        Command::Create { openapi: Some(path), .. } => {
            let form = Form::new().file("file", path).await?;
            let made: Page<Tool> = session.client.send_form(CreateTool, &(), form).await?;
            Ok(session.printer.list(columns::TOOLS).items(&made.results)?)
        }
        Command::Update { id, body } => {
            body.insist()?;
            // The API replaces tools as a whole, so that what is not said has to be what it was.
            let known = session.client.send(ReadTool, &id, &NoQuery, &NoBody).await?;
            let known = ToolRequest { name: known.name, definition: known.definition };
            let known = serde_json::to_value(&known).expect("wire types have string keys");
            session.send(UpdateTool, &id, &typed(&body.value(known)?)?).await
        }
        Command::Delete { ids, consent } => session.remove(DeleteTool, &ids, "tool", consent).await,
        Command::Test { id, body } => {
            let answer = session.client.send_raw(TestTool, &id, &NoQuery, &body.read()?).await?;
            let mut out = std::io::stdout().lock();
            out.write_all(&answer.body)?;
            if !answer.body.ends_with(b"\n") {
                writeln!(out)?;
            }
            Ok(out.flush()?)
        }
        Command::History { id, extent } => {
            session.list(ListToolHistory, &id, Query::new(), &extent, columns::TOOL_HISTORY, "calls").await
        }
    }
}
