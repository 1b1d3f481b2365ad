//! The sample rates that audio may have at the edge (protocol.md 4.1, A-33).

use std::fmt;
use std::time::Duration;

/// A supported rate, in samples per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

/// A rate that is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not a supported sample rate; choose one of 8000, 12000, 16000, 22050, 24000, 32000, 44100, 48000"
)]
pub struct UnsupportedRate(pub u32);

impl SampleRate {
    /// All supported rates.
    pub const ALL: [Self; 8] = [
        Self(8_000),
        Self(12_000),
        Self(16_000),
        Self(22_050),
        Self(24_000),
        Self(32_000),
        Self(44_100),
        Self(48_000),
    ];
    /// The rate of telephone lines, and of G.711.
    pub const PHONE: Self = Self(8_000);
    /// The rate that everything inside the server listens at.
    pub const EAR: Self = Self(16_000);
    /// The rate of the WebSocket where nothing else was asked for.
    pub const WEBSOCKET_DEFAULT: Self = Self(48_000);

    /// The rate, if it is supported.
    pub fn new(hz: u32) -> Result<Self, UnsupportedRate> {
        Self::ALL.into_iter().find(|rate| rate.0 == hz).ok_or(UnsupportedRate(hz))
    }

    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// How long `samples` samples last, rounded down to a microsecond.
    #[must_use]
    pub const fn duration_of(self, samples: u64) -> Duration {
        Duration::from_micros(samples * 1_000_000 / self.0 as u64)
    }

    /// How many whole samples fit into `duration`.
    #[must_use]
    pub const fn samples_in(self, duration: Duration) -> u64 {
        (duration.as_micros() * self.0 as u128 / 1_000_000) as u64
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}
