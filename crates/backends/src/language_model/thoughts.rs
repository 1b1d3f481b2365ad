//! What a model thinks in its text, taken out: `<think>` and its like, which servers without a reasoning parser leave in.
//!
//! Pure: text may be cut anywhere. It must not know what is done with what is left.

/// The tags that open models think in.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),
];

/// Takes thoughts out of a streamed text.
#[derive(Debug)]
pub(super) struct Thoughts {
    /// The tag that ends the thought that is under way.
    within: Option<&'static str>,
    /// Text that may turn out to begin a tag.
    held: String,
    /// A thought was taken out, and no text came since: blanks behind it are part of it.
    trimming: bool,
}

impl Thoughts {
    /// `begins_inside` for a model whose template opens the first thought, so that its text begins in it.
    pub(super) fn new(begins_inside: bool) -> Self {
        Self { within: begins_inside.then_some(TAGS[0].1), held: String::new(), trimming: begins_inside }
    }

    /// Takes more text; gives what of it is said.
    pub(super) fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut said = String::new();
        loop {
            let (at, length, next) = match self.within {
                Some(close) => match self.held.find(close) {
                    Some(at) => (at, close.len(), None),
                    None => {
                        let keep = partial(&self.held, [close].into_iter());
                        self.held.drain(..self.held.len() - keep);
                        break;
                    }
                },
                None => match opening(&self.held) {
                    Some((at, open, close)) => (at, open.len(), Some(close)),
                    None => {
                        let keep = partial(&self.held, TAGS.iter().map(|(open, _)| *open));
                        let rest = self.held.split_off(self.held.len() - keep);
                        let clear = std::mem::replace(&mut self.held, rest);
                        self.say(&clear, &mut said);
                        break;
                    }
                },
            };
            let rest = self.held.split_off(at + length);
            let before = std::mem::replace(&mut self.held, rest);
            if self.within.is_none() {
                self.say(&before[..at], &mut said);
            }
            self.within = next;
            self.trimming = true;
        }
        said
    }

    /// The end of the text: what was held back after all, unless it is a thought without an end.
    pub(super) fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let mut said = String::new();
        if self.within.is_none() {
            self.say(&held, &mut said);
        }
        said
    }

    fn say(&mut self, text: &str, said: &mut String) {
        let text = if self.trimming { text.trim_start() } else { text };
        if !text.is_empty() {
            self.trimming = false;
            said.push_str(text);
        }
    }
}

fn opening(text: &str) -> Option<(usize, &'static str, &'static str)> {
    TAGS.iter()
        .filter_map(|(open, close)| text.find(open).map(|at| (at, *open, *close)))
        .min_by_key(|(at, _, _)| *at)
}

/// How many bytes at the end of a text may begin one of these tags.
fn partial<'a>(text: &str, tags: impl Iterator<Item = &'a str>) -> usize {
    let longest = |tag: &str| {
        (1..tag.len()).rev().find(|length| text.as_bytes().ends_with(&tag.as_bytes()[..*length])).unwrap_or(0)
    };
    tags.map(longest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(inside: bool, parts: &[&str]) -> String {
        let mut thoughts = Thoughts::new(inside);
        let mut said: String = parts.iter().map(|part| thoughts.push(part)).collect();
        said.push_str(&thoughts.end());
        said
    }

    #[test]
    fn thoughts_are_not_said_wherever_the_text_is_cut() {
        let text =
            "<think>They ask é for 2 < 3.</think>\n\nYes, 2 <b>is</b> <thinking>Or?</thinking>less 🍞.";
        let expected = "Yes, 2 <b>is</b> less 🍞.";
        assert_eq!(said(false, &[text]), expected);
        for (cut, _) in text.char_indices() {
            assert_eq!(said(false, &[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(said(false, &single), expected);
    }

    #[test]
    fn what_only_looks_like_a_thought_is_said() {
        for text in ["a < b", "<thin", "1 <think2>", "", "</think> no", "  as it is "] {
            assert_eq!(said(false, &[text]), text);
        }
    }

    #[test]
    fn a_thought_without_an_end_is_never_said() {
        assert_eq!(said(false, &["Well. <think>I wonder", " <"]), "Well. ");
    }

    #[test]
    fn a_text_may_begin_in_a_thought() {
        assert_eq!(said(true, &["I wonder", "</thi", "nk>\nYes."]), "Yes.");
    }
}
