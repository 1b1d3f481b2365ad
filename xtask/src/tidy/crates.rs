//! Who may depend on whom, among our crates and beyond. Tests are free: only what is built for others counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::Finding;

/// What one of our crates may depend on.
struct Rule {
    name: &'static str,
    /// Our crates that it may name.
    ours: &'static [&'static str],
    /// The only crates of others that it may name; everything if none.
    only: Option<&'static [&'static str]>,
    /// Crates that must not come in, by any way.
    never: &'static [&'static [&'static str]],
}

const RULES: [Rule; 9] = [
    Rule { name: "antiphon-api", ours: &[], only: None, never: &[RUNTIME, SERVER, INFERENCE] },
    Rule {
        name: "antiphon-audio",
        ours: &[],
        only: None,
        never: &[CLOCK_AND_CHANCE, RUNTIME, SERVER, INFERENCE],
    },
    Rule {
        name: "antiphon-engine",
        ours: &["antiphon-audio"],
        only: Some(&["serde_json"]),
        never: &[CLOCK_AND_CHANCE, RUNTIME, SERVER, INFERENCE],
    },
    Rule {
        name: "antiphon-backends",
        ours: &["antiphon-engine", "antiphon-audio"],
        only: None,
        never: &[SERVER],
    },
    Rule {
        name: "antiphon-server",
        ours: &["antiphon-api", "antiphon-audio", "antiphon-engine", "antiphon-backends"],
        only: None,
        never: &[],
    },
    Rule {
        name: "antiphon-client",
        ours: &["antiphon-api", "antiphon-audio"],
        only: None,
        never: &[SERVER, INFERENCE],
    },
    Rule {
        name: "antiphon-scenario",
        ours: &["antiphon-client", "antiphon-audio"],
        only: None,
        never: &[SERVER, INFERENCE],
    },
    Rule {
        name: "antiphon",
        ours: &["antiphon-server", "antiphon-client", "antiphon-scenario", "antiphon-api", "antiphon-audio"],
        only: None,
        never: &[],
    },
    Rule { name: "xtask", ours: &["antiphon-api"], only: None, never: &[RUNTIME, SERVER, INFERENCE] },
];

const CLOCK_AND_CHANCE: &[&str] =
    &["chrono", "fastrand", "getrandom", "jiff", "rand", "rand_core", "time", "uuid", "web-time"];
const RUNTIME: &[&str] =
    &["async-std", "futures-util", "hyper", "mio", "reqwest", "rustls", "smol", "tokio", "tungstenite"];
const SERVER: &[&str] = &["axum", "axum-core", "libsqlite3-sys", "rusqlite", "sqlx", "sqlx-core"];
const INFERENCE: &[&str] = &["earshot", "flite-rs", "ort", "rten", "whisper-rs"];

/// The crates that the workspace is built from, and who names whom.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Our crates, by name.
    members: BTreeSet<String>,
    /// Names of the dependencies of a crate by its name: normal and build ones, on this machine's platform.
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo.
    pub(crate) fn of_workspace(root: &Path) -> anyhow::Result<Self> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--filter-platform", &host()?])
            .current_dir(root)
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata = serde_json::from_slice(&output.stdout).context("`cargo metadata` wrote no JSON")?;
        Self::from_metadata(&metadata).context("`cargo metadata` wrote something unexpected")
    }

    /// Crates in several versions are one: what is forbidden is forbidden in every version.
    fn from_metadata(metadata: &Value) -> Option<Self> {
        let mut graph = Self::default();
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?);
        }
        for id in metadata["workspace_members"].as_array()? {
            graph.members.insert((*names.get(id.as_str()?)?).to_owned());
        }
        for node in metadata["resolve"]["nodes"].as_array()? {
            let name = *names.get(node["id"].as_str()?)?;
            let dependencies = graph.dependencies.entry(name.to_owned()).or_default();
            for dependency in node["deps"].as_array()? {
                let kinds = dependency["dep_kinds"].as_array()?;
                if kinds.iter().any(|kind| kind["kind"] != "dev") {
                    dependencies.insert((*names.get(dependency["pkg"].as_str()?)?).to_owned());
                }
            }
        }
        Some(graph)
    }

    fn direct(&self, name: &str) -> impl Iterator<Item = &str> {
        self.dependencies.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The way by which `name` comes to depend on `wanted`, both included; the shortest one.
    fn way(&self, name: &str, wanted: &str) -> Option<Vec<String>> {
        let mut ways = vec![vec![name.to_owned()]];
        let mut seen = BTreeSet::from([name]);
        let mut at = 0;
        while at < ways.len() {
            let last = ways[at].last().expect("a way starts somewhere").clone();
            for next in self.dependencies.get(&last).into_iter().flatten() {
                if seen.insert(next) {
                    let way = [&ways[at][..], std::slice::from_ref(next)].concat();
                    if next == wanted {
                        return Some(way);
                    }
                    ways.push(way);
                }
            }
            at += 1;
        }
        None
    }
}

