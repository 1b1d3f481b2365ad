//! The one binary, `antiphon`: the command line and nothing else. Each command has a file of its own.

mod accounts;
mod bench;
mod config;
mod conversation;
mod copies;
mod demo;
mod doctor;
mod exit;
mod explain;
mod journals;
mod models;
mod replay;
mod rest;
mod scenario;
mod screen;
mod serve;
mod simulate;
mod stop;
mod svg;
mod table;
mod talk;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

/// A realtime voice-agent server in one binary, compatible with the Ultravox Realtime API.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, max_term_width = 110, arg_required_else_help = true, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The account of the API key on a server: its limits, and what it has used.
    Account(rest::account::Args),
    /// Make and list the accounts of a server: whose calls, agents and keys are whose.
    Accounts(accounts::Args),
    /// Agents on a server: list, create, change, start calls of them.
    Agents(rest::agents::Args),
    /// Scheduled batches of an agent on a server: calls that it creates by itself.
    Batches(rest::batches::Args),
    /// Measure how many calls a server carries, and how well.
    Bench(bench::Args),
    /// The attackers of `bench --hostile`.
    #[command(hide = true)]
    BenchAttack(bench::AttackArgs),
    /// The sockets that `bench` compares a server with.
    #[command(hide = true)]
    BenchFloor(bench::FloorArgs),
    /// The parts of a call that `bench` compares a server with.
    #[command(hide = true)]
    BenchParts(bench::PartsArgs),
    /// Calls on a server: list, read what was said and what happened, save recordings, hang up.
    Calls(rest::calls::Args),
    /// Write completions for a shell to the standard output.
    #[command(
        after_help = "Example: antiphon completions bash > ~/.local/share/bash-completion/completions/antiphon"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Check, show or begin a configuration.
    Config(config::Args),
    /// Corpora on a server: documents that agents look things up in.
    Corpora(rest::corpora::Args),
    /// Hold a spoken conversation with the demo agent: all in this process, offline, without keys.
    Demo(demo::Args),
    /// Ask every model, voice and recognizer, find out what they can do, and measure how long a turn takes.
    Doctor(doctor::Args),
    /// Say where the time of each turn of a call went.
    Explain(explain::Args),
    /// API keys of the account on a server: list, make, revoke.
    Keys(rest::keys::Args),
    /// List the models of a server, or say how to get one running (`models local`).
    Models(models::Args),
    /// Run recorded calls through the engine again: exactly, or with other settings.
    Replay(replay::Args),
    /// Run a call scenario that was written in JavaScript for VoxEngine.
    Scenario(Box<scenario::Args>),
    /// Run the server.
    Serve(serve::Args),
    /// Run whole calls without waiting for them: an agent, a scripted user, and what is expected.
    Simulate(simulate::Args),
    /// SIP on a server: whose calls come in, and where it registers.
    Sip(rest::sip::Args),
    /// Talk to an agent: with microphone and speaker, with WAV files, or in writing.
    Talk(Box<talk::Args>),
    /// Accounts at telephony providers, as a server has them.
    Telephony(rest::telephony::Args),
    /// Call throttles on a server: how many calls may be created within a time.
    Throttles(rest::throttles::Args),
    /// Tools on a server: list, create, change, try out.
    Tools(rest::tools::Args),
    /// Voices on a server: list, hear, register, clone.
    Voices(rest::voices::Args),
    /// Webhooks on a server: who is told what happens to calls, and how that went.
    Webhooks(rest::webhooks::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => exit::DONE.into(),
        Err(error) => {
            let code = exit::code(&error);
            if code != exit::DONE.into() {
                let red = anstyle::AnsiColor::Red.on_default().bold();
                anstream::eprintln!("{red}error:{red:#} {}", exit::describe(&error));
            }
            code
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Account(args) => block_on(rest::account::run(args)),
        Command::Accounts(args) => block_on(accounts::run(args)),
        Command::Agents(args) => block_on(rest::agents::run(args)),
        Command::Batches(args) => block_on(rest::batches::run(args)),
        Command::Bench(args) => bench::run(args),
        Command::BenchAttack(args) => block_on(bench::run_attack(args)),
        Command::BenchFloor(args) => block_on(bench::run_floor(args)),
        Command::BenchParts(args) => bench::run_parts(&args),
        Command::Calls(args) => block_on(rest::calls::run(args)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "antiphon", &mut io::stdout());
            Ok(())
        }
        Command::Config(args) => config::run(args),
        Command::Corpora(args) => block_on(rest::corpora::run(args)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Doctor(args) => block_on(doctor::run(args)),
        Command::Explain(args) => explain::run(&args),
        Command::Keys(args) => block_on(rest::keys::run(args)),
        Command::Models(args) => block_on(models::run(args)),
        Command::Replay(args) => replay::run(&args),
        Command::Scenario(args) => block_on(scenario::run(*args)),
        Command::Serve(args) => block_on(serve::run(args)),
        Command::Simulate(args) => simulate::run(&args),
        Command::Sip(args) => block_on(rest::sip::run(args)),
        Command::Talk(args) => block_on(talk::run(*args)),
        Command::Telephony(args) => block_on(rest::telephony::run(args)),
        Command::Throttles(args) => block_on(rest::throttles::run(args)),
        Command::Tools(args) => block_on(rest::tools::run(args)),
        Command::Voices(args) => block_on(rest::voices::run(args)),
        Command::Webhooks(args) => block_on(rest::webhooks::run(args)),
    }
}

/// Runs a command on all cores that the process may use. With a single one there is nobody to hand work over to, and a thread that
/// keeps its tasks to itself does without what several need to share theirs.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let is_alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder = match is_alone {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
