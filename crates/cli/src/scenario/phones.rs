//! Who is at the other end of a scenario's calls: WAV files, or the sound card.

#[cfg(feature = "audio-devices")]
mod sound_card;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_audio::{DtmfKey, SampleRate, Wav, convert};
use antiphon_scenario::{Dial, Party, Phones, WavParty};

use super::{Call, SOUND_CARD};
use crate::exit::misuse;

/// Keys that may be pressed in one call.
const MOST_PRESSES: usize = 1000;

/// Where somebody's voice comes from.
#[derive(Debug, Clone)]
enum Source {
    /// Nobody says anything.
    Silence,
    SoundCard,
    Wav {
        samples: Vec<i16>,
        rate: SampleRate,
    },
}

/// See the head of this file.
pub(super) struct Lines {
    caller: Source,
    callee: Source,
    presses: Vec<(Duration, char)>,
    linger: Duration,
    output: Option<PathBuf>,
    calls: u32,
}

impl Lines {
    /// Reads all that is named, so that what is wrong is told before anything runs.
    pub(super) fn new(call: &Call) -> anyhow::Result<Self> {
        let caller = call.call.as_deref().map_or(Ok(Source::Silence), source)?;
        let callee = call.answer.as_deref().map_or_else(|| Ok(caller.clone()), source)?;
        let presses = call.presses.iter().map(|text| press(text)).collect::<anyhow::Result<Vec<_>>>()?;
        if presses.len() > MOST_PRESSES {
            return Err(misuse(format!("--press can be given {MOST_PRESSES} times")));
        }
        let linger = Duration::from_secs(call.linger);
        Ok(Self { caller, callee, presses, linger, output: call.output.clone(), calls: 0 })
    }

    fn party(&mut self, source: Source, presses: Vec<(Duration, char)>) -> Result<Box<dyn Party>, String> {
        self.calls += 1;
        let (samples, rate) = match source {
            Source::SoundCard => return sound_card(),
            Source::Silence => (Vec::new(), SampleRate::EAR),
            Source::Wav { samples, rate } => (samples, rate),
        };
        let party = WavParty::new(rate, samples, self.linger).pressing(presses);
        let Some(output) = &self.output else { return Ok(Box::new(party)) };
        let path = numbered(output, self.calls);
        match party.recording(&path) {
            Ok(party) => Ok(Box::new(party)),
            Err(error) => Err(format!("cannot write {}: {error}", path.display())),
        }
    }
}

impl Phones for Lines {
    fn caller(&mut self) -> Result<Box<dyn Party>, String> {
        let (source, presses) = (self.caller.clone(), self.presses.clone());
        self.party(source, presses)
    }

    fn callee(&mut self, _: &Dial) -> Result<Box<dyn Party>, (u16, String)> {
        // With --start, whom the first call reaches presses the keys.
        let presses = if self.calls == 0 { self.presses.clone() } else { Vec::new() };
        self.party(self.callee.clone(), presses).map_err(|why| (480, why))
    }
}

#[cfg(feature = "audio-devices")]
fn sound_card() -> Result<Box<dyn Party>, String> {
    sound_card::SoundCard::open()
        .map(|party| Box::new(party) as Box<dyn Party>)
        .map_err(|error| format!("{error:#}"))
}

#[cfg(not(feature = "audio-devices"))]
fn sound_card() -> Result<Box<dyn Party>, String> {
    Err("this build has no microphone and speaker; name a WAV file, or build with them: \
         apt-get install libasound2-dev pkg-config, then cargo install --path crates/cli --features scenario,audio-devices"
        .to_owned())
}

fn source(path: &Path) -> anyhow::Result<Source> {
    if path.as_os_str() == SOUND_CARD {
        return Ok(Source::SoundCard);
    }
    let complain = |error: &dyn std::fmt::Display| misuse(format!("cannot use {}: {error}", path.display()));
    let file = fs::File::open(path).map_err(|error| complain(&error))?;
    let wav = Wav::read(file).map_err(|error| complain(&error))?;
    if wav.samples.is_empty() {
        return Err(complain(&"there is no audio in it"));
    }
    let rate = SampleRate::new(wav.rate_hz).unwrap_or(SampleRate::EAR);
    Ok(Source::Wav { samples: convert(&wav.mono(), wav.rate_hz, rate), rate })
}

/// `2.5=#`: a key and when it is pressed.
fn press(text: &str) -> anyhow::Result<(Duration, char)> {
    let read = || {
        let (seconds, key) = text.split_once('=')?;
        let at = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
        let mut signs = key.trim().chars();
        let key = DtmfKey::new(signs.next()?)?.sign();
        signs.next().is_none().then_some((at, key))
    };
    read().ok_or_else(|| {
        misuse(format!("--press needs SECONDS=KEY with one of 0-9, *, #, A-D, such as 2.5=#, not {text:?}"))
    })
}

/// The file for the call with this number.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_file_of_its_own() {
        assert_eq!(numbered(Path::new("out/heard.wav"), 1), Path::new("out/heard.wav"));
        assert_eq!(numbered(Path::new("out/heard.wav"), 2), Path::new("out/heard-2.wav"));
        assert_eq!(numbered(Path::new("heard"), 3), Path::new("heard-3"));
    }

    #[test]
    fn keys_are_pressed_at_a_time() {
        assert_eq!(press("2.5=#").unwrap(), (Duration::from_millis(2_500), '#'));
        assert_eq!(press("0 = a").unwrap(), (Duration::ZERO, 'A'));
        for wrong in ["", "5", "=5", "x=5", "-1=5", "1=55", "1=x", "1=", "1e300=5"] {
            assert!(press(wrong).unwrap_err().to_string().contains("SECONDS=KEY"), "{wrong}");
        }
    }
}
