//! When an agent begins and ends to be heard, by a clock that plays what came at once. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing must be heard for the stream to have ended.
pub(super) const QUIET: Duration = Duration::from_secs(1);

/// Whether the agent is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sounding {
    #[default]
    Quiet,
    /// What came will have been played at `until`, and has lasted for `heard` by then.
    Sounding { until: Instant, heard: Duration },
}

impl Sounding {
    /// Audio that lasts for `duration` has come. Gives whether a stream begins with it.
    pub(super) fn audio(&mut self, now: Instant, duration: Duration) -> bool {
        match self {
            Self::Quiet => {
                *self = Self::Sounding { until: now + duration, heard: duration };
                true
            }
            Self::Sounding { until, heard } => {
                *until = now.max(*until) + duration;
                *heard += duration;
                false
            }
        }
    }

    /// What has not been played is void.
    pub(super) fn cleared(&mut self, now: Instant) {
        if let Self::Sounding { until, heard } = self {
            *heard = heard.saturating_sub(until.saturating_duration_since(now));
            *until = now.min(*until);
        }
    }

    /// When the stream will have ended, if nothing more comes.
    pub(super) fn ends(&self) -> Option<Instant> {
        match self {
            Self::Quiet => None,
            Self::Sounding { until, .. } => Some(*until + QUIET),
        }
    }

    /// Ends the stream, if there is one, and gives how long it was.
    pub(super) fn end(&mut self, now: Instant) -> Option<Duration> {
        self.cleared(now);
        match std::mem::take(self) {
            Self::Quiet => None,
            Self::Sounding { heard, .. } => Some(heard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_stream_ends_a_second_after_its_last_sound_was_played() {
        let start = Instant::now();
        let mut sounding = Sounding::default();
        assert_eq!((sounding.ends(), sounding.end(start)), (None, None));
        assert!(sounding.audio(start, 500 * MS));
        assert!(!sounding.audio(start, 500 * MS));
        assert_eq!(sounding.ends(), Some(start + 2_000 * MS));
        assert!(!sounding.audio(start + 1_900 * MS, 20 * MS));
        assert_eq!(sounding.ends(), Some(start + 2_920 * MS));
        assert_eq!(sounding.end(start + 2_920 * MS), Some(1_020 * MS));
        assert!(sounding.audio(start + 3_000 * MS, 20 * MS));
    }

    #[test]
    fn what_is_cleared_was_not_heard() {
        let start = Instant::now();
        let mut sounding = Sounding::default();
        sounding.audio(start, 10_000 * MS);
        sounding.cleared(start + 1_500 * MS);
        assert_eq!(sounding.ends(), Some(start + 2_500 * MS));
        assert_eq!(sounding.end(start + 2_500 * MS), Some(1_500 * MS));
    }

    #[test]
    fn a_stream_that_the_call_cuts_off_was_heard_until_then() {
        let start = Instant::now();
        let mut sounding = Sounding::default();
        sounding.audio(start, 10_000 * MS);
        assert_eq!(sounding.end(start + 300 * MS), Some(300 * MS));
    }
}
