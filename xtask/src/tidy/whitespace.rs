//! No invisible differences: no blanks at the end of a line, one line break at the end of a file.

use super::Finding;
use super::files::{Files, Text};

pub(crate) fn check(files: &Files) -> Vec<Finding> {
    files.texts.iter().flat_map(check_text).collect()
}

fn check_text(Text { path, text }: &Text) -> Vec<Finding> {
    let trailing = |(number, line): (usize, &str)| {
        (line.trim_end() != line).then(|| Finding {
            place: format!("{path}:{}", number + 1),
            problem: "trailing whitespace, or a carriage return".to_owned(),
            remedy: format!("sed -i 's/[[:space:]]*$//' {path}"),
        })
    };
    let mut findings: Vec<Finding> = text.split('\n').enumerate().filter_map(trailing).collect();
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding {
            place: path.clone(),
            problem: "the file does not end with exactly one line break".to_owned(),
            remedy: "end its last line, and delete the empty ones behind it".to_owned(),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_the_end_are_found() {
        let files = Files::made_up([
            ("good.md", "a\n\nb\n"),
            ("empty.md", ""),
            ("blank.md", "a\nb \n"),
            ("windows.md", "a\r\n"),
            ("unended.md", "a"),
            ("overended.md", "a\n\n"),
        ]);
        let places: Vec<String> = check(&files).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["blank.md:2", "windows.md:1", "unended.md", "overended.md"]);
    }
}