pub(crate) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in &graph.members {
        match RULES.iter().find(|rule| rule.name == member) {
            Some(rule) => findings.extend(check_crate(graph, rule)),
            None => findings.push(Finding {
                place: member.clone(),
                problem: "nothing says what this crate may depend on".to_owned(),
                remedy: "add its row to RULES in xtask/src/tidy/crates.rs, and its arrows to ARCHITECTURE.md"
                    .to_owned(),
            }),
        }
    }
    findings
}

fn check_crate(graph: &Graph, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |problem: String, remedy: &str| {
        findings.push(Finding { place: rule.name.to_owned(), problem, remedy: remedy.to_owned() });
    };
    for dependency in graph.direct(rule.name) {
        if graph.members.contains(dependency) {
            if !rule.ours.contains(&dependency) {
                report(
                    format!("must not depend on `{dependency}`"),
                    "move what both need into a crate below both; the arrows are in ARCHITECTURE.md",
                );
            }
        } else if rule.only.is_some_and(|only| !only.contains(&dependency)) {
            report(
                format!("must not depend on `{dependency}`"),
                "take its result as an input, or emit an effect; the crate is pure",
            );
        }
    }
    for banned in rule.never.iter().copied().flatten() {
        if let Some(way) = graph.way(rule.name, banned) {
            report(
                format!("`{banned}` comes in: {}", way.join(" -> ")),
                "remove the dependency that brings it in, or turn off the feature of it that does",
            );
        }
    }
    findings
}

/// The platform that this machine builds for, as cargo names it.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run `rustc`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph(members: &[&str], edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        graph.members.extend(members.iter().copied().map(str::to_owned));
        for (from, to) in edges {
            graph.dependencies.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    }

    fn problems(graph: &Graph) -> Vec<String> {
        let findings = check(graph);
        findings.into_iter().map(|finding| format!("{} {}", finding.place, finding.problem)).collect()
    }

    #[test]
    fn an_arrow_between_our_crates_that_is_not_drawn_is_found() {
        let crates = ["antiphon-api", "antiphon-engine", "antiphon-client", "antiphon-server"];
        let graph = graph(
            &crates,
            &[
                ("antiphon-api", "antiphon-engine"),
                ("antiphon-client", "antiphon-server"),
                ("antiphon-server", "antiphon-api"),
            ],
        );
        assert_eq!(
            problems(&graph),
            [
                "antiphon-api must not depend on `antiphon-engine`",
                "antiphon-client must not depend on `antiphon-server`"
            ]
        );
    }

    #[test]
    fn whatever_brings_a_clock_chance_or_a_runtime_into_the_engine_is_found() {
        let graph = graph(
            &["antiphon-engine", "antiphon-audio"],
            &[
                ("antiphon-engine", "serde_json"),
                ("antiphon-engine", "antiphon-audio"),
                ("antiphon-audio", "dsp"),
                ("dsp", "getrandom"),
                ("antiphon-engine", "tokio"),
            ],
        );
        assert_eq!(
            problems(&graph),
            [
                "antiphon-audio `getrandom` comes in: antiphon-audio -> dsp -> getrandom",
                "antiphon-engine must not depend on `tokio`",
                "antiphon-engine `getrandom` comes in: antiphon-engine -> antiphon-audio -> dsp -> getrandom",
                "antiphon-engine `tokio` comes in: antiphon-engine -> tokio",
            ]
        );
    }

    #[test]
    fn server_code_in_the_client_is_found() {
        let graph = graph(&["antiphon-client"], &[("antiphon-client", "sdk"), ("sdk", "axum")]);
        assert_eq!(problems(&graph), ["antiphon-client `axum` comes in: antiphon-client -> sdk -> axum"]);
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        assert_eq!(
            problems(&graph(&["antiphon-extra"], &[])),
            ["antiphon-extra nothing says what this crate may depend on"]
        );
    }

    #[test]
    fn what_only_tests_depend_on_does_not_count() {
        let dependency = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                { "id": "e 1", "name": "antiphon-engine" },
                { "id": "r 1", "name": "rand" },
                { "id": "t 1", "name": "tokio" },
                { "id": "b 1", "name": "time" },
            ],
            "workspace_members": ["e 1"],
            "resolve": { "nodes": [
                { "id": "e 1", "deps": [
                    dependency("r 1", json!("dev")),
                    dependency("t 1", Value::Null),
                    dependency("b 1", json!("build")),
                ] },
            ] },
        });
        let graph = Graph::from_metadata(&metadata).expect("the metadata has the right form");
        assert_eq!(graph.direct("antiphon-engine").collect::<Vec<_>>(), ["time", "tokio"]);
    }
}
