//! What Word and PowerPoint files say: archives of XML, read event by event and never further than they may inflate to.

use std::io::{BufRead, BufReader, Cursor, Read as _};

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Extracted, MOST_TEXT, Unreadable};

/// What all parts of a file that are read may inflate to.
const MOST_XML: u64 = 64 * 1024 * 1024;
/// Slides that are read.
const MOST_SLIDES: usize = 2_000;

/// An archive, and how much may still be read from it.
struct Archive<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    left: u64,
}

impl<'b> Archive<'b> {
    fn open(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(Unreadable::broken)?;
        Ok(Self { archive, left: MOST_XML })
    }

    /// Reads a part, if it is there.
    fn part<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        let file = match self.archive.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(Unreadable::broken(error)),
        };
        if file.encrypted() {
            return Err(Unreadable::Encrypted);
        }
        // One byte more than there may be, so that too much can be told from just enough.
        let mut bounded = BufReader::new(file.take(self.left + 1));
        let part = read(&mut bounded);
        let left = bounded.get_ref().limit();
        if left == 0 {
            return Err(Unreadable::TooLarge);
        }
        self.left = left - 1;
        part.map(Some)
    }
}

/// A Word document: its paragraphs, headings by their styles, tables row by row.
pub(super) fn word(bytes: &[u8]) -> Result<Extracted, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let title = title(&mut archive)?;
    let text = archive.part("word/document.xml", |xml| paragraphs(xml, Format::Word))?;
    let text = text.ok_or_else(|| Unreadable::broken("it holds no word/document.xml"))?;
    Ok(Extracted { text, headed: true, title, ..Extracted::default() })
}

/// A presentation: slide by slide, each under its title.
pub(super) fn slides(bytes: &[u8]) -> Result<Extracted, Unreadable> {
    let mut archive = Archive::open(bytes)?;
    let title = title(&mut archive)?;
    let number = |name: &str| -> Option<u32> {
        name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?.parse().ok()
    };
    let mut numbers: Vec<u32> =
        archive.archive.file_names().flatten().filter_map(|name| number(&name)).collect();
    if numbers.is_empty() {
        return Err(Unreadable::broken("it holds no slides"));
    }
    numbers.sort_unstable();
    numbers.dedup();
    let mut text = String::new();
    for number in numbers.into_iter().take(MOST_SLIDES) {
        let name = format!("ppt/slides/slide{number}.xml");
        let slide = archive.part(&name, |xml| paragraphs(xml, Format::Slide))?;
        text.push_str(&slide.unwrap_or_default());
        text.push_str("\n\n");
        if text.len() > MOST_TEXT {
            return Err(Unreadable::TooLarge);
        }
    }
    Ok(Extracted { text, headed: true, title, ..Extracted::default() })
}

/// The title among a file's properties.
fn title(archive: &mut Archive<'_>) -> Result<Option<String>, Unreadable> {
    archive
        .part("docProps/core.xml", |xml| {
            let (mut title, mut within) = (String::new(), false);
            events(xml, &mut |event| {
                match event {
                    Part::Start(tag) | Part::Empty(tag) if tag.local_name().as_ref() == "title" => {
                        within = true
                    }
                    Part::End("title") => within = false,
                    Part::Text(text) if within && title.len() < 1_000 => title.push_str(text),
                    Part::Start(_) | Part::Empty(_) | Part::End(_) | Part::Text(_) => {}
                }
                Ok(())
            })?;
            Ok(title)
        })
        .map(|title| title.filter(|title| !title.trim().is_empty()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Word,
    Slide,
}

/// A part's paragraphs. Both formats call a paragraph `p`, a text `t`, a line break `br`, a table's row and cell `tr` and `tc`.
fn paragraphs(xml: &mut dyn BufRead, format: Format) -> Result<String, Unreadable> {
    let mut text = String::new();
    let mut paragraph = String::new();
    let (mut in_text, mut level, mut in_title, mut in_row) = (false, 0, false, false);
    events(xml, &mut |event| {
        match event {
            Part::Start(tag) | Part::Empty(tag) => match tag.local_name().as_ref() {
                "t" => in_text = true,
                "tab" => paragraph.push(' '),
                "br" | "cr" => paragraph.push('\n'),
                "pStyle" => level = heading(tag),
                // A slide's title is in a shape that says so.
                "ph" => in_title = matches!(attribute(tag, "type").as_deref(), Some("title" | "ctrTitle")),
                "tr" => in_row = true,
                _ => {}
            },
            Part::End("t") => in_text = false,
            Part::End("sp") => in_title = false,
            Part::End("tc") => {
                paragraph.truncate(paragraph.trim_end().len());
                paragraph.push_str(" | ");
            }
            Part::End("tr") => {
                in_row = false;
                text.push_str(paragraph.trim().trim_end_matches('|').trim_end());
                text.push('\n');
                paragraph.clear();
            }
            Part::End("tbl") => text.push('\n'),
            Part::End("p") if in_row => paragraph.push(' '),
            Part::End("p") => {
                let level = if format == Format::Slide && in_title { 1 } else { std::mem::take(&mut level) };
                let words = paragraph.trim();
                if !words.is_empty() {
                    if level > 0 {
                        text.extend(std::iter::repeat_n('#', level));
                        text.push(' ');
                        // A heading is one line.
                        text.push_str(&words.replace('\n', " "));
                    } else {
                        text.push_str(words);
                    }
                    text.push_str("\n\n");
                }
                paragraph.clear();
            }
            Part::Text(words) if in_text => paragraph.push_str(words),
            Part::Text(_) | Part::End(_) => {}
        }
        if text.len() + paragraph.len() > MOST_TEXT {
            return Err(Unreadable::TooLarge);
        }
        Ok(())
    })?;
    text.push_str(paragraph.trim());
    Ok(text)
}

/// The level of a heading that a style means; 0 if it means none.
fn heading(style: &BytesStart<'_>) -> usize {
    let name = attribute(style, "val").unwrap_or_default().to_ascii_lowercase();
    if name == "title" {
        return 1;
    }
    let level = name.strip_prefix("heading").and_then(|level| level.trim().parse::<usize>().ok());
    level.map_or(0, |level| level.clamp(1, 6))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let found = attributes
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

/// A piece of XML.
enum Part<'x> {
    Start(&'x BytesStart<'x>),
    Empty(&'x BytesStart<'x>),
    End(&'x str),
    Text(&'x str),
}

/// Reads XML piece by piece. Definitions of entities are not followed, so that none can grow.
fn events(
    xml: &mut dyn BufRead,
    take: &mut dyn FnMut(Part<'_>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(Unreadable::broken)? {
            Event::Start(tag) => take(Part::Start(&tag))?,
            Event::Empty(tag) => {
                take(Part::Empty(&tag))?;
                take(Part::End(tag.local_name().as_ref()))?;
            }
            Event::End(tag) => take(Part::End(tag.local_name().as_ref()))?,
            Event::Text(text) => take(Part::Text(&text.xml10_content()))?,
            Event::CData(text) => take(Part::Text(&text.xml10_content()))?,
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(sign)) => take(Part::Text(sign.encode_utf8(&mut [0; 4])))?,
                Ok(None) | Err(_) => {
                    take(Part::Text(resolve_predefined_entity(&reference).unwrap_or_default()))?;
                }
            },
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}
