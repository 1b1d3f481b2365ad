//! One resource as people read it: a field a line, what is within it indented, what is not set left out.

use std::io::{self, Write};

use antiphon_api::Timestamp;
use serde_json::Value;

use super::moments::Clock;

/// Columns by which what is within something is indented.
const INDENT: usize = 2;

pub(super) fn write(out: &mut impl Write, value: &Value, clock: Option<&Clock>) -> io::Result<()> {
    write_at(out, value, clock, 0)
}

fn write_at(out: &mut impl Write, value: &Value, clock: Option<&Clock>, indent: usize) -> io::Result<()> {
    let Value::Object(fields) = value else { return writeln!(out, "{:indent$}{}", "", line(value, clock)) };
    let set = || fields.iter().filter(|(_, value)| !is_empty(value));
    let widest = set().filter(|(_, value)| is_short(value)).map(|(key, _)| key.chars().count()).max();
    let widest = widest.unwrap_or_default();
    let bold = anstyle::Style::new().bold();
    for (key, value) in set() {
        let key = crate::screen::harmless(key);
        if is_short(value) {
            let pad = widest.saturating_sub(key.chars().count());
            writeln!(out, "{:indent$}{bold}{key}{bold:#}{:pad$}  {}", "", "", line(value, clock))?;
            continue;
        }
        writeln!(out, "{:indent$}{bold}{key}{bold:#}", "")?;
        match value {
            Value::Array(items) => {
                for item in items {
                    write_item(out, item, clock, indent + INDENT)?;
                }
            }
            Value::String(text) => {
                for line in text.lines() {
                    writeln!(out, "{:1$}{2}", "", indent + INDENT, crate::screen::harmless(line))?;
                }
            }
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                write_at(out, value, clock, indent + INDENT)?;
            }
        }
    }
    Ok(())
}

/// An item of a list begins with a dash.
fn write_item(out: &mut impl Write, item: &Value, clock: Option<&Clock>, indent: usize) -> io::Result<()> {
    let mut text = Vec::new();
    write_at(&mut text, item, clock, indent + INDENT)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let rest = text.get(indent + INDENT..).unwrap_or_default();
    match rest {
        "" => writeln!(out, "{:indent$}- {{}}", ""),
        rest => write!(out, "{:indent$}- {rest}", ""),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a value stands on the line of its key.
fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().contains('\n'),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn line(value: &Value, clock: Option<&Clock>) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => match (text.parse::<Timestamp>(), clock) {
            (Ok(moment), Some(clock)) => clock.exact(moment),
            _ => crate::screen::harmless(text.trim()),
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_is_shown_and_what_is_within_is_indented() {
        let value = json!({
            "name": "Anna", "nothing": null, "none": [], "languageHint": "en", "recorded": true,
            "prompt": "Be brief.\nBe kind.\u{1b}[2J\n",
            "tools": [{"name": "a", "url": "u"}, {"name": "b"}], "words": ["x", "y"],
            "medium": {"serverWebSocket": {"inputSampleRate": 8000}},
        });
        let mut out = Vec::new();
        write(&mut out, &value, None).unwrap();
        let text = anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string();
        assert_eq!(
            text,
            "name          Anna\nlanguageHint  en\nrecorded      yes\nprompt\n  Be brief.\n  Be kind. [2J\ntools\n  \
             - name  a\n    url   u\n  - name  b\nwords\n  - x\n  - y\nmedium\n  serverWebSocket\n    \
             inputSampleRate  8000\n"
        );
    }
}
