//! Where on the recording's clock a piece of audio stands. Pure: positions in, positions out.
//!
//! The recording's clock is the wall clock from the join on. The agent's audio stands where the client plays it by the playout
//! clock. The user's audio has a clock of its own, which runs with the samples that arrive; [`UserTrack`] joins the two. Knows
//! no bytes, no file and no queue.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_audio::SampleRate;
use antiphon_engine::AudioTime;

/// How late the user's audio may be against the wall clock before that is made up for with silence: more than networks jitter.
pub(in crate::call) const ALLOWANCE: Duration = Duration::from_millis(100);
/// How long audio that comes after a gap is held before it gets its place. What was only delayed comes within this time; what
/// the client did not send does not.
pub(in crate::call) const SETTLE: Duration = Duration::from_millis(200);
/// How far back audio may stand that came after a gap. A network that held back more than this brings it late into the recording.
pub(in crate::call) const LOOK_BACK: Duration = Duration::from_secs(2);
/// Everything that is older than this is settled and may be written: [`LOOK_BACK`], and the two seconds and a bit within which
/// the driver notices that audio stopped and has it settled.
pub(in crate::call) const HORIZON: Duration = Duration::from_millis(4_500);
/// A shift of the user's audio that is worth remembering.
const WORTH_NOTING: Duration = Duration::from_millis(5);
/// Shifts that are remembered, for messages that are looked up when their turn has ended: the latest ones.
const SHIFTS: usize = 64;

/// The user's side: what was received, on its own clock as long as it keeps up with the wall clock.
///
/// - Audio follows upon audio. Audio that comes faster than real time stands where its own clock puts it.
/// - After a gap, audio is held for [`SETTLE`]. What came by then ends where it came: if the network had only held it back,
///   there is enough of it to fill the gap; if not, the gap is silence of the right length.
/// - A client whose clock is slow falls behind by [`ALLOWANCE`] and no further.
///
/// `T` is a piece of audio.
#[derive(Debug)]
pub(in crate::call) struct UserTrack<T> {
    rate: SampleRate,
    /// Samples that have their place, and where on the recording's clock the last of them ends.
    placed: u64,
    end: u64,
    /// When audio last came.
    last: Option<u64>,
    held: Vec<(u64, T)>,
    held_samples: u64,
    held_since: u64,
    shifts: VecDeque<Shift>,
}

/// From this sample of the user's audio on, audio stands there on the recording's clock.
#[derive(Debug, Clone, Copy)]
struct Shift {
    sample: u64,
    at: u64,
}

