//! Many calls ask one detector: how many at once, and what they get when it fails them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use antiphon_backends::turn_detection::{Judge, TurnDetector};
use tokio::sync::mpsc as signals;
use tokio::task::yield_now;
use tokio::time::advance;

/// Says when it was asked, and answers when it is told what.
struct Prompted {
    asked: signals::UnboundedSender<()>,
    answers: Mutex<mpsc::Receiver<f32>>,
}

impl TurnDetector for Prompted {
    fn end_of_turn(&self, _: &[i16]) -> f32 {
        self.asked.send(()).expect("the test waits");
        self.answers.lock().expect("no test panics in here").recv().expect("the test answers")
    }
}

/// A judge for one at a time, when it is asked, and what it is to answer.
fn prompted() -> (Arc<Judge>, signals::UnboundedReceiver<()>, mpsc::Sender<f32>) {
    let ((asked, when_asked), (answer, answers)) = (signals::unbounded_channel(), mpsc::channel());
    let detector = Prompted { asked, answers: Mutex::new(answers) };
    (Arc::new(Judge::new(Arc::new(detector), NonZeroUsize::new(1))), when_asked, answer)
}

fn ask(judge: &Arc<Judge>) -> tokio::task::JoinHandle<Option<f32>> {
    let judge = Arc::clone(judge);
    tokio::spawn(async move { judge.end_of_turn(vec![0; 160].into()).await })
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_finds_no_room_in_time_is_not_judged() {
    let (judge, mut asked, answer) = prompted();
    let first = ask(&judge);
    asked.recv().await.expect("the first is judged at once");
    let second = ask(&judge);
    yield_now().await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(second.await.expect("no panic"), None);
    answer.send(0.25).expect("the first is being judged");
    assert_eq!(first.await.expect("no panic"), Some(0.25));
    assert!(asked.try_recv().is_err(), "the detector never heard of the second");
}

#[tokio::test(start_paused = true)]
async fn a_pause_waits_a_moment_for_room() {
    let (judge, mut asked, answer) = prompted();
    let first = ask(&judge);
    asked.recv().await.expect("the first is judged at once");
    let second = ask(&judge);
    yield_now().await;
    advance(Duration::from_millis(60)).await;
    answer.send(0.25).expect("the first is being judged");
    answer.send(0.75).expect("the second follows");
    assert_eq!(first.await.expect("no panic"), Some(0.25));
    assert_eq!(second.await.expect("no panic"), Some(0.75));
}

#[tokio::test(start_paused = true)]
async fn a_judgement_that_nobody_waits_for_takes_its_room_until_it_is_over() {
    let (judge, mut asked, answer) = prompted();
    let first = ask(&judge);
    asked.recv().await.expect("the first is judged at once");
    first.abort();
    assert!(first.await.expect_err("its call is gone").is_cancelled());
    let second = ask(&judge);
    yield_now().await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(second.await.expect("no panic"), None, "the thread of the first is still busy");
    answer.send(0.25).expect("the first is being judged");
    answer.send(0.75).expect("the third follows");
    assert_eq!(ask(&judge).await.expect("no panic"), Some(0.75));
}

#[tokio::test]
async fn a_detector_that_makes_no_sense_has_no_opinion() {
    for nonsense in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
        let (judge, _asked, answer) = prompted();
        answer.send(nonsense).expect("it will be asked");
        assert_eq!(judge.end_of_turn(vec![0; 160].into()).await, None, "{nonsense}");
    }
}

#[tokio::test]
async fn a_detector_that_panics_has_no_opinion_and_is_asked_again() {
    struct PanicsOnSilence;
    impl TurnDetector for PanicsOnSilence {
        fn end_of_turn(&self, samples: &[i16]) -> f32 {
            assert!(samples.iter().any(|sample| *sample != 0), "this is what the test is about");
            0.5
        }
    }
    let judge = Judge::new(Arc::new(PanicsOnSilence), NonZeroUsize::new(1));
    assert_eq!(judge.end_of_turn(vec![0; 160].into()).await, None);
    assert_eq!(judge.end_of_turn(vec![1; 160].into()).await, Some(0.5));
}
