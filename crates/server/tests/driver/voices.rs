//! Voices that fail and voices that stand in for them, in virtual time. What was heard stays heard; journals replay.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::registry::Backends;
use antiphon_backends::text_to_speech::TextToSpeech;
use antiphon_backends::text_to_speech::fallback::Fallback;
use antiphon_backends::text_to_speech::scripted::Humming;
use antiphon_engine::output::EndReason;
use antiphon_server::storage::Storage;
use serde_json::json;

use crate::client::settle;
use crate::stand::{Stand, backends, greeting};

const GREETING: &str = "One two three four five six seven eight nine ten.";
/// Thirty milliseconds a character, 16 kHz.
const PER_CHARACTER: usize = 480;

fn hum(fails_after: Option<usize>) -> Arc<dyn TextToSpeech> {
    Arc::new(Humming { ms_per_character: 30, fails_after, ..Humming::default() })
}

/// Backends whose voice is the first of these, with the others behind it.
fn with_voices(voices: Vec<Arc<dyn TextToSpeech>>) -> Backends {
    let mut named = ["hum", "second", "third"].map(Arc::from).into_iter().zip(voices);
    let mut backends = backends();
    let first = named.next().unwrap();
    let voice = Fallback::new(first, named.collect(), Duration::from_secs(30));
    backends.voices.insert(Arc::from("hum"), Arc::new(voice));
    backends
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_dies_in_mid_sentence_is_followed_by_one_that_says_the_rest() {
    let stand = Stand::journaling(with_voices(vec![hum(Some(20 * PER_CHARACTER)), hum(None)]));
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(GREETING)})).await;
    assert_eq!(client.until_final("agent").await, GREETING);
    client.write("hello").await;
    assert_eq!(client.until_final("agent").await, "You said hello.");
    let events = stand.events(call).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.kind, "voice.fallback");
    assert_eq!(
        event.text, "\"second\" says the rest for \"hum\": the scripted voice was told to fail",
        "and with the next message it is not told again"
    );
    client.hang_up();
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert_eq!(stand.messages(call).await, [GREETING, "hello", "You said hello."]);
}

#[tokio::test(start_paused = true)]
async fn without_anybody_behind_it_the_turn_ends_with_what_was_heard() {
    let stand = Stand::journaling(with_voices(vec![hum(Some(20 * PER_CHARACTER))]));
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(GREETING)})).await;
    assert_eq!(client.until_final("agent").await, "One two three four");
    client.until_state("listening").await;
    assert_eq!(stand.troubles(call).await, ["voice.failed"]);
    client.hang_up();
    stand.ended(call).await;
    assert_eq!(stand.messages(call).await, ["One two three four"]);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_behind_the_change_of_voices_counts_the_words_of_both() {
    let stand = Stand::journaling(with_voices(vec![hum(Some(20 * PER_CHARACTER)), hum(None)]));
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(GREETING)})).await;
    client.until("the first words", |message| message["type"] == "transcript").await;
    // "seven" ends a second after the greeting began.
    tokio::time::sleep(Duration::from_millis(30 * 33)).await;
    settle().await;
    client.say(&json!({"type": "user_text_message", "text": "stop", "urgency": "immediate"})).await;
    let heard = client.until_final("agent").await;
    assert!(
        heard == "One two three four five six seven" || heard == "One two three four five six",
        "{heard}"
    );
    client.hang_up();
    stand.ended(call).await;
}

#[tokio::test(start_paused = true)]
async fn when_every_voice_fails_the_call_gives_up_as_without_any() {
    let stand = Stand::with(with_voices(vec![hum(Some(0)), hum(Some(0))]), Storage::in_memory());
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(GREETING)})).await;
    for _ in 0..2 {
        client.until_state("listening").await;
        client.write("hello").await;
    }
    client.until_closed().await;
    assert_eq!(stand.ended(call).await, EndReason::SystemError);
    let troubles = stand.troubles(call).await;
    assert_eq!(troubles.iter().filter(|kind| *kind == "voice.failed").count(), 3, "{troubles:?}");
    assert_eq!(troubles.last().map(String::as_str), Some("call.gave_up"));
}
