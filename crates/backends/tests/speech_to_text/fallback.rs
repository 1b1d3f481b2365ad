//! A recognizer behind a recognizer, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::health::Health;
use antiphon_backends::speech_to_text::fallback::Fallback;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::speech_to_text::{Heard, SpeechToText};
use antiphon_engine::input::Transcription;

use crate::{keeps_the_contract, request, words};

fn failed() -> Transcription {
    Transcription::Failed("no service".into())
}

fn behind(first: Prepared, second: Prepared) -> Fallback {
    let health = Arc::new(Health::new(Duration::from_secs(10)));
    Fallback::new(Arc::new(first), Arc::new(second), health)
}

#[tokio::test(start_paused = true)]
async fn a_recognizer_with_another_behind_it_keeps_the_contract() {
    let hears = || Prepared::by_length([(Duration::from_secs(1), ""), (Duration::from_secs(3), "hours")]);
    keeps_the_contract(&behind(hears(), hears()), &[0; 32_000], "hours").await;
}

#[tokio::test(start_paused = true)]
async fn the_second_answers_for_the_first_until_that_has_cooled_down() {
    let first = Prepared::in_order([failed(), words("first")]);
    let second = Prepared::in_order([words("one"), words("two")]);
    let both = behind(first, second);
    let ask = async || both.transcribe(request(vec![1; 16])).await;
    let by = Arc::from("scripted");
    let instead = |why: &str, heard| Heard { instead: Some(why.into()), ..Heard::by(&by, words(heard)) };
    assert_eq!(ask().await, instead("no service", "one"));
    assert_eq!(ask().await, instead("it failed shortly before", "two"));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(ask().await, Heard::by(&by, words("first")));
}
