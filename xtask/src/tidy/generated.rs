//! Documents that are made of the code say what the code says.

use super::Finding;
use super::files::Files;
use crate::generate::documents;

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    documents().iter().filter_map(|(path, text)| check_document(files, path, text)).collect()
}

fn check_document(files: &Files, path: &str, text: &str) -> Option<Finding> {
    let is_current = files.texts.iter().any(|file| file.path == path && file.text == text);
    (!is_current).then(|| Finding {
        place: path.to_owned(),
        problem: "the document is not what the code says".to_owned(),
        remedy: "cargo xtask generate".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_stale_is_found() {
        let files = Files::made_up([("docs/a.json", "{}\n"), ("docs/b.json", "{ \"old\": true }\n")]);
        assert!(check_document(&files, "docs/a.json", "{}\n").is_none());
        assert!(check_document(&files, "docs/b.json", "{}\n").is_some());
        assert!(check_document(&files, "docs/c.json", "{}\n").is_some());
    }
}
