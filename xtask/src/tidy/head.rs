//! Every source file starts by saying what it owns and what it must not know.

use super::Finding;
use super::files::Files;

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let headless = files.sources.iter().filter(|source| !has_head(&source.text));
    headless
        .map(|source| Finding {
            place: source.place(0),
            problem: "the file has no head comment".to_owned(),
            remedy: "start it with a `//!` comment: what the file owns, and what it must not know".to_owned(),
        })
        .collect()
}

fn has_head(text: &str) -> bool {
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_head_comment_is_found() {
        let files = Files::made_up([
            ("crates/a/src/good.rs", "//! Owns it.\n"),
            ("crates/a/src/none.rs", "use a;\n//! Too late.\n"),
            ("crates/a/src/empty.rs", "//!\n"),
            ("crates/a/tests/ordinary.rs", "// Not a head comment.\n"),
            ("README.md", "text\n"),
        ]);
        let places: Vec<String> = check(&files).into_iter().map(|finding| finding.place).collect();
        assert_eq!(
            places,
            ["crates/a/src/none.rs:1", "crates/a/src/empty.rs:1", "crates/a/tests/ordinary.rs:1"]
        );
    }
}
