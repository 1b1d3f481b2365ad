//! Tool calls in the shape of Python, as Llama and Gemma write them: `look(order="55127", times=[1, 2])`.
//!
//! Reads calls with named arguments whose values are literals, and makes JSON of them. It runs nothing and knows no tools.

use serde_json::{Map, Value};

use super::leaked::Written;

/// How deep values may be nested.
const DEEPEST: u32 = 16;

/// Reads `name(a=1)`, `[name(a=1), other()]` or `print(name(a=1))`; nothing if it is anything else.
pub(super) fn calls(text: &str) -> Option<Vec<Written>> {
    let text = text.trim();
    let text = text.strip_prefix("print(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(text);
    let mut reader = Reader { rest: text.trim() };
    let many = reader.take('[');
    let mut calls = vec![reader.call()?];
    while many && reader.take(',') {
        calls.push(reader.call()?);
    }
    let closed = !many || reader.take(']');
    (closed && reader.rest.is_empty()).then_some(calls)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn call(&mut self) -> Option<Written> {
        let name = self.name()?;
        if !self.take('(') {
            return None;
        }
        let mut arguments = Map::new();
        while !self.take(')') {
            let argument = self.name()?;
            if !self.take('=') {
                return None;
            }
            let value = self.value(DEEPEST)?;
            arguments.insert(argument, value);
            if !self.take(',') && !self.rest.starts_with(')') {
                return None;
            }
        }
        Some(Written { name, arguments: Value::Object(arguments).to_string() })
    }

    fn name(&mut self) -> Option<String> {
        self.blanks();
        let length =
            self.rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.blanks();
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.blanks();
        let value = match self.rest.chars().next()? {
            quote @ ('"' | '\'') => Value::String(self.string(quote)?),
            '[' | '(' => {
                let close = if self.take('[') {
                    ']'
                } else {
                    self.take('(');
                    ')'
                };
                let mut items = Vec::new();
                while !self.take(close) {
                    items.push(self.value(depth)?);
                    if !self.take(',') && !self.rest.starts_with(close) {
                        return None;
                    }
                }
                Value::Array(items)
            }
            '{' => {
                self.take('{');
                let mut fields = Map::new();
                while !self.take('}') {
                    let Value::String(key) = self.value(depth)? else { return None };
                    if !self.take(':') {
                        return None;
                    }
                    fields.insert(key, self.value(depth)?);
                    if !self.take(',') && !self.rest.starts_with('}') {
                        return None;
                    }
                }
                Value::Object(fields)
            }
            _ => self.word()?,
        };
        self.blanks();
        Some(value)
    }

    /// A number, or one of Python's and JSON's words.
    fn word(&mut self) -> Option<Value> {
        let length =
            self.rest.find(|c: char| !c.is_alphanumeric() && !"+-._".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        let value = match word {
            "True" | "true" => Value::Bool(true),
            "False" | "false" => Value::Bool(false),
            "None" | "null" => Value::Null,
            number => serde_json::from_str::<serde_json::Number>(number).ok().map(Value::Number)?,
        };
        self.rest = rest;
        Some(value)
    }

    fn string(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.rest = &self.rest[at + 2..];
                    return Some(text);
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                _ => text.push(c),
            }
        }
        None
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                self.blanks();
                true
            }
            None => false,
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<String>> {
        Some(calls(text)?.into_iter().map(|call| format!("{} {}", call.name, call.arguments)).collect())
    }

    #[test]
    fn calls_with_literals_are_read() {
        assert_eq!(read("look()").unwrap(), ["look {}"]);
        assert_eq!(
            read(r#"[look(a=1, b='it\'s', c=[True, None, -2.5,],), end(d={"x": "y"})]"#).unwrap(),
            [r#"look {"a":1,"b":"it's","c":[true,null,-2.5]}"#, r#"end {"d":{"x":"y"}}"#]
        );
        assert_eq!(read("print(look(n = \"ü\"))").unwrap(), ["look {\"n\":\"ü\"}"]);
    }

    #[test]
    fn what_is_no_call_is_not() {
        for text in [
            "",
            "look",
            "look(",
            "look(1)",
            "look(a=b)",
            "look() and then",
            "[look()",
            "look(a='x)",
            "look(a=1 b=2)",
            "((((",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("look(a={})", "[".repeat(1_000))), None);
    }
}
