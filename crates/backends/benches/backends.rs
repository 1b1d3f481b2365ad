//! What the ingress path and the default voice cost. Prints, asserts nothing: `cargo bench -p antiphon-backends`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_backends::voice_activity::{SpeechEdges, VoiceActivityFactory};
use futures::StreamExt;

const TEXT: &str = "Good morning, this is the bakery, how can I help you today?";
/// Samples of 20 ms at 16 kHz.
const FRAME: usize = 320;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let voice = Flite::new();
    let mut first_audio = Duration::MAX;
    let mut whole = Duration::MAX;
    let mut speech = Vec::new();
    for _ in 0..20 {
        let (first, all, samples) = runtime.block_on(speak(&voice));
        first_audio = first_audio.min(first);
        whole = whole.min(all);
        speech = samples;
    }
    let seconds = speech.len() as f64 / 16_000.0;
    println!("flite: {} characters, {seconds:.2} s of audio (best of 20)", TEXT.len());
    println!("  first audio {:>9.3} ms", first_audio.as_secs_f64() * 1e3);
    println!("  whole text  {:>9.3} ms", whole.as_secs_f64() * 1e3);

    for (name, audio) in [("speech", &speech), ("silence", &vec![0; speech.len()])] {
        let frames = audio.len() / FRAME;
        let best = (0..20)
            .map(|_| {
                let mut edges = SpeechEdges::new(Earshot.detector(), 0.1);
                let begin = Instant::now();
                for frame in audio.chunks_exact(FRAME) {
                    edges.push(frame, |edge| {
                        black_box(edge);
                    });
                }
                begin.elapsed()
            })
            .min()
            .unwrap_or_default();
        let micros = best.as_secs_f64() * 1e6 / frames as f64;
        println!("earshot, guard and edges on {name}: {micros:.2} us per 20 ms frame (best of 20)");
    }
}

async fn speak(voice: &Flite) -> (Duration, Duration, Vec<i16>) {
    let begin = Instant::now();
    let mut first = None;
    let mut samples = Vec::new();
    let mut stream = voice.speak(Request { text: TEXT.into(), language: None, sample: None });
    while let Some(event) = stream.next().await {
        if let SpeechEvent::Audio(audio) = event {
            first.get_or_insert_with(|| begin.elapsed());
            samples.extend(audio);
        }
    }
    (first.unwrap_or_default(), begin.elapsed(), samples)
}
