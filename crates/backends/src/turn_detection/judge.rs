//! One turn detector for all calls: how many judgements run at once, and what becomes of those for which there is no room.
//!
//! It must not know what an end of turn leads to.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use antiphon_audio::Clip;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, error};

use super::TurnDetector;

/// How long a judgement waits for room. With the defaults a turn ends 224 ms after its pause is looked at (384 ms of silence, of which
/// 160 ms are over), and a judgement that takes 100 ms must have begun by then.
const PATIENCE: Duration = Duration::from_millis(100);

/// Asks a turn detector without letting it take the machine: each judgement has a thread of the blocking pool for itself, and only
/// so many run at once. Shared by all calls.
pub struct Judge {
    detector: Arc<dyn TurnDetector>,
    room: Arc<Semaphore>,
}

impl Judge {
    /// A judge that has `at_once` judgements at a time, or as many as there are cores.
    #[must_use]
    pub fn new(detector: Arc<dyn TurnDetector>, at_once: Option<NonZeroUsize>) -> Self {
        let at_once = at_once.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        Self { detector, room: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))) }
    }

    /// How likely the turn is over, 0 to 1, from its audio so far. `None`: there is no opinion, because there was no room in time,
    /// or the detector has none or panicked; then the turn ends as without a detector.
    pub async fn end_of_turn(&self, clip: Clip) -> Option<f32> {
        let Ok(room) = timeout(PATIENCE, Arc::clone(&self.room).acquire_owned()).await else {
            debug!("a pause was not judged: too many others are being judged");
            return None;
        };
        let room = room.expect("the semaphore is never closed");
        let detector = Arc::clone(&self.detector);
        let judgement = spawn_blocking(move || {
            // The room is taken for as long as the thread is, even if nobody waits for the judgement any more.
            let _room = room;
            detector.end_of_turn(&clip.to_vec())
        });
        match judgement.await {
            Ok(probability) => (0.0..=1.0).contains(&probability).then_some(probability),
            Err(failure) => {
                if failure.is_panic() {
                    error!("the turn detector panicked; this is a bug in it");
                }
                None
            }
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("room", &self.room.available_permits()).finish_non_exhaustive()
    }
}
