//! What was measured: durations in microseconds, all of them kept, and what can be said of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::parts::Shares;

/// Durations of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(Vec<u32>);

/// What is said of durations of one kind, in milliseconds; nothing where there were none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Distribution {
    pub(super) count: usize,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Samples {
    pub(super) fn push(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// Sorts them and reads off the nearest ranks.
    pub(super) fn distribution(&mut self) -> Option<Distribution> {
        self.0.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.0.len() as f64).ceil() as usize;
            f64::from(self.0[rank.clamp(1, self.0.len()) - 1]) / 1e3
        };
        (!self.0.is_empty()).then(|| Distribution {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: at(1.0),
        })
    }
}

/// What callers found in one step.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// From the last sample of a spoken turn to the first audio of the answer.
    pub(super) replies: Samples,
    /// From a written question to the first audio of the answer: nothing has to be noticed, so it is what the server itself takes.
    pub(super) written_replies: Samples,
    /// From a written question to the invocation of the tool that it asks for.
    pub(super) tools: Samples,
    /// How much later than the steadiest pace of its answer a frame came.
    pub(super) lateness: Samples,
    /// How far the times between frames of an answer are from what the frames hold.
    pub(super) jitter: Samples,
    /// From the first sample of an interruption to the end of what the caller still has to play.
    pub(super) silenced: Samples,
    /// From the first sample of an interruption to the message that clears the caller's buffer.
    pub(super) cleared: Samples,
    /// How late this program sent its own frames: where it is slow, it cannot judge the server.
    pub(super) own_lateness: Samples,
    pub(super) frames_sent: u64,
    /// Of those that were sent, the ones with speech.
    pub(super) frames_spoken: u64,
    pub(super) frames_received: u64,
    /// Answers that came before the caller had finished.
    pub(super) cut_in: u64,
    /// Frames that came after they should have been played.
    pub(super) underruns: u64,
    /// What went wrong, and how often.
    pub(super) problems: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn problem(&mut self, what: impl Into<String>) {
        *self.problems.entry(what.into()).or_default() += 1;
    }

    pub(super) fn add(&mut self, mut other: Self) {
        self.replies.append(&mut other.replies);
        self.written_replies.append(&mut other.written_replies);
        self.tools.append(&mut other.tools);
        self.lateness.append(&mut other.lateness);
        self.jitter.append(&mut other.jitter);
        self.silenced.append(&mut other.silenced);
        self.cleared.append(&mut other.cleared);
        self.own_lateness.append(&mut other.own_lateness);
        self.frames_sent += other.frames_sent;
        self.frames_spoken += other.frames_spoken;
        self.frames_received += other.frames_received;
        self.cut_in += other.cut_in;
        self.underruns += other.underruns;
        for (what, count) in other.problems {
            *self.problems.entry(what).or_default() += count;
        }
    }
}

/// One number of calls, measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) calls: u32,
    pub(super) seconds: f64,
    pub(super) reply_ms: Option<Distribution>,
    pub(super) written_reply_ms: Option<Distribution>,
    pub(super) tool_ms: Option<Distribution>,
    pub(super) frame_lateness_ms: Option<Distribution>,
    pub(super) frame_jitter_ms: Option<Distribution>,
    pub(super) interruption_silent_ms: Option<Distribution>,
    pub(super) interruption_clear_ms: Option<Distribution>,
    pub(super) own_lateness_ms: Option<Distribution>,
    pub(super) frames_sent: u64,
    pub(super) frames_spoken: u64,
    pub(super) frames_received: u64,
    pub(super) cut_in: u64,
    pub(super) underruns: u64,
    pub(super) problems: BTreeMap<String, u64>,
    /// Of one core, a call. Nothing where the server's process is not known.
    pub(super) cpu_percent_per_call: Option<f64>,
    /// More than before the first call, a call.
    pub(super) memory_kib_per_call: Option<f64>,
    /// What a socket alone takes for as many frames each way.
    pub(super) floor_percent_per_call: Option<f64>,
    /// The parts of a call beside its socket, each alone.
    pub(super) alone: Option<Shares>,
}

impl Step {
    pub(super) fn of(calls: u32, seconds: f64, mut tally: Tally) -> Self {
        Self {
            calls,
            seconds,
            reply_ms: tally.replies.distribution(),
            written_reply_ms: tally.written_replies.distribution(),
            tool_ms: tally.tools.distribution(),
            frame_lateness_ms: tally.lateness.distribution(),
            frame_jitter_ms: tally.jitter.distribution(),
            interruption_silent_ms: tally.silenced.distribution(),
            interruption_clear_ms: tally.cleared.distribution(),
            own_lateness_ms: tally.own_lateness.distribution(),
            frames_sent: tally.frames_sent,
            frames_spoken: tally.frames_spoken,
            frames_received: tally.frames_received,
            cut_in: tally.cut_in,
            underruns: tally.underruns,
            problems: tally.problems,
            cpu_percent_per_call: None,
            memory_kib_per_call: None,
            floor_percent_per_call: None,
            alone: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let mut samples = Samples::default();
        assert_eq!(samples.distribution(), None);
        (1..=200).rev().for_each(|ms| samples.push(Duration::from_millis(ms)));
        let Distribution { count, p50, p90, p99, max } = samples.distribution().unwrap();
        assert_eq!((count, p50, p90, p99, max), (200, 100.0, 180.0, 198.0, 200.0));
    }

    #[test]
    fn tallies_add_up() {
        let mut all = Tally::default();
        for _ in 0..2 {
            let mut one = Tally { frames_sent: 3, ..Tally::default() };
            one.problem("no reply within 10 s");
            one.replies.push(Duration::from_millis(5));
            all.add(one);
        }
        assert_eq!(all.frames_sent, 6);
        assert_eq!(all.problems["no reply within 10 s"], 2);
        assert_eq!(all.replies.distribution().map(|replies| replies.count), Some(2));
    }
}
