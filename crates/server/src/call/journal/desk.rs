//! Where journals get to the disk: one thread writes those of all calls, a block each every flush interval.
//!
//! A call only adds to its page, under a lock that is held for a copy of some bytes; it never waits for the disk. A page is bounded:
//! when it is full, the journal ends with a mark that says so. One thread for all calls, since a write of its own every second would
//! cost a call more than all that goes into its journal. It knows nothing of what is in a page but that it is made of entries.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use antiphon_engine::CallTime;
use tokio::sync::oneshot;
use tracing::error;

use super::UserText;
use super::bytes::Writer;
use super::codec::Put as _;
use super::frame::{self, Kind};
use crate::private;

/// Bytes that may wait to be written: a client's largest message several times over, or minutes of a busy conversation.
pub(super) const WAITING_BYTES: usize = 4 * 1024 * 1024;
/// A page gives its memory back when it once held more than this.
const USUAL_BYTES: usize = 16 * 1024;
/// No page is looked at more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// What of a journal waits to be written.
#[derive(Debug, Default)]
pub(super) struct Page {
    waiting: Mutex<Waiting>,
    /// The file cannot be written.
    broken: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<u8>,
    /// Since when entries are missing: nothing more is taken.
    gap: Option<CallTime>,
    /// No more will come.
    closed: bool,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It waits to be written.
    Waits,
    /// There was no room for it, and the journal ends before it.
    NoRoom,
    /// The file cannot be written.
    Broken,
}

impl Page {
    /// Adds entries, of which the last happened at `at`.
    pub(super) fn add(&self, entries: &[u8], at: CallTime) -> Added {
        if self.broken.load(Ordering::Relaxed) {
            return Added::Broken;
        }
        let mut waiting = self.lock();
        if waiting.entries.len() + entries.len() > WAITING_BYTES {
            waiting.gap = Some(at);
            return Added::NoRoom;
        }
        waiting.entries.extend_from_slice(entries);
        Added::Waits
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        let _ = DESK.send(Order::Look);
    }

    /// Takes what waits, as blocks of the file, into `out`, and says whether that was the end.
    fn take(&self, out: &mut Vec<u8>) -> bool {
        let mut waiting = self.lock();
        let mut entries = std::mem::take(&mut waiting.entries);
        let (gap, closed) = (waiting.gap.take(), waiting.closed);
        drop(waiting);
        if !entries.is_empty() {
            frame::append(out, Kind::Entries, &entries);
        }
        if let Some(at) = gap {
            let mut writer = Writer::new(UserText::Omit);
            at.put(&mut writer);
            frame::append(out, Kind::Gap, &writer.bytes);
        }
        if entries.capacity() <= USUAL_BYTES {
            entries.clear();
            let mut waiting = self.lock();
            if waiting.entries.is_empty() {
                waiting.entries = entries;
            }
        }
        closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a journal's file, to be written from its page. What is awaited is over when everything is written.
pub(super) fn open(
    page: Arc<Page>,
    path: PathBuf,
    opening: Vec<u8>,
    interval: Duration,
) -> oneshot::Receiver<()> {
    let (written, done) = oneshot::channel();
    let interval = interval.max(SHORTEST_INTERVAL);
    let _ = DESK.send(Order::Open(Box::new(Journal {
        page,
        path,
        opening,
        interval,
        file: None,
        due: None,
        written,
    })));
    done
}

enum Order {
    Open(Box<Journal>),
    /// A page was closed.
    Look,
}

struct Journal {
    page: Arc<Page>,
    path: PathBuf,
    opening: Vec<u8>,
    interval: Duration,
    /// Absent before the first write.
    file: Option<File>,
    /// When it is written next; at once if absent.
    due: Option<Instant>,
    /// Dropped when all is written.
    #[expect(dead_code, reason = "it only has to be dropped")]
    written: oneshot::Sender<()>,
}

static DESK: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, desk) = mpsc::channel();
    let thread = std::thread::Builder::new().name("journals".to_owned());
    if let Err(error) = thread.spawn(move || work(&desk)) {
        error!(%error, "no thread can be started that writes journals; calls go on without them");
    }
    orders
});

/// Writes journals as long as the process lives.
fn work(orders: &mpsc::Receiver<Order>) {
    let began = Instant::now();
    let mut journals: Vec<Box<Journal>> = Vec::new();
    let mut out = Vec::new();
    loop {
        let due = journals.iter().filter_map(|journal| journal.due).min();
        let order = match due {
            None => orders.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(due) => orders.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let mut closed = false;
        match order {
            Ok(Order::Open(journal)) => journals.push(journal),
            Ok(Order::Look) => closed = true,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        // Whatever else came meanwhile is done in the same go.
        while let Ok(order) = orders.try_recv() {
            match order {
                Order::Open(journal) => journals.push(journal),
                Order::Look => closed = true,
            }
        }
        let now = Instant::now();
        journals.retain_mut(|journal| {
            let is_due = journal.due.is_none_or(|due| due <= now);
            let is_over = closed && journal.page.lock().closed;
            if !is_due && !is_over {
                return true;
            }
            // All of one interval are due at the same moments, so that the thread wakes once for them.
            let interval = journal.interval;
            let ticks = (now - began).as_nanos() / interval.as_nanos() + 1;
            journal.due = Some(began + interval * u32::try_from(ticks).unwrap_or(u32::MAX));
            out.clear();
            let over = journal.page.take(&mut out);
            match journal.write(&out) {
                Ok(()) => !over,
                Err(error) => {
                    journal.page.broken.store(true, Ordering::Relaxed);
                    let path = journal.path.display();
                    error!(%error, "the journal {path} cannot be written; the call goes on without it: check the disk and journal.directory");
                    false
                }
            }
        });
    }
}

impl Journal {
    fn write(&mut self, blocks: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = create(&self.path)?;
                file.write_all(&std::mem::take(&mut self.opening))?;
                self.file.insert(file)
            }
        };
        if blocks.is_empty() { Ok(()) } else { file.write_all(blocks) }
    }
}

/// Makes the file, for its owner alone: it holds what people said. What an earlier process wrote of a call that nobody had joined
/// is replaced.
fn create(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        private::create_directory(directory)?;
    }
    private::options().create(true).truncate(true).open(path)
}
