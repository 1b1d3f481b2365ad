//! `antiphon demo`: a whole conversation in one process, in real time and offline, that checks what it promises.
//!
//! The server, the WebSocket, the audio, voice activity, recognition, turn-taking, interruption and the tool call are the real ones.
//! The agent's words are scripted, and both voices are synthesized; it says so.

mod report;
mod user;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use antiphon_api::SampleRate as WireRate;
use antiphon_api::json::JsonObject;
use antiphon_api::rest::calls::{
    CallMedium, CreateCall, CreateCallQuery, ServerWebSocketMedium, StartCallRequest, ToolReference,
};
use antiphon_audio::SampleRate;
use antiphon_client::realtime::{Options, connect};
use antiphon_client::rest::Client;
use antiphon_client::tools::{Tool, Tools};
use antiphon_server::api_key::ApiKey;
use antiphon_server::app::{App, Running};
use antiphon_server::config::{Config, ConfiguredKey, Secret};
use antiphon_server::telemetry;
use anyhow::Context as _;
use serde_json::json;

use crate::conversation::{Conversation, Layout, Outcome, Recording};
use crate::screen::Screen;
use crate::stop::Stop;
use crate::talk::HANG_UP;

use user::{Guest, Said};

/// The agent's tool, by the name that its script calls it.
const TOOL: &str = "lookupOrder";
/// What the tool answers.
const ORDER: &str = "Two loaves of sourdough are ready to pick up at eleven.";
/// How long the server waits for calls that are still there when it stops.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon demo              about forty seconds; then listen to demo/conversation.wav
  antiphon demo --fast       without the first question

Needs pocketsphinx to understand the user: apt-get install pocketsphinx pocketsphinx-en-us")]
pub(crate) struct Args {
    /// Where the recording goes.
    #[arg(long, value_name = "DIR", default_value = "demo")]
    out: PathBuf,
    /// Leave out the first question.
    #[arg(long)]
    fast: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    require_recognizer()?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let wav = args.out.join("conversation.wav");
    writeln!(anstream::stdout(), "{}", report::INTRODUCTION)?;

    let stop = Stop::on_signals()?;
    let scratch = Scratch::make()?;
    let key = ApiKey::generate()?;
    let server = serve(&scratch.0, &key).await?;
    let held = converse(&server, &key, &wav, args.fast, stop).await;
    server.stop().await;
    drop(scratch);
    let (outcome, said) = held?;
    report::show(&outcome, &said, &wav)
}

/// Without a recognizer the agent hears and does not understand.
fn require_recognizer() -> anyhow::Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &str| std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    anyhow::ensure!(
        is_there("pocketsphinx_continuous") || is_there("pocketsphinx"),
        "pocketsphinx, which understands the user offline, is not installed; run: apt-get install pocketsphinx pocketsphinx-en-us"
    );
    Ok(())
}

async fn serve(directory: &Path, key: &ApiKey) -> anyhow::Result<Running> {
    let mut config = Config::default();
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.server.drain_deadline = DRAIN;
    config.storage.path = directory.join("antiphon.db");
    config.auth.api_keys = vec![ConfiguredKey {
        name: "demo".to_owned(),
        account: None,
        key: Some(Secret::new(key.expose())),
        key_file: None,
        sha256: None,
    }];
    config.log.level = std::env::var("ANTIPHON_LOG").unwrap_or_else(|_| "warn".to_owned());
    telemetry::start(&config.log)?;
    Ok(App::start(config).await?)
}

async fn converse(
    server: &Running,
    key: &ApiKey,
    wav: &Path,
    fast: bool,
    stop: Stop,
) -> anyhow::Result<(Outcome, Vec<Said>)> {
    let url = format!("http://{}", server.local_addr());
    let client = Client::builder().url(url).key(key.expose()).build()?;
    let tools = tools();
    let request = request(&tools);
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
    let join_url = call.join_url.context("the server created the call without a join URL")?;
    let (sender, events) = connect(&join_url, &Options::default()).await?;

    let rate = SampleRate::EAR;
    let (says, said) = mpsc::channel();
    let conversation = Conversation {
        sender,
        events,
        rate,
        user: Box::new(Guest::new(rate, fast, says)),
        loudspeaker: None,
        recording: Some(Recording::create(wav, rate, Layout::Both)?),
        tools,
        screen: Screen::for_people(),
        stop,
    };
    let outcome = conversation.hold().await?;
    Ok((outcome, said.try_iter().collect()))
}

fn request(tools: &Tools) -> StartCallRequest {
    let mut tools = tools.selected();
    // The server's own: it lets the agent end the call.
    tools.push(ToolReference::ToolName(HANG_UP.to_owned()).into());
    let rate = WireRate::new(SampleRate::EAR.hz()).expect("both crates have the rates of A-33");
    StartCallRequest {
        medium: Some(CallMedium::ServerWebSocket(ServerWebSocketMedium {
            input_sample_rate: rate,
            output_sample_rate: Some(rate),
            client_buffer_size_ms: Some(30_000),
            data_messages: None,
            media_idle_timeout: None,
        })),
        selected_tools: Some(tools),
        ..StartCallRequest::default()
    }
}

fn tools() -> Tools {
    let schema = json!({
        "properties": {"request": {"type": "string", "description": "What the caller said."}},
    });
    let look_up = async |_: JsonObject| Ok::<_, Infallible>(ORDER);
    let mut tools = Tools::new();
    let tool = Tool::untyped(TOOL, "Looks up the caller's order.", &schema, look_up);
    tools.add(tool).expect("there is no other tool");
    tools
}

/// A directory that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("antiphon-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is small and in the directory for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
