//! `antiphon keys`: the API keys of the account.

use antiphon_api::rest::api_keys::{
    ApiKeyChange, ApiKeyRequest, CreateApiKey, DeleteApiKey, ListApiKeys, ReadApiKey, UpdateApiKey,
};
use antiphon_api::{ApiKeyPrefix, Timestamp};
use clap::Subcommand;

use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon keys create 'night shift' --expires 2027-01-01T00:00:00Z
  antiphon keys create ci --json | jq -r .secret > key.txt
  antiphon keys list
  antiphon keys revoke ABCD1234

For an account that has lost its keys: antiphon accounts new-key, on the server's machine.")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List keys by what they begin with, newest first.
    List {
        #[command(flatten)]
        extent: Extent,
    },
    /// Show what is known of a key.
    Get {
        /// The part of the key before its dot.
        prefix: ApiKeyPrefix,
    },
    /// Make a key. It is shown only now.
    Create {
        /// What it is called: 1 to 50 characters.
        name: String,
        /// When it ceases to open anything, such as 2027-01-01T00:00:00Z; never if not given.
        #[arg(long, value_name = "WHEN")]
        expires: Option<Timestamp>,
    },
    /// Revoke keys, for good. They stay in the list.
    Revoke {
        /// The parts of the keys before their dots.
        #[arg(required = true)]
        prefixes: Vec<ApiKeyPrefix>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Delete keys, which nobody can use from then on.
    Delete {
        /// The parts of the keys before their dots.
        #[arg(required = true)]
        prefixes: Vec<ApiKeyPrefix>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { extent } => {
            session.list(ListApiKeys, &(), Query::new(), &extent, columns::KEYS, "keys").await
        }
        Command::Get { prefix } => session.read(ReadApiKey, &prefix).await,
        Command::Create { name, expires: expiry_date } => {
            session.send(CreateApiKey, &(), &ApiKeyRequest { name, expiry_date }).await?;
            Ok(session.printer.note("the secret is the key, and is not shown again")?)
        }
        Command::Revoke { prefixes, consent } => {
            let list: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            if !consent.given(&format!("Revoke {} for good?", list.join(", ")))? {
                return Ok(session.printer.note("nothing was revoked")?);
            }
            for prefix in &prefixes {
                session.send(UpdateApiKey, prefix, &ApiKeyChange { revoked: Some(true) }).await?;
            }
            Ok(())
        }
        Command::Delete { prefixes, consent } => {
            session.remove(DeleteApiKey, &prefixes, "key", consent).await
        }
    }
}
