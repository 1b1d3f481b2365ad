//! The call's own clock: a point in time as an offset from the moment the conversation was created.
//!
//! Owns nothing but arithmetic. The engine never asks what time it is; whoever drives it says so with every input.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the call's clock, in microseconds since the conversation was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CallTime(u64);

impl CallTime {
    /// The moment the conversation was created.
    pub const ZERO: Self = Self(0);

    /// The point `micros` microseconds after the conversation was created.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The point `millis` milliseconds after the conversation was created.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Microseconds since the conversation was created.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The offset from the conversation's creation.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// How long `earlier` lies before this point; zero when it does not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for CallTime {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for CallTime {
    type Output = Self;

    /// Saturates at the conversation's creation.
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for CallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

/// A position on the user's audio clock, in microseconds of audio received from the user since the call was joined.
///
/// It runs with the samples that arrive, not with the wall clock: a client that sends nothing stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AudioTime(u64);

impl AudioTime {
    /// Before the first sample.
    pub const ZERO: Self = Self(0);

    /// The position after `micros` microseconds of audio.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The position after `millis` milliseconds of audio.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// Microseconds of audio before this position.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The audio between `earlier` and this position; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for AudioTime {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for AudioTime {
    type Output = Self;

    /// Saturates at the first sample.
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}
