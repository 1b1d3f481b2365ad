//! Hands what ended calls have left here to object storage, and removes it here when it is there.
//!
//! What is to be done lies in the directories: a process that is killed leaves it to the next. So nothing is in memory but the names of
//! one round. A storage that is away is tried again, ever less often; until then everything is read from here. What is handed over is
//! asked for in the store first and once more afterwards: a call may have been deleted by another node meanwhile.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use antiphon_api::CallId;
use futures::{StreamExt as _, stream};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::call::Calls;
use crate::call::recording::Recordings;
use crate::objects::{Kind, Name, Objects, PutError, StoreError};
use crate::storage::{Storage, StorageError};

/// Files of one round.
const ROUND: usize = 1_024;
/// Files that are on their way at a time.
const AT_A_TIME: usize = 4;
/// Failures that end a round: the storage is away, and not a single file at fault.
const FAILURES: usize = AT_A_TIME;
/// The least that lies between rounds, so that calls that end together go together.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that goes by without a look.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// A WAV file's header: a recording without more holds nothing.
const HEADER: u64 = antiphon_audio::WavHeader::LENGTH as u64;

/// Hands over.
pub struct HandOver {
    objects: Objects,
    calls: Calls,
    storage: Storage,
    recordings: Recordings,
    places: Vec<Place>,
}

/// Where files of a kind lie that are to be handed over.
#[derive(Debug, Clone)]
pub struct Place {
    /// What they are.
    pub kind: Kind,
    /// Where.
    pub directory: PathBuf,
}

/// What came of a round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Files that are gone from here: handed over, or of deleted calls.
    pub done: usize,
    /// Files that could not be handed over.
    pub failed: usize,
    /// Whether there may be more files than fit in a round.
    pub full: bool,
}

/// A file that may be handed over.
#[derive(Debug, Clone)]
struct Waiting {
    name: Name,
    path: PathBuf,
}

/// Why a file was not handed over.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Put(#[from] PutError),
    #[error("the file cannot be removed: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Object(#[from] StoreError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What the store knows of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Deleted,
    Ended,
    /// It has not ended, and is not ours: another node's.
    Unfinished,
}

impl HandOver {
    /// To this storage, of these calls.
    #[must_use]
    pub fn new(
        objects: Objects,
        calls: Calls,
        storage: Storage,
        recordings: Recordings,
        places: Vec<Place>,
    ) -> Self {
        Self { objects, calls, storage, recordings, places }
    }

