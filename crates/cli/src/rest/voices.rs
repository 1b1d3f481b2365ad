//! `antiphon voices`: voices of the server, and the account's own.

use std::path::PathBuf;

use antiphon_api::VoiceId;
use antiphon_api::rest::voices::{
    CreateVoice, DeleteVoice, ListVoices, ReadVoice, ReadVoicePreview, UpdateVoice, Voice,
};
use antiphon_client::rest::Form;
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::file::Output;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon voices list --language de
  antiphon voices preview ID --output voice.wav
  antiphon voices create --set name=Lily --set definition.lmnt.voiceId=lily
  antiphon voices clone me.wav --name Me --language en-GB")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List voices, the account's own first.
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a voice.
    Get {
        /// The voice.
        id: VoiceId,
    },
    /// Register a voice of a provider, or of any HTTP endpoint that speaks.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Clone a voice from a recording of 30 to 60 seconds: MP3 or WAV, at most 10 MiB.
    Clone {
        /// The recording.
        recording: PathBuf,
        /// The voice's name.
        #[arg(long)]
        name: String,
        /// What it is like.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// The language of the recording, such as en-US.
        #[arg(long, value_name = "CODE")]
        language: Option<String>,
    },
    /// Change a voice of your own: what the body says is merged into what it is, and null clears a field.
    Update {
        /// The voice.
        id: VoiceId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete voices of your own, and the recordings that they were cloned from.
    Delete {
        /// The voices.
        #[arg(required = true)]
        ids: Vec<VoiceId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Save what a voice sounds like as a WAV file.
    Preview {
        /// The voice.
        id: VoiceId,
        #[command(flatten)]
        output: Output,
    },
}

/// Which voices.
#[derive(Debug, clap::Args)]
struct Filters {
    /// Only voices with this in their name or description.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those of the account, or those of everybody: private, public.
    #[arg(long, value_name = "WHOSE")]
    ownership: Option<String>,
    /// Only voices that speak this language, such as en-US, whichever region's.
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
    /// Only voices of this provider: cartesia, eleven_labs, google, inworld, lmnt, respeecher. May be repeated.
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { filters, extent } => {
            let query = Query::new()
                .with("search", filters.search)
                .with("ownership", filters.ownership)
                .with("primaryLanguage", filters.language)
                .with("provider", filters.providers);
            session.list(ListVoices, &(), query, &extent, columns::VOICES, "voices").await
        }
        Command::Get { id } => session.read(ReadVoice, &id).await,
        Command::Create { body } => session.write(CreateVoice, &(), &body).await,
        Command::Clone { recording, name, description, language } => {
            let mut form = Form::new().text("name", name);
            for (field, text) in [("description", description), ("language", language)] {
                if let Some(text) = text {
                    form = form.text(field, text);
                }
            }
            let form = form.file("file", recording).await?;
            let voice: Voice = session.client.send_form(CreateVoice, &(), form).await?;
            Ok(session.printer.resource(&voice)?)
        }
        Command::Update { id, body } => session.change(UpdateVoice, &id, &body).await,
        Command::Delete { ids, consent } => session.remove(DeleteVoice, &ids, "voice", consent).await,
        Command::Preview { id, output } => {
            session.save(ReadVoicePreview, &id, format!("{id}.wav"), &output).await
        }
    }
}
