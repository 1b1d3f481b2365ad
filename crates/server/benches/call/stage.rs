//! What the measured calls run with: backends that cost next to nothing, recordings, and the meters.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use antiphon_audio::{Resampler, SampleRate};
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{Capabilities, Request, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_engine::input::WordEnd;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use rustix::time::{ClockId, clock_gettime};

/// What the agent says, over and over.
pub(crate) const SENTENCE: &str = "The bakery opens at seven, and the bread is warm until nine. ";
const SCRIPT: &str = "pace: 0\ndefault:\n  say: Pardon?\n";
/// How long a character takes to say.
pub(crate) const PER_CHARACTER: Duration = Duration::from_millis(60);

/// Real voice activity, a script, and a voice that costs nothing.
pub(crate) fn backends() -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Scripted::from_yaml(SCRIPT).unwrap());
    let voice: Arc<dyn TextToSpeech> = Arc::new(Tape);
    Backends {
        models: BTreeMap::from([(Arc::from("script"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("script"),
        voices: BTreeMap::from([(Arc::from("tape"), voice)]),
        default_voice: Arc::from("tape"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: None,
        voice_activity: Arc::new(Earshot),
        turn_detector: None,
    }
}

/// A voice of silence, 24 kHz, in pieces of 100 ms, with word times.
struct Tape;

impl TextToSpeech for Tape {
    fn capabilities(&self) -> Capabilities {
        Capabilities { sample_rate: SampleRate::new(24_000).unwrap(), word_times: true, clones: false }
    }

    fn speak(&self, request: Request) -> BoxStream<'static, SpeechEvent> {
        const PIECE: usize = 2_400;
        let samples = |characters: usize| PER_CHARACTER.as_millis() as usize * characters * 24;
        let ends = request.text.match_indices(' ').map(|(at, _)| at).chain([request.text.len()]);
        let words = ends.map(|end| WordEnd { text: end as u32, samples: samples(end) as u32 }).collect();
        let total = samples(request.text.len());
        let audio = (0..total)
            .step_by(PIECE)
            .map(move |from| SpeechEvent::Audio(std::iter::repeat_n(0, PIECE.min(total - from)).collect()));
        stream::iter([SpeechEvent::Words(words)].into_iter().chain(audio).chain([SpeechEvent::Finished]))
            .boxed()
    }
}

/// Ten seconds of silence at 16 kHz.
pub(crate) fn silence() -> Vec<i16> {
    vec![0; 160_000]
}

/// Some seconds of synthesized speech at 16 kHz.
pub(crate) fn speech() -> Vec<i16> {
    let text = Arc::from(SENTENCE.repeat(3));
    let events = Flite::new().speak(Request { text, language: None, sample: None });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let pieces = runtime.block_on(events.collect::<Vec<_>>());
    let mut samples = Vec::new();
    for piece in pieces {
        match piece {
            SpeechEvent::Audio(audio) => samples.extend(audio),
            SpeechEvent::Words(_) | SpeechEvent::FellBack(_) | SpeechEvent::Finished => {}
            SpeechEvent::Failed(why) => panic!("no speech: {why}"),
        }
    }
    samples
}

/// 16 kHz audio as it is sent at another rate.
pub(crate) fn sent_at(rate: u32, samples: &[i16]) -> Bytes {
    let mut resampler = Resampler::new(SampleRate::EAR, SampleRate::new(rate).unwrap());
    let mut resampled = Vec::new();
    resampler.process(samples, &mut resampled);
    resampler.flush(&mut resampled);
    resampled.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// How long this thread has been computing.
pub(crate) fn thread_cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// The second figure of `/proc/self/statm`, in pages of 4 KiB; zero where there is no such file.
pub(crate) fn resident_bytes() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0
}
