//! Servers that are not there any more, or only half.

use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_client::realtime::{AudioRefused, CloseReason, Event};
use tokio::time::{Instant, sleep};

use crate::server::call;

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_heard_of_is_given_up() {
    let (sender, mut events, server) = call().await;
    let began = Instant::now();
    let Some(Event::Closed(CloseReason::Lost { cause })) = events.next().await else {
        panic!("it is another event")
    };
    assert_eq!((cause.as_str(), began.elapsed().as_secs()), ("the server was not heard of for 40 s", 40));
    assert_eq!(sender.audio(&[0]), Err(AudioRefused::CallOver));
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_nothing_to_say_is_kept() {
    let (sender, mut events, mut server) = call().await;
    let serving = async {
        // Pings are answered while it reads.
        let question = server.text().await;
        server.say(r#"{"type":"state","state":"thinking"}"#).await;
        question
    };
    let asking = async {
        sleep(Duration::from_secs(600)).await;
        sender.user_text("Are you there?").await.unwrap();
        events.next().await
    };
    let (question, event) = tokio::join!(serving, asking);
    assert!(question.contains("Are you there?"), "{question}");
    assert!(matches!(event, Some(Event::Message(ServerMessage::State(_)))), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn events_that_wait_to_be_taken_are_no_silence_of_the_server() {
    let (_sender, mut events, mut server) = call().await;
    for _ in 0..1_000 {
        server.say(r#"{"type":"state","state":"thinking"}"#).await;
    }
    sleep(Duration::from_secs(600)).await;
    for _ in 0..1_000 {
        assert!(matches!(events.next().await, Some(Event::Message(ServerMessage::State(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_any_more_is_left_all_the_same() {
    let (sender, mut events, mut server) = call().await;
    // More than fits into the pipe.
    let speaking = async {
        for _ in 0..100 {
            let _ = sender.audio(&[0; 50_000]);
            tokio::task::yield_now().await;
        }
    };
    speaking.await;
    let began = Instant::now();
    let hearing = async {
        loop {
            server.say(r#"{"type":"state","state":"speaking"}"#).await;
            sleep(Duration::from_secs(1)).await;
        }
    };
    let leaving = async {
        sender.close().await;
        loop {
            if let Event::Closed(reason) = events.next().await.unwrap() {
                return reason;
            }
        }
    };
    let reason = tokio::select! {
        reason = leaving => reason,
        () = hearing => unreachable!("it goes on"),
    };
    assert_eq!((reason, began.elapsed().as_secs()), (CloseReason::Ours, 10));
}
