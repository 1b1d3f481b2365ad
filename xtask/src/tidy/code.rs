//! Tells Rust code from comments and literals, so that a word in either is not taken for code.

/// The same text with every comment, string and character literal replaced by blanks. Line breaks stay.
pub(crate) fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match literal_length(rest, code.chars().next_back()) {
            0 => {
                code.push(first);
                first.len_utf8()
            }
            length => {
                code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                length
            }
        };
        rest = &rest[length..];
    }
    code
}

/// Bytes of the comment or literal that `text` starts with; zero if it starts with code. `before` is the character in
/// front of it.
fn literal_length(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('"') {
        return quoted_length(text, '"');
    }
    if text.starts_with('\'') {
        return character_length(text);
    }
    let within_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if within_a_word { 0 } else { prefixed_length(text) }
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// A literal with escapes, up to and with its closing quote.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices();
    characters.next();
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character literal; zero for a lifetime, which has no closing quote behind its first letter.
fn character_length(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) => quoted_length(text, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Byte, C and raw strings: `b"`, `b'`, `c"`, `r"`, `r#"`, `br##"` and so on.
fn prefixed_length(text: &str) -> usize {
    let after_kind = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = after_kind.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let Some(body) = raw[hashes..].strip_prefix('"') else { return 0 };
        let end = format!("\"{}", "#".repeat(hashes));
        let start = text.len() - body.len();
        return body.find(&end).map_or(text.len(), |at| start + at + end.len());
    }
    let kind = text.len() - after_kind.len();
    match after_kind.chars().next() {
        Some('"') if kind > 0 => kind + quoted_length(after_kind, '"'),
        Some('\'') if kind > 0 => kind + character_length(after_kind),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_blanks() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("/* a\nb */ c", "    \n     c"),
            (r#"a("b // c", d)"#, "a(        , d)"),
            (r#"a("\"b", d)"#, "a(     , d)"),
            (r##"a(r#"b"c"#, d)"##, "a(        , d)"),
            (r##"a(br"b\", d)"##, "a(      , d)"),
            ("a('\"', b\"c\", b'd')", "a(   ,     ,     )"),
            ("a('\\'', '\\u{1f}', 'é')", "a(    ,         ,    )"),
            ("fn a<'b>(c: &'b str) {}", "fn a<'b>(c: &'b str) {}"),
            ("bar \"x\"", "bar    "),
            ("a \"b", "a   "),
        ] {
            let blanked = blank(text);
            assert_eq!(blanked, code, "{text}");
        }
    }
}
