//! What every recognizer behind a network promises, over real sockets, whatever it speaks. It is spoken to through a line with flaws.

use std::time::Duration;

use antiphon_backends::speech_to_text::{Heard, SpeechToText};
use antiphon_engine::input::Transcription;
use futures::future::BoxFuture;

use crate::line::{Flaw, Line};
use crate::wire::{Body, Reply, Wire};
use crate::{KEY, deepgram, keeps_the_contract, openai, request, words};

/// The words that are found in whatever is loud.
pub(crate) const WORDS: &str = "what are your hours? — Ü";

/// A kind of recognizer, and a server for it.
pub(crate) struct Kind {
    pub(crate) recognizer: fn(&str, Duration) -> Box<dyn SpeechToText>,
    /// A server that finds [`WORDS`] in what is loud and nothing in what is not; its base.
    pub(crate) serve: fn() -> BoxFuture<'static, String>,
    pub(crate) is_socket: bool,
}

const LONG: Duration = Duration::from_secs(30);

fn kinds() -> [Kind; 3] {
    [openai::kind(false), openai::kind(true), deepgram::kind()]
}

async fn ask(recognizer: &dyn SpeechToText) -> Heard {
    recognizer.transcribe(request(vec![7; 160])).await
}

fn failed(heard: &Heard) -> &str {
    let Transcription::Failed(why) = &heard.transcription else { panic!("{heard:?}") };
    assert!(why.starts_with("the transcription model \"ears\" ") && !why.contains(KEY), "{why}");
    why
}

#[tokio::test]
async fn every_remote_recognizer_keeps_the_contract() {
    for kind in kinds() {
        let base = (kind.serve)().await;
        keeps_the_contract(&*(kind.recognizer)(&base, LONG), &[7; 40_001], WORDS).await;
    }
}

#[tokio::test]
async fn answers_may_be_cut_and_broken_off_anywhere() {
    for kind in kinds() {
        let base = (kind.serve)().await;
        let mut line = Line::to(&base, vec![Flaw::CutEverywhere]).await;
        let heard = ask(&*(kind.recognizer)(&line.base, LONG)).await;
        assert_eq!(heard.transcription, words(WORDS), "cut everywhere");
        let length = line.said().await;
        assert!(length > 100, "{length} bytes");
        let cuts = (1..length).map(Flaw::CutAt);
        let line = Line::to(&base, cuts.chain((0..length).map(Flaw::BreaksAt)).collect()).await;
        let recognizer = (kind.recognizer)(&line.base, LONG);
        for border in 1..length {
            assert_eq!(ask(&*recognizer).await.transcription, words(WORDS), "cut at {border}");
        }
        let mut complete = 0;
        for border in 0..length {
            let heard = ask(&*recognizer).await;
            match &heard.transcription {
                // Nothing but the formal end was missing.
                Transcription::Words(found) => {
                    assert_eq!(&**found, WORDS, "broken off at {border}");
                    complete += 1;
                }
                Transcription::Failed(_) => drop(failed(&heard).to_owned()),
            }
        }
        assert!(complete < 8, "half an answer is taken for a whole one: {complete} of {length}");
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_key_and_with_how_long_to_leave_it_alone() {
    let said = format!(r#"{{"error":{{"message":"no key {KEY}"}}}}"#);
    for kind in kinds() {
        let check = async |status, headers, body: &str, wanted: &str, left_alone: Option<u64>| {
            let body = Body::Parts(vec![body.as_bytes().to_vec()]);
            let wire =
                Wire::replying(vec![Reply { status, content_type: "application/json", headers, body }]).await;
            let heard = ask(&*(kind.recognizer)(&wire.base, LONG)).await;
            // The body of a refused handshake may come too late to be told.
            let (status, rest) = wanted.split_at("answered 401".len());
            assert!(failed(&heard).contains(status), "{heard:?}");
            assert!(kind.is_socket || failed(&heard).contains(rest), "{heard:?}");
            assert_eq!(heard.retry_after, left_alone.map(Duration::from_secs), "{heard:?}");
        };
        check(401, "", &said, "answered 401: no key [key]", None).await;
        check(500, "", "<h1>\u{fffd}</h1>", "answered 500", None).await;
        check(429, "Retry-After: 7\r\n", &said, "answered 429: no key [key]", Some(7)).await;
        check(429, "", &said, "answered 429", Some(1)).await;
        check(503, "retry-after: 2\r\n", &said, "answered 503", Some(2)).await;
        check(302, "location: http://127.0.0.1:9/\r\n", "", "answered 302", None).await;
    }
}

#[tokio::test]
async fn a_recognizer_that_falls_silent_is_given_up_and_left() {
    for kind in kinds() {
        let mut wire = Wire::answering(200, "application/json", Body::Hangs(vec![])).await;
        let heard = ask(&*(kind.recognizer)(&wire.base, Duration::from_millis(100))).await;
        assert!(!failed(&heard).is_empty());
        wire.client_left().await;
    }
}

#[tokio::test]
async fn a_recognizer_that_cannot_be_reached_says_so() {
    for kind in kinds() {
        let wire = Wire::nowhere().await;
        let heard = ask(&*(kind.recognizer)(&wire.base, LONG)).await;
        assert!(failed(&heard).contains("cannot be reached"), "{heard:?}");
    }
}
