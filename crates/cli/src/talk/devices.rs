//! A user at a microphone, who may also type, and a speaker.

use std::io::{self, IsTerminal as _};

use antiphon_audio::SampleRate;
use antiphon_client::sound_card;
use anyhow::Context as _;

use super::typed::Lines;
use crate::conversation::{Deed, Loudspeaker, Scene, User};

/// Opens the default devices for a line at `rate`.
pub(super) fn open(rate: SampleRate) -> anyhow::Result<(Microphone, Speaker)> {
    let instead = "use --input FILE or --text instead";
    let microphone = sound_card::Microphone::open(rate).context(instead)?;
    let speaker = sound_card::Speaker::open(rate).context(instead)?;
    let lines = io::stdin().is_terminal().then(Lines::of_stdin);
    Ok((Microphone { microphone, lines }, Speaker(speaker)))
}

/// The microphone, and the keyboard beside it.
pub(super) struct Microphone {
    microphone: sound_card::Microphone,
    lines: Option<Lines>,
}

impl User for Microphone {
    fn act(&mut self, frame: &mut [i16], _: &Scene<'_>) -> Deed {
        self.microphone.read(frame);
        match self.lines.as_ref().map(Lines::next) {
            Some(Some(Some(line))) => Deed::Write(line),
            // The end of what is typed is a wish to end.
            Some(None) => Deed::HangUp,
            Some(Some(None)) | None => Deed::Nothing,
        }
    }
}

/// The speaker.
pub(super) struct Speaker(sound_card::Speaker);

impl Loudspeaker for Speaker {
    fn play(&mut self, frame: &[i16]) {
        self.0.play(frame);
    }
}
