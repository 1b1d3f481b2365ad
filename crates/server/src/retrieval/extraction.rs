//! From a file's bytes to the text in it: what a document says, without how it looks.
//!
//! Files come from strangers. Each is read in a thread of its own with a large stack, of which there are few at a time; what it inflates
//! to is bounded; a reader that panics or takes too long costs this one document. Knows no corpus and no network.

mod html;
mod office;
mod pdf;

use std::any::Any;
use std::borrow::Cow;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_api::Timestamp;
use encoding_rs::{Encoding, UTF_8};
use tokio::sync::{Semaphore, oneshot};

/// Text that one document may have, in bytes.
const MOST_TEXT: usize = 10 * 1024 * 1024;
/// How long one file may take.
const LONGEST: Duration = Duration::from_secs(60);
/// Files that are read at a time. One that takes too long goes on counting until its reader comes to an end.
const AT_A_TIME: usize = 4;
/// Enough for the deepest nesting that the readers allow.
const STACK: usize = 32 * 1024 * 1024;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Markdown,
    Html,
    Pdf,
    Docx,
    Pptx,
}

impl Kind {
    /// What a MIME type means; none if files of this type cannot be read.
    pub(crate) fn of(mime_type: &str) -> Option<Self> {
        Some(match essence(mime_type).as_str() {
            "text/plain" => Self::Text,
            "text/markdown" | "text/x-markdown" => Self::Markdown,
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/pdf" | "application/x-pdf" => Self::Pdf,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Self::Docx,
            "application/vnd.openxmlformats-officedocument.presentationml.presentation" => Self::Pptx,
            _ => return None,
        })
    }
}

/// A MIME type without its parameters, in lower case.
pub(crate) fn essence(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Extracted {
    /// Its text. Headings stand on lines of their own behind `#` signs, as in Markdown, where the file has headings.
    pub(crate) text: String,
    /// Whether `#` signs mean headings.
    pub(crate) headed: bool,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) published: Option<Timestamp>,
    /// What a page links to, as it is written there.
    pub(crate) links: Vec<String>,
    /// What a page's links are relative to, if that is not the page.
    pub(crate) base: Option<String>,
    /// Whether a page asks to be left out of indexes, and its links to be left alone.
    pub(crate) no_index: bool,
    pub(crate) no_follow: bool,
}

/// Why nothing can be read from a file. Whoever owns it acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the file is broken ({0}); save it anew")]
    Broken(String),
    #[error("the file is encrypted; save it without a password")]
    Encrypted,
    #[error("there is no text in the file; if it is a scan, have its text recognized first")]
    Empty,
    #[error("the file has more text than {} MiB, or grows too large when it is unpacked; split it", MOST_TEXT >> 20)]
    TooLarge,
    #[error("the file took longer to read than {} s; save it anew, or split it", LONGEST.as_secs())]
    TooSlow,
    #[error("files of this type are not read")]
    Unknown,
    #[error("the document is returned as a whole and has more than {0} characters; split it")]
    TooLongForWhole(usize),
    #[error("the server was busy with other files; load the source again")]
    Busy,
}

impl Unreadable {
    #[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
    fn broken(why: impl ToString) -> Self {
        Self::Broken(why.to_string())
    }
}

/// Reads files, a few at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reading(Arc<Semaphore>);

