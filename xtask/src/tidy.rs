//! Rules of this repository that the compiler does not know. One check a file; each finding says how to fix it.

mod code;
mod crates;
mod engine;
mod files;
mod generated;
mod head;
mod length;
mod licence;
mod module_files;
mod paths;
mod server;
mod sleep;
mod whitespace;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use files::Files;

/// A broken rule.
#[derive(Debug)]
struct Finding {
    /// The file, with a line where there is one.
    place: String,
    problem: String,
    /// What to do about it.
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    fix: {}", self.place, self.problem, self.remedy)
    }
}

/// Runs all checks and reports all that they find.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let files = Files::read(root)?;
    let mut findings = crates::check(&crates::Graph::of_workspace(root)?);
    for check in [
        engine::check,
        generated::check,
        head::check,
        length::check,
        licence::check,
        module_files::check,
        server::check,
        sleep::check,
        whitespace::check,
    ] {
        findings.extend(check(&files));
    }
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files are in order", files.count());
        Ok(())
    } else {
        bail!("tidy found {} broken rules", findings.len())
    }
}
