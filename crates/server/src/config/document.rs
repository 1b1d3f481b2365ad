//! A configuration file and the environment laid over it, as one tree that still knows where each value came from.
//!
//! Every value carries a span. Spans inside the file are byte positions; a value from the environment gets a span behind the
//! end of the file, one byte for each node that it made, so that one lookup tells both apart. Which fields there are is not known here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Source};

/// The tree.
pub(super) struct Document<'t> {
    root: Spanned<DeTable<'t>>,
    places: Places<'t>,
}

/// What turns a span into a place.
struct Places<'t> {
    path: PathBuf,
    text: &'t str,
    /// The variable that made each node behind the end of the file.
    variables: Vec<&'t str>,
}

impl<'t> Places<'t> {
    fn span_of_variable(&mut self, name: &'t str) -> Range<usize> {
        self.variables.push(name);
        let at = self.text.len() + self.variables.len();
        at..at + 1
    }

    fn source(&self, span: &Range<usize>) -> Source {
        match span.start.checked_sub(self.text.len() + 1) {
            Some(index) => match self.variables.get(index) {
                Some(name) => Source::Environment((*name).to_owned()),
                None => Source::Default,
            },
            None => {
                let before = self.text.as_bytes().iter().take(span.start);
                Source::File {
                    path: self.path.clone(),
                    line: 1 + before.filter(|byte| **byte == b'\n').count(),
                }
            }
        }
    }

    fn is_variable(&self, span: &Range<usize>) -> bool {
        span.start > self.text.len()
    }
}

impl<'t> Document<'t> {
    /// Reads `text`, which stands in the file `path`. Where it is no TOML, the rest is read all the same.
    pub(super) fn parse(path: &Path, text: &'t str, problems: &mut Vec<Problem>) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let places = Places { path: path.to_owned(), text, variables: Vec::new() };
        problems.extend(errors.iter().map(|error| Problem {
            source: error.span().map_or(Source::Default, |span| places.source(&span)),
            field: String::new(),
            message: format!("this is not TOML: {}", error.message()),
        }));
        Self { root, places }
    }

    /// Lays `value` of the environment variable `name` over the field at `path`. The value is TOML where it can be (`8080`,
    /// `true`, `["a"]`) and a plain text otherwise.
    pub(super) fn set(&mut self, path: &[String], name: &'t str, value: &'t str) {
        let span = self.places.span_of_variable(name);
        let mut value = DeValue::parse(value)
            .map(Spanned::into_inner)
            .ok()
            .filter(|value| !value.is_datetime())
            .unwrap_or(DeValue::String(Cow::Borrowed(value)));
        move_to(&mut value, &span);

        let Some((last, parents)) = path.split_last() else { return };
        let mut table = self.root.get_mut();
        for parent in parents {
            if !table.get(parent.as_str()).is_some_and(|value| value.get_ref().is_table()) {
                let span = self.places.span_of_variable(name);
                table.remove(parent.as_str());
                table.insert(
                    Spanned::new(span.clone(), Cow::Owned(parent.clone())),
                    Spanned::new(span, DeValue::Table(DeTable::new())),
                );
            }
            let Some(DeValue::Table(next)) = table.get_mut(parent.as_str()).map(Spanned::get_mut) else {
                return;
            };
            table = next;
        }
        table.remove(last.as_str());
        table.insert(Spanned::new(span.clone(), Cow::Owned(last.clone())), Spanned::new(span, value));
    }

    /// Where every value came from, by its path; a table's own entry stands for what it lacks.
    pub(super) fn sources(&self) -> BTreeMap<String, Source> {
        let mut sources = BTreeMap::new();
        visit(&self.root, &mut |node| {
            sources.insert(node.path.to_owned(), self.places.source(&node.key_span));
        });
        sources
    }

    /// The values alone; none if one of them is a number beyond all ranges, which [`Self::read`] reports.
    pub(super) fn table(&self) -> toml::Table {
        let values = toml::Table::deserialize(toml::de::Deserializer::from(self.root.clone()));
        values.unwrap_or_default()
    }

    /// Reads the tree as a `T`. Each field that cannot be read is reported and taken out, and the rest is read again: one look
    /// shows everything that is wrong. What only the environment got wrong by name is a warning.
    pub(super) fn read<T: DeserializeOwned + Default>(
        mut self,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<Problem>,
    ) -> T {
        // Of a variable that was read as a number or a truth value, and may have been meant as a text.
        let mut first_error: BTreeMap<usize, String> = BTreeMap::new();
        // What was taken out is missing then, which says nothing new of the table around it.
        let mut robbed: Vec<String> = Vec::new();
        // Taking an element out of an array renumbers the ones behind it; what is reported keeps its number.
        let original = self.root.clone();
        loop {
            let error = match T::deserialize(toml::de::Deserializer::from(self.root.clone())) {
                Ok(read) => return read,
                Err(error) => error,
            };
            let culprit = error
                .span()
                .and_then(|span| Some((self.find(&original, &span)?.path, self.find(&self.root, &span)?)));
            let Some((field, culprit)) = culprit else {
                problems.push(Problem {
                    source: Source::Default,
                    field: String::new(),
                    message: error.message().to_owned(),
                });
                return T::default();
            };
            let environment = self.places.is_variable(&culprit.span);
            if environment && !first_error.contains_key(&culprit.span.start) && self.retry_as_text(&culprit) {
                first_error.insert(culprit.span.start, error.message().to_owned());
                continue;
            }
            let consequence = error.message().starts_with("missing field") && robbed.contains(&field);
            if let Some((parent, _)) = field.rsplit_once('.') {
                robbed.push(parent.to_owned());
            }
            let unknown = error.message().starts_with("unknown field");
            let problem = Problem {
                source: self.places.source(&culprit.span),
                field,
                message: first_error
                    .remove(&culprit.span.start)
                    .unwrap_or_else(|| error.message().trim_end().to_owned()),
            };
            if unknown && environment {
                warnings.push(problem);
            } else if !consequence {
                problems.push(problem);
            }
            if !self.remove(&culprit.steps) {
                return T::default();
            }
        }
    }

