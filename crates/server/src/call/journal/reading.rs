//! Reads a journal: all of it, or as far as it goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::{CallTime, Config, Input};

use super::bytes::{Malformed, Reader};
use super::codec::Take as _;
use super::decision::{Deadline, Decision};
use super::frame::{self, Foreign, Kind, VERSION};
use super::{EarSettings, Entry, Header, Journal, UserText};

/// How a journal stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// After a whole block. The call may go on, or may have been cut off.
    Whole,
    /// At this time too much waited for the disk; what followed is missing.
    Gap(CallTime),
    /// In the middle of a block, by a crash: this much was cut off.
    Torn {
        /// The bytes that are no whole block.
        bytes: usize,
    },
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read: the caller names another, or gets the right to read it.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is something else: the caller names another.
    #[error("{path} is no journal of a call; journals end in .journal")]
    NoJournal {
        /// Which.
        path: PathBuf,
    },
    /// Another version of the server wrote it: the caller uses that.
    #[error(
        "{path} is in version {version} of the journal format and this program reads version {VERSION}; use the version that wrote it"
    )]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// Nothing of it was written: the process was killed in the call's first moments.
    #[error("{path} holds nothing: it was cut off in its first block")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// It is whole and makes no sense: a fault of the server that wrote it.
    #[error("{path} makes no sense, although it is undamaged: {why}; please report this")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

/// Reads the journal at this path.
///
/// # Errors
/// See [`ReadError`]. A torn tail is no error: see [`Journal::tail`].
pub fn read(path: &Path) -> Result<Journal, ReadError> {
    let bytes = std::fs::read(path).map_err(|source| ReadError::File { path: path.to_owned(), source })?;
    read_bytes(&bytes, path)
}

/// Reads a journal that is in memory already; errors name the file that it is from.
///
/// # Errors
/// As for [`read`].
pub fn read_bytes(bytes: &[u8], path: &Path) -> Result<Journal, ReadError> {
    let named = || path.to_owned();
    let rest = frame::after_opening(bytes).map_err(|foreign| match foreign {
        Foreign::NoJournal => ReadError::NoJournal { path: named() },
        Foreign::Version(version) => ReadError::Version { path: named(), version },
    })?;
    match parse(rest) {
        Ok(Some(journal)) => Ok(journal),
        Ok(None) => Err(ReadError::Empty { path: named() }),
        Err(Malformed(why)) => Err(ReadError::Malformed { path: named(), why }),
    }
}

/// A file whose blocks have these contents: the length of the header's in two bytes, the header's, the entries'.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn framed(contents: &[u8]) -> Vec<u8> {
    let (length, rest) = contents.split_first_chunk().unwrap_or((&[0; 2], &[]));
    let (header, entries) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut file = frame::opening();
    frame::append(&mut file, Kind::Header, header);
    frame::append(&mut file, Kind::Entries, entries);
    file
}

/// Reads what follows the opening; none if not even the header is whole.
fn parse(mut rest: &[u8]) -> Result<Option<Journal>, Malformed> {
    let Some((Kind::Header, content)) = frame::next(&mut rest) else { return Ok(None) };
    let header = header(&mut Reader::new(content))?;
    let mut journal = Journal { header, entries: Vec::new(), tail: Tail::Whole };
    let mut last = CallTime::ZERO;
    while let Some((kind, content)) = frame::next(&mut rest) {
        let mut reader = Reader::new(content);
        match kind {
            Kind::Header => return Err(Malformed("it has two headers")),
            Kind::Entries => {
                while !reader.is_empty() {
                    let entry = entry(&mut reader, last)?;
                    last = entry.at;
                    journal.entries.push(entry);
                }
            }
            Kind::Gap => {
                journal.tail = Tail::Gap(CallTime::parse(&mut reader)?);
                return Ok(Some(journal));
            }
        }
    }
    if !rest.is_empty() {
        journal.tail = Tail::Torn { bytes: rest.len() };
    }
    Ok(Some(journal))
}

fn header(input: &mut Reader<'_>) -> Result<Header, Malformed> {
    Ok(Header {
        server_version: Arc::<str>::parse(input)?.to_string(),
        call: CallId::new(uuid::Uuid::from_bytes(input.array()?)),
        created: Timestamp::from_unix_micros(i64::from_le_bytes(input.array()?))
            .map_err(|_| Malformed("the call was created out of all time"))?,
        user_text: match input.byte()? {
            0 => UserText::Keep,
            1 => UserText::Omit,
            _ => return Err(Malformed("whether users' text is kept is not said")),
        },
        config: Config::parse(input)?,
        ear: EarSettings { threshold: f32::parse(input)?, echo_guard: bool::parse(input)? },
    })
}

fn entry(input: &mut Reader<'_>, last: CallTime) -> Result<Entry, Malformed> {
    let at = CallTime::from_micros(last.as_micros().saturating_add(input.number()?));
    let cause = Option::<Input>::parse(input)?;
    let mut decisions = Vec::new();
    while bool::parse(input)? {
        decisions.push(Decision::parse(input)?);
    }
    let deadline = Deadline::parse(input)?;
    Ok(Entry { at, input: cause, decisions, deadline, digest: u32::from_le_bytes(input.array()?) })
}