impl Default for Reading {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Reading {
    /// What a file says. `mime_type` may name the encoding of a text.
    pub(crate) async fn read(
        &self,
        kind: Kind,
        mime_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Extracted, Unreadable> {
        let waiting = tokio::time::timeout(2 * LONGEST, Arc::clone(&self.0).acquire_owned());
        let Ok(Ok(permit)) = waiting.await else { return Err(Unreadable::Busy) };
        let (sender, receiver) = oneshot::channel();
        let mime_type = mime_type.to_owned();
        let thread = std::thread::Builder::new().name("extraction".to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            let read = catch_unwind(|| extract(kind, &mime_type, &bytes));
            // Nobody may be waiting any more.
            let _ = sender.send(read.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
            drop(permit);
        });
        if spawned.is_err() {
            return Err(Unreadable::Busy);
        }
        match tokio::time::timeout(LONGEST, receiver).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err(Unreadable::Busy),
            Err(_) => Err(Unreadable::TooSlow),
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Unreadable {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Unreadable::broken(text.unwrap_or("its reader failed").chars().take(200).collect::<String>())
}

/// Reads a file at once.
pub(crate) fn extract(kind: Kind, mime_type: &str, bytes: &[u8]) -> Result<Extracted, Unreadable> {
    let by = Instant::now() + LONGEST;
    let mut extracted = match kind {
        Kind::Text => Extracted { text: decoded(mime_type, bytes).into_owned(), ..Extracted::default() },
        Kind::Markdown => markdown(decoded(mime_type, bytes).into_owned()),
        Kind::Html => html::read(&html::decoded(mime_type, bytes)),
        Kind::Pdf => pdf::read(bytes, by)?,
        Kind::Docx => office::word(bytes)?,
        Kind::Pptx => office::slides(bytes)?,
    };
    if extracted.text.len() > MOST_TEXT {
        return Err(Unreadable::TooLarge);
    }
    // A byte of zero ends texts in some places.
    if extracted.text.contains('\0') {
        extracted.text = extracted.text.replace('\0', " ");
    }
    if extracted.text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    for text in [&mut extracted.title, &mut extracted.description].into_iter().flatten() {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect();
    }
    extracted.title = extracted.title.filter(|title| !title.is_empty());
    extracted.description = extracted.description.filter(|description| !description.is_empty());
    Ok(extracted)
}

/// A text's bytes in the encoding that its type names, or that it says itself by its first bytes; UTF-8 if neither does.
fn decoded<'b>(mime_type: &str, bytes: &'b [u8]) -> Cow<'b, str> {
    encoding(mime_type).unwrap_or(UTF_8).decode(bytes).0
}

fn encoding(mime_type: &str) -> Option<&'static Encoding> {
    mime_type.split(';').skip(1).find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        Encoding::for_label(label.trim().trim_matches('"').as_bytes()).filter(|_| is_charset)
    })
}

/// A Markdown text's title is its first heading of the first level.
fn markdown(text: String) -> Extracted {
    let title = text.lines().find_map(|line| line.strip_prefix("# ")).map(|title| title.trim().to_owned());
    Extracted { text, headed: true, title, ..Extracted::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_its_encoding() {
        let read = |mime_type, bytes| extract(Kind::Text, mime_type, bytes).unwrap().text;
        assert_eq!(read("text/plain", "Grüße".as_bytes()), "Grüße");
        assert_eq!(read("text/plain; charset=ISO-8859-1", b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(read("text/plain; Charset=\"utf-8\"", "Grüße".as_bytes()), "Grüße");
        assert_eq!(read("text/plain", b"\xff\xfeG\0r\0"), "Gr");
        assert_eq!(read("text/plain", b"a\0b"), "a b");
        assert_eq!(extract(Kind::Text, "text/plain", b" \n"), Err(Unreadable::Empty));
    }

    #[test]
    fn types_are_known_by_their_names_alone() {
        assert_eq!(Kind::of("Text/HTML; charset=utf-8"), Some(Kind::Html));
        for unknown in ["application/msword", "application/vnd.ms-powerpoint", "image/png", ""] {
            assert_eq!(Kind::of(unknown), None, "{unknown}");
        }
        for known in antiphon_api::rest::corpora::READABLE_TYPES {
            assert!(Kind::of(known).is_some(), "{known}");
        }
    }

    #[test]
    fn too_much_text_is_refused() {
        let text = "a ".repeat(MOST_TEXT);
        assert_eq!(extract(Kind::Text, "text/plain", text.as_bytes()), Err(Unreadable::TooLarge));
    }
}
