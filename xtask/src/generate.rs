//! Documents that are made of the code: what they are, where they are kept, and how they are written.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

/// Where a server is by default.
const SERVER: &str = "http://127.0.0.1:8080";

/// The documents, with their paths from the root.
pub(crate) fn documents() -> [(&'static str, String); 2] {
    [
        ("docs/openapi.json", written(&antiphon_api::openapi::document(SERVER))),
        ("docs/asyncapi.json", written(&antiphon_api::asyncapi::document())),
    ]
}

/// Writes them all.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    for (path, text) in documents() {
        fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
        println!("{path} is up to date");
    }
    Ok(())
}

fn written(document: &Value) -> String {
    let text = serde_json::to_string_pretty(document).expect("a document has string keys");
    format!("{text}\n")
}
