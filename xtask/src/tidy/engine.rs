//! The engine is pure: no clock, no chance, no input or output, no tasks, no locks, no global state.
//!
//! `crates/engine/clippy.toml` says the same to clippy, which sees through renamed imports; this check sees what clippy
//! has no rule for, and needs no build.

use super::Finding;
use super::files::{Files, Source};
use super::paths::paths;

/// Paths that must not be named, what they would bring in, and what to use instead.
const BANNED: [(&[&str], &str, &str); 6] = [
    (
        &["Instant::now", "SystemTime", "std::time::Instant", "time::Instant::now", "UNIX_EPOCH"],
        "a clock",
        "take the time from the `now` of the input",
    ),
    (
        &["rand", "getrandom", "thread_rng", "fastrand", "uuid", "RandomState"],
        "chance",
        "take ids and seeds as inputs",
    ),
    (
        &["HashMap", "HashSet", "hash_map", "hash_set"],
        "an order that differs from run to run",
        "use BTreeMap, BTreeSet or a Vec",
    ),
    (
        &["std::env", "std::fs", "std::io", "std::net", "std::process", "env::var"],
        "the world outside",
        "take what is needed as an input or from the configuration",
    ),
    (&["std::thread", "thread::spawn", "tokio", "futures", "async", "await"], "a task", "emit an effect"),
    (
        &[
            "Mutex",
            "RwLock",
            "OnceLock",
            "LazyLock",
            "OnceCell",
            "LazyCell",
            "std::sync::atomic",
            "thread_local",
            "static",
        ],
        "shared or global state",
        "let the part that owns the state hold it in a field",
    ),
];

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let engine = files.sources.iter().filter(|source| source.path.starts_with("crates/engine/src/"));
    engine.flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Finding> {
    let code = paths(source).into_iter().filter(|path| source.is_production(path.line));
    code.filter_map(|path| {
        let (_, what, remedy) =
            BANNED.iter().find(|(banned, ..)| banned.iter().any(|part| path.contains(part)))?;
        Some(Finding {
            place: source.place(path.line),
            problem: format!("`{}` brings {what} into the engine", path.segments.join("::")),
            remedy: (*remedy).to_owned(),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let files = Files::made_up([("crates/engine/src/part.rs", text)]);
        check(&files).into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn every_way_out_of_the_engine_is_found() {
        for text in [
            "let now = Instant::now();",
            "use std::time::{Duration, Instant};",
            "std::time::SystemTime::now();",
            "use rand::Rng;",
            "getrandom::fill(&mut id);",
            "use std::collections::{BTreeMap, HashMap};",
            "let seen: HashSet<u8>;",
            "std::env::var(NAME);",
            "use std::{fs, fmt};",
            "std::thread::spawn(f);",
            "use tokio::sync::mpsc;",
            "async fn answer() {}",
            "let shared: Mutex<u8>;",
            "static COUNT: u8 = 0;",
        ] {
            assert_eq!(problems(text).len(), 1, "{text}: {:?}", problems(text));
        }
    }

    #[test]
    fn words_that_only_look_alike_are_left_alone() {
        for text in [
            "use crate::time::Instant;",
            "fn name(self) -> &'static str { \"HashMap\" }",
            "use std::time::Duration; // not Instant::now",
            "let operand = 1;",
            "#[cfg(test)]\nmod tests {\n    use std::collections::HashSet;\n}\n",
        ] {
            assert!(problems(text).is_empty(), "{text}: {:?}", problems(text));
        }
    }

    #[test]
    fn other_crates_may_have_a_clock() {
        let files = Files::made_up([("crates/server/src/app.rs", "Instant::now();")]);
        assert!(check(&files).is_empty());
    }
}
