//! Backends that answer at once, and cost next to nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_audio::SampleRate;
use antiphon_backends::language_model::{self, LanguageModel, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::{self, Heard, SpeechToText};
use antiphon_backends::text_to_speech::{self, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::scripted::Loudness;
use antiphon_engine::input::{Transcription, WordEnd};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};

/// What the model is given of the user's speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Hears,
}

impl Kind {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Reads => "a model that reads: speech to text, text, text to speech",
            Self::Hears => "a model that hears, and begins while it is open whether the user goes on",
        }
    }
}

pub(crate) fn backends(kind: Kind) -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Ready(kind));
    let voice: Arc<dyn TextToSpeech> = Arc::new(Ready(kind));
    Backends {
        models: BTreeMap::from([(Arc::from("ready"), model)]),
        subjects: Vec::new(),
        default_model: Arc::from("ready"),
        voices: BTreeMap::from([(Arc::from("ready"), voice)]),
        default_voice: Arc::from("ready"),
        voice_definitions: BTreeMap::new(),
        voice_providers: Arc::default(),
        speech_to_text: Some(Arc::new(Ready(kind))),
        voice_activity: Arc::new(Loudness::default()),
        turn_detector: None,
    }
}

/// Knows everything beforehand.
struct Ready(Kind);

impl LanguageModel for Ready {
    fn capabilities(&self) -> language_model::Capabilities {
        let audio = self.0 == Kind::Hears;
        language_model::Capabilities {
            audio,
            clips: usize::from(audio),
            ..language_model::Capabilities::TEXT
        }
    }

    fn generate(&self, _: language_model::Request) -> BoxStream<'static, RunEvent> {
        stream::iter([RunEvent::Text("Yes.".into()), RunEvent::Finished]).boxed()
    }

    fn warm_up(&self, _: language_model::Request) -> BoxFuture<'static, ()> {
        futures::future::ready(()).boxed()
    }
}

impl SpeechToText for Ready {
    fn transcribe(&self, _: speech_to_text::Request) -> BoxFuture<'static, Heard> {
        let heard = Heard::by(&Arc::from("ready"), Transcription::Words("Is it so?".into()));
        futures::future::ready(heard).boxed()
    }
}

impl TextToSpeech for Ready {
    fn capabilities(&self) -> text_to_speech::Capabilities {
        let sample_rate = SampleRate::new(16_000).unwrap();
        text_to_speech::Capabilities { sample_rate, word_times: true, clones: false }
    }

    /// A tenth of a second.
    fn speak(&self, request: text_to_speech::Request) -> BoxStream<'static, SpeechEvent> {
        const SAMPLES: usize = 1_600;
        let end = WordEnd { text: request.text.len() as u32, samples: SAMPLES as u32 };
        let events =
            [SpeechEvent::Words(vec![end]), SpeechEvent::Audio(vec![0; SAMPLES]), SpeechEvent::Finished];
        stream::iter(events).boxed()
    }
}
