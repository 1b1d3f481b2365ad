//! What every recognizer promises that listens while somebody speaks.

use std::time::Duration;

use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_backends::speech_to_text::{Overheard, Piece, Speech, SpeechToText};
use futures::StreamExt as _;
use tokio::sync::mpsc;

/// For one that finds words in what is loud, as long as it is of this many samples.
pub(crate) async fn keeps_the_contract(recognizer: &dyn SpeechToText, samples: usize) {
    let (speech, hears) = mpsc::channel(32);
    let mut listener = recognizer.listen(hears, None).expect("it listens");
    assert!(!listener.by.is_empty());
    let mut ends = Vec::new();
    for at in [0, 100_000, 200_000] {
        speech.send(Speech::Audio { at, samples: vec![7; samples / 2] }).await.unwrap();
        let second = at + samples as u64 / 2;
        speech.send(Speech::Audio { at: second, samples: vec![7; samples / 2] }).await.unwrap();
        speech.send(Speech::Pause).await.unwrap();
        ends.push((at, second + samples as u64 / 2));
    }
    // They need not be waited for.
    for (from, to) in ends {
        let mut found = 0;
        loop {
            match listener.told.next().await.expect("more is told") {
                Overheard::Interim(_) => {}
                Overheard::Piece(Piece { from: begins, to: ends, words }) => {
                    assert!(
                        from <= begins && begins <= ends && ends <= to,
                        "{begins}..{ends} in {from}..{to}"
                    );
                    assert!(!words.trim().is_empty());
                    found += 1;
                }
                Overheard::CaughtUp { to: at, surely } => {
                    assert_eq!((at, surely), (to, true));
                    break;
                }
                Overheard::Failed(why) => panic!("{why}"),
            }
        }
        assert!(found > 0, "words at {from}");
    }
    drop(speech);
    assert_eq!(listener.told.next().await, None, "nothing is said behind the end of the speech");
}

#[tokio::test(start_paused = true)]
async fn the_scripted_recognizer_listens() {
    let prepared = Prepared::by_length([(Duration::from_secs(1), "hours")]).after(Duration::from_millis(80));
    assert!(prepared.listen(mpsc::channel(1).1, None).is_none(), "only if it is told to");
    keeps_the_contract(&prepared.live(), 8_000).await;
}
