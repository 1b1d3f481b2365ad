//! The API beside the one that it is compatible with: every difference, and the reason for it.
//!
//! Of the other one only facts are kept, in `compare_api/ultravox.txt`; with a path, its own document is read, and the facts are
//! held against it.

mod differences;
mod facts;
mod reasons;
mod text;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use facts::Facts;
use reasons::{Listed, Reasons};

const FACTS: &str = "xtask/src/compare_api/ultravox.txt";
const REASONS: &str = "xtask/src/compare_api/reasons.toml";
const LISTED: &str = "xtask/src/compare_api/listed.txt";

/// What to compare with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// The facts that are kept.
    Kept,
    /// The document at this path.
    Document(&'a str),
}

/// Prints every difference with its reason. One without makes it fail.
pub(crate) fn run(root: &Path, source: Source<'_>) -> anyhow::Result<()> {
    let kept = fs::read_to_string(root.join(FACTS)).with_context(|| format!("cannot read {FACTS}"))?;
    let theirs = match source {
        Source::Kept => text::read(&kept).with_context(|| format!("{FACTS} cannot be read"))?,
        Source::Document(path) => {
            let facts = Facts::of(&document(path)?);
            if text::write(&facts) != kept {
                bail!("{FACTS} does not say what {path} says; run `cargo xtask reduce-api {path}`");
            }
            facts
        }
    };
    let ours = Facts::of(&antiphon_api::openapi::document(""));
    let table = fs::read_to_string(root.join(REASONS)).with_context(|| format!("cannot read {REASONS}"))?;
    let reasons = Reasons::read(&table)?;
    let listed = fs::read_to_string(root.join(LISTED)).with_context(|| format!("cannot read {LISTED}"))?;
    let listed = Listed::read(&listed);
    let differences = differences::differences(&theirs, &ours);
    let count = differences.len();
    let explained = reasons.explain(&listed, differences);
    for (reason, differences) in &explained.by_reason {
        println!("\n{}", reason.because);
        differences.iter().for_each(|difference| println!("    {difference}"));
    }
    for difference in &explained.unexplained {
        println!("\nunexplained: {difference}");
    }
    for pattern in &explained.idle {
        println!("\nidle: {pattern}: no difference is left that it explains; take it out of {REASONS}");
    }
    for difference in &explained.unlisted {
        println!(
            "\nunlisted: {difference}: others like it have a reason; if it is this one's, too, add it to {LISTED}"
        );
    }
    for difference in &explained.gone {
        println!("\ngone: {difference}: take it out of {LISTED}");
    }
    let present = theirs.operations.keys().filter(|name| ours.operations.contains_key(*name)).count();
    println!(
        "\n{present} of {} operations present; {count} differences, {} of them unexplained, {} of them new",
        theirs.operations.len(),
        explained.unexplained.len(),
        explained.unlisted.len(),
    );
    if !explained.unexplained.is_empty() || !explained.idle.is_empty() {
        bail!(
            "mend the differences that have no good reason, and write the reasons of the others to {REASONS}"
        );
    }
    if !explained.unlisted.is_empty() || !explained.gone.is_empty() {
        bail!("mend the differences that are new, or list them; take those that are gone out of {LISTED}");
    }
    Ok(())
}

/// Writes the facts of the document at `path` to where they are kept.
pub(crate) fn reduce(root: &Path, path: &str) -> anyhow::Result<()> {
    let text = text::write(&Facts::of(&document(path)?));
    fs::write(root.join(FACTS), &text).with_context(|| format!("cannot write {FACTS}"))?;
    println!("{FACTS} holds {} facts", text.lines().count());
    Ok(())
}

fn document(path: &str) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{path} is neither YAML nor JSON"))
}
