//! An answer of the agent's as it comes in: how evenly its frames come, and until when there is something to play.
//!
//! Pure: whoever receives says when.

use std::time::Duration;

use tokio::time::Instant;

/// Frames that a server may send at once to fill the caller's buffer, before their times say anything.
const HEAD_START: usize = 4;

/// What one frame's time says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How much later it came than by the pace of the earliest frame so far.
    pub(super) lateness: Duration,
    /// How far the time since the frame before is from what a frame holds.
    pub(super) jitter: Duration,
}

/// An answer so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    frames: usize,
    /// Of audio so far.
    received: Duration,
    /// When the last frame came.
    last: Instant,
    /// When playing would have had to begin for the earliest frame to come just in time: what later ones are held to.
    pace: Instant,
    plays_until: Instant,
}

impl Answer {
    /// Its first frame, with so much audio.
    pub(super) fn begin(now: Instant, length: Duration) -> Self {
        Self { frames: 1, received: length, last: now, pace: now, plays_until: now + length }
    }

    /// Its next frame. Gives what its time says, if it says something, and whether it came when there was nothing left to play.
    pub(super) fn frame(&mut self, now: Instant, length: Duration) -> (Option<Arrival>, bool) {
        let pace = now.checked_sub(self.received).unwrap_or(now);
        self.pace = self.pace.min(pace);
        let arrival = (self.frames >= HEAD_START)
            .then(|| Arrival { lateness: pace - self.pace, jitter: (now - self.last).abs_diff(length) });
        let underran = now > self.plays_until;
        self.plays_until = self.plays_until.max(now) + length;
        self.received += length;
        self.frames += 1;
        self.last = now;
        (arrival, underran)
    }

    /// When all that has come will have been played.
    pub(super) fn plays_until(&self) -> Instant {
        self.plays_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Sends frames at these times, in milliseconds since the first one.
    fn arrivals(times: &[u64]) -> (Vec<Option<Arrival>>, Vec<bool>) {
        let start = Instant::now();
        let mut answer = Answer::begin(start, FRAME);
        times.iter().map(|at| answer.frame(start + ms(*at), FRAME)).unzip()
    }

    #[test]
    fn frames_that_come_at_their_pace_are_not_late() {
        // Three at once fill the buffer, then one every 20 ms.
        let (arrivals, underran) = arrivals(&[0, 0, 20, 40, 60, 80]);
        assert_eq!(arrivals[..3], [None; 3]);
        assert!(arrivals[3..].iter().all(|at| *at == Some(Arrival { lateness: ms(0), jitter: ms(0) })));
        assert!(underran.iter().all(|underran| !underran));
    }

    #[test]
    fn a_frame_is_late_by_what_it_is_behind_the_pace_and_so_are_those_behind_it() {
        let (arrivals, underran) = arrivals(&[0, 0, 20, 40, 75, 95, 100]);
        let found: Vec<_> = arrivals[3..].iter().flatten().map(|at| (at.lateness, at.jitter)).collect();
        assert_eq!(found, [(ms(0), ms(0)), (ms(15), ms(15)), (ms(15), ms(0)), (ms(0), ms(15))]);
        assert!(underran.iter().all(|underran| !underran));
    }

    #[test]
    fn a_frame_that_comes_after_the_last_was_played_is_an_underrun() {
        let (_, underran) = arrivals(&[0, 70, 80]);
        assert_eq!(underran, [false, true, false]);
    }

    #[test]
    fn what_has_come_plays_on() {
        let start = Instant::now();
        let mut answer = Answer::begin(start, FRAME);
        answer.frame(start + ms(5), FRAME);
        assert_eq!(answer.plays_until(), start + ms(40));
    }
}
