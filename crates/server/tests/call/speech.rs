//! The user's voice: real speech from the built-in synthesizer, and the silence around it.

use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech as _};
use futures::StreamExt as _;

/// The text as 16 kHz speech, with silence before it and enough behind it to end the turn.
pub(crate) async fn spoken(text: &str) -> Vec<i16> {
    let mut samples = vec![0; 16 * 100];
    samples.extend(words(text).await);
    samples.extend([0; 16 * 600]);
    samples
}

/// The text as 16 kHz speech and nothing else.
pub(crate) async fn words(text: &str) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut events = Flite::new().speak(Request { text: text.into(), language: None, sample: None });
    while let Some(event) = events.next().await {
        match event {
            SpeechEvent::Audio(audio) => samples.extend(audio),
            SpeechEvent::Words(_) | SpeechEvent::FellBack(_) | SpeechEvent::Finished => {}
            SpeechEvent::Failed(why) => panic!("the user's voice failed: {why}"),
        }
    }
    samples
}
