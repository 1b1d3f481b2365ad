//! The files of the repository, and what each is for. Owns what counts as production code, as a test and as neither.

use std::fs;
use std::iter;
use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;

use super::code;

/// What is made, not written. `.git` is a file in a linked worktree.
const SKIPPED: [&str; 4] = [".git", "target", "demo", "node_modules"];

/// All text files of the repository.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) texts: Vec<Text>,
    pub(crate) sources: Vec<Source>,
}

/// Any text file, Rust or not.
#[derive(Debug)]
pub(crate) struct Text {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literals blanked out, line by line the same.
    pub(crate) code: String,
    /// Lines, from zero, that are compiled for tests only.
    test_lines: Vec<Range<usize>>,
}

impl Files {
    /// Reads all files below `root`; what is not UTF-8 is no text and left out.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Self::default();
        files.read_directory(root, "")?;
        Ok(files)
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn add(&mut self, path: &str, text: &str) {
        if path.ends_with(".rs") {
            self.sources.push(Source::new(path, text));
        }
        self.texts.push(Text { path: path.to_owned(), text: text.to_owned() });
    }

    /// Files that were never on a disk.
    #[cfg(test)]
    pub(crate) fn made_up<const N: usize>(files: [(&str, &str); N]) -> Self {
        let mut all = Self::default();
        for (path, text) in files {
            all.add(path, text);
        }
        all
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> anyhow::Result<()> {
        let cannot_read = || format!("cannot read {}", directory.display());
        let entries: Result<Vec<_>, _> = fs::read_dir(directory).with_context(cannot_read)?.collect();
        let mut entries = entries.with_context(cannot_read)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !SKIPPED.contains(name)) else { continue };
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(cannot_read)?;
            if kind.is_dir() {
                self.read_directory(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                if let Ok(text) = String::from_utf8(bytes) {
                    self.add(&path, &text);
                }
            }
        }
        Ok(())
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = code::blank(text);
        let test_lines = test_lines(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, test_lines }
    }

    /// Whether the line, from zero, is part of what is shipped or built, and not of a test, benchmark or example.
    pub(crate) fn is_production(&self, line: usize) -> bool {
        self.is_production_file() && !self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    pub(crate) fn is_production_file(&self) -> bool {
        let mut directories = self.path.split('/').rev().skip(1);
        !self.path.ends_with("/tests.rs")
            && !directories.any(|name| ["tests", "benches", "examples", "fuzz"].contains(&name))
    }

    /// The place of a line that is counted from zero.
    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{}", self.path, line + 1)
    }
}

/// The lines of all items behind `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<Range<usize>> {
    let line_of = |at: usize| code[..at].matches('\n').count();
    if code.contains("#![cfg(test)]") {
        return iter::once(0..line_of(code.len()) + 1).collect();
    }
    code.match_indices("#[cfg(test)]")
        .map(|(at, _)| line_of(at)..line_of(end_of_item(code, at)) + 1)
        .collect()
}

/// Where the item that starts at `start` ends: at its closing brace, or at a semicolon if it has no braces.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_cfg_test_is_no_production_code() {
        let source = Source::new(
            "crates/a/src/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { if true {} }\n}\nfn c() {}\n#[cfg(test)]\nuse d;\nfn e() {}\n",
        );
        let production: Vec<usize> = (0..9).filter(|line| source.is_production(*line)).collect();
        assert_eq!(production, [0, 5, 8]);
    }

    #[test]
    fn tests_benches_and_examples_are_no_production_code() {
        let is_production = |path| Source::new(path, "").is_production_file();
        for path in ["crates/a/src/b/c.rs", "crates/a/src/lib.rs", "xtask/src/main.rs", "crates/a/build.rs"] {
            assert!(is_production(path), "{path}");
        }
        for path in [
            "crates/a/tests/b.rs",
            "crates/a/tests/b/c.rs",
            "crates/a/benches/b.rs",
            "examples/a/src/main.rs",
            "crates/a/src/b/tests.rs",
            "fuzz/src/a.rs",
        ] {
            assert!(!is_production(path), "{path}");
        }
    }
}
