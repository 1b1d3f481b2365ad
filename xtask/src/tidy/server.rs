//! Who may import whom inside the server.

use super::Finding;
use super::files::{Files, Source};
use super::paths::paths;

const ROOT: &str = "crates/server/src/";

/// The layers, and the layers that each may import. What is not a layer (configuration, keys, telemetry) is below all
/// of them: every layer may import it, and it imports none. `app` and `lib` put everything together and are imported by
/// nobody.
const LAYERS: [(&str, &[&str]); 8] = [
    // Joining a call is an HTTP request that becomes a transport.
    // Defining and trying out a tool need no call.
    ("http", &["transport", "call", "tools", "retrieval", "storage"]),
    ("transport", &["call", "storage"]),
    ("jobs", &["call", "retrieval", "storage"]),
    // Runs calls without their driver; nothing that serves knows of it.
    ("simulation", &["call", "tools"]),
    ("call", &["tools", "retrieval", "storage"]),
    ("tools", &[]),
    // Finds answers; who asks, and what for, it does not know.
    ("retrieval", &["storage"]),
    ("storage", &[]),
];
const WIRING: [&str; 2] = ["app", "lib"];

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &files.sources {
        let Some(module) = source.path.strip_prefix(ROOT).and_then(module_path) else { continue };
        let Some((&top, _)) = module.split_first().filter(|(top, _)| !WIRING.contains(top)) else { continue };
        for path in paths(source) {
            let Some(target) = target(&path.segments, module.len()) else { continue };
            if source.is_production(path.line) && !may_import(top, target) {
                findings.push(forbidden(source, path.line, top, target));
            }
        }
    }
    findings
}

/// `call/run.rs` is the module `call::run`.
fn module_path(file: &str) -> Option<Vec<&str>> {
    Some(file.strip_suffix(".rs")?.split('/').collect())
}

/// The top module that a path leads to, seen from a module so many levels below the root; none if it leads out of the
/// crate or stays within the module's own part of it.
fn target(path: &[String], depth: usize) -> Option<&str> {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    let from_root = match path.first()?.as_str() {
        "crate" => &path[1..],
        "super" if supers == depth => &path[supers..],
        _ => return None,
    };
    from_root.first().map(String::as_str)
}

fn may_import(from: &str, to: &str) -> bool {
    let is_layer = |name| LAYERS.iter().any(|(layer, _)| *layer == name);
    if from == to {
        return true;
    }
    if WIRING.contains(&to) {
        return false;
    }
    match LAYERS.iter().find(|(layer, _)| *layer == from) {
        Some((_, below)) => !is_layer(to) || below.contains(&to),
        None => !is_layer(to),
    }
}

fn forbidden(source: &Source, line: usize, from: &str, to: &str) -> Finding {
    Finding {
        place: source.place(line),
        problem: format!("`{from}` must not import `{to}`"),
        remedy: format!(
            "move what both need below both, or pass it in from `app`; the arrows are in xtask/src/tidy/server.rs \
             and ARCHITECTURE.md, and `{to}` may import `{from}` only if they say so"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let files = Files::made_up([(path, text)]);
        check(&files).into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn an_import_against_the_arrows_is_found() {
        for (path, text, problem) in [
            ("call.rs", "use crate::http::Error;", "`call` must not import `http`"),
            ("call/run.rs", "use super::super::transport::Leg;", "`call` must not import `transport`"),
            ("storage/sqlite.rs", "use crate::{call::Live, config};", "`storage` must not import `call`"),
            ("tools/http.rs", "fn f(call: &crate::call::Call) {}", "`tools` must not import `call`"),
            ("jobs.rs", "use super::transport;", "`jobs` must not import `transport`"),
            ("config.rs", "use crate::storage::Store;", "`config` must not import `storage`"),
            ("http/router.rs", "use crate::app::App;", "`http` must not import `app`"),
        ] {
            assert_eq!(findings(&format!("{ROOT}{path}"), text), [problem], "{path}: {text}");
        }
    }

    #[test]
    fn imports_along_the_arrows_are_not() {
        for (path, text) in [
            ("http/calls.rs", "use crate::{call::Calls, config::Config, storage, transport::websocket};"),
            ("http/calls/messages.rs", "use super::resource; use crate::http::error::Error;"),
            ("call/run.rs", "use antiphon_engine::Input; use super::super::tools;"),
            ("app.rs", "use crate::{call, http, storage, transport};"),
            ("lib.rs", "pub use crate::app::App;"),
            ("call/run.rs", "#[cfg(test)]\nmod tests {\n    use crate::http::Error;\n}"),
            ("config/auth.rs", "use crate::api_key::ApiKey; // crate::http"),
        ] {
            assert!(findings(&format!("{ROOT}{path}"), text).is_empty(), "{path}: {text}");
        }
    }

    #[test]
    fn no_two_layers_may_import_each_other() {
        for (layer, below) in LAYERS {
            for other in below {
                assert!(!may_import(other, layer), "{layer} and {other}");
            }
        }
    }
}
