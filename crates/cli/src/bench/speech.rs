//! What callers say: recordings cut down to their speech, in frames as they go over the wire.

use std::path::PathBuf;
use std::time::Duration;

use antiphon_audio::{SampleRate, Wav, convert, write_pcm};
use bytes::Bytes;

use crate::exit::misuse;
use crate::talk::read_wav;

/// The length of a frame: 20 ms, which all clients send.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// What counts as silence at the ends of a recording, below its loudest 10 ms: 35 dB.
const QUIET: f64 = 56.0;
/// Recordings that are longer keep their beginning: a turn every few seconds is what is measured.
const LONGEST: Duration = Duration::from_secs(6);

/// Said by a synthesizer for the demo.
const BUILT_IN: [&[u8]; 3] = [
    include_bytes!("../../assets/hours.wav"),
    include_bytes!("../../assets/story.wav"),
    include_bytes!("../../assets/goodbye.wav"),
];

/// One thing to say: it begins and ends with speech.
#[derive(Debug, Clone)]
pub(super) struct Clip {
    /// Frames of [`FRAME`], the last one filled up with silence.
    pub(super) frames: Vec<Bytes>,
    /// How long the speech in them is.
    pub(super) length: Duration,
}

/// What all callers share.
#[derive(Debug)]
pub(super) struct Speech {
    pub(super) clips: Vec<Clip>,
    /// A frame of silence.
    pub(super) silence: Bytes,
    /// Whose voice it is, for the report.
    pub(super) source: String,
}

impl Speech {
    /// Reads recordings, or takes the built-in ones, at the rate of the line.
    pub(super) fn read(files: &[PathBuf], rate: SampleRate) -> anyhow::Result<Self> {
        let wavs = if files.is_empty() {
            BUILT_IN.iter().map(|bytes| Wav::read(*bytes).expect("the assets are WAV files")).collect()
        } else {
            files.iter().map(|path| read_wav(path)).collect::<anyhow::Result<Vec<_>>>()?
        };
        let source = match files {
            [] => "built-in sentences, synthesized".to_owned(),
            [one] => one.display().to_string(),
            [first, ..] => format!("{} recordings, the first {}", files.len(), first.display()),
        };
        let mut clips = Vec::with_capacity(wavs.len());
        for (index, wav) in wavs.iter().enumerate() {
            let samples = convert(&wav.mono(), wav.rate_hz, rate);
            let clip = Clip::of(&samples, rate).ok_or_else(|| {
                let name = files.get(index).map(|path| path.display().to_string()).unwrap_or_default();
                misuse(format!("{name} is silent; --speech needs recordings of somebody who speaks"))
            })?;
            clips.push(clip);
        }
        let frame = samples_in_a_frame(rate);
        Ok(Self { clips, silence: Bytes::from(vec![0; frame * 2]), source })
    }
}

/// Samples of a frame. Every rate of A-33 has a whole number of them but 22,050 and 44,100 Hz; those get one that is shorter by
/// less than a sample.
pub(super) fn samples_in_a_frame(rate: SampleRate) -> usize {
    rate.samples_in(FRAME) as usize
}

impl Clip {
    /// The part of `samples` from the first to the last speech in them; nothing if there is none.
    fn of(samples: &[i16], rate: SampleRate) -> Option<Self> {
        let block = (rate.hz() / 100) as usize;
        let loudness = |block: &[i16]| {
            (block.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / block.len() as f64).sqrt()
        };
        let blocks: Vec<f64> = samples.chunks(block).map(loudness).collect();
        let loudest = blocks.iter().copied().fold(0.0, f64::max);
        if loudest < 100.0 {
            return None;
        }
        let is_speech = |level: &f64| *level > loudest / QUIET;
        let first = blocks.iter().position(is_speech)? * block;
        let last = (blocks.iter().rposition(is_speech)? + 1) * block;
        let longest = rate.samples_in(LONGEST) as usize;
        let speech = &samples[first..last.min(samples.len()).min(first + longest)];

        let frame = samples_in_a_frame(rate);
        let frames = speech.chunks(frame).map(|samples| {
            let mut bytes = Vec::with_capacity(frame * 2);
            write_pcm(samples, &mut bytes);
            bytes.resize(frame * 2, 0);
            Bytes::from(bytes)
        });
        Some(Self { frames: frames.collect(), length: rate.duration_of(speech.len() as u64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_the_speech_of_its_recording_and_nothing_around_it() {
        let rate = SampleRate::EAR;
        let mut samples = vec![3; 16_000];
        samples.extend((0..8_000).map(|n| if n % 2 == 0 { 8_000 } else { -8_000 }));
        samples.extend(vec![0; 32_000]);
        let clip = Clip::of(&samples, rate).unwrap();
        assert_eq!(clip.length, Duration::from_millis(500));
        assert_eq!(clip.frames.len(), 25);
        assert!(clip.frames.iter().all(|frame| frame.len() == 640));
    }

    #[test]
    fn silence_is_no_clip() {
        assert!(Clip::of(&[2; 16_000], SampleRate::EAR).is_none());
    }

    #[test]
    fn the_built_in_sentences_are_there_at_every_rate() {
        for rate in SampleRate::ALL {
            let speech = Speech::read(&[], rate).unwrap();
            assert_eq!(speech.clips.len(), BUILT_IN.len());
            assert!(speech.clips.iter().all(|clip| clip.length > Duration::from_millis(500)));
        }
    }
}