    /// The smallest key or value around `span`.
    fn find(&self, root: &Spanned<DeTable<'_>>, span: &Range<usize>) -> Option<Culprit> {
        // Everything inside a variable's value has one span: there the outermost is meant, in the file the innermost.
        let innermost = !self.places.is_variable(span);
        let mut best: Option<Culprit> = None;
        visit(root, &mut |node| {
            for around in [&node.key_span, &node.value_span] {
                if around.start > span.start || around.end < span.end {
                    continue;
                }
                let better = |best: &Culprit| {
                    around.len() < best.span.len() || innermost && around.len() == best.span.len()
                };
                if best.as_ref().is_none_or(better) {
                    best = Some(Culprit {
                        span: around.clone(),
                        path: node.path.to_owned(),
                        steps: node.steps.to_vec(),
                    });
                }
            }
        });
        best
    }

    /// Turns a number or truth value of the environment back into the text it was. False if it was neither.
    fn retry_as_text(&mut self, culprit: &Culprit) -> bool {
        let Some(value) = self.value_mut(&culprit.steps) else { return false };
        let text = match value.get_ref() {
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Float(value) => value.to_string(),
            DeValue::Integer(value) => value.to_string(),
            DeValue::Array(_) | DeValue::Datetime(_) | DeValue::String(_) | DeValue::Table(_) => {
                return false;
            }
        };
        *value.get_mut() = DeValue::String(Cow::Owned(text));
        true
    }

    fn value_mut(&mut self, steps: &[Step]) -> Option<&mut Spanned<DeValue<'t>>> {
        let (first, rest) = steps.split_first()?;
        let Step::Key(key) = first else { return None };
        let mut value = self.root.get_mut().get_mut(key.as_str())?;
        for step in rest {
            value = match (step, value.get_mut()) {
                (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?,
                (Step::Index(index), DeValue::Array(array)) => array.get_mut(*index)?,
                _ => return None,
            };
        }
        Some(value)
    }

    fn remove(&mut self, steps: &[Step]) -> bool {
        let Some((last, parents)) = steps.split_last() else { return false };
        if parents.is_empty() {
            return matches!(last, Step::Key(key) if self.root.get_mut().remove(key.as_str()).is_some());
        }
        match (last, self.value_mut(parents).map(Spanned::get_mut)) {
            (Step::Key(key), Some(DeValue::Table(table))) => table.remove(key.as_str()).is_some(),
            (Step::Index(index), Some(DeValue::Array(array))) if *index < array.len() => {
                let all = std::mem::replace(array, std::iter::empty().collect());
                let kept = all.into_iter().enumerate().filter(|(at, _)| at != index);
                *array = kept.map(|(_, value)| value).collect();
                true
            }
            _ => false,
        }
    }
}

fn visit(root: &Spanned<DeTable<'_>>, see: &mut dyn FnMut(&Node<'_>)) {
    visit_table(root.get_ref(), "", &mut Vec::new(), see);
}

/// One step from a container to what it holds.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

struct Node<'n> {
    path: &'n str,
    steps: &'n [Step],
    key_span: Range<usize>,
    value_span: Range<usize>,
}

struct Culprit {
    span: Range<usize>,
    path: String,
    steps: Vec<Step>,
}

fn visit_table(table: &DeTable<'_>, path: &str, steps: &mut Vec<Step>, see: &mut dyn FnMut(&Node<'_>)) {
    for (key, value) in table.iter() {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        steps.push(Step::Key(name.to_string()));
        visit_value(key.span(), value, &path, steps, see);
        steps.pop();
    }
}

fn visit_value(
    key_span: Range<usize>,
    value: &Spanned<DeValue<'_>>,
    path: &str,
    steps: &mut Vec<Step>,
    see: &mut dyn FnMut(&Node<'_>),
) {
    see(&Node { path, steps, key_span, value_span: value.span() });
    match value.get_ref() {
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                steps.push(Step::Index(index));
                visit_value(value.span(), value, &format!("{path}[{index}]"), steps, see);
                steps.pop();
            }
        }
        DeValue::Table(table) => visit_table(table, path, steps, see),
        DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Float(_)
        | DeValue::Integer(_)
        | DeValue::String(_) => {}
    }
}

/// Gives everything inside `value` the span `span`.
fn move_to(value: &mut DeValue<'_>, span: &Range<usize>) {
    match value {
        DeValue::Array(array) => {
            for value in array.iter_mut() {
                move_to(value.get_mut(), span);
                *value =
                    Spanned::new(span.clone(), std::mem::replace(value.get_mut(), DeValue::Boolean(false)));
            }
        }
        DeValue::Table(table) => {
            let entries: Vec<_> = std::mem::take(table).into_iter().collect();
            for (key, value) in entries {
                let mut value = value.into_inner();
                move_to(&mut value, span);
                table.insert(Spanned::new(span.clone(), key.into_inner()), Spanned::new(span.clone(), value));
            }
        }
        DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Float(_)
        | DeValue::Integer(_)
        | DeValue::String(_) => {}
    }
}
