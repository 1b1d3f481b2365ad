//! Why the API differs where it does: a table that people review, and that has to fit what is found exactly.

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
    /// Which differences: their lines, in which `*` stands for anything.
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
}

impl Reasons {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).context("the table of reasons cannot be read")
    }

    /// Gives each difference the first reason that fits it.
    pub(super) fn explain(&self, differences: Vec<String>) -> Explained<'_> {
        let mut by_reason: Vec<_> = self.reason.iter().map(|reason| (reason, Vec::new())).collect();
        let mut unexplained = Vec::new();
        let patterns = || self.reason.iter().flat_map(|reason| &reason.of);
        let idle =
            patterns().filter(|pattern| !differences.iter().any(|difference| fits(pattern, difference)));
        let idle = idle.map(String::as_str).collect();
        for difference in differences {
            let reason = by_reason
                .iter_mut()
                .find(|(reason, _)| reason.of.iter().any(|pattern| fits(pattern, &difference)));
            match reason {
                Some((_, explained)) => explained.push(difference),
                None => unexplained.push(difference),
            }
        }
        Explained { by_reason, unexplained, idle }
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
        let explained =
            reasons.explain(vec!["a is added".into(), "b is missing".into(), "d is missing".into()]);
        assert_eq!(explained.by_reason[0].1, ["a is added", "b is missing"]);
        assert_eq!(explained.unexplained, ["d is missing"]);
        assert_eq!(explained.idle, ["c is gone"]);
    }
}
