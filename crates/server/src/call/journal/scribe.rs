//! Puts what happens to a call into the words of its journal, while it runs.
//!
//! The call never waits for the disk: what is to be written goes to a page of the desk's. When there is no room on it, the journal
//! ends with a mark that says so, and the call goes on without one. A file that cannot be written is logged, and the call goes on as
//! well.

use std::sync::Arc;

use antiphon_engine::output::Output;
use antiphon_engine::{CallTime, Input};
use bytes::BufMut as _;
use tracing::warn;

use super::bytes::Writer;
use super::codec::Put as _;
use super::decision::{Deadline, Decision};
use super::desk::{self, Added, Page};
use super::digest::Digest;
use super::frame::{self, Kind};
use super::{Header, Journals, UserText};

/// Puts what happens to a conversation into words and hands it to the file's writer. For each input: [`Scribe::begin`], then
/// [`Scribe::add`] for all that the engine says, then [`Scribe::end`] and [`Scribe::hand_over`].
#[derive(Debug)]
pub struct Scribe {
    writer: Writer,
    digest: Digest,
    /// The time of the last entry.
    last: CallTime,
    page: Arc<Page>,
    /// Whether the journal has ended before its call.
    over: bool,
}

/// Starts a journal. The future is over when the scribe is dropped and everything is written; nobody has to wait for it.
pub fn start(journals: &Journals, header: &Header) -> (Scribe, impl Future<Output = ()> + Send + use<>) {
    let page = Arc::new(Page::default());
    let path = journals.path(header.call);
    let written = desk::open(Arc::clone(&page), path, opening(header), journals.flush_interval);
    let written = async {
        // Dropped, not sent: all is written, or nothing more will be.
        let _ = written.await;
    };
    (Scribe::new(header.user_text, page), written)
}

/// The opening of a journal, header included.
fn opening(header: &Header) -> Vec<u8> {
    let mut writer = Writer::new(header.user_text);
    writer.text(&header.server_version);
    writer.bytes.put_slice(header.call.uuid().as_bytes());
    writer.bytes.put_i64_le(header.created.unix_micros());
    writer.byte(match header.user_text {
        UserText::Keep => 0,
        UserText::Omit => 1,
    });
    header.config.put(&mut writer);
    header.ear.threshold.put(&mut writer);
    header.ear.echo_guard.put(&mut writer);
    let mut opening = frame::opening();
    frame::append(&mut opening, Kind::Header, &writer.bytes);
    opening
}

/// The journal of a call that has not begun.
#[cfg(test)]
pub(crate) fn of_nothing() -> Vec<u8> {
    opening(&super::samples::header())
}

/// Where the contents of a journal's first block begin.
#[cfg(test)]
pub(crate) fn contents_from() -> usize {
    frame::opening().len() + 4 + 4 + 1
}

impl Scribe {
    fn new(user_text: UserText, page: Arc<Page>) -> Self {
        Self {
            writer: Writer::new(user_text),
            digest: Digest::new(user_text),
            last: CallTime::ZERO,
            page,
            over: false,
        }
    }

    /// Begins an entry: what happened, or nothing for the creation of the conversation.
    pub fn begin(&mut self, at: CallTime, input: Option<&Input>) {
        if self.over {
            return;
        }
        self.writer.number(at.as_micros().saturating_sub(self.last.as_micros()));
        self.last = self.last.max(at);
        match input {
            None => self.writer.byte(0),
            Some(input) => {
                self.writer.byte(1);
                input.put(&mut self.writer);
            }
        }
    }

    /// Adds what the engine said to the open entry.
    pub fn add(&mut self, output: &Output, decision: Option<&Decision>) {
        if self.over {
            return;
        }
        self.digest.add(output);
        if let Some(decision) = decision {
            self.writer.byte(1);
            decision.put(&mut self.writer);
        }
    }

    /// Ends the open entry.
    pub fn end(&mut self, deadline: Deadline) {
        if self.over {
            return;
        }
        self.writer.byte(0);
        deadline.put(&mut self.writer);
        self.writer.bytes.put_u32_le(self.digest.value());
    }

    /// Hands what was put into words to the file's writer.
    pub fn hand_over(&mut self) {
        if self.over || self.writer.bytes.is_empty() {
            return;
        }
        match self.page.add(&self.writer.bytes, self.last) {
            Added::Waits => {}
            Added::NoRoom => {
                warn!("the journal ends here: too much of it waits for the disk");
                self.over = true;
            }
            // Whoever found out has said so.
            Added::Broken => self.over = true,
        }
        self.writer.bytes.clear();
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.page.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Tail, read};
    use super::*;
    use crate::call::journal::samples::header;

    fn journals(flush_interval: Duration) -> Journals {
        let directory = std::env::temp_dir().join(format!("antiphon-journal-{}", uuid::Uuid::new_v4()));
        Journals { directory, flush_interval, user_text: UserText::Keep }
    }

    fn note(scribe: &mut Scribe, ms: u64) {
        scribe.begin(CallTime::from_millis(ms), Some(&Input::Timeout));
        scribe.end(None);
        scribe.hand_over();
    }

    #[tokio::test]
    async fn a_disk_that_is_too_slow_ends_the_journal_with_a_mark() {
        let journals = journals(Duration::from_secs(1));
        let header = header();
        // Nobody writes the page meanwhile.
        let page = Arc::new(Page::default());
        let mut scribe = Scribe::new(UserText::Keep, Arc::clone(&page));
        let mut ms = 0;
        while !scribe.over {
            note(&mut scribe, ms);
            ms += 1;
        }
        drop(scribe);
        let path = journals.path(header.call);
        let _ = desk::open(page, path.clone(), opening(&header), journals.flush_interval).await;
        let journal = read(&path).unwrap();
        assert_eq!(journal.header, header);
        assert_eq!(journal.entries.len() as u64, ms - 1);
        assert_eq!(journal.tail, Tail::Gap(CallTime::from_millis(ms - 1)));
    }

    #[tokio::test]
    async fn what_was_torn_off_is_told_and_the_rest_is_read() {
        let journals = journals(Duration::ZERO);
        let header = header();
        let (mut scribe, writing) = start(&journals, &header);
        let writing = tokio::spawn(writing);
        let path = journals.path(header.call);
        note(&mut scribe, 1);
        while read(&path).map_or(0, |journal| journal.entries.len()) < 1 {
            tokio::task::yield_now().await;
        }
        note(&mut scribe, 2);
        drop(scribe);
        writing.await.unwrap();
        assert_eq!(read(&path).unwrap().entries.len(), 2);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let journal = read(&path).unwrap();
        assert_eq!(journal.entries.len(), 1);
        assert!(matches!(journal.tail, Tail::Torn { bytes } if bytes > 0), "{:?}", journal.tail);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_does_no_harm() {
        let journals = journals(Duration::ZERO);
        std::fs::write(&journals.directory, "in the way").unwrap();
        let (mut scribe, writing) = start(&journals, &header());
        let writing = tokio::spawn(writing);
        note(&mut scribe, 1);
        writing.await.unwrap();
        note(&mut scribe, 2);
        assert!(scribe.over);
    }
}