    /// Works until it is told to stop; then once more, for the calls that ended last.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let round = self.round().await;
            failures = if round.failed > 0 { failures + 1 } else { 0 };
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.nap(round, failures) => {}
            }
        }
        while let Round { done: 1.., failed: 0, full: true } = self.round().await {}
    }

    async fn nap(&self, round: Round, failures: u32) {
        if failures > 0 {
            return sleep(PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_NAP)).await;
        }
        sleep(PAUSE).await;
        if !(round.full && round.done > 0) {
            let _ = tokio::time::timeout(LONGEST_NAP, self.objects.rung()).await;
        }
    }

    /// Hands over what lies here now, as far as it fits in a round.
    pub async fn round(&self) -> Round {
        let waiting = self.waiting().await;
        let mut round = Round { full: waiting.len() == ROUND, ..Round::default() };
        self.objects.metrics().objects_waiting(waiting.len());
        let mut left = waiting.len();
        let mut work = stream::iter(waiting).map(|file| self.hand_over(file)).buffer_unordered(AT_A_TIME);
        while let Some((file, outcome)) = work.next().await {
            match outcome {
                Ok(true) => {
                    round.done += 1;
                    left -= 1;
                }
                Ok(false) => {}
                Err(why) => {
                    round.failed += 1;
                    match &why {
                        Failure::Disk(_) | Failure::Put(PutError::File(_)) => {
                            error!(file = %file.path.display(), %why, "a file cannot be handed over; trying on");
                        }
                        Failure::Put(_) | Failure::Object(_) | Failure::Storage(_) => {
                            warn!(object = %file.name, %why, "not handed over yet; it is read from here until then");
                        }
                    }
                    if round.failed >= FAILURES {
                        break;
                    }
                }
            }
        }
        self.objects.metrics().objects_waiting(left);
        if round.done > 0 {
            let Round { done, .. } = round;
            info!(files = done, place = self.objects.place(), "handed {done} files to object storage");
        }
        round
    }

    /// Hands one file over. Whether it is gone from here.
    async fn hand_over(&self, file: Waiting) -> (Waiting, Result<bool, Failure>) {
        let outcome = match file.name.kind {
            Kind::Sample => self.send(&file).await.map(|()| true),
            Kind::Journal | Kind::Recording => self.hand_over_of_call(&file).await,
        };
        (file, outcome)
    }

    async fn hand_over_of_call(&self, file: &Waiting) -> Result<bool, Failure> {
        let call = CallId::new(file.name.id);
        match self.standing(call).await? {
            Standing::Unfinished => return Ok(false),
            Standing::Ended => {}
            Standing::Deleted => {
                debug!(%call, "what lies here of a deleted call is removed");
                self.objects.delete(file.name).await?;
                remove(file).await?;
                return Ok(true);
            }
        }
        if file.name.kind == Kind::Recording {
            self.recordings.settle(call).await?;
        }
        self.send(file).await?;
        // It may have been deleted while this was on its way.
        if self.standing(call).await? == Standing::Deleted {
            self.objects.delete(file.name).await?;
        }
        Ok(true)
    }

    async fn send(&self, file: &Waiting) -> Result<(), Failure> {
        let bytes = match tokio::fs::metadata(&file.path).await {
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?.len(),
        };
        let least = match file.name.kind {
            Kind::Recording => HEADER,
            Kind::Journal | Kind::Sample => 1,
        };
        // Of less, the process was killed before it wrote anything. And what lies there may be ours, of a process that was killed since,
        // or the whole of which this is the beginning: a call that waited here for a join may have gone on elsewhere.
        if bytes >= least && self.objects.find(file.name).await?.is_none_or(|there| there.size < bytes) {
            match self.objects.put_file(file.name, &file.path).await {
                Err(PutError::File(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            self.objects.metrics().object_handed_over();
        }
        Ok(remove(file).await?)
    }

    async fn standing(&self, call: CallId) -> Result<Standing, StorageError> {
        if let Some(call) = self.storage.calls.find(call).await? {
            return Ok(if call.ended.is_some() { Standing::Ended } else { Standing::Unfinished });
        }
        for account in self.storage.accounts.accounts().await? {
            if self.storage.catalog.find_tombstone(account.id, call).await?.is_some() {
                return Ok(Standing::Deleted);
            }
        }
        // Of another database. Nobody says that it is to go.
        Ok(Standing::Ended)
    }

    /// Files that may be handed over, in no order.
    async fn waiting(&self) -> Vec<Waiting> {
        let (places, calls) = (self.places.clone(), self.calls.clone());
        let look = move || {
            let mut waiting = Vec::new();
            for place in places {
                look_in(&place, &calls, &mut waiting);
            }
            waiting
        };
        spawn_blocking(look).await.unwrap_or_else(|error| {
            error!(%error, "looking for files failed: this is a bug of the server");
            Vec::new()
        })
    }
}

fn look_in(place: &Place, calls: &Calls, waiting: &mut Vec<Waiting>) {
    let files = match std::fs::read_dir(&place.directory) {
        Ok(files) => files,
        // It is made with the first file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let directory = place.directory.display();
            return warn!(%directory, %error, "what is to be handed over cannot be looked for; trying on");
        }
    };
    for file in files.filter_map(Result::ok) {
        if waiting.len() == ROUND {
            return;
        }
        let file = file.file_name();
        // What a killed process left gets its name before it is handed over.
        let Some(file) = file.to_str().map(|file| file.replace(".partial.wav", ".wav")) else { continue };
        let Some(name) = Name::of_file(place.kind, &file) else { continue };
        let is_ours_and_goes_on = match name.kind {
            Kind::Journal | Kind::Recording => {
                let call = CallId::new(name.id);
                calls.is_live(call) || calls.is_leaving(call)
            }
            Kind::Sample => false,
        };
        if !is_ours_and_goes_on {
            waiting.push(Waiting { name, path: place.directory.join(file) });
        }
    }
}

async fn remove(file: &Waiting) -> io::Result<()> {
    match tokio::fs::remove_file(&file.path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
