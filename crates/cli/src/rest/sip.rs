//! `antiphon sip`: how calls come in over SIP, and where the server registers.

use antiphon_api::SipRegistrationId;
use antiphon_api::rest::sip::{
    CreateSipRegistration, DeleteSipRegistration, ListSipRegistrations, ReadSipConfig, ReadSipRegistration,
    UpdateSipConfig, UpdateSipRegistration,
};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon sip get
  antiphon sip update --set 'allowedCidrRanges=[\"192.0.2.0/24\"]' --set allowAllAgents=true
  antiphon sip registrations create --set username=alice --set password=@password.txt --set proxy=sip.example.com")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how calls come in.
    Get,
    /// Change how calls come in: what the body says is merged into what it is, and null clears a field.
    Update {
        #[command(flatten)]
        body: Body,
    },
    /// Where the server registers.
    #[command(subcommand)]
    Registrations(Registrations),
}

#[derive(Debug, Subcommand)]
enum Registrations {
    /// List registrations.
    List {
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a registration.
    Get {
        /// The registration.
        id: SipRegistrationId,
    },
    /// Add a registration.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Change a registration.
    Update {
        /// The registration.
        id: SipRegistrationId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete registrations.
    Delete {
        /// The registrations.
        #[arg(required = true)]
        ids: Vec<SipRegistrationId>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::Get => session.read(ReadSipConfig, &()).await,
        Command::Update { body } => session.change(UpdateSipConfig, &(), &body).await,
        Command::Registrations(command) => registrations(&session, command).await,
    }
}

async fn registrations(session: &Session, command: Registrations) -> anyhow::Result<()> {
    match command {
        Registrations::List { extent } => {
            let (query, registrations) = (Query::new(), columns::SIP_REGISTRATIONS);
            session.list(ListSipRegistrations, &(), query, &extent, registrations, "registrations").await
        }
        Registrations::Get { id } => session.read(ReadSipRegistration, &id).await,
        Registrations::Create { body } => session.write(CreateSipRegistration, &(), &body).await,
        Registrations::Update { id, body } => session.change(UpdateSipRegistration, &id, &body).await,
        Registrations::Delete { ids, consent } => {
            session.remove(DeleteSipRegistration, &ids, "registration", consent).await
        }
    }
}
