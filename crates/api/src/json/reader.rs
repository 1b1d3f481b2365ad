//! The state of one reading: where it is, what is wrong, what was ignored.
//!
//! Bounded whatever a peer sends: so many problems, so many ignored fields, so much of a value echoed.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Problems, and ignored fields, beyond this many are counted and not kept.
const KEPT: usize = 64;

/// Characters of a peer's own words that a path or a message repeats.
const ECHOED_CHARS: usize = 64;

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A request's body, or a message from a client. Bounds and known words are insisted on.
    RequestBody,
    /// A request's query, where everything is text. Bounds and known words are insisted on.
    RequestQuery,
    /// What a server has answered or sent, or a store has kept. Taken as it comes, as long as its shape is right.
    Response,
}

/// Something wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's dotted path, such as `medium.serverWebSocket.inputSampleRate`; empty for the whole text.
    pub path: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "the JSON text {}", self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// A text that could not be read: whoever wrote it has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    problems: Vec<Problem>,
    uncounted: usize,
}

impl Invalid {
    /// A text with one problem.
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { problems: vec![Problem { path: path.into(), message: message.into() }], uncounted: 0 }
    }

    /// What is wrong, in the order in which it was found; at least one problem, at most 64.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.problems.first().expect("an invalid text has a problem");
        fmt::Display::fmt(first, f)?;
        match self.problems.len() - 1 + self.uncounted {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more problem)"),
            more => write!(f, " (and {more} more problems)"),
        }
    }
}

/// What was read, and what was left aside in doing so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The value.
    pub value: T,
    /// Dotted paths of the fields that mean nothing to this version, at most 64.
    pub ignored: Vec<String>,
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(crate) enum Segment {
    Field(Cow<'static, str>),
    Index(usize),
}

impl From<&'static str> for Segment {
    fn from(field: &'static str) -> Self {
        Self::Field(Cow::Borrowed(field))
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// Collects what a reading finds.
#[derive(Debug)]
pub struct Reader {
    source: Source,
    path: Vec<Segment>,
    problems: Vec<Problem>,
    uncounted: usize,
    ignored: Vec<String>,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, path: Vec::new(), problems: Vec::new(), uncounted: 0, ignored: Vec::new() }
    }

    /// What is being read.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Whether bounds and words are insisted on.
    #[must_use]
    pub fn is_request(&self) -> bool {
        match self.source {
            Source::RequestBody | Source::RequestQuery => true,
            Source::Response => false,
        }
    }

    /// Reports that the value here cannot be read.
    pub fn fault(&mut self, message: impl Into<String>) {
        if self.problems.len() == KEPT {
            self.uncounted += 1;
            return;
        }
        let path = self.path_to(None);
        self.problems.push(Problem { path, message: message.into() });
    }

    /// Reports that the value here can be read and is not allowed. In a response it is taken as it is.
    pub fn refuse(&mut self, message: impl Into<String>) {
        if self.is_request() {
            self.fault(message);
        }
    }

    /// Notes that the value here is ignored.
    pub fn ignore(&mut self) {
        if self.ignored.len() < KEPT {
            let path = self.path_to(None);
            self.ignored.push(path);
        }
    }

    /// Notes that the field `key` of the object here is ignored. False once no more are kept.
    pub(crate) fn ignore_field(&mut self, key: &str) -> bool {
        if self.ignored.len() == KEPT {
            return false;
        }
        let path = self.path_to(Some(key));
        self.ignored.push(path);
        true
    }

    /// Reads what lies one step further down.
    pub(crate) fn at<R>(&mut self, segment: impl Into<Segment>, read: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(segment.into());
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reads what lies at a key that the peer has named.
    pub(crate) fn at_key<R>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        self.at(Segment::Field(Cow::Owned(shortened(key))), read)
    }

    /// How many problems there are so far.
    pub(crate) fn problem_count(&self) -> usize {
        self.problems.len() + self.uncounted
    }

    pub(crate) fn finish<T>(mut self, read: Option<T>) -> Result<Parsed<T>, Invalid> {
        match read {
            Some(value) if self.problems.is_empty() => Ok(Parsed { value, ignored: self.ignored }),
            _ => {
                if self.problems.is_empty() {
                    self.fault("is of a kind that is not known here");
                }
                Err(Invalid { problems: self.problems, uncounted: self.uncounted })
            }
        }
    }

    fn path_to(&self, last: Option<&str>) -> String {
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Field(field) => push_field(&mut path, field),
                Segment::Index(index) => write!(path, "[{index}]").expect("a string takes any text"),
            }
        }
        if let Some(last) = last {
            push_field(&mut path, &shortened(last));
        }
        path
    }
}

fn push_field(path: &mut String, field: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(field);
}

/// A peer's text in quotes, short enough for a message.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(ECHOED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
