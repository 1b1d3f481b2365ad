//! `antiphon account`: the account of the API key, and what it has used.

use antiphon_api::endpoint::NoBody;
use antiphon_api::rest::accounts::{
    ListInvoices, ReadAccount, ReadCallUsage, ReadConcurrency, ReadTtsKeys, UpdateTtsKeys,
};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon account show
  antiphon account usage --from 2026-11-01
  antiphon account concurrency --bucket hour")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the account: how many calls it has, and how many it may have.
    Show,
    /// Show how its keys for providers of voices begin, or set them: --set lmnt=@key.txt; null removes one.
    TtsKeys {
        #[command(flatten)]
        body: Body,
    },
    /// List its invoices, newest first. A server of one's own writes none.
    Invoices {
        #[command(flatten)]
        extent: Extent,
    },
    /// Sum up its calls, by the day.
    Usage {
        /// Only calls created then or later, such as 2026-11-20.
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Only calls created then or earlier.
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
    },
    /// Show how many calls there were at a time.
    Concurrency {
        /// From when on, such as 2026-11-20T08:00:00Z; a day before the end if not given.
        #[arg(long, value_name = "WHEN")]
        from: Option<String>,
        /// Until when; now if not given.
        #[arg(long, value_name = "WHEN")]
        to: Option<String>,
        /// How long each stretch is: minute, 5min, hour, day.
        #[arg(long, value_name = "LENGTH", default_value = "hour")]
        bucket: String,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::Show => session.read(ReadAccount, &()).await,
        Command::TtsKeys { body } if body.is_given() => session.write(UpdateTtsKeys, &(), &body).await,
        Command::TtsKeys { .. } => session.read(ReadTtsKeys, &()).await,
        Command::Invoices { extent } => {
            session.list(ListInvoices, &(), Query::new(), &extent, columns::INVOICES, "invoices").await
        }
        Command::Usage { from, to } => {
            let query = Query::new().with("fromDate", from).with("toDate", to).read()?;
            let usage = session.client.send(ReadCallUsage, &(), &query, &NoBody).await?;
            if session.printer.is_json() {
                return Ok(session.printer.resource(&usage)?);
            }
            session.printer.list(columns::CALL_USAGE).items(&usage.daily)?;
            let all = &usage.all_time;
            let minutes = all.billed_minutes;
            Ok(session.printer.note(&format!("{} calls, {minutes} minutes in all", all.total_count))?)
        }
        Command::Concurrency { from, to, bucket } => {
            let query = Query::new().with("start", from).with("end", to).with("bucket", [bucket]).read()?;
            let usage = session.client.send(ReadConcurrency, &(), &query, &NoBody).await?;
            Ok(session.printer.list(columns::CONCURRENCY).items(&usage.time_series)?)
        }
    }
}