impl<T> UserTrack<T> {
    pub(in crate::call) fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            placed: 0,
            end: 0,
            last: None,
            held: Vec::new(),
            held_samples: 0,
            held_since: 0,
            shifts: VecDeque::new(),
        }
    }

    pub(in crate::call) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Takes a piece of `samples` that came now, and hands on every piece that has its place, with that place in samples.
    pub(in crate::call) fn take(
        &mut self,
        now: Duration,
        samples: u64,
        piece: T,
        mut place: impl FnMut(u64, T),
    ) {
        let at = self.rate.samples_in(now);
        if at >= self.held_since + self.rate.samples_in(SETTLE) {
            self.settle(&mut place);
        }
        let allowance = self.rate.samples_in(ALLOWANCE);
        let follows =
            self.last.replace(at).is_some_and(|last| at.saturating_sub(last) <= samples + allowance);
        let lag = at.saturating_sub(samples).saturating_sub(self.end);
        if !self.held.is_empty() || (!follows && (lag > allowance || self.placed == 0)) {
            if self.held.is_empty() {
                self.held_since = at;
            }
            self.held.push((samples, piece));
            self.held_samples += samples;
        } else {
            self.put(self.end + lag.saturating_sub(allowance), samples);
            place(self.end - samples, piece);
        }
    }

    /// When audio that is held gets its place, if nothing comes before; none if none is held.
    pub(in crate::call) fn settles_at(&self) -> Option<Duration> {
        (!self.held.is_empty()).then(|| self.rate.duration_of(self.held_since) + SETTLE)
    }

    /// Gives held audio its place.
    pub(in crate::call) fn settle(&mut self, mut place: impl FnMut(u64, T)) {
        let Some(last) = self.last.filter(|_| !self.held.is_empty()) else { return };
        let earliest = self.held_since.saturating_sub(self.rate.samples_in(LOOK_BACK));
        let start = self.end.max(last.saturating_sub(self.held_samples)).max(earliest);
        self.held_samples = 0;
        let mut at = start;
        for (samples, piece) in std::mem::take(&mut self.held) {
            self.put(at, samples);
            place(at, piece);
            at += samples;
        }
    }

    /// Where on the recording's clock a moment of the user's audio clock lies.
    pub(in crate::call) fn position(&self, moment: AudioTime) -> Duration {
        let sample = self.rate.samples_in(Duration::from_micros(moment.as_micros()));
        let shift = self.shifts.iter().rev().find(|shift| shift.sample <= sample);
        let position = shift.map_or(sample, |shift| shift.at + (sample - shift.sample));
        self.rate.duration_of(position)
    }

    fn put(&mut self, at: u64, samples: u64) {
        let shift = at - self.placed;
        let noted = self.shifts.back().map_or(0, |last| last.at - last.sample);
        if shift - noted >= self.rate.samples_in(WORTH_NOTING) {
            if self.shifts.len() == SHIFTS {
                self.shifts.pop_front();
            }
            self.shifts.push_back(Shift { sample: self.placed, at });
        }
        self.placed += samples;
        self.end = at + samples;
    }
}

/// The agent's side: what the client plays, as the playout clock has it (protocol.md 4.3). The client plays what it got without
/// a pause, and stands still when it has played all.
#[derive(Debug)]
pub(in crate::call) struct AgentTrack {
    rate: SampleRate,
    /// Where what was sent ends.
    end: u64,
}

impl AgentTrack {
    pub(in crate::call) fn new(rate: SampleRate) -> Self {
        Self { rate, end: 0 }
    }

    pub(in crate::call) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Notes that `samples` are sent now, and says where they begin to play.
    pub(in crate::call) fn send(&mut self, now: Duration, samples: u64) -> u64 {
        let start = self.end.max(self.rate.samples_in(now));
        self.end = start + samples;
        start
    }

    /// How much lies unplayed at the client.
    pub(in crate::call) fn ahead(&self, now: Duration) -> Duration {
        self.rate.duration_of(self.end.saturating_sub(self.rate.samples_in(now)))
    }

