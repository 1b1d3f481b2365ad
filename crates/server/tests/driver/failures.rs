//! Backends that panic: what fails is one answer, at most one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_backends::language_model::{self, LanguageModel, RunEvent};
use antiphon_backends::speech_to_text::{self, Heard, SpeechToText};
use antiphon_backends::text_to_speech::{self, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::{VoiceActivity, VoiceActivityFactory};
use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use antiphon_server::storage::Storage;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;

use crate::client::{settle, silence, tone};
use crate::stand::{Stand, backends, greeting};

/// Where a backend panics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// In the call itself.
    Call,
    /// In what the call gave back.
    Later,
}

/// Panics the first time, and does what the one behind it does from then on.
struct PanicsOnce<B: ?Sized> {
    behind: Arc<B>,
    at: Place,
    panicked: AtomicBool,
}

impl<B: ?Sized> PanicsOnce<B> {
    fn new(behind: &Arc<B>, at: Place) -> Arc<Self> {
        Arc::new(Self { behind: Arc::clone(behind), at, panicked: AtomicBool::new(false) })
    }

    /// Whether to panic later; panics itself where it has to be now.
    fn due(&self) -> bool {
        let due = !self.panicked.swap(true, Ordering::Relaxed);
        assert!(!due || self.at == Place::Later, "a backend that panics");
        due
    }
}

fn panics<T>() -> T {
    panic!("a backend that panics")
}

impl LanguageModel for PanicsOnce<dyn LanguageModel> {
    fn capabilities(&self) -> language_model::Capabilities {
        self.behind.capabilities()
    }

    fn generate(&self, request: language_model::Request) -> BoxStream<'static, RunEvent> {
        if self.due() { stream::once(async { panics() }).boxed() } else { self.behind.generate(request) }
    }

    fn warm_up(&self, request: language_model::Request) -> BoxFuture<'static, ()> {
        self.behind.warm_up(request)
    }
}

impl TextToSpeech for PanicsOnce<dyn TextToSpeech> {
    fn capabilities(&self) -> text_to_speech::Capabilities {
        self.behind.capabilities()
    }

    fn speak(&self, request: text_to_speech::Request) -> BoxStream<'static, SpeechEvent> {
        if self.due() { stream::once(async { panics() }).boxed() } else { self.behind.speak(request) }
    }
}

impl SpeechToText for PanicsOnce<dyn SpeechToText> {
    fn transcribe(&self, request: speech_to_text::Request) -> BoxFuture<'static, Heard> {
        if self.due() { async { panics() }.boxed() } else { self.behind.transcribe(request) }
    }
}

/// A detector that panics at the first loud frame.
struct Startled;

impl VoiceActivityFactory for Startled {
    fn detector(&self) -> Box<dyn VoiceActivity> {
        Box::new(Self)
    }
}

impl VoiceActivity for Startled {
    fn frame_samples(&self) -> usize {
        256
    }

    fn speech_probability(&mut self, frame: &[i16]) -> f32 {
        assert!(frame.iter().all(|sample| *sample == 0), "a detector that panics");
        0.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_panics_fails_one_answer() {
    for at in [Place::Call, Place::Later] {
        let mut backends = backends();
        let model = PanicsOnce::<dyn LanguageModel>::new(&backends.models["script"], at);
        backends.models.insert(Arc::from("script"), model);
        let stand = Stand::with(backends, Storage::in_memory());
        let (call, mut client) = stand.call(json!({})).await;
        client.write("one").await;
        client.until_state("thinking").await;
        client.until_state("listening").await;
        client.write("two").await;
        assert_eq!(client.until_final("agent").await, "You said two.", "{at:?}");
        assert_eq!(stand.troubles(call).await, ["model.failed"], "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_panics_fails_one_message() {
    for at in [Place::Call, Place::Later] {
        let mut backends = backends();
        let voice = PanicsOnce::<dyn TextToSpeech>::new(&backends.voices["hum"], at);
        backends.voices.insert(Arc::from("hum"), voice);
        let stand = Stand::with(backends, Storage::in_memory());
        let (call, mut client) =
            stand.call(json!({"firstSpeakerSettings": greeting("Nobody hears this.")})).await;
        client.until_state("listening").await;
        client.write("two").await;
        assert_eq!(client.until_final("agent").await, "You said two.", "{at:?}");
        assert_eq!(stand.troubles(call).await, ["voice.failed"], "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_that_panics_fails_one_transcript() {
    for at in [Place::Call, Place::Later] {
        let mut backends = backends();
        let recognizer = backends.speech_to_text.as_ref().unwrap();
        backends.speech_to_text = Some(PanicsOnce::<dyn SpeechToText>::new(recognizer, at));
        let stand = Stand::with(backends, Storage::in_memory());
        let (call, mut client) = stand.call(json!({})).await;
        let second = std::time::Duration::from_secs(1);
        client.speak(&tone(second)).await;
        client.speak(&silence(second)).await;
        client.speak(&tone(second)).await;
        client.speak(&silence(second)).await;
        assert_eq!(client.until_final("user").await, "hello", "{at:?}");
        assert_eq!(client.until_final("agent").await, "You said hello.", "{at:?}");
        assert_eq!(stand.troubles(call).await, ["transcription.failed"], "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_ends_alone_with_everything_recorded() {
    let mut backends = backends();
    backends.voice_activity = Arc::new(Startled);
    let stand = Stand::with(backends, Storage::in_memory());
    let (call, mut client) = stand.call(json!({})).await;
    let (other, mut other_client) = stand.call(json!({})).await;
    client.write("one").await;
    assert_eq!(client.until_final("agent").await, "You said one.");
    client.until_state("listening").await;
    client.send(&tone(std::time::Duration::from_millis(100))).await;
    assert_eq!(client.until_closed().await, CloseCode::Internal);
    assert_eq!(stand.ended(call).await, EndReason::SystemError);
    assert_eq!(stand.messages(call).await, ["one", "You said one."]);

    settle().await;
    assert_eq!((stand.calls.is_live(call), stand.calls.is_live(other)), (false, true));
    other_client.write("two").await;
    assert_eq!(other_client.until_final("agent").await, "You said two.");
}
