//! `antiphon calls`: what calls were, and what can be done to one that goes on.

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::realtime::{
    ForcedAgentMessage, ForcedUrgency, HangUp, InjectedMessage, Urgency, UserTextMessage,
};
use antiphon_api::rest::calls::{
    CreateCall, CreateCallQuery, DeleteCall, ListCallEvents, ListCallMessages, ListCallStages, ListCallTools,
    ListCalls, ListStageMessages, ListStageTools, ReadCall, ReadCallRecording, ReadCallStage,
    ReadMessageAudio, SendDataMessage,
};
use antiphon_api::rest::deleted_calls::{ListDeletedCalls, ReadDeletedCall};
use antiphon_api::{AgentId, CallId, CallStageId, VoiceId};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::file::Output;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon calls list --search refund --from 2026-11-20
  antiphon calls list --all --json | jq -r 'select(.endReason == \"system_error\") | .callId'
  antiphon calls create --set systemPrompt='Be brief.' --json | jq -r .joinUrl
  antiphon calls messages ID
  antiphon calls recording ID --output call.wav
  antiphon calls say ID 'One moment, please.'")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List calls, newest first.
    List {
        #[command(flatten)]
        filters: Box<Filters>,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a call.
    Get {
        /// The call.
        id: CallId,
    },
    /// Create a call. Its join URL is what a client joins; `antiphon talk` creates one and joins it.
    Create {
        #[command(flatten)]
        body: Body,
        /// Go on from this earlier call: its settings and messages.
        #[arg(long, value_name = "CALL_ID")]
        prior: Option<CallId>,
        /// Create it only if this throttle lets it through, by its name or id.
        #[arg(long, value_name = "THROTTLE")]
        throttle: Option<String>,
    },
    /// Delete calls that are over, with all that is kept of them.
    Delete {
        /// The calls.
        #[arg(required = true)]
        ids: Vec<CallId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List what was said.
    Messages {
        /// The call.
        id: CallId,
        /// The messages of all stages, not only of the last one.
        #[arg(long)]
        all_stages: bool,
        /// The history that this stage goes on with.
        #[arg(long, value_name = "STAGE_ID", conflicts_with = "all_stages")]
        stage: Option<CallStageId>,
        #[command(flatten)]
        extent: Extent,
    },
    /// List what happened behind the conversation.
    Events {
        /// The call.
        id: CallId,
        /// Only this bad or worse: debug, info, warning, error.
        #[arg(long, value_name = "SEVERITY")]
        severity: Option<String>,
        /// Only events of this type, such as tool.failed.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        #[command(flatten)]
        extent: Extent,
    },
    /// Save what a call sounded like: a stereo WAV file, left the user, right the agent.
    Recording {
        /// The call.
        id: CallId,
        #[command(flatten)]
        output: Output,
    },
    /// Save what one message sounded like.
    Audio {
        /// The call.
        id: CallId,
        /// The message's stage.
        stage: CallStageId,
        /// The message's index there (callStageMessageIndex).
        index: u32,
        #[command(flatten)]
        output: Output,
    },
    /// List the stages of a call.
    Stages {
        /// The call.
        id: CallId,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a stage of a call.
    Stage {
        /// The call.
        id: CallId,
        /// The stage.
        stage: CallStageId,
    },
    /// List the tools that a call has.
    Tools {
        /// The call.
        id: CallId,
        /// The tools of this stage, not of the last one.
        #[arg(long, value_name = "STAGE_ID")]
        stage: Option<CallStageId>,
    },
    /// End a call that goes on.
    HangUp {
        /// The call.
        id: CallId,
        /// What the agent says before.
        #[arg(long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Have the agent of a call that goes on say something.
    Say {
        /// The call.
        id: CallId,
        /// What it says.
        text: String,
        /// Cut off whoever speaks.
        #[arg(long)]
        now: bool,
        /// The user cannot interrupt it.
        #[arg(long)]
        uninterruptible: bool,
    },
    /// Tell the agent of a call that goes on something, as if the user had.
    Tell {
        /// The call.
        id: CallId,
        /// What it is told.
        text: String,
        /// Do not wait for whoever speaks.
        #[arg(long)]
        now: bool,
    },
    /// List what is left of deleted calls, or show it for one.
    Deleted {
        /// The call to show.
        id: Option<CallId>,
        #[command(flatten)]
        extent: Extent,
    },
}

/// Which calls.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Filters")]
struct Filters {
    /// Only calls of this agent. May be repeated.
    #[arg(long = "agent", value_name = "AGENT_ID")]
    agents: Vec<AgentId>,
    /// Only calls with all of these words in their id, agent, voice or metadata.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only calls created then or later: 2026-11-20 or 2026-11-20T08:00:00Z.
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Only calls created then or earlier.
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// Only calls at least this long, such as 60s.
    #[arg(long, value_name = "DURATION")]
    min_duration: Option<String>,
    /// Only calls at most this long.
    #[arg(long, value_name = "DURATION")]
    max_duration: Option<String>,
    /// Only calls with this voice.
    #[arg(long, value_name = "VOICE_ID")]
    voice: Option<VoiceId>,
    /// Only calls with this metadata. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// What to order by: created, joined, ended, billedDuration; with a - before it, backwards.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    sort: Option<String>,
}

impl Filters {
    fn query(self) -> anyhow::Result<Query> {
        let query = Query::new()
            .with("agentIds", self.agents)
            .with("search", self.search)
            .with("fromDate", self.from)
            .with("toDate", self.to)
            .with("durationMin", self.min_duration)
            .with("durationMax", self.max_duration)
            .with("voiceId", self.voice)
            .with("sort", self.sort);
        self.metadata.iter().try_fold(query, |query, pair| {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| crate::exit::misuse(format!("--metadata {pair:?} must be KEY=VALUE")))?;
            Ok(query.with(&format!("metadata.{key}"), [value]))
        })
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { filters, extent } => {
            session.list(ListCalls, &(), filters.query()?, &extent, columns::CALLS, "calls").await
        }
        Command::Get { id } => session.read(ReadCall, &id).await,
        Command::Create { body, prior, throttle } => {
            let query = CreateCallQuery { prior_call_id: prior, throttle, ..CreateCallQuery::default() };
            let call = session.client.send(CreateCall, &(), &query, &body.read()?).await?;
            Ok(session.printer.resource(&call)?)
        }
        Command::Delete { ids, consent } => session.remove(DeleteCall, &ids, "call", consent).await,
        Command::Messages { id, stage: Some(stage), extent, .. } => {
            let (path, query) = ((id, stage), Query::new());
            session.list(ListStageMessages, &path, query, &extent, columns::MESSAGES, "messages").await
        }
        Command::Messages { id, all_stages, stage: None, extent } => {
            let mode = all_stages.then_some("in_call");
            let query = Query::new().with("mode", mode);
            session.list(ListCallMessages, &id, query, &extent, columns::MESSAGES, "messages").await
        }
        Command::Events { id, severity, kind, extent } => {
            let query = Query::new().with("minimum_severity", severity).with("type", kind);
            session.list(ListCallEvents, &id, query, &extent, columns::EVENTS, "events").await
        }
        Command::Recording { id, output } => {
            session.save(ReadCallRecording, &id, format!("{id}.wav"), &output).await
        }
        Command::Audio { id, stage, index, output } => {
            session.save(ReadMessageAudio, &(id, stage, index), format!("{id}.{index}.wav"), &output).await
        }
        Command::Stages { id, extent } => {
            session.list(ListCallStages, &id, Query::new(), &extent, columns::STAGES, "stages").await
        }
        Command::Stage { id, stage } => session.read(ReadCallStage, &(id, stage)).await,
        Command::Tools { id, stage: None } => {
            session.whole_list(ListCallTools, &id, columns::CALL_TOOLS, "tools").await
        }
        Command::Tools { id, stage: Some(stage) } => {
            session.whole_list(ListStageTools, &(id, stage), columns::CALL_TOOLS, "tools").await
        }
        Command::HangUp { id, message } => {
            let message = InjectedMessage::HangUp(HangUp { message: message.unwrap_or_default() });
            inject(&session, &id, &message).await
        }
        Command::Say { id, text, now, uninterruptible } => {
            let urgency = if now { ForcedUrgency::Immediate } else { ForcedUrgency::Soon };
            let message = ForcedAgentMessage { urgency, uninterruptible, ..ForcedAgentMessage::new(text) };
            inject(&session, &id, &InjectedMessage::ForcedAgentMessage(message)).await
        }
        Command::Tell { id, text, now } => {
            let urgency = if now { Urgency::Immediate } else { Urgency::Soon };
            let message = UserTextMessage { urgency, ..UserTextMessage::new(text) };
            inject(&session, &id, &InjectedMessage::UserText(message)).await
        }
        Command::Deleted { id: Some(id), .. } => session.read(ReadDeletedCall, &id).await,
        Command::Deleted { id: None, extent } => {
            let deleted = columns::DELETED_CALLS;
            session.list(ListDeletedCalls, &(), Query::new(), &extent, deleted, "deleted calls").await
        }
    }
}

/// Sends a data message into a call.
async fn inject(session: &Session, id: &CallId, message: &InjectedMessage) -> anyhow::Result<()> {
    let NoBody = session.client.send(SendDataMessage, id, &NoQuery, message).await?;
    Ok(())
}