    /// Notes that the client drops what it has not played, and says from where on nothing is heard.
    pub(in crate::call) fn clear(&mut self, now: Duration) -> u64 {
        let cut = self.rate.samples_in(now);
        self.end = self.end.min(cut);
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::EAR;
    const FRAME: u64 = 320;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Frames of 20 ms that come at these milliseconds; gives the milliseconds at which they stand.
    fn placed(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut track = UserTrack::new(RATE);
        let mut places = Vec::new();
        for at in times {
            track.take(ms(at), FRAME, (), |place, ()| places.push(place / 16));
        }
        track.settle(|place, ()| places.push(place / 16));
        places
    }

    fn steady(from: u64, to: u64) -> impl Iterator<Item = u64> + Clone {
        (from..to).step_by(20)
    }

    #[test]
    fn steady_audio_stands_where_it_was_said() {
        // A frame that comes at 1020 was said from 1000 on.
        assert_eq!(placed(steady(1_020, 3_020)), steady(1_000, 3_000).collect::<Vec<_>>());
    }

    #[test]
    fn jitter_moves_nothing() {
        // Late by up to 80 ms, and never before the frame that was sent before.
        let late = steady(20, 2_020).enumerate().map(|(index, at)| at + (index as u64 * 37) % 80);
        let places = placed(late.scan(0, |last: &mut u64, at| {
            *last = at.max(*last);
            Some(*last)
        }));
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] == 20), "{places:?}");
        assert!(places[0] <= 80, "{places:?}");
    }

    #[test]
    fn a_gap_is_as_long_as_it_was() {
        let places = placed(steady(20, 1_020).chain(steady(6_020, 7_020)));
        assert_eq!(places, steady(0, 1_000).chain(steady(6_000, 7_000)).collect::<Vec<_>>());
    }

    #[test]
    fn audio_that_the_network_held_back_stands_where_it_was_said() {
        let stalled = steady(20, 4_020).map(|at| if (1_000..2_900).contains(&at) { 2_900 } else { at });
        assert_eq!(placed(stalled), steady(0, 4_000).collect::<Vec<_>>());
    }

    #[test]
    fn audio_that_comes_at_once_ends_where_it_came_but_begins_not_long_before() {
        let at_once = |count: usize| placed(std::iter::repeat_n(10_000, count));
        assert_eq!(at_once(50), steady(9_000, 10_000).collect::<Vec<_>>());
        assert_eq!(at_once(500), steady(8_000, 18_000).collect::<Vec<_>>());
        // Nobody can have spoken before the join.
        assert_eq!(placed(std::iter::repeat_n(500, 50)), steady(0, 1_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_slow_clock_falls_behind_by_the_allowance_and_no_further() {
        // 20 ms of its audio take 20.1 ms: half a percent, a hundred times what clocks are off by.
        let hour = 3_600_000;
        let mut track = UserTrack::new(RATE);
        let mut worst = 0;
        for frame in 1..=(hour * 10 / 201) {
            let now = Duration::from_micros(frame * 20_100);
            let due = RATE.samples_in(now) - FRAME;
            track.take(now, FRAME, due, |place, due| worst = worst.max(due.abs_diff(place)));
        }
        assert!(worst <= RATE.samples_in(ALLOWANCE) + 1, "{worst}");
        let behind = ms(hour) - RATE.duration_of(track.end);
        assert!(behind <= ALLOWANCE + ms(25), "{behind:?}");
    }

    #[test]
    fn a_moment_of_the_users_clock_is_found_behind_gaps() {
        let mut track = UserTrack::new(RATE);
        for at in steady(520, 1_520).chain(steady(5_020, 6_020)) {
            track.take(ms(at), FRAME, (), |_, ()| {});
        }
        let at = |millis| track.position(AudioTime::from_millis(millis)).as_millis();
        assert_eq!([at(0), at(999), at(1_000), at(1_500)], [500, 1_499, 5_000, 5_500]);
    }

    #[test]
    fn what_is_remembered_does_not_grow() {
        let mut track = UserTrack::new(RATE);
        for second in 0..1_000 {
            for at in steady(second * 2_000, second * 2_000 + 1_000) {
                track.take(ms(at), FRAME, (), |_, ()| {});
            }
        }
        assert_eq!(track.shifts.len(), SHIFTS);
        assert!(track.held.is_empty());
        let latest = track.position(AudioTime::from_millis(999_000)).as_millis();
        assert_eq!(latest, 1_997_980, "frames came from 1998 s on, and the first was said just before");
    }

    #[test]
    fn the_agent_plays_without_a_pause_what_came_in_time() {
        let mut track = AgentTrack::new(RATE);
        assert_eq!(track.send(ms(100), 960), 1_600);
        assert_eq!(track.send(ms(120), 320), 1_600 + 960);
        assert_eq!(track.ahead(ms(120)), ms(60));
        // It had run dry: what comes now is played now.
        assert_eq!(track.send(ms(500), 320), 8_000);
    }

    #[test]
    fn what_was_cleared_is_not_heard_and_the_next_sound_is_heard_at_once() {
        let mut track = AgentTrack::new(RATE);
        track.send(ms(0), 16_000);
        assert_eq!(track.clear(ms(250)), 4_000);
        assert_eq!(track.ahead(ms(250)), Duration::ZERO);
        assert_eq!(track.send(ms(260), 320), 4_160);
        // Clearing what was played long ago changes nothing.
        assert_eq!(track.clear(ms(900)), 14_400);
        assert_eq!(track.send(ms(1_000), 320), 16_000);
    }
}
