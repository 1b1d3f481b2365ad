//! The agent's audio between its arrival and its being heard.
//!
//! Pure: what comes in is audio, what the server says of it, and demand; demand is the clock. The same buffer feeds a speaker and
//! a file. It must not know where either end is.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate};

/// A buffer of audio that knows how much of it has been played.
///
/// Give it what arrives with [`push`](Self::push), take what the speaker wants with [`play`](Self::play), and tell it when the
/// server clears it or has said all there is.
///
/// ```
/// use std::time::Duration;
/// use antiphon_audio::SampleRate;
/// use antiphon_client::playback::Playback;
///
/// let mut playback = Playback::new(SampleRate::new(8_000)?, Duration::ZERO);
/// playback.push(&[1, 2, 3]);
/// let mut speaker = [0; 2];
/// assert_eq!(playback.play(&mut speaker), 2);
/// assert_eq!((speaker, playback.played(), playback.unplayed()), ([1, 2], 2, 1));
/// assert_eq!(playback.clear(), 1);
/// # Ok::<(), antiphon_audio::UnsupportedRate>(())
/// ```
#[derive(Debug)]
pub struct Playback {
    queue: VecDeque<i16>,
    state: State,
    /// From the call's rate to the speaker's.
    resampler: Resampler,
    /// Samples to hold before an utterance begins to sound.
    lead: usize,
    rate: SampleRate,
    most: usize,
    played: u64,
    cleared: u64,
    refused: u64,
    skipped: u64,
    underruns: u64,
    missing: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is to be heard.
    Silent,
    /// An utterance has begun to arrive and demand has waited for so many samples.
    Gathering { waited: usize },
    /// Audio sounds. If the utterance is whole, silence after what there is is the end of it.
    Playing { is_whole: bool },
    /// The utterance is to go on, and demand has gone unmet for so many samples.
    Starved { missing: u64 },
}

impl Playback {
    /// The longest audio that is held: what a server may send ahead (protocol.md 2.5: `clientBufferSizeMs` up to 600000).
    pub const MOST: Duration = Duration::from_secs(600);

    /// An empty buffer for a speaker at the call's own rate. `lead` is how much of an utterance is gathered before it begins to sound, so that small delays of the
    /// network go unheard; it adds as much latency.
    #[must_use]
    pub fn new(rate: SampleRate, lead: Duration) -> Self {
        Self::resampled(rate, rate, lead)
    }

    /// An empty buffer for a speaker at another rate than the call's. All that is counted is counted in samples of the speaker.
    #[must_use]
    pub fn resampled(call: SampleRate, rate: SampleRate, lead: Duration) -> Self {
        Self {
            queue: VecDeque::new(),
            state: State::Silent,
            resampler: Resampler::new(call, rate),
            lead: rate.samples_in(lead) as usize,
            rate,
            most: rate.samples_in(Self::MOST) as usize,
            played: 0,
            cleared: 0,
            refused: 0,
            skipped: 0,
            underruns: 0,
            missing: 0,
        }
    }

    /// How much of each further utterance is gathered before it begins to sound.
    pub fn set_lead(&mut self, lead: Duration) {
        self.lead = self.rate.samples_in(lead) as usize;
    }

    /// Takes audio that has arrived. What exceeds [`MOST`](Self::MOST) is refused and counted.
    pub fn push(&mut self, samples: &[i16]) {
        if self.resampler.from() == self.resampler.to() {
            return self.append(samples);
        }
        let mut converted = Vec::new();
        self.resampler.process(samples, &mut converted);
        self.append(&converted);
    }

    fn append(&mut self, samples: &[i16]) {
        let (kept, refused) = samples.split_at(samples.len().min(self.most - self.queue.len()));
        self.queue.extend(kept);
        self.refused += refused.len() as u64;
        if kept.is_empty() {
            return;
        }
        match self.state {
            State::Silent => self.state = State::Gathering { waited: 0 },
            State::Starved { missing } => {
                self.underruns += 1;
                self.missing += missing;
                self.state = State::Playing { is_whole: false };
            }
            State::Playing { .. } => self.state = State::Playing { is_whole: false },
            State::Gathering { .. } => {}
        }
    }

