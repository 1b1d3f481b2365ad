//! Removes the files of calls that are over when they are old enough, or when there are too many: oldest first. Those that lie here,
//! and, by the same rules and apart from those, what lies in object storage ([`stored`]).
//!
//! A sweep now and then, in threads of its own: no call waits for it, and files of calls in progress are never touched. Its memory
//! is bounded however many files there are. What it removes it says: in the log, and of recordings, which people ask for, in the
//! call's events. It does not know what is in the files.

pub mod stored;

use std::collections::BinaryHeap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use antiphon_api::{CallId, Timestamp};
use tokio::task::spawn_blocking;
use tracing::{debug, info, warn};

use crate::call::Calls;
use crate::call::journal;
use crate::storage::{Attempt, Severity, Storage, StoredEvent};

/// Files that one round looks at: the oldest ones. More rounds follow as long as there is something to remove.
const ROUND: usize = 4_096;
/// A file that was written to just now belongs to a call that has hardly ended, and is left alone.
const FRESH: Duration = Duration::from_secs(60);
/// The event of a call whose recording is gone.
const RECORDING_REMOVED: &str = "recording.removed";
/// How often is looked for what is old enough: as often as a tenth of the time that it is kept, within these bounds.
const OFTEN: Duration = Duration::from_secs(60);
const SELDOM: Duration = Duration::from_secs(60 * 60);

/// Files of calls in one directory, and how long they stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// What they are.
    pub what: Kind,
    /// Where they lie.
    pub directory: PathBuf,
    /// How long after it was last written to a file is removed; never if none.
    pub keep: Option<Duration>,
    /// How many bytes all of them may have together; as many as there are if none.
    pub maximum_bytes: Option<u64>,
}

/// What a file is, by the part of its name that follows the call's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A journal.
    Journal,
    /// A recording, complete or not.
    Recording,
}

/// What a sweep removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Whose files, oldest first.
    pub calls: Vec<CallId>,
    /// How many bytes they had.
    pub bytes: u64,
}

impl Keeping {
    /// Whether anything is ever removed.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.keep.is_some() || self.maximum_bytes.is_some()
    }

    /// Removes what is too old or too much now, of calls that are not `live`. At most a round of files; whether there may be more
    /// is the second of what it gives. Blocks the thread.
    ///
    /// # Errors
    /// The directory cannot be read. A directory that is not there holds nothing.
    pub fn sweep(&self, now: SystemTime, live: impl Fn(CallId) -> bool) -> io::Result<(Removed, bool)> {
        let files = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            other => other?,
        };
        let mut oldest = Oldest::default();
        for entry in files {
            if let Some(file) = entry.ok().and_then(|entry| self.file(&entry)) {
                oldest.look_at(file);
            }
        }
        let (due, full) = self.due(oldest, now, live);
        let mut removed = Removed::default();
        for Kept { bytes, call, place: path, .. } in due {
            match fs::remove_file(&path) {
                Ok(()) => removed.count(call, bytes),
                // Somebody was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    warn!(file = %path.display(), %error, "a file that is kept no longer cannot be removed")
                }
            }
        }
        let more = full && !removed.calls.is_empty();
        Ok((removed, more))
    }

    /// What is kept no longer of the oldest, and whether that may be only the beginning of it.
    fn due<P: Ord>(
        &self,
        oldest: Oldest<P>,
        now: SystemTime,
        live: impl Fn(CallId) -> bool,
    ) -> (Vec<Kept<P>>, bool) {
        let Oldest { heap, mut total } = oldest;
        let full = heap.len() == ROUND;
        let mut due = Vec::new();
        for kept in heap.into_sorted_vec() {
            let age = now.duration_since(kept.written).unwrap_or(Duration::ZERO);
            let too_old = self.keep.is_some_and(|keep| age > keep);
            let too_much = self.maximum_bytes.is_some_and(|most| total > most);
            if !too_old && !too_much {
                return (due, false);
            }
            if age >= FRESH && !live(kept.call) {
                total = total.saturating_sub(kept.bytes);
                due.push(kept);
            }
        }
        (due, full)
    }

    /// A file of ours; whatever else lies there is none of our business.
    fn file(&self, entry: &DirEntry) -> Option<Kept<PathBuf>> {
        let name = entry.file_name();
        let (id, rest) = name.to_str()?.split_once('.')?;
        let ours = match self.what {
            Kind::Journal => rest == journal::EXTENSION,
            Kind::Recording => matches!(rest, "wav" | "partial.wav"),
        };
        let call = id.parse().ok().filter(|_| ours)?;
        let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(Kept { written: data.modified().ok()?, bytes: data.len(), call, place: entry.path() })
    }

    /// How often a sweep is worth while.
    fn interval(&self) -> Duration {
        self.keep.map_or(SELDOM, |keep| keep / 10).clamp(OFTEN, SELDOM)
    }
}

