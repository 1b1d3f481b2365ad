//! Every sample rate, both ways: the user is heard and the agent answers with the right amount of audio (protocol.md A-33).

use std::sync::{Arc, Mutex};

use antiphon_audio::{Resampler, SampleRate};
use antiphon_backends::speech_to_text::{Heard, Request, SpeechToText};
use antiphon_engine::input::Transcription;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use crate::caller::Seen;
use crate::speech::spoken;
use crate::stand::{Stand, backends};

/// Input and output, in hertz.
const RATES: [(u32, u32); 8] = [
    (8_000, 16_000),
    (16_000, 8_000),
    (24_000, 48_000),
    (48_000, 24_000),
    (22_050, 44_100),
    (44_100, 22_050),
    (32_000, 12_000),
    (12_000, 32_000),
];

/// Understands nothing and remembers how much it heard, in samples at 16 kHz.
#[derive(Default)]
struct Attentive(Mutex<Vec<usize>>);

impl SpeechToText for Attentive {
    fn transcribe(&self, request: Request) -> BoxFuture<'static, Heard> {
        self.0.lock().unwrap().push(request.samples.len());
        async { Heard::by(&Arc::from("attentive"), Transcription::Words(Arc::from("something"))) }.boxed()
    }
}

fn resampled(samples: &[i16], to: u32) -> Vec<i16> {
    let mut resampler = Resampler::new(SampleRate::EAR, SampleRate::new(to).unwrap());
    let mut resampled = Vec::new();
    resampler.process(samples, &mut resampled);
    resampler.flush(&mut resampled);
    resampled
}

#[tokio::test]
async fn speech_is_heard_and_answered_at_every_rate() {
    let recognizer = Arc::new(Attentive::default());
    let mut backends = backends(&[]);
    backends.speech_to_text = Some(recognizer.clone());
    let stand =
        Stand::start(backends, std::env::temp_dir().join(format!("antiphon-rates-{}", uuid::Uuid::new_v4())))
            .await;
    let speech = spoken("Is there anybody at home?").await;
    for (input, output) in RATES {
        let (_, mut caller) = stand
            .call(json!({"firstSpeakerSettings": {"user": {}}, "medium": {"serverWebSocket": {
                "inputSampleRate": input, "outputSampleRate": output, "clientBufferSizeMs": 30_000}}}))
            .await;
        caller.until_state("listening").await;
        caller.audio(&resampled(&speech, input)).await;
        assert_eq!(caller.until_final("user").await, "something", "{input} Hz");
        assert_eq!(caller.until_final("agent").await, "Pardon?", "{output} Hz");

        let audio = |seen: &Seen| if let Seen::Audio(bytes) = seen { *bytes } else { 0 };
        let bytes: usize = caller.seen.iter().map(audio).sum();
        // 30 ms for each character, rounded up to whole samples.
        let samples = ("Pardon?".len() * 30 * output as usize).div_ceil(1_000);
        assert_eq!(bytes, samples * 2, "{output} Hz");
        caller.hang_up().await;
    }

    let heard = recognizer.0.lock().unwrap();
    assert_eq!(heard.len(), RATES.len(), "one turn in each call: {heard:?}");
    let spread = heard.iter().max().unwrap() - heard.iter().min().unwrap();
    assert!(spread < 16 * 50, "every rate hears the same turn, to 50 ms: {heard:?}");
    assert!(heard[0] > 16 * 1_000, "a second of speech at least: {heard:?}");
}
