//! What continuous integration checks besides the tests, in the order of what is quickest to tell.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{compare_api, tidy};

struct Step {
    /// Of cargo.
    arguments: &'static [&'static str],
    /// What the environment says in addition.
    variable: Option<(&'static str, &'static str)>,
}

/// What the tests are built with.
const FEATURES: &str = "--features=antiphon/tested";

const STEPS: [Step; 3] = [
    Step { arguments: &["fmt", "--all", "--check"], variable: None },
    Step {
        arguments: &["clippy", "--workspace", "--all-targets", FEATURES, "--", "-D", "warnings"],
        variable: None,
    },
    Step {
        arguments: &["doc", "--workspace", "--no-deps", FEATURES],
        variable: Some(("RUSTDOCFLAGS", "-D warnings")),
    },
];

/// Runs the steps and stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    for Step { arguments, variable } in STEPS {
        let shown = match variable {
            Some((name, value)) => format!("{name}='{value}' cargo {}", arguments.join(" ")),
            None => format!("cargo {}", arguments.join(" ")),
        };
        println!("\n$ {shown}");
        let status = Command::new(env!("CARGO"))
            .args(arguments)
            .envs(variable)
            .current_dir(root)
            .status()
            .with_context(|| format!("cannot run `{shown}`"))?;
        if !status.success() {
            bail!("`{shown}` failed; fix what it says above and run it again");
        }
    }
    println!("\n$ cargo xtask tidy");
    tidy::run(root)?;
    println!("\n$ cargo xtask compare-api");
    compare_api::run(root, compare_api::Source::Kept)
}