/// Sweeps until it is dropped: at once, and again and again.
pub async fn run(calls: Calls, storage: Storage, keeping: Vec<Keeping>) {
    let keeping: Vec<Keeping> = keeping.into_iter().filter(Keeping::is_limited).collect();
    let Some(interval) = keeping.iter().map(Keeping::interval).min() else { return };
    loop {
        for keeping in &keeping {
            sweep_all(keeping, &calls, &storage).await;
        }
        tokio::time::sleep(interval).await;
    }
}

async fn sweep_all(keeping: &Keeping, calls: &Calls, storage: &Storage) {
    let mut more = true;
    while more {
        let (round, live) = (keeping.clone(), calls.clone());
        let swept = spawn_blocking(move || round.sweep(SystemTime::now(), |call| live.is_live(call))).await;
        match swept {
            Ok(Ok((removed, again))) => {
                tell(keeping.what, &removed, storage).await;
                more = again;
            }
            Ok(Err(error)) => {
                let directory = keeping.directory.display();
                warn!(%directory, %error, "old files cannot be looked for; the next sweep tries again");
                return;
            }
            Err(error) => return tracing::error!(%error, "a sweep failed: this is a bug of the server"),
        }
    }
}

async fn tell(what: Kind, removed: &Removed, storage: &Storage) {
    let (Some(oldest), count) = (removed.calls.first(), removed.calls.len()) else { return };
    let (name, bytes) = (what.name(), removed.bytes);
    info!(count, bytes, %oldest, "removed {count} {name}s that are kept no longer");
    for call in &removed.calls {
        debug!(%call, "its {name} is kept no longer");
        if what == Kind::Recording {
            let event = StoredEvent {
                stage: None,
                at: Timestamp::from(jiff::Timestamp::now()),
                severity: Severity::Info,
                kind: RECORDING_REMOVED.to_owned(),
                text: "the recording was removed: this server keeps recordings for a limited time".to_owned(),
                extras: None,
            };
            // The call itself may be gone, or the store away: the log has it.
            let _ = storage.calls.append_events(*call, &[event], Attempt::First).await;
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Recording => "recording",
        }
    }
}

impl Removed {
    fn count(&mut self, call: CallId, bytes: u64) {
        self.bytes += bytes;
        self.calls.push(call);
    }
}

/// What is kept of a call, at some place. Ordered by age, then by place, so that a sweep is the same twice.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept<P> {
    written: SystemTime,
    place: P,
    call: CallId,
    bytes: u64,
}

/// The oldest of all that was looked at: no more than a round.
#[derive(Debug)]
struct Oldest<P> {
    /// The newest of them is on top.
    heap: BinaryHeap<Kept<P>>,
    /// The bytes of all that was looked at.
    total: u64,
}

impl<P: Ord> Default for Oldest<P> {
    fn default() -> Self {
        Self { heap: BinaryHeap::with_capacity(64), total: 0 }
    }
}

