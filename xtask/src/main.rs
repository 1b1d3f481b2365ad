//! The project's own commands: `cargo xtask <task>`. Knows the repository, and nothing of what the crates do.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod ci;
mod compare_api;
mod generate;
mod tidy;

use std::env;
use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Tasks of this repository

Usage: cargo xtask <TASK>

Tasks:
  ci      Check everything but the tests: formatting, lints, documentation, tidy, compare-api
  compare-api [PATH]
          Print every difference to the API that this one is compatible with, and its reason; with
          PATH, against its OpenAPI document instead of the facts that are kept of it
  reduce-api PATH
          Keep the facts of that document
  generate
          Write the documents that are made of the code: docs/openapi.json, docs/asyncapi.json
  tidy    Check the rules that the compiler does not know: who may depend on whom, what
          the engine must not touch, head comments, file sizes, and the like
  help    Print this text
";

fn main() -> ExitCode {
    let tasks: Vec<String> = env::args().skip(1).collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let outcome = match tasks[..] {
        ["ci"] => ci::run(root()),
        ["compare-api"] => compare_api::run(root(), compare_api::Source::Kept),
        ["compare-api", path] => compare_api::run(root(), compare_api::Source::Document(path)),
        ["reduce-api", path] => compare_api::reduce(root(), path),
        ["generate"] => generate::run(root()),
        ["tidy"] => tidy::run(root()),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [] => Err(anyhow::anyhow!("no task given\n\n{HELP}")),
        _ => Err(anyhow::anyhow!("`{}` is no task\n\n{HELP}", tasks.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository that this program was built from.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies directly below the root")
}
