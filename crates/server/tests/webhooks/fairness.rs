//! No receiver keeps another one waiting, and none is overrun.

use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;

use crate::stand::Stand;
use crate::town::{Manner, Post, seconds};

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_with_a_long_queue_delays_nobody() {
    let stand = Stand::new().await;
    stand.webhook("stuck").await;
    stand.webhook("good").await;
    stand.has_manner("stuck", Manner::Hangs);
    for _ in 0..2_000 {
        stand.whole_call().await;
    }
    stand.until(seconds(1)).await;
    let good = stand.posts("good");
    assert_eq!(good.len(), 8_000);
    assert!(good.iter().all(|post| post.taken && post.at < seconds(1)), "no time has passed");
    assert_eq!(stand.most_at_a_time("stuck"), 8);
    // Once it has failed, it is tried with one post at a time.
    let before = stand.posts("stuck").len();
    assert_eq!(before, 8);
    stand.until(seconds(1_000)).await;
    let tried = stand.posts("stuck").len() - before;
    assert!((95..=105).contains(&tried), "{tried} posts in 990 seconds, of ten seconds each");
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_takes_its_time_and_nobody_elses() {
    let stand = Stand::new().await;
    stand.webhook("slow").await;
    stand.webhook("good").await;
    stand.has_manner("slow", Manner::Slow(seconds(9)));
    for _ in 0..80 {
        stand.create(StartCallRequest::default()).await;
    }
    stand.until(seconds(91)).await;
    assert!(stand.posts("good").iter().all(|post| post.at < seconds(1)));
    let slow = stand.posts("slow");
    assert_eq!(slow.iter().filter(|post| post.taken).count(), 80, "eight at a time, nine seconds each");
}

#[tokio::test(start_paused = true)]
async fn however_many_receivers_fail_there_is_room_for_those_that_do_not() {
    let stand = Stand::new().await;
    for number in 0..600 {
        let host = format!("stuck-{number}");
        stand.webhook(&host).await;
        stand.has_manner(&host, Manner::Hangs);
    }
    // Each of them has a few posts, and fails for the first time.
    for _ in 0..3 {
        stand.create(StartCallRequest::default()).await;
    }
    stand.until(seconds(120)).await;
    stand.webhook("good").await;
    for second in 0..30 {
        stand.until(seconds(130 + second)).await;
        stand.create(StartCallRequest::default()).await;
        stand.until(seconds(130 + second) + Duration::from_millis(500)).await;
        let good: Vec<Post> = stand.posts("good");
        assert_eq!(good.len(), usize::try_from(second).unwrap() + 1, "at {second} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_comes_back_gets_its_whole_queue_at_once() {
    let stand = Stand::new().await;
    stand.webhook("receiver").await;
    stand.has_manner("receiver", Manner::DownUntil(seconds(15)));
    for _ in 0..500 {
        stand.create(StartCallRequest::default()).await;
    }
    stand.until(seconds(31)).await;
    let taken = stand.posts("receiver").iter().filter(|post| post.taken).count();
    assert_eq!(taken, 500, "all were due after half a minute, and the first success opens the gate");
}
