//! Somebody at the end of a call who says what is in a WAV file, waits until nothing more is to be heard, and hangs up. What they
//! hear can be recorded.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use antiphon_audio::{Channels, SampleRate, WavWriter};

use super::leg::FRAME;
use super::party::{Deed, Party, Scene};

/// How long somebody whom nobody listens to stays.
const LONELY: Duration = Duration::from_secs(60);

/// See the head of this file.
#[derive(Debug)]
pub struct WavParty {
    rate: SampleRate,
    says: Vec<i16>,
    said: usize,
    presses: VecDeque<(Duration, char)>,
    recording: Option<(PathBuf, WavWriter<File>)>,
    trouble: Option<String>,
    patience: Duration,
    /// Since the call was answered.
    at: Duration,
    /// How long nothing was heard, and nothing said.
    quiet_for: Duration,
}

impl WavParty {
    /// Somebody who says `says` as soon as somebody listens, and hangs up when they have said it and heard nothing for as long as
    /// `patience`.
    #[must_use]
    pub fn new(rate: SampleRate, says: Vec<i16>, patience: Duration) -> Self {
        Self {
            rate,
            says,
            said: 0,
            presses: VecDeque::new(),
            recording: None,
            trouble: None,
            patience,
            at: Duration::ZERO,
            quiet_for: Duration::ZERO,
        }
    }

    /// Presses these keys, each at a time since the call was answered, in the order of the times.
    #[must_use]
    pub fn pressing(mut self, mut presses: Vec<(Duration, char)>) -> Self {
        presses.sort_by_key(|(at, _)| *at);
        self.presses = presses.into();
        self
    }

    /// Records what they hear to this file, which replaces one that is there.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn recording(mut self, path: impl Into<PathBuf>) -> std::io::Result<Self> {
        let path = path.into();
        let file = WavWriter::new(File::create(&path)?, self.rate, Channels::Mono)?;
        self.recording = Some((path, file));
        Ok(self)
    }

    fn record(&mut self, hears: &[i16]) {
        let Some((path, file)) = &mut self.recording else { return };
        if let Err(error) = file.write(hears) {
            self.trouble = Some(format!("cannot write {}: {error}", path.display()));
            self.recording = None;
        }
    }
}

impl Party for WavParty {
    fn rate(&self) -> SampleRate {
        self.rate
    }

    fn frame(&mut self, says: &mut [i16], hears: &[i16], scene: &Scene) -> Deed {
        self.record(hears);
        if !scene.answered {
            return Deed::Stay;
        }
        self.at += FRAME;
        self.quiet_for += FRAME;
        if hears.iter().any(|sample| *sample != 0) {
            self.quiet_for = Duration::ZERO;
        }
        if scene.listened_to && self.said < self.says.len() {
            let rest = &self.says[self.said..];
            let count = rest.len().min(says.len());
            says[..count].copy_from_slice(&rest[..count]);
            self.said += count;
            self.quiet_for = Duration::ZERO;
        }
        if let Some((_, key)) = self.presses.pop_front_if(|(at, _)| *at <= self.at) {
            self.quiet_for = Duration::ZERO;
            return Deed::Press(key);
        }
        let is_done = self.said == self.says.len() && self.presses.is_empty();
        if self.quiet_for >= if is_done { self.patience } else { LONELY } { Deed::HangUp } else { Deed::Stay }
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        match self.recording {
            Some((path, file)) => {
                file.finish().map_err(|error| format!("cannot write {}: {error}", path.display()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENED_TO: Scene = Scene { answered: true, listened_to: true };

    /// Frames until they do something, what that is, and what was said.
    fn until_deed(party: &mut WavParty, hears: i16, scene: &Scene) -> (u32, Deed, Vec<i16>) {
        let mut said = Vec::new();
        for frame in 1..100_000 {
            let mut says = [0; 160];
            let deed = party.frame(&mut says, &[hears; 160], scene);
            said.extend(says);
            if deed != Deed::Stay {
                return (frame, deed, said);
            }
        }
        panic!("they stay for ever");
    }

    fn party(samples: usize) -> WavParty {
        let rate = SampleRate::new(8_000).unwrap();
        WavParty::new(rate, vec![7; samples], Duration::from_secs(1))
    }

    #[test]
    fn who_has_said_all_and_hears_nothing_more_hangs_up() {
        // 250 samples are a frame and a half; a second is fifty frames.
        let (frames, deed, said) = until_deed(&mut party(250), 0, &LISTENED_TO);
        assert_eq!((frames, deed), (2 + 50, Deed::HangUp));
        assert_eq!(said.iter().filter(|sample| **sample == 7).count(), 250);
    }

    #[test]
    fn who_hears_something_stays() {
        let mut party = party(0);
        for _ in 0..10_000 {
            assert_eq!(party.frame(&mut [0; 160], &[1; 160], &LISTENED_TO), Deed::Stay);
        }
        assert_eq!(until_deed(&mut party, 0, &LISTENED_TO).0, 50);
    }

    #[test]
    fn nobody_speaks_before_somebody_listens_nor_waits_for_that_for_ever() {
        let mut party = party(160);
        let alone = Scene { answered: true, listened_to: false };
        let (frames, deed, said) = until_deed(&mut party, 0, &alone);
        assert_eq!((frames, deed), (60 * 50, Deed::HangUp));
        assert!(said.iter().all(|sample| *sample == 0));
        let ringing = Scene { answered: false, listened_to: false };
        assert_eq!(party.frame(&mut [0; 160], &[0; 160], &ringing), Deed::Stay);
    }

    #[test]
    fn keys_are_pressed_in_the_order_of_their_times() {
        let presses = vec![(Duration::from_millis(100), '2'), (Duration::from_millis(40), '1')];
        let mut party = party(0).pressing(presses);
        assert_eq!(until_deed(&mut party, 0, &LISTENED_TO).1, Deed::Press('1'));
        let (frames, deed, _) = until_deed(&mut party, 0, &LISTENED_TO);
        assert_eq!((frames, deed), (3, Deed::Press('2')));
        assert_eq!(until_deed(&mut party, 0, &LISTENED_TO), (50, Deed::HangUp, vec![0; 50 * 160]));
    }
}
