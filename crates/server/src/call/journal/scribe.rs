//! Writes a call's journal while the call runs: the call's end puts entries into words, a task of its own puts them into the file.
//!
//! The call never waits for the disk. What waits to be written is bounded in bytes; when that is full, the journal ends with a mark
//! that says so, and the call goes on without one. A file that cannot be written is logged, and the call goes on as well.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::output::Output;
use antiphon_engine::{CallTime, Input};
use bytes::{BufMut as _, Bytes};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use super::bytes::Writer;
use super::codec::Put as _;
use super::decision::{Deadline, Decision};
use super::digest::Digest;
use super::frame::{self, Kind};
use super::{Header, Journals, UserText};

/// Bytes that may wait to be written: a client's largest message several times over, or minutes of a busy conversation.
const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Pieces that may wait to be written, however small. One more is kept for the mark of a gap.
const WAITING_PIECES: usize = 8_192;
/// A block is closed when it is longer than this.
const BLOCK: usize = 256 * 1024;

/// Something to write.
#[derive(Debug)]
enum Piece {
    Entries(Bytes, OwnedSemaphorePermit),
    Gap(CallTime),
}

/// Puts what happens to a conversation into words and hands it to the file's writer. For each input: [`Scribe::begin`], then
/// [`Scribe::add`] for all that the engine says, then [`Scribe::end`] and [`Scribe::hand_over`].
#[derive(Debug)]
pub struct Scribe {
    writer: Writer,
    digest: Digest,
    /// The time of the last entry.
    last: CallTime,
    /// Where pieces go, until one finds no room.
    pieces: Option<mpsc::Sender<Piece>>,
    room: Arc<Semaphore>,
    /// Dropped with the rest, which tells the writer not to wait for more.
    _open: DropGuard,
}

/// Starts a journal. The future writes the file; it is over when the scribe is dropped and everything is written.
pub fn start(journals: &Journals, header: &Header) -> (Scribe, impl Future<Output = ()> + Send + use<>) {
    let (pieces, receiver) = mpsc::channel(WAITING_PIECES + 1);
    let closed = CancellationToken::new();
    let file = Writing {
        path: journals.path(header.call),
        opening: opening(header),
        flush_interval: journals.flush_interval,
        closed: closed.clone(),
    };
    let scribe = Scribe::new(header.user_text, pieces, closed.drop_guard());
    (scribe, file.run(receiver))
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

impl Scribe {
    fn new(user_text: UserText, pieces: mpsc::Sender<Piece>, open: DropGuard) -> Self {
        Self {
            writer: Writer::new(user_text),
            digest: Digest::new(user_text),
            last: CallTime::ZERO,
            pieces: Some(pieces),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
            _open: open,
        }
    }

    /// Begins an entry: what happened, or nothing for the creation of the conversation.
    pub fn begin(&mut self, at: CallTime, input: Option<&Input>) {
        if self.pieces.is_none() {
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
        if self.pieces.is_none() {
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
        if self.pieces.is_none() {
            return;
        }
        self.writer.byte(0);
        deadline.put(&mut self.writer);
        self.writer.bytes.put_u32_le(self.digest.value());
    }

    /// Hands what was put into words to the file's writer.
    pub fn hand_over(&mut self) {
        let Some(pieces) = &self.pieces else { return };
        let entries = self.writer.bytes.split().freeze();
        if entries.is_empty() {
            return;
        }
        let room = u32::try_from(entries.len()).ok().filter(|_| pieces.capacity() > 1);
        let permit = room.and_then(|bytes| Arc::clone(&self.room).try_acquire_many_owned(bytes).ok());
        let Some(permit) = permit else {
            warn!("the journal ends here: too much of it waits for the disk");
            // Room for this is kept. A writer that gave up has said so.
            let _ = pieces.try_send(Piece::Gap(self.last));
            self.pieces = None;
            return;
        };
        if pieces.try_send(Piece::Entries(entries, permit)).is_err() {
            self.pieces = None;
        }
    }
}

/// The task that writes the file.
struct Writing {
    path: PathBuf,
    opening: Vec<u8>,
    flush_interval: Duration,
    closed: CancellationToken,
}

impl Writing {
    async fn run(self, pieces: mpsc::Receiver<Piece>) {
        if let Err(error) = self.write(pieces).await {
            let path = self.path.display();
            error!(%error, "the journal {path} cannot be written; the call goes on without it: check the disk and journal.directory");
        }
    }

    async fn write(&self, mut pieces: mpsc::Receiver<Piece>) -> std::io::Result<()> {
        let mut file = create(&self.path).await?;
        file.write_all(&self.opening).await?;
        file.flush().await?;
        let mut block = Vec::new();
        let mut out = Vec::new();
        while let Some(first) = pieces.recv().await {
            tokio::select! {
                () = tokio::time::sleep(self.flush_interval) => {}
                () = self.closed.cancelled() => {}
            }
            let mut next = Some(first);
            while let Some(piece) = next {
                match piece {
                    Piece::Entries(entries, permit) => {
                        block.extend_from_slice(&entries);
                        drop(permit);
                    }
                    Piece::Gap(at) => {
                        close_block(&mut block, &mut out);
                        let mut writer = Writer::new(UserText::Omit);
                        at.put(&mut writer);
                        frame::append(&mut out, Kind::Gap, &writer.bytes);
                    }
                }
                if block.len() > BLOCK {
                    break;
                }
                next = pieces.try_recv().ok();
            }
            close_block(&mut block, &mut out);
            file.write_all(&out).await?;
            file.flush().await?;
            out.clear();
        }
        Ok(())
    }
}

fn close_block(block: &mut Vec<u8>, out: &mut Vec<u8>) {
    if !block.is_empty() {
        frame::append(out, Kind::Entries, block);
        block.clear();
    }
}

/// Makes the file, for its owner alone: it holds what people said. What an earlier process wrote of a call that nobody had joined
/// is replaced.
async fn create(path: &Path) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory).await?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await
}

#[cfg(test)]
mod tests {
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
        let (mut scribe, writing) = start(&journals, &header);
        // The writer does not run meanwhile.
        for ms in 0..20_000 {
            note(&mut scribe, ms);
        }
        assert!(scribe.pieces.is_none());
        drop(scribe);
        writing.await;
        let journal = read(&journals.path(header.call)).unwrap();
        assert_eq!(journal.header, header);
        assert_eq!(journal.entries.len(), WAITING_PIECES);
        assert_eq!(journal.tail, Tail::Gap(CallTime::from_millis(WAITING_PIECES as u64)));
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
        assert!(scribe.pieces.is_none());
    }
}
