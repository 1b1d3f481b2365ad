//! No production file grows into the one that does everything.

use super::Finding;
use super::files::{Files, Source};

/// Lines of a file that are not tests.
const LIMIT: usize = 800;

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let too_long = |source: &Source| {
        let length = (0..source.text.lines().count()).filter(|line| source.is_production(*line)).count();
        (length > LIMIT).then(|| Finding {
            place: source.path.clone(),
            problem: format!("{length} lines of production code; {LIMIT} are the limit"),
            remedy: "split it by concept, and give the part a noun for its name".to_owned(),
        })
    };
    files.sources.iter().filter_map(too_long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_and_long_tests_are_not() {
        let code = |lines: usize| "f();\n".repeat(lines);
        let with_tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", code(800), code(500));
        let files = Files::made_up([
            ("crates/a/src/long.rs", &*code(801)),
            ("crates/a/src/just.rs", &with_tests),
            ("crates/a/tests/story.rs", &code(2_000)),
        ]);
        let findings = check(&files);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].place, "crates/a/src/long.rs");
        assert!(findings[0].problem.starts_with("801 lines"));
    }
}
