//! A module lies beside the directory of its parts, under its own name.

use super::Finding;
use super::files::Files;

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let inside =
        files.sources.iter().filter_map(|source| Some((source, source.path.strip_suffix("/mod.rs")?)));
    inside
        .map(|(source, directory)| Finding {
            place: source.path.clone(),
            problem: "a module file inside the directory of its parts".to_owned(),
            remedy: format!("git mv {} {directory}.rs", source.path),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mod_rs_is_found() {
        let files = Files::made_up([("crates/a/src/b/mod.rs", ""), ("crates/a/src/b.rs", "")]);
        let findings = check(&files);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].remedy, "git mv crates/a/src/b/mod.rs crates/a/src/b.rs");
    }
}
