//! How many frames one client may send. What comes too fast is read more slowly, which the client feels as back-pressure;
//! control frames in such numbers have no use but to keep the server answering them, so that they end the connection.
//!
//! Bytes are the business of `connections`, which sees them.

use std::time::Duration;

use tokio::time::Instant;

/// Data frames in a second, in the long run: a hundred times those of a client that sends 20 ms each, and some 1 % of a core.
const FRAMES_A_SECOND: u32 = 5_000;
/// Data frames that may come at once: 10 min of recorded speech in frames of 20 ms.
const FRAMES_AT_ONCE: u32 = 30_000;
/// A text is a message that is parsed, understood, and written down: it counts as so many frames of audio.
const TEXT: u32 = 25;
/// Pings and pongs in a second, in the long run.
const CONTROL_A_SECOND: u32 = 20;
/// Pings and pongs that may come at once.
const CONTROL_AT_ONCE: u32 = 200;
/// What is not worth a pause.
const SHORTEST: Duration = Duration::from_millis(5);

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Allowance {
    data: Bucket,
    control: Bucket,
}

/// What counts against the allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    Binary,
    Control,
    Text,
}

/// More control frames than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flood;

impl Allowance {
    pub(super) fn new() -> Self {
        Self {
            data: Bucket::new(FRAMES_A_SECOND, FRAMES_AT_ONCE),
            control: Bucket::new(CONTROL_A_SECOND, CONTROL_AT_ONCE),
        }
    }

    /// Counts a frame. Nothing more is to be read before the pause that it gives is over.
    pub(super) fn count(&mut self, frame: Frame, now: Instant) -> Result<Option<Duration>, Flood> {
        let pause = match frame {
            Frame::Binary => self.data.take(1, now),
            Frame::Text => self.data.take(TEXT, now),
            Frame::Control if self.control.take(1, now).is_zero() => Duration::ZERO,
            Frame::Control => return Err(Flood),
        };
        Ok(Some(pause).filter(|pause| *pause >= SHORTEST))
    }
}

#[derive(Debug)]
struct Bucket {
    interval: Duration,
    /// In which as many fit as may come at once.
    burst: Duration,
    full_at: Option<Instant>,
}

impl Bucket {
    fn new(a_second: u32, at_once: u32) -> Self {
        let interval = Duration::from_secs(1) / a_second;
        Self { interval, burst: interval * at_once, full_at: None }
    }

    /// Takes so many, and says how long it will be until there were that many.
    fn take(&mut self, count: u32, now: Instant) -> Duration {
        let after = self.full_at.map_or(now, |full_at| full_at.max(now)) + self.interval * count;
        self.full_at = Some(after);
        after.duration_since(now).saturating_sub(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long so many frames take that come as fast as they are read.
    fn flood(frame: Frame, count: u32) -> Duration {
        let (start, mut allowance) = (Instant::now(), Allowance::new());
        let mut now = start;
        for _ in 0..count {
            now += allowance.count(frame, now).unwrap().unwrap_or_default();
        }
        now - start
    }

    #[test]
    fn a_recording_that_is_sent_at_once_is_not_held_back_and_a_flood_is() {
        assert_eq!(flood(Frame::Binary, FRAMES_AT_ONCE), Duration::ZERO);
        let flooded = flood(Frame::Binary, FRAMES_AT_ONCE + 60 * FRAMES_A_SECOND);
        assert!(flooded.as_secs_f64() > 59.0 && flooded.as_secs_f64() < 61.0, "{flooded:?}");
        let flooded = flood(Frame::Text, (FRAMES_AT_ONCE + 60 * FRAMES_A_SECOND) / TEXT);
        assert!(flooded.as_secs_f64() > 59.0 && flooded.as_secs_f64() < 61.0, "{flooded:?}");
    }

    #[test]
    fn a_call_of_an_hour_is_never_held_back() {
        let (start, mut allowance) = (Instant::now(), Allowance::new());
        for frame in 0..360_000_u32 {
            // Frames of 10 ms, ten texts a second, a ping a second.
            let now = start + Duration::from_millis(10) * frame;
            assert_eq!(allowance.count(Frame::Binary, now), Ok(None));
            if frame % 10 == 0 {
                assert_eq!(allowance.count(Frame::Text, now), Ok(None));
            }
            if frame % 100 == 0 {
                assert_eq!(allowance.count(Frame::Control, now), Ok(None));
            }
        }
    }

    #[test]
    fn pings_without_end_end_the_connection() {
        let (start, mut allowance) = (Instant::now(), Allowance::new());
        for _ in 0..CONTROL_AT_ONCE {
            assert_eq!(allowance.count(Frame::Control, start), Ok(None));
        }
        assert_eq!(allowance.count(Frame::Control, start), Err(Flood));
    }
}
