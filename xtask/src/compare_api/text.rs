//! Facts as text, a line each, so that they can be kept and reviewed.
//!
//! ```text
//! GET /api/calls/{call_id} calls_retrieve key
//!   path call_id string:uuid required
//!   200 application/json Call
//! type Call
//!   callId string:uuid required readOnly
//!   ended string:date-time nullable
//! type EndReasonEnum = hangup|timeout
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};

use super::facts::{Facts, Field, Operation, Shape, Type};

/// Spaces in the names of types that have none of their own, which would part the words of a line.
const SPACE: &str = "~";

pub(super) fn write(facts: &Facts) -> String {
    let mut text = String::new();
    for (name, operation) in &facts.operations {
        write_operation(&mut text, name, operation);
    }
    for (name, kind) in &facts.types {
        let name = name.replace(' ', SPACE);
        match kind {
            Type::Same(shape) => line(&mut text, format_args!("type {name} = {}", shape_text(shape))),
            Type::Object(fields) => {
                line(&mut text, format_args!("type {name}"));
                for (name, field) in fields {
                    line(&mut text, format_args!("  {name} {}", field_text(field)));
                }
            }
        }
    }
    text
}

fn write_operation(text: &mut String, name: &str, operation: &Operation) {
    let marks = [(operation.key, " key"), (operation.deprecated, " deprecated")];
    let marks: String = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| *mark).collect();
    line(text, format_args!("{name} {}{marks}", operation.id));
    for (name, field) in &operation.parameters {
        line(text, format_args!("  {name} {}", field_text(field)));
    }
    let body = if operation.body_required { "body!" } else { "body" };
    for (kind, shape) in &operation.body {
        line(text, format_args!("  {body} {kind} {}", shape_text(shape)));
    }
    for (status, contents) in &operation.answers {
        if contents.is_empty() {
            line(text, format_args!("  {status}"));
        }
        for (kind, shape) in contents {
            line(text, format_args!("  {status} {kind} {}", shape_text(shape)));
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes any text");
}

fn field_text(field: &Field) -> String {
    let flags = [
        (field.required, "required"),
        (field.nullable, "nullable"),
        (field.read_only, "readOnly"),
        (field.write_only, "writeOnly"),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| (*flag).to_owned());
    let bounds = field.bounds.iter().map(|(bound, value)| format!("{bound}={value}"));
    [shape_text(&field.shape)].into_iter().chain(flags).chain(bounds).collect::<Vec<_>>().join(" ")
}

fn shape_text(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any".to_owned(),
        Shape::Plain(kind) => kind.clone(),
        Shape::Words(words) => format!("<{}>", words.join("|")),
        Shape::List(item) => format!("[{}]", shape_text(item)),
        Shape::Map(value) => format!("{{{}}}", shape_text(value)),
        Shape::Named(name) => format!("@{}", name.replace(' ', SPACE)),
        Shape::OneOf(choices) => {
            format!("({})", choices.iter().map(shape_text).collect::<Vec<_>>().join(","))
        }
    }
}

pub(super) fn read(text: &str) -> anyhow::Result<Facts> {
    let mut facts = Facts::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, head)) = lines.next() {
        let mut body = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("  ")) {
            body.push(line.split(' ').skip(2).collect::<Vec<&str>>());
        }
        let words: Vec<&str> = head.split(' ').collect();
        let read = match words[..] {
            ["type", name, "=", shape] => read_shape(shape).map(|shape| {
                facts.types.insert(name.replace(SPACE, " "), Type::Same(shape));
            }),
            ["type", name] => read_object(&body).map(|object| {
                facts.types.insert(name.replace(SPACE, " "), object);
            }),
            [method, path, id, ref marks @ ..] => read_operation(id, marks, &body).map(|operation| {
                facts.operations.insert(format!("{method} {path}"), operation);
            }),
            _ => Err(anyhow::anyhow!("`{head}` says nothing")),
        };
        read.with_context(|| format!("line {}", number + 1))?;
    }
    Ok(facts)
}

