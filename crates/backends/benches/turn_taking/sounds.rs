//! The recordings and the made sounds that the benchmark is run on. All of them come out the same on every run.

use std::path::Path;
use std::process::Command;

use antiphon_audio::{Resampler, SampleRate, Wav};
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech as _};
use futures::StreamExt as _;

/// Samples at 16 kHz in a millisecond.
pub(crate) const PER_MS: usize = 16;

/// Something that a user may be heard to do.
#[derive(Clone)]
pub(crate) struct Sound {
    pub(crate) samples: Vec<f32>,
    /// What it says; empty for noises.
    pub(crate) words: &'static str,
}

impl Sound {
    fn new(samples: &[i16], words: &'static str) -> Self {
        Self { samples: trimmed(samples), words }
    }

    /// Brought to this loudness (root of the mean square).
    pub(crate) fn at_level(mut self, level: f32) -> Self {
        let factor = level / loudness(&self.samples).max(1.0);
        self.samples.iter_mut().for_each(|sample| *sample *= factor);
        self
    }

    /// Taken apart where 20 ms in its middle third are quietest.
    pub(crate) fn halves(self) -> (Self, Self) {
        let piece = 20 * PER_MS;
        let third = self.samples.len() / 3;
        let quiet = |at: &usize| loudness(&self.samples[*at..at + piece]);
        let middle = (third..2 * third).step_by(piece / 2);
        let at = middle.min_by(|a, b| quiet(a).total_cmp(&quiet(b))).unwrap_or(third) + piece / 2;
        let half = |samples: &[f32]| Self { samples: samples.to_vec(), words: self.words };
        (half(&self.samples[..at]), half(&self.samples[at..]))
    }

    pub(crate) fn ms(&self) -> usize {
        self.samples.len() / PER_MS
    }
}

/// Where Debian's packages put speech, and what is said in it.
const RECORDINGS: [(&str, &str); 14] = [
    ("/usr/share/pocketsphinx/test/data/cards/001.wav", "ace of clubs"),
    ("/usr/share/pocketsphinx/test/data/cards/002.wav", "four of clubs"),
    ("/usr/share/pocketsphinx/test/data/cards/003.wav", "king of diamonds five of hearts"),
    ("/usr/share/pocketsphinx/test/data/cards/004.wav", "seven of spades"),
    ("/usr/share/pocketsphinx/test/data/cards/005.wav", "three cards"),
    ("/usr/share/pocketsphinx/test/data/goforward.raw", "go forward ten meters"),
    ("/usr/share/pocketsphinx/test/data/numbers.raw", "some numbers"),
    ("/usr/share/pocketsphinx/test/data/something.raw", "go somewhere and do something"),
    (
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
        "read aloud",
    ),
    (
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
        "read aloud",
    ),
    (
        "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
        "read aloud",
    ),
    ("/usr/share/sounds/alsa/Front_Center.wav", "front center"),
    ("/usr/share/sounds/alsa/Rear_Left.wav", "rear left"),
    ("/usr/share/sounds/alsa/Side_Right.wav", "side right"),
];

/// Recordings of people.
pub(crate) fn recordings() -> Vec<Sound> {
    let sounds =
        RECORDINGS.iter().filter_map(|(path, words)| Some(Sound::new(&recording(Path::new(path))?, words)));
    sounds.collect()
}

fn recording(path: &Path) -> Option<Vec<i16>> {
    let bytes = std::fs::read(path).ok()?;
    if path.extension().is_some_and(|extension| extension == "raw") {
        return Some(bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect());
    }
    wav(&bytes)
}

fn wav(bytes: &[u8]) -> Option<Vec<i16>> {
    let wav = Wav::read(bytes).ok()?;
    Some(at_16_khz(&wav.mono(), SampleRate::new(wav.rate_hz).ok()?))
}

fn at_16_khz(samples: &[i16], rate: SampleRate) -> Vec<i16> {
    let (mut resampler, mut out) = (Resampler::new(rate, SampleRate::EAR), Vec::new());
    resampler.process(samples, &mut out);
    resampler.flush(&mut out);
    out
}

/// The built-in voice.
pub(crate) fn flite(text: &'static str) -> Vec<i16> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
    runtime.block_on(async {
        let voice = Flite::new();
        let mut samples = Vec::new();
        let mut events = voice.speak(Request { text: text.into(), language: None, sample: None });
        while let Some(event) = events.next().await {
            if let SpeechEvent::Audio(audio) = event {
                samples.extend(audio);
            }
        }
        at_16_khz(&samples, voice.capabilities().sample_rate)
    })
}

