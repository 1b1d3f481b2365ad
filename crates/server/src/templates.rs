//! Texts with variables in them: mustache, as far as texts for agents need it (protocol.md A-48).
//!
//! `{{name}}` and `{{a.b}}` stand for values, written as they are: nothing is escaped, since nothing here is HTML, so that
//! `{{{name}}}` and `{{&name}}` mean the same. `{{#name}}...{{/name}}` is written for each item of a list, or once for any other
//! value that says something; `{{^name}}...{{/name}}` where there is none. `{{! ...}}` is a comment. A variable without a value
//! is an error, and so are partials and other delimiters, rather than texts with holes in them.
//!
//! Knows no agent and no call. Bounded: sections nest so deep and a text grows so long, whatever a template and its values say.

use std::fmt::Write as _;

use serde_json::Value;

/// How deep sections may lie in each other.
const DEPTH: usize = 32;
/// How long a text may grow, in bytes: as long as the body of a request.
const LENGTH: usize = 1 << 20;
/// How many parts may be written, those of a section once for each item. Sections of long lists within each other would take as long
/// as they like and write nothing.
const STEPS: usize = 100_000;
/// Characters of a tag that an error repeats.
const TOLD: usize = 64;

/// A text with variables in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Variable(Name),
    Section { name: Name, when: When, parts: Vec<Self> },
}

/// When a section is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Its value says something.
    There,
    /// It says nothing.
    Missing,
}

/// The keys to a value, from the outside in. None of them: the item itself (`{{.}}`).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name(Vec<String>);

/// What keeps a template from being read or filled in. Whoever wrote it, or gave the values, changes that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("has a \"{{{{\" that is not closed: {0:?}")]
    Open(String),
    #[error("has the tag {0:?}, which names nothing; write for example \"{{{{name}}}}\"")]
    Nameless(String),
    #[error("has the tag {0:?}, which is not supported here")]
    Unsupported(String),
    #[error("has a section {0:?} that is not closed")]
    Unclosed(String),
    #[error("closes a section {0:?} that is not open there")]
    Unopened(String),
    #[error("has sections within sections more than {DEPTH} deep")]
    Deep,
    #[error("uses {{{{{0}}}}}, which has no value")]
    Missing(String),
    #[error("becomes longer than {LENGTH} bytes, or takes more than {STEPS} steps to fill in")]
    Long,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        // The sections that are open around the parts in hand, each with the parts before it.
        let mut open: Vec<(Name, When, Vec<Part>)> = Vec::new();
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let unclosed = || TemplateError::Open(shortened(after));
            let (tag, after) = match after.strip_prefix('{') {
                Some(inner) => inner.split_once("}}}").ok_or_else(unclosed)?,
                None => after.split_once("}}").ok_or_else(unclosed)?,
            };
            rest = after;
            match tag.chars().next() {
                Some('!') => {}
                Some('>' | '=') => return Err(TemplateError::Unsupported(shortened(tag))),
                Some(sign @ ('#' | '^')) => {
                    if open.len() == DEPTH {
                        return Err(TemplateError::Deep);
                    }
                    let when = if sign == '#' { When::There } else { When::Missing };
                    open.push((Name::parse(&tag[1..])?, when, std::mem::take(&mut parts)));
                }
                Some('/') => {
                    let name = Name::parse(&tag[1..])?;
                    match open.pop() {
                        Some((opened, when, before)) if opened == name => {
                            let section = std::mem::replace(&mut parts, before);
                            parts.push(Part::Section { name, when, parts: section });
                        }
                        Some(_) | None => return Err(TemplateError::Unopened(name.to_string())),
                    }
                }
                Some('&') => parts.push(Part::Variable(Name::parse(&tag[1..])?)),
                Some(_) | None => parts.push(Part::Variable(Name::parse(tag)?)),
            }
        }
        if let Some((name, ..)) = open.pop() {
            return Err(TemplateError::Unclosed(name.to_string()));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The text with the values of `context` in it.
    pub(crate) fn fill(&self, context: &Value) -> Result<String, TemplateError> {
        let mut filling = Filling { around: vec![context], text: String::new(), steps: 0 };
        filling.write_all(&self.0)?;
        Ok(filling.text)
    }
}

/// Reads and fills in a template in one go. Texts without a tag are common, and stay as they are.
pub(crate) fn filled(text: &str, context: &Value) -> Result<Option<String>, TemplateError> {
    if !text.contains("{{") {
        return Ok(None);
    }
    Template::parse(text)?.fill(context).map(Some)
}

/// A text being written.
struct Filling<'v> {
    /// The values around the part in hand, the innermost last.
    around: Vec<&'v Value>,
    text: String,
    /// How many parts were written.
    steps: usize,
}

impl<'v> Filling<'v> {
    fn write_all(&mut self, parts: &[Part]) -> Result<(), TemplateError> {
        for part in parts {
            self.steps += 1;
            match part {
                Part::Text(plain) => self.text.push_str(plain),
                Part::Variable(name) => match self.value(name) {
                    None => return Err(TemplateError::Missing(name.to_string())),
                    Some(Value::Null) => {}
                    Some(Value::String(plain)) => self.text.push_str(plain),
                    Some(
                        value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
                    ) => {
                        write!(self.text, "{value}").expect("a string takes any text");
                    }
                },
                Part::Section { name, when, parts } => {
                    match (when, self.value(name).filter(|value| says_something(value))) {
                        (When::There, Some(Value::Array(items))) => {
                            items.iter().try_for_each(|item| self.write_within(item, parts))?;
                        }
                        (When::There, Some(value)) => self.write_within(value, parts)?,
                        (When::Missing, None) => self.write_all(parts)?,
                        (When::There, None) | (When::Missing, Some(_)) => {}
                    }
                }
            }
            if self.text.len() > LENGTH || self.steps > STEPS {
                return Err(TemplateError::Long);
            }
        }
        Ok(())
    }

