//! What a data connection hears: both sides of the call on its clock, where a recording would have them, as frames of raw PCM
//! (protocol.md 4.6).
//!
//! The stream begins with the join and has no gaps. It is as far as the user's audio; while the user sends none, it is
//! [`HORIZON`] behind the clock, because audio that the network holds back may still get its place until then.

use std::time::Duration;

use antiphon_audio::{Channels, SampleRate, write_pcm};
use bytes::Bytes;
use tokio::time::Instant;

use super::super::recording::mixer::Mixer;
use super::super::recording::places::{Entry, What};
use super::super::recording::tracks::{ALLOWANCE, LOOK_BACK, SETTLE};
use super::plan::Audio;

/// How long one frame lasts.
const FRAME: Duration = Duration::from_millis(20);
/// What is older than this is settled.
const HORIZON: Duration = LOOK_BACK.saturating_add(SETTLE).saturating_add(ALLOWANCE);

#[derive(Debug)]
pub(super) struct Sound {
    mixer: Mixer,
    channels: Channels,
    /// Samples of a frame, both sides counted.
    frame: usize,
    joined: Instant,
    now: Duration,
    /// Left and right in turns, not sent yet.
    mixed: Vec<i16>,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// What is left comes out, down to the last sample.
    Ending,
    Ended,
}

impl Sound {
    pub(super) fn new(audio: Audio, user: SampleRate, agent: SampleRate, joined: Instant) -> Self {
        let frame = usize::try_from(audio.rate.samples_in(FRAME)).unwrap_or(usize::MAX);
        Self {
            mixer: Mixer::new(user, agent, audio.rate),
            channels: audio.channels,
            frame: frame.saturating_mul(2),
            joined,
            now: Duration::ZERO,
            mixed: Vec::new(),
            stage: Stage::Running,
        }
    }

    /// Takes something that is heard in the call.
    pub(super) fn take(&mut self, entry: Entry) {
        self.now = self.now.max(entry.now);
        match entry.what {
            What::Audio { side, at, audio } => self.mixer.place(side, at, audio),
            What::Cut { at } => self.mixer.cut(at),
            What::End => self.end(),
        }
    }

    /// Goes on by the clock, since nothing is on its way.
    pub(super) fn tick(&mut self) {
        if self.stage == Stage::Running {
            self.now = self.now.max(self.joined.elapsed());
        }
    }

    /// No more sound comes.
    pub(super) fn end(&mut self) {
        if self.stage == Stage::Running {
            self.stage = Stage::Ending;
        }
    }

    /// Leaves out what nobody could be sent.
    pub(super) fn skip(&mut self) {
        while self.frame().is_some() {}
    }

    /// The next frame, if it is complete.
    pub(super) fn frame(&mut self) -> Option<Bytes> {
        let limit = match self.stage {
            Stage::Running => self.mixer.user_end().max(self.now.saturating_sub(HORIZON)).min(self.now),
            Stage::Ending | Stage::Ended => self.now.max(self.mixer.user_end()),
        };
        while self.mixed.len() < self.frame && self.mixer.mix(limit, &mut self.mixed) {}
        if self.mixed.len() < self.frame && self.stage == Stage::Ending {
            self.mixer.finish(&mut self.mixed);
            self.stage = Stage::Ended;
        }
        let length = match self.stage {
            Stage::Running | Stage::Ending if self.mixed.len() < self.frame => return None,
            Stage::Running | Stage::Ending | Stage::Ended => self.mixed.len().min(self.frame),
        };
        if length == 0 {
            return None;
        }
        let samples = self.mixed.drain(..length);
        let mut bytes = Vec::with_capacity(length * 2);
        match self.channels {
            Channels::Stereo => write_pcm(samples.as_slice(), &mut bytes),
            Channels::Mono => {
                let pairs = samples.as_slice().as_chunks::<2>().0.iter();
                let mono: Vec<i16> = pairs.map(|[left, right]| left.saturating_add(*right)).collect();
                write_pcm(&mono, &mut bytes);
            }
        }
        Some(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use antiphon_engine::CallTime;

    use super::super::super::recording::places::Places;
    use super::*;

    const RATE: SampleRate = SampleRate::EAR;

    /// Whole milliseconds of sound that come out now.
    fn comes(sound: &mut Sound) -> usize {
        std::iter::from_fn(|| sound.frame()).map(|frame| frame.len()).sum::<usize>() / (4 * 16)
    }

    fn sound() -> (Sound, Places) {
        let audio = Audio { rate: RATE, channels: Channels::Stereo };
        (Sound::new(audio, RATE, RATE, Instant::now()), Places::new(CallTime::ZERO, RATE, RATE))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_as_far_as_the_user_and_waits_for_audio_that_is_held_back() {
        let (mut sound, mut places) = sound();
        for ms in (20..=1_000).step_by(20) {
            places.hear(CallTime::from_millis(ms), &[1; 320], |entry| sound.take(entry));
        }
        assert_eq!(comes(&mut sound), 1_000);
        // Nothing comes for 1.5 s, and then all of it, within a moment.
        tokio::time::advance(Duration::from_millis(2_500)).await;
        sound.tick();
        assert_eq!(comes(&mut sound), 0, "it may still get its place");
        for at in 0..75 {
            places.hear(CallTime::from_millis(2_500 + at), &[1; 320], |entry| sound.take(entry));
        }
        places.settle(CallTime::from_millis(2_700), |entry| sound.take(entry));
        let rest: Vec<u8> = std::iter::from_fn(|| sound.frame()).flatten().collect();
        let gap = rest.chunks(4).filter(|pair| pair[0] == 0).count();
        assert!(gap <= 16 * 100 && rest.len() >= 4 * 16 * 1_500, "{gap} of {}", rest.len());
        // And now nothing comes for good.
        tokio::time::advance(HORIZON).await;
        sound.tick();
        assert_eq!(comes(&mut sound), 0);
        tokio::time::advance(Duration::from_millis(500)).await;
        sound.tick();
        assert!(comes(&mut sound) >= 400);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_user_it_goes_on_by_the_clock_down_to_the_last_sample() {
        let (mut sound, mut places) = sound();
        let audio = Bytes::from(vec![1; 2 * 16_000]);
        sound.take(places.play(CallTime::ZERO, &audio).unwrap());
        assert_eq!(comes(&mut sound), 0);
        tokio::time::advance(HORIZON + Duration::from_millis(510)).await;
        sound.tick();
        assert_eq!(comes(&mut sound), 500);
        sound.take(places.clear(CallTime::from_millis(3_005)));
        sound.take(Entry { now: Duration::from_millis(3_005), what: What::End });
        assert_eq!(comes(&mut sound), 2_505);
        assert_eq!(sound.frame(), None);
    }
}
