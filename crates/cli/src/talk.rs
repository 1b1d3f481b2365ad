//! `antiphon talk`: creates a call, or takes one that is there, and holds it from the command line.

#[cfg(feature = "audio-devices")]
mod devices;
mod drive_thru;
mod listener;
mod request;
mod typed;
mod wav;

use std::path::PathBuf;

use antiphon_api::rest::calls::CreateCall;
use antiphon_audio::{SampleRate, Wav};
use antiphon_client::realtime::{Options, connect};
use antiphon_client::tools::Tools;
use anyhow::Context as _;

use crate::conversation::{Conversation, Layout, Loudspeaker, Outcome, Recording, User};
use crate::rest::access::Access;
use crate::screen::Screen;
use crate::stop::Stop;

use listener::Patience;
use wav::Speech;

pub(crate) use request::HANG_UP;
#[cfg(all(feature = "audio-devices", feature = "scenario"))]
pub(crate) use typed::Lines;
pub(crate) use wav::read as read_wav;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon talk --text                                      chat in writing
  antiphon talk --input question.wav --output answer.wav    ask aloud, from a recording
  antiphon talk --system-prompt @agent.txt --voice kal      with microphone and speaker
  antiphon talk --drive-thru --secret-menu                  order donuts
  antiphon talk --tool 'weather=curl -s wttr.in/?format=3' --text
  ULTRAVOX_API_KEY=... antiphon talk --url https://api.ultravox.ai --text
  antiphon talk --join wss://host/calls/ID/server_web_socket --rate 16000 --input question.wav

A tool's command runs with sh, reads the arguments as JSON from its standard input
and writes the result to its standard output. If it exits with another code than 0,
the tool has failed, and its standard error says why.

Lines that are typed are sent as messages of the user. Lines from a pipe each wait
for the answer to the one before. With microphone and speaker, wear headphones, or the
agent hears itself.")]
pub(crate) struct Args {
    #[command(flatten)]
    access: Access,
    /// Join the call that has this join URL instead of creating one. Its rate has to be said with --rate.
    #[arg(long, value_name = "JOIN_URL", conflicts_with_all = ["url", "key_file"])]
    join: Option<String>,

    /// Messages for developers to ask for when joining, such as debug; separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    experimental_messages: Vec<String>,
    /// The version of the protocol to ask for.
    #[arg(long, value_name = "N", default_value_t = 1)]
    api_version: u32,
    /// Come back to the call when the connection is lost, where the server waits for that (calls.rejoin_window).
    #[arg(long)]
    rejoin: bool,
    /// Show what happens as JSON, an object a line.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    audio: Audio,
    #[command(flatten)]
    call: request::CallOptions,
}

/// Where the user's voice comes from and the agent's goes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Audio")]
struct Audio {
    /// Chat in writing: typed lines, written answers, no audio.
    #[arg(long, conflicts_with_all = ["input", "output", "rate"])]
    text: bool,
    /// Say what is in this WAV file, in real time, then wait for the answer.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write what the agent says to this WAV file, in step with the call.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write both sides to the output: the user on the left, the agent on the right.
    #[arg(long, requires = "output")]
    stereo: bool,
    /// Samples per second on the line, both ways; that of the input file if it is a possible one, else 48000.
    #[arg(long, value_name = "HZ", value_parser = rate)]
    rate: Option<SampleRate>,
    /// Seconds of silence from the agent after which a call that has nothing more to say is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    linger: u64,
}

fn rate(text: &str) -> Result<SampleRate, String> {
    let hz =
        text.parse().map_err(|_| "it must be a number of samples per second, such as 16000".to_owned())?;
    SampleRate::new(hz).map_err(|error| error.to_string())
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    // All that can be wrong with the command line is found before a call is created.
    let tools = args.call.tools()?;
    let input = args.audio.input.as_deref().map(wav::read).transpose()?;
    let supported = input.as_ref().and_then(|wav| SampleRate::new(wav.rate_hz).ok());
    let rate = args.audio.rate.or(supported).unwrap_or(SampleRate::WEBSOCKET_DEFAULT);
    let (user, loudspeaker) = sides(&args, input, rate)?;
    let layout = if args.audio.stereo { Layout::Both } else { Layout::Agent };
    let recording =
        args.audio.output.as_deref().map(|path| Recording::create(path, rate, layout)).transpose()?;
    let stop = Stop::on_signals()?;

    let join_url = match &args.join {
        Some(url) => url.clone(),
        None => create(&args, &tools, rate).await?,
    };
    let options = Options {
        api_version: Some(args.api_version),
        authorities: args.access.authorities()?,
        experimental_messages: args.experimental_messages,
        rejoin: args.rejoin,
        ..Options::default()
    };
    let (sender, events) = connect(&join_url, &options).await?;
    let screen = if args.json { Screen::json() } else { Screen::for_people() };
    let conversation =
        Conversation { sender, events, rate, user, loudspeaker, recording, tools, screen, stop };
    let outcome = conversation.hold().await?;
    if !args.json {
        remark(&outcome)?;
    }
    if outcome.reason.is_normal() { Ok(()) } else { Err(anyhow::anyhow!("{}", outcome.reason)) }
}

async fn create(args: &Args, tools: &Tools, rate: SampleRate) -> anyhow::Result<String> {
    let client = args.access.client()?;
    let request = args.call.request(tools, rate, args.audio.text)?;
    let query = args.call.query();
    let call = client.send(CreateCall, &(), &query, &request).await?;
    call.join_url.context("the server created the call without a join URL; it seems to dial out by itself")
}

type Sides = (Box<dyn User>, Option<Box<dyn Loudspeaker>>);

/// Who speaks, and what plays the answer.
fn sides(args: &Args, input: Option<Wav>, rate: SampleRate) -> anyhow::Result<Sides> {
    let patience = Patience::of_seconds(args.audio.linger);
    if args.audio.text {
        return Ok((Box::new(typed::Typist::start(patience, !args.call.user_first)), None));
    }
    match input {
        Some(wav) => Ok((Box::new(Speech::new(&wav, rate, patience)), None)),
        None => devices(rate),
    }
}

#[cfg(feature = "audio-devices")]
fn devices(rate: SampleRate) -> anyhow::Result<Sides> {
    let (microphone, loudspeaker) = devices::open(rate)?;
    Ok((Box::new(microphone), Some(Box::new(loudspeaker))))
}

#[cfg(not(feature = "audio-devices"))]
fn devices(_: SampleRate) -> anyhow::Result<Sides> {
    Err(crate::exit::misuse(
        "this build has no microphone and speaker; use --text or --input FILE, or build with them: \
         apt-get install libasound2-dev pkg-config, then cargo install --path crates/cli --features audio-devices",
    ))
}

/// What a user should know about the conversation's quality.
fn remark(outcome: &Outcome) -> anyhow::Result<()> {
    use std::io::Write as _;

    let timing = &outcome.timing;
    let mut out = anstream::stdout();
    if !timing.replies.is_empty() {
        let after: Vec<String> =
            timing.replies.iter().map(|reply| format!("{} ms", reply.after.as_millis())).collect();
        writeln!(out, "the agent was heard after {} (from the user's last sound)", after.join(", "))?;
    }
    if timing.underruns > 0 {
        writeln!(out, "the agent's audio came too late {} times", timing.underruns)?;
    }
    if timing.lost_frames > 0 {
        writeln!(
            out,
            "{} ms of the user's audio were lost: the connection is too slow",
            20 * timing.lost_frames
        )?;
    }
    Ok(())
}
