//! Somebody at the microphone and the speaker. What they type are keys of the telephone.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_audio::{DtmfKey, SampleRate};
use antiphon_client::transcript::Transcripts;
use antiphon_scenario::{Deed, Party, Scene};

use crate::conversation::{Deed as Act, Loudspeaker as _, Scene as Situation, User as _};
use crate::talk::{Microphone, Speaker, open_devices};

/// See the head of this file.
pub(super) struct SoundCard {
    microphone: Microphone,
    speaker: Speaker,
    keys: VecDeque<char>,
}

impl SoundCard {
    pub(super) fn open() -> anyhow::Result<Self> {
        let (microphone, speaker) = open_devices(SampleRate::EAR)?;
        Ok(Self { microphone, speaker, keys: VecDeque::new() })
    }
}

impl Party for SoundCard {
    fn rate(&self) -> SampleRate {
        SampleRate::EAR
    }

    fn frame(&mut self, says: &mut [i16], hears: &[i16], scene: &Scene) -> Deed {
        self.speaker.play(hears);
        let situation = Situation {
            at: Duration::ZERO,
            quiet_for: Duration::ZERO,
            speaking_for: Duration::ZERO,
            transcripts: &Transcripts::default(),
        };
        match self.microphone.act(says, &situation) {
            Act::HangUp if scene.answered => return Deed::HangUp,
            Act::Write(line) => {
                self.keys.extend(line.chars().filter_map(DtmfKey::new).map(DtmfKey::sign).take(100))
            }
            Act::HangUp | Act::Nothing => {}
        }
        self.keys.pop_front().map_or(Deed::Stay, Deed::Press)
    }
}
