//! `antiphon telephony`: the account's accounts at telephony providers.

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::rest::telephony_configs::{
    CreatePlivoConfig, CreateTelnyxConfig, CreateTwilioConfig, DeletePlivoConfig, DeleteTelnyxConfig,
    DeleteTwilioConfig, ReadPlivoConfig, ReadTelnyxConfig, ReadTwilioConfig, UpdatePlivoConfig,
    UpdateTelnyxConfig, UpdateTwilioConfig,
};
use clap::{Subcommand, ValueEnum};

use super::body::Body;
use super::session::{Common, Consent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon telephony set twilio --set accountSid=AC... --set authToken=@token.txt
  antiphon telephony update twilio --set callCreationAllowAllAgents=true
  antiphon telephony get twilio")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Provider {
    Plivo,
    Telnyx,
    Twilio,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is set for a provider, without its secrets.
    Get {
        /// The provider.
        provider: Provider,
    },
    /// Set the account at a provider.
    Set {
        /// The provider.
        provider: Provider,
        #[command(flatten)]
        body: Body,
    },
    /// Change what is set: what the body says is merged into it, and null clears a field.
    Update {
        /// The provider.
        provider: Provider,
        #[command(flatten)]
        body: Body,
    },
    /// Delete what is set for a provider.
    Delete {
        /// The provider.
        provider: Provider,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::Get { provider } => match provider {
            Provider::Plivo => session.read(ReadPlivoConfig, &()).await,
            Provider::Telnyx => session.read(ReadTelnyxConfig, &()).await,
            Provider::Twilio => session.read(ReadTwilioConfig, &()).await,
        },
        Command::Set { provider, body } => match provider {
            Provider::Plivo => session.write(CreatePlivoConfig, &(), &body).await,
            Provider::Telnyx => session.write(CreateTelnyxConfig, &(), &body).await,
            Provider::Twilio => session.write(CreateTwilioConfig, &(), &body).await,
        },
        Command::Update { provider, body } => match provider {
            Provider::Plivo => session.change(UpdatePlivoConfig, &(), &body).await,
            Provider::Telnyx => session.change(UpdateTelnyxConfig, &(), &body).await,
            Provider::Twilio => session.change(UpdateTwilioConfig, &(), &body).await,
        },
        Command::Delete { provider, consent } => {
            let name = format!("{provider:?}");
            if !consent.given(&format!("Delete what is set for {name}?"))? {
                return Ok(session.printer.note("nothing was deleted")?);
            }
            let NoBody = match provider {
                Provider::Plivo => session.client.send(DeletePlivoConfig, &(), &NoQuery, &NoBody).await?,
                Provider::Telnyx => session.client.send(DeleteTelnyxConfig, &(), &NoQuery, &NoBody).await?,
                Provider::Twilio => session.client.send(DeleteTwilioConfig, &(), &NoQuery, &NoBody).await?,
            };
            Ok(session.printer.note(&format!("deleted what was set for {name}"))?)
        }
    }
}
