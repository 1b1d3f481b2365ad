//! Somebody at the microphone and the speaker. What they type are keys of the telephone.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};

use antiphon_audio::{DtmfKey, SampleRate};
use antiphon_client::sound_card;
use antiphon_scenario::{Deed, Party, Scene};
use anyhow::Context as _;

use crate::talk::Lines;

/// Keys of one line that are pressed.
const MOST_KEYS: usize = 100;

/// See the head of this file.
pub(super) struct SoundCard {
    microphone: sound_card::Microphone,
    speaker: sound_card::Speaker,
    lines: Option<Lines>,
    keys: VecDeque<char>,
}

impl SoundCard {
    pub(super) fn open() -> anyhow::Result<Self> {
        let instead = "name a WAV file instead";
        Ok(Self {
            microphone: sound_card::Microphone::open(SampleRate::EAR).context(instead)?,
            speaker: sound_card::Speaker::open(SampleRate::EAR).context(instead)?,
            lines: io::stdin().is_terminal().then(Lines::of_stdin),
            keys: VecDeque::new(),
        })
    }
}

impl Party for SoundCard {
    fn rate(&self) -> SampleRate {
        SampleRate::EAR
    }

    fn frame(&mut self, says: &mut [i16], hears: &[i16], _: &Scene) -> Deed {
        self.speaker.play(hears);
        self.microphone.read(says);
        match self.lines.as_ref().map(Lines::next) {
            Some(Some(Some(line))) => {
                let keys = line.chars().filter_map(DtmfKey::new).map(DtmfKey::sign);
                self.keys.extend(keys.take(MOST_KEYS.saturating_sub(self.keys.len())));
            }
            // The end of what is typed is a wish to end.
            Some(None) => return Deed::HangUp,
            Some(Some(None)) | None => {}
        }
        self.keys.pop_front().map_or(Deed::Stay, Deed::Press)
    }
}
