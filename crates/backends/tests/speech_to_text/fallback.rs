//! A recognizer behind a recognizer, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::health::Health;
use antiphon_backends::speech_to_text::fallback::Fallback;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::speech_to_text::{Heard, Overheard, Piece, Speech, SpeechToText};
use antiphon_engine::input::Transcription;
use futures::StreamExt as _;
use tokio::sync::mpsc;

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

/// What a recognizer that listens tells of the first pause.
async fn overheard(recognizer: &Fallback) -> Option<Overheard> {
    let (speech, hears) = mpsc::channel(8);
    let mut listener = recognizer.listen(hears, None).expect("it listens");
    // One that failed takes nothing.
    let _ = speech.send(Speech::Audio { at: 0, samples: vec![7; 160] }).await;
    let _ = speech.send(Speech::Pause).await;
    listener.told.next().await
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_while_it_listens_is_left_alone_as_well() {
    let first = Prepared::in_order([failed(), words("first")]).live();
    let both = behind(first, Prepared::in_order([words("one")]));
    assert_eq!(overheard(&both).await, Some(Overheard::Failed("no service".into())));
    let heard = both.transcribe(request(vec![1; 16])).await;
    assert_eq!(heard.transcription, words("one"), "the first one is not asked for the turn that it missed");
    assert_eq!(overheard(&both).await, Some(Overheard::Failed("it failed shortly before".into())));
    tokio::time::advance(Duration::from_secs(10)).await;
    let piece = Piece { from: 0, to: 160, words: "first".into() };
    assert_eq!(overheard(&both).await, Some(Overheard::Piece(piece)));
    let whole_turns_only = behind(Prepared::in_order([]), Prepared::in_order([]).live());
    assert!(whole_turns_only.listen(mpsc::channel(1).1, None).is_none());
}