fn read_object(lines: &[Vec<&str>]) -> anyhow::Result<Type> {
    let mut fields = BTreeMap::new();
    for words in lines {
        let [name, field @ ..] = &words[..] else { bail!("a field has no name") };
        fields.insert((*name).to_owned(), read_field(field)?);
    }
    Ok(Type::Object(fields))
}

fn read_operation(id: &str, marks: &[&str], lines: &[Vec<&str>]) -> anyhow::Result<Operation> {
    let mut operation = Operation {
        id: id.to_owned(),
        key: marks.contains(&"key"),
        deprecated: marks.contains(&"deprecated"),
        ..Operation::default()
    };
    for words in lines {
        match &words[..] {
            [place @ ("path" | "query" | "header"), name, field @ ..] => {
                operation.parameters.insert(format!("{place} {name}"), read_field(field)?);
            }
            [body @ ("body" | "body!"), kind, shape] => {
                operation.body_required = *body == "body!";
                operation.body.insert((*kind).to_owned(), read_shape(shape)?);
            }
            [status] => {
                operation.answers.entry((*status).to_owned()).or_default();
            }
            [status, kind, shape] => {
                let contents = operation.answers.entry((*status).to_owned()).or_default();
                contents.insert((*kind).to_owned(), read_shape(shape)?);
            }
            _ => bail!("`{}` says nothing", words.join(" ")),
        }
    }
    Ok(operation)
}

fn read_field(words: &[&str]) -> anyhow::Result<Field> {
    let [shape, flags @ ..] = words else { bail!("a field has no type") };
    let mut field = Field { shape: read_shape(shape)?, ..Field::default() };
    for flag in flags {
        match *flag {
            "required" => field.required = true,
            "nullable" => field.nullable = true,
            "readOnly" => field.read_only = true,
            "writeOnly" => field.write_only = true,
            bound => {
                let (bound, value) =
                    bound.split_once('=').with_context(|| format!("`{bound}` says nothing"))?;
                field.bounds.insert(bound.to_owned(), value.to_owned());
            }
        }
    }
    Ok(field)
}

fn read_shape(text: &str) -> anyhow::Result<Shape> {
    let inside = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    if text == "any" {
        Ok(Shape::Any)
    } else if let Some(name) = text.strip_prefix('@') {
        Ok(Shape::Named(name.replace(SPACE, " ")))
    } else if let Some(words) = inside('<', '>') {
        Ok(Shape::Words(words.split('|').map(str::to_owned).collect()))
    } else if let Some(item) = inside('[', ']') {
        Ok(Shape::List(Box::new(read_shape(item)?)))
    } else if let Some(value) = inside('{', '}') {
        Ok(Shape::Map(Box::new(read_shape(value)?)))
    } else if let Some(choices) = inside('(', ')') {
        Ok(Shape::OneOf(choices.split(',').map(read_shape).collect::<anyhow::Result<_>>()?))
    } else if text.chars().all(|letter| letter.is_ascii_alphanumeric() || ":-".contains(letter)) {
        Ok(Shape::Plain(text.to_owned()))
    } else {
        bail!("`{text}` is no type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let kept = include_str!("ultravox.txt");
        let facts = read(kept).expect("it was written by `write`");
        assert_eq!(write(&facts), kept);
        assert_eq!(facts.operations.len(), 114);
    }

    #[test]
    fn what_says_nothing_is_refused_with_its_line() {
        for (text, problem) in [
            ("type A\n  a\n", "line 1: a field has no type"),
            ("GET /api/a\n", "line 1: `GET /api/a` says nothing"),
            ("type A\n  a string\ntype B = <x\n", "line 3: `<x` is no type"),
            ("type A\n  a string odd\n", "line 1: `odd` says nothing"),
        ] {
            assert_eq!(format!("{:#}", read(text).expect_err(text)), problem);
        }
    }
}