/// Four throats saying these words: three of espeak-ng, if that is installed, and the built-in voice a third higher.
pub(crate) fn said(words: &'static str) -> Vec<Sound> {
    let mut sounds: Vec<Sound> = ["en-us", "en+f3", "en-gb-scotland"]
        .iter()
        .filter_map(|voice| {
            let output = Command::new("espeak-ng").args(["--stdout", "-v", voice, words]).output().ok()?;
            Some(Sound::new(&wav(&output.stdout)?, words))
        })
        .collect();
    let higher = SampleRate::new(22_050).expect("a supported rate");
    sounds.push(Sound::new(&at_16_khz(&flite(words), higher), words));
    sounds
}

/// A source of chance that is the same every time.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From -1 to 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

pub(crate) fn white(ms: usize, chance: &mut Chance) -> Vec<f32> {
    (0..ms * PER_MS).map(|_| chance.next()).collect()
}

/// Noise that loses 3 dB an octave (Paul Kellet's filter, economy version).
pub(crate) fn pink(ms: usize, chance: &mut Chance) -> Vec<f32> {
    let (mut a, mut b, mut c) = (0.0_f32, 0.0_f32, 0.0_f32);
    let mut next = || {
        let white = chance.next();
        a = 0.99765 * a + white * 0.099_046;
        b = 0.963 * b + white * 0.296_516_4;
        c = 0.57 * c + white * 1.052_691_3;
        a + b + c + white * 0.1848
    };
    (0..ms * PER_MS).map(|_| next()).collect()
}

/// Everybody in the room at once.
pub(crate) fn babble(ms: usize, people: &[Sound]) -> Vec<f32> {
    let mut out = vec![0.0; ms * PER_MS];
    for (index, person) in people.iter().enumerate() {
        let voice = person.clone().at_level(1_000.0).samples;
        for (at, sample) in out.iter_mut().enumerate() {
            *sample += voice[(at + index * 7_919) % voice.len()];
        }
    }
    out
}

/// A burst of throaty noise: a breath, then one or two blows that die away.
pub(crate) fn cough(seed: u64) -> Sound {
    let mut chance = Chance(seed * 7_919 + 1);
    let blows = 1 + (seed % 2) as usize;
    let mut samples = Vec::new();
    for _ in 0..blows {
        let length = (140 + (seed % 5) as usize * 30) * PER_MS;
        let (mut low, mut resonance, mut before) = (0.0_f32, 0.0_f32, 0.0_f32);
        for at in 0..length {
            low += 0.25 * (chance.next() - low);
            // A resonance near 600 Hz, as of a throat.
            let next = low + 1.88 * resonance - 0.935 * before;
            before = resonance;
            resonance = next;
            let rise = (at as f32 / (8 * PER_MS) as f32).min(1.0);
            samples.push(next * rise * (-4.0 * at as f32 / length as f32).exp());
        }
        samples.extend(std::iter::repeat_n(0.0, 60 * PER_MS));
    }
    Sound { samples, words: "" }
}

/// Keys pressed on a keyboard near the microphone: eight clicks in a second and a half.
pub(crate) fn clicks(seed: u64) -> Sound {
    let mut chance = Chance(seed * 104_729 + 1);
    let mut samples = vec![0.0; 1_500 * PER_MS];
    for click in 0..8 {
        let at = (click * 180 + (seed as usize * 13) % 60) * PER_MS;
        for offset in 0..12 * PER_MS {
            samples[at + offset] += chance.next() * (-(offset as f32) / (2 * PER_MS) as f32).exp();
        }
    }
    Sound { samples, words: "" }
}

pub(crate) fn loudness(samples: &[f32]) -> f32 {
    (samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// Without the silence around it.
fn trimmed(samples: &[i16]) -> Vec<f32> {
    let loud = |frame: &[i16]| {
        let power: f64 = frame.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        (power / frame.len() as f64).sqrt() > 250.0
    };
    let frame = 10 * PER_MS;
    let frames = || samples.chunks(frame);
    let first = frames().position(loud).unwrap_or(0) * frame;
    let last =
        frames().rposition(loud).map_or(samples.len(), |index| ((index + 1) * frame).min(samples.len()));
    samples[first..last].iter().map(|x| f32::from(*x)).collect()
}