impl<P: Ord> Oldest<P> {
    fn look_at(&mut self, kept: Kept<P>) {
        self.total = self.total.saturating_add(kept.bytes);
        self.heap.push(kept);
        if self.heap.len() > ROUND {
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A directory with files of calls, which are known by numbers.
    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("antiphon-retention-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        /// A file of so many bytes that was last written so many days ago.
        fn write(&self, name: &str, bytes: usize, days: u32, now: SystemTime) {
            let path = self.0.join(name);
            fs::write(&path, vec![0; bytes]).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(now - DAY * days).unwrap();
        }

        fn keeping(&self, what: Kind, days: Option<u32>, maximum_bytes: Option<u64>) -> Keeping {
            let keep = days.map(|days| DAY * days);
            Keeping { what, directory: self.0.clone(), keep, maximum_bytes }
        }

        fn names(&self) -> Vec<String> {
            let name = |entry: io::Result<DirEntry>| entry.unwrap().file_name().into_string().unwrap();
            let mut names: Vec<String> = fs::read_dir(&self.0).unwrap().map(name).collect();
            names.sort();
            names
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn call(number: u128) -> CallId {
        CallId::new(uuid::Uuid::from_u128(number))
    }

    fn journal(number: u128) -> String {
        format!("{}.journal", call(number))
    }

    #[test]
    fn what_is_older_than_it_is_kept_goes_and_nothing_else() {
        let (directory, now) = (Directory::new(), SystemTime::now());
        for (number, days) in [(1, 40), (2, 31), (3, 29), (4, 0)] {
            directory.write(&journal(number), 10, days, now);
        }
        directory.write("notes.journal", 10, 400, now);
        directory.write(&format!("{}.wav", call(5)), 10, 400, now);
        let keeping = directory.keeping(Kind::Journal, Some(30), None);
        let (removed, more) = keeping.sweep(now, |_| false).unwrap();
        assert_eq!(removed, Removed { calls: vec![call(1), call(2)], bytes: 20 });
        assert!(!more);
        let mut left = vec![journal(3), journal(4), format!("{}.wav", call(5)), "notes.journal".to_owned()];
        left.sort();
        assert_eq!(directory.names(), left);
        assert_eq!(keeping.sweep(now, |_| false).unwrap().0, Removed::default());
        // The next day, one more is old enough.
        let tomorrow = now + DAY * 2;
        assert_eq!(keeping.sweep(tomorrow, |_| false).unwrap().0.calls, [call(3)]);
    }

    #[test]
    fn too_many_bytes_cost_the_oldest_files() {
        let (directory, now) = (Directory::new(), SystemTime::now());
        for number in 1..=5_u128 {
            let kind = if number == 2 { "partial.wav" } else { "wav" };
            directory.write(&format!("{}.{kind}", call(number)), 100, 10 - number as u32, now);
        }
        let keeping = directory.keeping(Kind::Recording, None, Some(300));
        assert_eq!(keeping.sweep(now, |_| false).unwrap().0.calls, [call(1), call(2)]);
        assert_eq!(directory.names().len(), 3);
        let keeping = directory.keeping(Kind::Recording, None, Some(299));
        assert_eq!(keeping.sweep(now, |_| false).unwrap().0.calls, [call(3)]);
    }

    #[test]
    fn files_of_live_calls_and_of_calls_that_have_just_ended_stay() {
        let (directory, now) = (Directory::new(), SystemTime::now());
        for (number, days) in [(1, 40), (2, 39), (3, 0)] {
            directory.write(&journal(number), 10, days, now);
        }
        let keeping = directory.keeping(Kind::Journal, Some(30), Some(0));
        let (removed, _) = keeping.sweep(now, |id| id == call(1)).unwrap();
        assert_eq!(removed.calls, [call(2)]);
        assert_eq!(directory.names(), [journal(1), journal(3)]);
    }

    #[test]
    fn however_many_there_are_a_round_removes_the_oldest_and_says_that_there_is_more() {
        let (directory, now) = (Directory::new(), SystemTime::now());
        for number in 0..ROUND as u128 + 3 {
            directory.write(&journal(number), 1, 2, now - Duration::from_secs(10_000 - number as u64));
        }
        let keeping = directory.keeping(Kind::Journal, Some(1), None);
        let (removed, more) = keeping.sweep(now, |_| false).unwrap();
        assert_eq!((removed.calls.len(), removed.calls[0], more), (ROUND, call(0), true));
        let (removed, more) = keeping.sweep(now, |_| false).unwrap();
        assert_eq!((removed.calls.len(), more), (3, false));
    }

    #[test]
    fn a_directory_that_is_not_there_holds_nothing() {
        let directory = Directory::new();
        let mut keeping = directory.keeping(Kind::Journal, Some(0), None);
        keeping.directory.push("nothing");
        assert_eq!(keeping.sweep(SystemTime::now(), |_| false).unwrap(), (Removed::default(), false));
    }
}
