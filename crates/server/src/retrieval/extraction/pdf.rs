//! What PDF files say, page by page.

use std::time::Instant;

use lopdf::{Document, LoadOptions, decode_text_string};

use super::{Extracted, MOST_TEXT, Unreadable};

/// What all streams of a file may inflate to while it is opened, shared equally among as many as there may be.
const MOST_OPENED: usize = 512 * 1024 * 1024;
/// What one of them, and what a page may inflate to.
const MOST_INFLATED: usize = 16 * 1024 * 1024;
/// Pages that are read.
const MOST_PAGES: usize = 5_000;

/// Reads pages until there are no more, or the time has come.
pub(super) fn read(bytes: &[u8], by: Instant) -> Result<Extracted, Unreadable> {
    // However a stream is described, this word stands before it.
    let streams = bytes.windows(6).filter(|word| word == b"stream").count().max(1);
    let options = LoadOptions {
        max_decompressed_size: Some((MOST_OPENED / streams).min(MOST_INFLATED)),
        ..LoadOptions::default()
    };
    let document = Document::load_mem_with_options(bytes, options).map_err(Unreadable::broken)?;
    if document.is_encrypted() {
        return Err(Unreadable::Encrypted);
    }
    let (mut text, mut failure) = (String::new(), None);
    let pages = document.get_pages();
    if pages.is_empty() {
        return Err(Unreadable::broken("it has no pages"));
    }
    for number in pages.into_keys().take(MOST_PAGES) {
        if Instant::now() > by {
            return Err(Unreadable::TooSlow);
        }
        // A page that cannot be read costs no other one.
        match document.extract_text_with_limit(&[number], MOST_INFLATED) {
            Ok(page) => {
                text.push_str(page.trim());
                text.push_str("\n\n");
            }
            Err(error) => failure = Some(error),
        }
        if text.len() > MOST_TEXT {
            return Err(Unreadable::TooLarge);
        }
    }
    match failure {
        Some(error) if text.trim().is_empty() => Err(Unreadable::broken(error)),
        Some(_) | None => Ok(Extracted { text, title: title(&document), ..Extracted::default() }),
    }
}

fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let (_, info) = document.dereference(info).ok()?;
    decode_text_string(info.as_dict().ok()?.get(b"Title").ok()?).ok()
}