    fn write_within(&mut self, value: &'v Value, parts: &[Part]) -> Result<(), TemplateError> {
        // An item counts even if nothing is written for it.
        self.steps += 1;
        self.around.push(value);
        let written = self.write_all(parts);
        self.around.pop();
        written
    }

    /// The value with a name: sought from the inside out by its first key, and from there on downwards.
    fn value(&self, Name(keys): &Name) -> Option<&'v Value> {
        let Some((first, rest)) = keys.split_first() else { return self.around.last().copied() };
        let found = self.around.iter().rev().find_map(|value| value.get(first))?;
        rest.iter().try_fold(found, |value, key| match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            Value::Object(fields) => fields.get(key),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Number(_) | Value::Object(_) => true,
    }
}

impl Name {
    fn parse(tag: &str) -> Result<Self, TemplateError> {
        let name = tag.trim();
        if name == "." {
            return Ok(Self(Vec::new()));
        }
        let keys: Vec<String> = name.split('.').map(str::to_owned).collect();
        let odd =
            |key: &String| key.is_empty() || key.contains(|c: char| c.is_whitespace() || "{}#^/".contains(c));
        match keys.iter().any(odd) {
            true => Err(TemplateError::Nameless(shortened(tag))),
            false => Ok(Self(keys)),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("."),
            keys => f.write_str(&keys.join(".")),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(text: &str, context: &Value) -> Result<String, TemplateError> {
        Template::parse(text)?.fill(context)
    }

    #[test]
    fn values_stand_where_their_names_stood() {
        let context = json!({
            "name": "Jane <jane@example.com>", "age": 7, "vip": true, "nothing": null,
            "order": {"id": "A-1", "items": ["tea", "milk"]},
        });
        for (template, text) in [
            ("Plain { text } }}.", "Plain { text } }}."),
            ("Hi {{name}}!", "Hi Jane <jane@example.com>!"),
            (
                "Hi {{ name }}, {{{name}}}, {{& name}}",
                "Hi Jane <jane@example.com>, Jane <jane@example.com>, Jane <jane@example.com>",
            ),
            ("{{age}}/{{vip}}/{{nothing}}/", "7/true//"),
            ("{{order.id}}: {{order.items.1}}", "A-1: milk"),
            ("{{order}}", r#"{"id":"A-1","items":["tea","milk"]}"#),
            ("a{{! {note} }}b", "ab"),
        ] {
            assert_eq!(fill(template, &context).unwrap(), text, "{template}");
        }
    }

    #[test]
    fn sections_are_written_for_each_item_or_once_or_not() {
        let context = json!({
            "items": [{"name": "tea", "price": 2}, {"name": "milk", "price": 1}], "tags": ["a", "b"],
            "customer": {"name": "Jane"}, "empty": [], "no": false, "blank": "", "shop": "Corner", "zero": 0,
        });
        for (template, text) in [
            ("{{#items}}{{name}} {{price}} at {{shop}}; {{/items}}", "tea 2 at Corner; milk 1 at Corner; "),
            ("{{#tags}}<{{.}}>{{/tags}}", "<a><b>"),
            ("{{#customer}}Hi {{name}}{{/customer}}", "Hi Jane"),
            ("{{#customer.name}}known{{/customer.name}}", "known"),
            ("{{#empty}}x{{/empty}}{{#no}}x{{/no}}{{#blank}}x{{/blank}}{{#unknown}}x{{/unknown}}", ""),
            ("{{^empty}}1{{/empty}}{{^no}}2{{/no}}{{^unknown}}3{{/unknown}}{{^shop}}4{{/shop}}", "123"),
            ("{{#zero}}{{zero}}{{/zero}}", "0"),
        ] {
            assert_eq!(fill(template, &context).unwrap(), text, "{template}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_filled_in_says_why() {
        for (template, why) in [
            ("Hi {{name", "has a \"{{\" that is not closed: \"name\""),
            ("{{}}", "has the tag \"\", which names nothing; write for example \"{{name}}\""),
            ("{{a b}}", "has the tag \"a b\", which names nothing; write for example \"{{name}}\""),
            ("{{a..b}}", "has the tag \"a..b\", which names nothing; write for example \"{{name}}\""),
            ("{{> header}}", "has the tag \"> header\", which is not supported here"),
            ("{{=<% %>=}}", "has the tag \"=<% %>=\", which is not supported here"),
            ("{{#a}}x", "has a section \"a\" that is not closed"),
            ("x{{/a}}", "closes a section \"a\" that is not open there"),
            ("{{#a}}{{#b}}{{/a}}{{/b}}", "closes a section \"a\" that is not open there"),
            ("{{customer.name}}", "uses {{customer.name}}, which has no value"),
        ] {
            assert_eq!(fill(template, &json!({})).unwrap_err().to_string(), why, "{template}");
        }
    }

    #[test]
    fn neither_depth_nor_length_is_without_bound() {
        let deep = format!("{}{}", "{{#a}}".repeat(33), "{{/a}}".repeat(33));
        assert_eq!(Template::parse(&deep), Err(TemplateError::Deep));
        let items: Vec<u8> = vec![0; 2_000];
        let template = format!("{{{{#items}}}}{}{{{{/items}}}}", "x".repeat(1_000));
        assert_eq!(fill(&template, &json!({"items": items})), Err(TemplateError::Long));
        let nothing = format!("{}{}", "{{#items}}".repeat(32), "{{/items}}".repeat(32));
        assert_eq!(fill(&nothing, &json!({"items": items})), Err(TemplateError::Long));
    }
}
