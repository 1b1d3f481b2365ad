//! Finds the paths that code names, with every `use` tree spelled out: what the checks of imports look at.

use super::files::Source;

/// A path in a source file, for instance `std::time::Instant`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// Counted from zero.
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
}

impl NamedPath {
    /// Whether `part`, written with `::`, is a run of whole segments of this path.
    pub(crate) fn contains(&self, part: &str) -> bool {
        let part: Vec<&str> = part.split("::").collect();
        self.segments.windows(part.len()).any(|window| window == part)
    }
}

/// All paths in `source`; single names too.
pub(crate) fn paths(source: &Source) -> Vec<NamedPath> {
    let mut reader = Reader { tokens: tokens(&source.code), at: 0, found: Vec::new() };
    while let Some(token) = reader.next() {
        match token.kind {
            Kind::Word if token.text == "use" => reader.tree(&[]),
            Kind::Word => {
                reader.at -= 1;
                reader.plain();
            }
            Kind::Separator | Kind::Other => {}
        }
    }
    reader.found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// `::`
    Separator,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    line: usize,
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for (line, mut rest) in code.lines().enumerate() {
        while let Some(first) = rest.chars().next() {
            let (kind, length) = if is_word(first) {
                (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
            } else if rest.starts_with("::") {
                (Kind::Separator, 2)
            } else if first == '\'' {
                // A lifetime: character literals have been blanked out.
                (Kind::Other, rest[1..].find(|c| !is_word(c)).map_or(rest.len(), |end| end + 1))
            } else {
                (Kind::Other, first.len_utf8())
            };
            let (text, after) = rest.split_at(length);
            if !first.is_whitespace() {
                tokens.push(Token { kind, text, line });
            }
            rest = after;
        }
    }
    tokens
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    found: Vec<NamedPath>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    /// A path in an expression or a type: words with separators between them.
    fn plain(&mut self) {
        let mut segments = Vec::new();
        let line = self.peek().map_or(0, |token| token.line);
        while let Some(Token { kind: Kind::Word, text, .. }) = self.peek() {
            segments.push(text.to_owned());
            self.at += 1;
            let followed = self.tokens.get(self.at..self.at + 2);
            let Some([Token { kind: Kind::Separator, .. }, Token { kind: Kind::Word, .. }]) = followed else {
                break;
            };
            self.at += 1;
        }
        self.found.push(NamedPath { line, segments });
    }

    /// One branch of a `use` tree, up to the comma, brace or semicolon behind it.
    fn tree(&mut self, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        let line = self.peek().map_or(0, |token| token.line);
        while let Some(token) = self.peek() {
            match token.text {
                "," | "}" | ";" => break,
                "{" => {
                    self.at += 1;
                    return self.branches(&segments);
                }
                "as" => {
                    self.at += 2;
                }
                name => {
                    if token.kind == Kind::Word {
                        segments.push(name.to_owned());
                    }
                    self.at += 1;
                }
            }
        }
        self.found.push(NamedPath { line, segments });
    }

    /// What is between braces; the opening one has been read.
    fn branches(&mut self, prefix: &[String]) {
        while let Some(token) = self.peek() {
            match token.text {
                "}" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                _ => self.tree(prefix),
            }
            if self.peek().is_some_and(|token| token.text == ";") {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let paths = paths(&Source::new("a.rs", text));
        paths.into_iter().map(|path| (path.line, path.segments.join("::"))).collect()
    }

    #[test]
    fn use_trees_are_spelled_out() {
        let text =
            "use std::{\n    fmt,\n    time::{self, Duration, Instant as Now},\n};\nuse a::*;\npub use b;\n";
        let expected = [
            (1, "std::fmt"),
            (2, "std::time::self"),
            (2, "std::time::Duration"),
            (2, "std::time::Instant"),
            (4, "a"),
            (5, "pub"),
            (5, "b"),
        ];
        assert_eq!(found(text), expected.map(|(line, path)| (line, path.to_owned())));
    }

    #[test]
    fn paths_in_expressions_are_found_and_words_in_comments_are_not() {
        let found = found("fn f() { std::env::var(x); } // rand::random\n\"tokio::spawn\"; Vec::<u8>::new()");
        let texts: Vec<&str> = found.iter().map(|(_, path)| path.as_str()).collect();
        assert!(texts.contains(&"std::env::var"));
        assert!(!texts.iter().any(|path| path.contains("rand") || path.contains("tokio")));
    }

    #[test]
    fn unfinished_code_is_read_to_its_end() {
        for text in ["use a::{b, c", "use a::{b;", "use", "a::", "use a as", "use {{{"] {
            found(text);
        }
    }

    #[test]
    fn a_part_is_made_of_whole_segments() {
        let path = |text| paths(&Source::new("a.rs", text)).remove(0);
        assert!(path("std::time::Instant::now").contains("Instant::now"));
        assert!(path("rand").contains("rand"));
        assert!(!path("operand::now").contains("rand"));
    }
}
