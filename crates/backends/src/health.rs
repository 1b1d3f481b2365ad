//! Which backends can be relied on: one that failed is left alone for a while, then one run at a time tries it again.
//!
//! Owns what is known of a backend from its failures. The lock is held for a few instructions. It must not know what the backend
//! does, or who is asked in its place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest cool-down, however often a backend failed.
const LONGEST: Duration = Duration::from_secs(120);
/// How often a cool-down doubles.
const DOUBLINGS: u32 = 6;

/// What is known of a backend, shared by all who use it.
#[derive(Debug)]
pub struct Health {
    cool_down: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It does its work.
    Well,
    /// It failed so many times in a row, and is left alone until then.
    Cooling { failures: u32, until: Instant, asked_to: bool },
    /// It has been left alone long enough, and one run finds out whether it is well again.
    Trying { failures: u32 },
}

/// Whether a backend may be asked.
#[derive(Debug)]
pub enum Admission {
    /// It may; say what came of it.
    Admitted(Trial),
    /// Better not before then.
    Cooling {
        /// When it may be tried again.
        until: Instant,
        /// Whether the backend itself asked to be left alone until then.
        asked_to: bool,
    },
    /// Somebody else is finding out right now.
    Busy,
}

impl Health {
    /// A backend that is left alone for `cool_down` after a failure, and twice as long after each further one, up to two minutes.
    #[must_use]
    pub fn new(cool_down: Duration) -> Self {
        Self { cool_down, state: Mutex::new(State::Well) }
    }

    /// Asks to use the backend.
    #[must_use]
    pub fn admit(self: &Arc<Self>) -> Admission {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Well => Admission::Admitted(self.trial(None)),
            State::Cooling { until, asked_to, .. } if until > Instant::now() => {
                Admission::Cooling { until, asked_to }
            }
            State::Cooling { failures, .. } => {
                *state = State::Trying { failures };
                Admission::Admitted(self.trial(Some(failures)))
            }
            State::Trying { .. } => Admission::Busy,
        }
    }

    /// Uses the backend whatever is known of it, since there is no other.
    #[must_use]
    pub fn insist(self: &Arc<Self>) -> Trial {
        self.trial(None)
    }

    fn trial(self: &Arc<Self>, trying: Option<u32>) -> Trial {
        Trial { health: Arc::clone(self), trying }
    }

    fn set(&self, next: impl FnOnce(State) -> State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = next(*state);
    }
}

/// One use of a backend. Dropped without a verdict, it has shown nothing.
#[derive(Debug)]
pub struct Trial {
    health: Arc<Health>,
    /// Failures before, if this is the one run that tries the backend again.
    trying: Option<u32>,
}

impl Trial {
    /// The backend works.
    pub fn succeeded(&mut self) {
        self.trying = None;
        self.health.set(|_| State::Well);
    }

    /// The backend failed, and perhaps asked to be left alone for a while.
    pub fn failed(&mut self, retry_after: Option<Duration>) {
        self.trying = None;
        let cool_down = self.health.cool_down;
        self.health.set(|state| {
            let failures = match state {
                State::Well => 0,
                State::Cooling { failures, .. } | State::Trying { failures } => failures,
            };
            let own = cool_down.saturating_mul(1 << failures.min(DOUBLINGS)).min(LONGEST);
            let until = Instant::now() + retry_after.unwrap_or(own).min(LONGEST);
            State::Cooling { failures: failures.saturating_add(1), until, asked_to: retry_after.is_some() }
        });
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let Some(failures) = self.trying else { return };
        // Nobody waited for the answer. Whoever is next may try.
        self.health.set(|state| match state {
            State::Trying { .. } => State::Cooling { failures, until: Instant::now(), asked_to: false },
            State::Well | State::Cooling { .. } => state,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(10);

    fn health() -> Arc<Health> {
        Arc::new(Health::new(COOL_DOWN))
    }

    fn admitted(health: &Arc<Health>) -> Trial {
        match health.admit() {
            Admission::Admitted(trial) => trial,
            other @ (Admission::Cooling { .. } | Admission::Busy) => panic!("{other:?}"),
        }
    }

    fn cools_for(health: &Arc<Health>) -> Duration {
        match health.admit() {
            Admission::Cooling { until, .. } => until - Instant::now(),
            other @ (Admission::Admitted(_) | Admission::Busy) => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_cools_and_each_further_one_twice_as_long() {
        let health = health();
        for seconds in [10, 20, 40, 80, 120, 120] {
            admitted(&health).failed(None);
            assert_eq!(cools_for(&health), Duration::from_secs(seconds));
            tokio::time::advance(Duration::from_secs(seconds)).await;
        }
        admitted(&health).succeeded();
        admitted(&health).failed(None);
        assert_eq!(cools_for(&health), COOL_DOWN);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_cool_down_one_run_at_a_time_tries() {
        let health = health();
        admitted(&health).failed(None);
        tokio::time::advance(COOL_DOWN).await;
        let trial = admitted(&health);
        assert!(matches!(health.admit(), Admission::Busy));
        drop(trial);
        let mut trial = admitted(&health);
        assert!(matches!(health.admit(), Admission::Busy));
        trial.succeeded();
        let _both = (admitted(&health), admitted(&health));
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_asks_to_be_left_alone_is() {
        let health = health();
        admitted(&health).failed(Some(Duration::from_secs(3)));
        assert_eq!(cools_for(&health), Duration::from_secs(3));
        assert!(matches!(health.admit(), Admission::Cooling { asked_to: true, .. }));
        tokio::time::advance(Duration::from_secs(3)).await;
        admitted(&health).failed(Some(Duration::from_secs(86_400)));
        assert_eq!(cools_for(&health), LONGEST);
    }
}
