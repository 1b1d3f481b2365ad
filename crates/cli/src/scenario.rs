//! `antiphon scenario`: runs a call scenario that was written in JavaScript for VoxEngine, with a WAV file or the sound card at the
//! other end of its calls.

#[cfg(feature = "scenario")]
mod log;
#[cfg(feature = "scenario")]
mod phones;
#[cfg(feature = "scenario")]
mod play;
#[cfg(feature = "scenario")]
mod web;

use std::path::PathBuf;

use crate::rest::access::Access;

/// What stands for the sound card where a file could be named.
#[cfg(feature = "scenario")]
const SOUND_CARD: &str = "sound-card";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon scenario incoming.js --call caller.wav --output answer.wav --secret ULTRAVOX_API_KEY=ANTIPHON_API_KEY
  antiphon scenario incoming.js --call sound-card --number 8005551212 --callerid 15551234567
  antiphon scenario tools.js outgoing.js --start --call callee.wav --custom-data '{\"number\": \"15557654321\"}'
  antiphon scenario transfer.js --call caller.wav --answer colleague.wav --output heard.wav

What the scenario writes with Logger.write is shown with the time since the session began. Exit codes: 0 the
scenario ended the session, 1 failed, 2 wrong command line or no such file, 3 the scenario had an error that it did
not catch, 4 it wanted more time or memory than it may have.

docs/scenarios.md says what is supported, and what is different from VoxEngine.")]
pub(crate) struct Args {
    /// The scenario; several files run one after the other in one context.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    access: Access,
    /// Use this command's API key, whatever key the scenario has.
    #[arg(long, help_heading = "Server")]
    own_key: bool,

    #[command(flatten)]
    call: Call,
    #[command(flatten)]
    surroundings: Surroundings,
}

/// The calls of the session.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Calls")]
struct Call {
    /// Who calls: a WAV file, or sound-card for microphone and speaker. Also who answers calls that go out.
    #[arg(long, value_name = "WAV", required_unless_present = "start")]
    call: Option<PathBuf>,
    /// Begin the session from outside, with AppEvents.Started and without a call that comes in.
    #[arg(long)]
    start: bool,
    /// Who answers calls that go out, if somebody else: a WAV file, or sound-card.
    #[arg(long, value_name = "WAV")]
    answer: Option<PathBuf>,
    /// Write what the first call hears to this WAV file, and what others hear to files beside it that end in -2, -3 and so on.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The number that is called.
    #[arg(long, value_name = "NUMBER", default_value = "8005551212")]
    number: String,
    /// The number of the caller.
    #[arg(long, value_name = "NUMBER", default_value = "15551234567")]
    callerid: String,
    /// The name of the caller.
    #[arg(long, value_name = "NAME", default_value = "")]
    display_name: String,
    /// A header of the call that comes in.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// A key that the caller presses, and when: seconds after the answer.
    #[arg(long = "press", value_name = "SECONDS=KEY")]
    presses: Vec<String>,
    /// Seconds of silence after which a WAV file that has been said hangs up.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    linger: u64,
}

/// What surrounds the scenario.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Surroundings")]
struct Surroundings {
    /// What VoxEngine.customData() gives, often JSON.
    #[arg(long, value_name = "TEXT", default_value = "")]
    custom_data: String,
    /// What VoxEngine.getSecretValue(NAME) gives: the value of this environment variable.
    #[arg(long = "secret", value_name = "NAME=VARIABLE")]
    secrets: Vec<String>,
    /// Let the scenario's requests reach private addresses, too, this machine's among them.
    #[arg(long)]
    allow_private: bool,
    /// Seconds that the session may last.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit: u64,
    /// MiB of memory that the scenario may use.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u64).range(2..=1024))]
    memory_limit: u64,
}

#[cfg(feature = "scenario")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    play::run(args).await
}

#[cfg(not(feature = "scenario"))]
#[expect(clippy::unused_async, reason = "it is what the other build has")]
pub(crate) async fn run(_: Args) -> anyhow::Result<()> {
    Err(crate::exit::misuse(
        "this build runs no scenarios; build it with them: cargo install --path crates/cli --features scenario",
    ))
}