    /// Fills `speaker` with what is to be heard next, and silence where there is nothing. Gives how many samples are audio.
    pub fn play(&mut self, speaker: &mut [i16]) -> usize {
        if let State::Gathering { waited } = self.state {
            if self.queue.len() >= self.lead || waited >= self.lead {
                self.state = State::Playing { is_whole: false };
            } else {
                self.state = State::Gathering { waited: waited + speaker.len() };
            }
        }
        let audio = match self.state {
            State::Playing { .. } => self.queue.len().min(speaker.len()),
            State::Silent | State::Gathering { .. } | State::Starved { .. } => 0,
        };
        for (place, sample) in speaker.iter_mut().zip(self.queue.drain(..audio)) {
            *place = sample;
        }
        speaker[audio..].fill(0);
        self.played += audio as u64;
        let unmet = (speaker.len() - audio) as u64;
        match &mut self.state {
            State::Playing { is_whole: true } if self.queue.is_empty() => self.state = State::Silent,
            State::Playing { is_whole: false } if unmet > 0 => self.state = State::Starved { missing: unmet },
            State::Starved { missing } => *missing += unmet,
            State::Silent | State::Gathering { .. } | State::Playing { .. } => {}
        }
        audio
    }

    /// The utterance has arrived whole: silence after it is no underrun, and it sounds even if it is shorter than the lead.
    pub fn finish(&mut self) {
        let mut rest = Vec::new();
        self.resampler.flush(&mut rest);
        self.append(&rest);
        match self.state {
            State::Starved { .. } => self.state = State::Silent,
            State::Playing { .. } if self.queue.is_empty() => self.state = State::Silent,
            State::Gathering { .. } | State::Playing { .. } => self.state = State::Playing { is_whole: true },
            State::Silent => {}
        }
    }

    /// Drops what is not yet played, as `playback_clear_buffer` demands (protocol.md 3.3). Gives how many samples that is.
    pub fn clear(&mut self) -> usize {
        let dropped = self.queue.len();
        self.queue.clear();
        self.resampler.reset();
        self.cleared += dropped as u64;
        self.state = State::Silent;
        dropped
    }

    /// Drops the oldest `samples` that wait, to catch up with a stream that came faster than it was played.
    pub fn skip(&mut self, samples: usize) {
        let skipped = samples.min(self.queue.len());
        self.queue.drain(..skipped);
        self.skipped += skipped as u64;
    }

    /// Samples of audio that have been played since the beginning.
    #[must_use]
    pub fn played(&self) -> u64 {
        self.played
    }

    /// The same as time: the position in all that the agent has been heard to say.
    #[must_use]
    pub fn position(&self) -> Duration {
        self.rate.duration_of(self.played)
    }

    /// Samples that wait to be played.
    #[must_use]
    pub fn unplayed(&self) -> usize {
        self.queue.len()
    }

    /// Samples that were dropped unplayed because the server cleared them.
    #[must_use]
    pub fn cleared(&self) -> u64 {
        self.cleared
    }

    /// Samples that were skipped to catch up.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Samples that found no room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How often audio came too late in the middle of an utterance.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Samples of silence that were played in these gaps.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8 samples a millisecond.
    fn playback(lead_ms: u64) -> Playback {
        Playback::new(SampleRate::new(8_000).unwrap(), Duration::from_millis(lead_ms))
    }

    fn play(playback: &mut Playback, samples: usize) -> Vec<i16> {
        let mut speaker = vec![-1; samples];
        playback.play(&mut speaker);
        speaker
    }

    #[test]
    fn audio_comes_out_in_order_and_then_silence() {
        let mut playback = playback(0);
        playback.push(&[1, 2]);
        playback.push(&[3]);
        assert_eq!(play(&mut playback, 2), [1, 2]);
        assert_eq!(play(&mut playback, 3), [3, 0, 0]);
        assert_eq!((playback.played(), playback.unplayed()), (3, 0));
    }

    #[test]
    fn silence_before_and_after_an_utterance_is_no_underrun() {
        let mut playback = playback(0);
        play(&mut playback, 800);
        playback.push(&[1; 8]);
        play(&mut playback, 16);
        playback.finish();
        play(&mut playback, 800);
        playback.push(&[1; 8]);
        play(&mut playback, 8);
        assert_eq!((playback.underruns(), playback.missing()), (0, 0));
    }

    #[test]
    fn an_utterance_that_is_whole_before_it_is_played_ends_without_an_underrun() {
        let mut playback = playback(0);
        playback.push(&[1; 80]);
        play(&mut playback, 8);
        playback.finish();
        play(&mut playback, 800);
        playback.push(&[2; 8]);
        assert_eq!(play(&mut playback, 8), [2; 8]);
        assert_eq!((playback.underruns(), playback.missing()), (0, 0));
    }

