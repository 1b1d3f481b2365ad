//! Nothing sleeps in the crates whose tests run in virtual time or need none.

use super::Finding;
use super::files::Files;
use super::paths::paths;

const CRATES: [&str; 3] = ["crates/api/", "crates/audio/", "crates/engine/"];
const SLEEPS: [&str; 2] = ["sleep", "sleep_until"];

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let sources =
        files.sources.iter().filter(|source| CRATES.iter().any(|part| source.path.starts_with(part)));
    let mut findings = Vec::new();
    for source in sources {
        for path in paths(source) {
            if path.segments.last().is_some_and(|name| SLEEPS.contains(&&**name)) {
                findings.push(Finding {
                    place: source.place(path.line),
                    problem: "a sleep".to_owned(),
                    remedy: "move the virtual clock on instead: hand a later time to what is tested"
                        .to_owned(),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_sleeps_is_found() {
        let sleeping = "#[test]\nfn waits() {\n    std::thread::sleep(LONG);\n}\n";
        let files = Files::made_up([
            ("crates/engine/tests/slow.rs", sleeping),
            ("crates/audio/src/slow.rs", sleeping),
            ("crates/server/tests/allowed.rs", sleeping),
            ("crates/api/src/good.rs", "// no sleep\nfn sleepless() {}\n"),
        ]);
        let places: Vec<String> = check(&files).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["crates/engine/tests/slow.rs:3", "crates/audio/src/slow.rs:3"]);
    }
}
