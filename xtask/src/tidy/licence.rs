//! Whoever copies the repository copies its licences, and the notices of the data that the binary carries.

use super::Finding;
use super::files::Files;

/// A file that must be there, and words that it must have in it.
const REQUIRED: [(&str, &str); 4] = [
    ("LICENSE-APACHE", "Apache License"),
    ("LICENSE-MIT", "Permission is hereby granted"),
    ("NOTICE", "THIRD-PARTY-LICENSES.md"),
    ("THIRD-PARTY-LICENSES.md", "Carnegie Mellon University"),
];

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let is_there = |path: &str, words: &str| {
        files.texts.iter().any(|file| file.path == path && file.text.contains(words))
    };
    let missing = REQUIRED.into_iter().filter(|(path, words)| !is_there(path, words));
    missing
        .map(|(path, words)| Finding {
            place: path.to_owned(),
            problem: format!("the file is missing, or does not contain \"{words}\""),
            remedy: format!("restore it, for instance with `git checkout HEAD -- {path}`"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_licence_and_an_empty_one_are_found() {
        let files = Files::made_up([
            ("LICENSE-APACHE", "Apache License\n"),
            ("LICENSE-MIT", ""),
            ("NOTICE", "see THIRD-PARTY-LICENSES.md\n"),
        ]);
        let places: Vec<String> = check(&files).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["LICENSE-MIT", "THIRD-PARTY-LICENSES.md"]);
    }
}