    #[test]
    fn a_speaker_may_have_another_rate_and_an_utterance_keeps_its_length() {
        let mut playback =
            Playback::resampled(SampleRate::PHONE, SampleRate::WEBSOCKET_DEFAULT, Duration::ZERO);
        for _ in 0..2 {
            for _ in 0..7 {
                playback.push(&[1_000; 123]);
            }
            playback.finish();
            let length = 7 * 123 * 6;
            assert_eq!(playback.unplayed(), length);
            let heard = play(&mut playback, length + 10);
            assert!(heard[500..length - 500].iter().all(|sample| (990..1_010).contains(sample)));
            assert_eq!(heard[length..], [0; 10]);
        }
        assert_eq!(playback.position(), Duration::from_micros(2 * 7 * 123 * 125));
        assert_eq!(playback.underruns(), 0);
        // What is cleared does not ring on in the next utterance.
        playback.push(&[30_000; 800]);
        playback.clear();
        playback.push(&[0; 800]);
        playback.finish();
        assert!(play(&mut playback, 4_800).iter().all(|sample| *sample == 0));
    }

    #[test]
    fn what_is_skipped_is_the_oldest() {
        let mut playback = playback(0);
        playback.push(&[1, 2, 3, 4]);
        playback.skip(3);
        assert_eq!(play(&mut playback, 2), [4, 0]);
        playback.skip(9);
        assert_eq!((playback.skipped(), playback.played()), (3, 1));
    }

    #[test]
    fn a_gap_within_an_utterance_is_an_underrun_of_its_length() {
        let mut playback = playback(0);
        playback.push(&[1; 8]);
        play(&mut playback, 10);
        play(&mut playback, 3);
        playback.push(&[2; 8]);
        assert_eq!(play(&mut playback, 2), [2, 2]);
        assert_eq!((playback.underruns(), playback.missing()), (1, 5));
    }

    #[test]
    fn what_is_cleared_is_never_heard() {
        let mut playback = playback(0);
        playback.push(&[1; 100]);
        play(&mut playback, 40);
        assert_eq!(playback.clear(), 60);
        assert_eq!(play(&mut playback, 2), [0, 0]);
        playback.push(&[2; 4]);
        assert_eq!(play(&mut playback, 2), [2, 2]);
        assert_eq!((playback.played(), playback.cleared(), playback.underruns()), (42, 60, 0));
    }

    #[test]
    fn an_utterance_waits_for_its_lead() {
        let mut playback = playback(1);
        playback.push(&[1; 7]);
        assert_eq!(play(&mut playback, 2), [0, 0]);
        playback.push(&[1]);
        assert_eq!(play(&mut playback, 2), [1, 1]);
    }

    #[test]
    fn a_short_utterance_sounds_when_it_is_whole_or_the_lead_has_passed() {
        let mut playback = playback(1);
        playback.push(&[1; 2]);
        playback.finish();
        assert_eq!(play(&mut playback, 3), [1, 1, 0]);
        playback.finish();

        playback.push(&[2; 2]);
        assert_eq!(play(&mut playback, 8), [0; 8]);
        assert_eq!(play(&mut playback, 2), [2, 2]);
        assert_eq!(playback.underruns(), 0);
    }

    #[test]
    fn more_than_the_most_is_refused() {
        let mut playback = playback(0);
        let minute = vec![1; 8_000 * 60];
        for _ in 0..11 {
            playback.push(&minute);
        }
        assert_eq!(playback.unplayed(), 8_000 * 600);
        assert_eq!(playback.refused(), 8_000 * 60);
    }

    /// Ten minutes of 20 ms frames whose delay changes all the time: with a lead as long as the longest delay nothing is missing
    /// and nothing piles up, and without one the gaps are exactly what the delays force.
    #[test]
    fn jitter_within_the_lead_is_not_heard() {
        const FRAMES: u64 = 10 * 60 * 50;
        const FRAME: usize = 160;
        // Delays of 0 to 4 frames, in an order that a multiplicative generator shuffles.
        let arrival = |frame: u64| frame + ((frame * 2_654_435_761) >> 7) % 5;
        for (lead_ms, underruns) in [(80, 0), (0, 1)] {
            let mut playback = playback(lead_ms);
            let (mut next, mut heard) = (0, Vec::new());
            for tick in 0..FRAMES + 10 {
                // Frames on one connection never overtake each other.
                while next < FRAMES && (0..=next).rev().take(5).map(arrival).max().unwrap() <= tick {
                    playback.push(&[(next % 30_000) as i16 + 1; FRAME]);
                    next += 1;
                }
                let mut speaker = [0; FRAME];
                if playback.play(&mut speaker) > 0 {
                    heard.push(speaker[0]);
                }
                assert!(playback.unplayed() <= 5 * FRAME, "it piles up");
            }
            assert_eq!(playback.played(), FRAMES * FRAME as u64);
            assert!(
                heard.iter().enumerate().all(|(at, sample)| usize::from(*sample as u16) == at % 30_000 + 1)
            );
            assert_eq!(playback.underruns().min(1), underruns);
        }
    }
}
