//! Why the API differs where it does: a table that people review, and that has to fit what is found exactly.
//!
//! A reason may be that of many differences of one kind. So that no new one of the kind slips in, each of them is also listed, one a
//! line, in a file beside the table.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde::Deserialize;

/// The table.
#[derive(Debug, Deserialize)]
pub(super) struct Reasons {
    reason: Vec<Reason>,
}

/// A reason for some differences.
#[derive(Debug, Deserialize)]
pub(super) struct Reason {
    /// Why.
    pub(super) because: String,
    /// Which differences: their lines, in which `*` stands for anything. Those that such a line explains are listed one by one, too.
    pub(super) of: Vec<String>,
}

/// Which differences have which reason.
#[derive(Debug)]
pub(super) struct Explained<'r> {
    /// Each reason with its differences.
    pub(super) by_reason: Vec<(&'r Reason, Vec<String>)>,
    /// What has no reason.
    pub(super) unexplained: Vec<String>,
    /// What is in the table and fits nothing.
    pub(super) idle: Vec<&'r str>,
    /// What is only explained as one of many, and is not listed among them.
    pub(super) unlisted: Vec<String>,
    /// What is listed, and is no difference that needs it any more.
    pub(super) gone: Vec<&'r str>,
}

/// The differences that are explained as one of many, as they are listed in a file, one a line.
#[derive(Debug)]
pub(super) struct Listed(BTreeSet<String>);

impl Listed {
    pub(super) fn read(text: &str) -> Self {
        Self(
            text.lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(str::to_owned)
                .collect(),
        )
    }
}

impl Reasons {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).context("the table of reasons cannot be read")
    }

    /// Gives each difference the first reason that fits it.
    pub(super) fn explain<'r>(&'r self, listed: &'r Listed, differences: Vec<String>) -> Explained<'r> {
        let mut by_reason: Vec<_> = self.reason.iter().map(|reason| (reason, Vec::new())).collect();
        let (mut unexplained, mut unlisted) = (Vec::new(), Vec::new());
        let mut gone: BTreeSet<&str> = listed.0.iter().map(String::as_str).collect();
        let patterns = || self.reason.iter().flat_map(|reason| &reason.of);
        let idle =
            patterns().filter(|pattern| !differences.iter().any(|difference| fits(pattern, difference)));
        let idle = idle.map(String::as_str).collect();
        for difference in differences {
            let reason = by_reason
                .iter_mut()
                .find(|(reason, _)| reason.of.iter().any(|pattern| fits(pattern, &difference)));
            let Some((reason, explained)) = reason else {
                unexplained.push(difference);
                continue;
            };
            // What is in the table as it is needs no other list.
            if !reason.of.contains(&difference) && !gone.remove(difference.as_str()) {
                unlisted.push(difference.clone());
            }
            explained.push(difference);
        }
        Explained { by_reason, unexplained, idle, unlisted, gone: gone.into_iter().collect() }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some((_, behind)) = text.split_once(part) else { return false };
        text = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "anything", true),
            ("a*", "ab", true),
            ("*.x is added", "request T.x is added", true),
            ("request *.x is *", "request T.x is added", true),
            ("request *.y is *", "request T.x is added", false),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_difference_needs_a_reason_and_every_reason_a_difference() {
        let reasons = Reasons::read(
            "[[reason]]\nbecause = 'we say so'\nof = ['a is added', 'b *']\n[[reason]]\nbecause = 'old'\nof = ['c is gone']\n",
        )
        .expect("it is a table");
        let listed = Listed::read("# A comment.\n\nb is missing\n");
        let differences = ["a is added", "b is missing", "d is missing"].map(str::to_owned);
        let explained = reasons.explain(&listed, differences.to_vec());
        assert_eq!(explained.by_reason[0].1, ["a is added", "b is missing"]);
        assert_eq!(explained.unexplained, ["d is missing"]);
        assert_eq!(explained.idle, ["c is gone"]);
        assert_eq!((explained.unlisted.len(), explained.gone.len()), (0, 0));
    }

    #[test]
    fn a_new_difference_of_a_kind_that_is_explained_has_to_be_listed_and_an_old_one_to_go() {
        let table = "[[reason]]\nbecause = 'they are alike'\nof = ['b *', 'b is plain']\n";
        let reasons = Reasons::read(table).expect("it is a table");
        let differences = ["b is missing", "b is new", "b is plain"].map(str::to_owned);
        let listed = Listed::read("b is missing\nb is old\nb is plain\n");
        let explained = reasons.explain(&listed, differences.to_vec());
        assert_eq!(explained.unlisted, ["b is new"]);
        assert_eq!(explained.gone, ["b is old", "b is plain"], "what the table says itself is listed once");
        assert_eq!(explained.by_reason[0].1.len(), 3);
    }
}
