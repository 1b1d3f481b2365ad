//! Audio that stops, comes too fast, or comes in pieces (protocol.md 1.4, 4.2).

use std::time::Duration;

use antiphon_engine::output::EndReason;
use antiphon_server::call::leg::CloseCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, settle, silence, tone};
use crate::stand::Stand;

fn idle_timeout(timeout: &str) -> Value {
    json!({"medium": {"serverWebSocket": {"inputSampleRate": 16_000, "mediaIdleTimeout": timeout}}})
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn end_of(client: &mut Client) -> (CloseCode, Instant) {
    (client.until_closed().await, Instant::now())
}

#[tokio::test(start_paused = true)]
async fn audio_that_stops_for_the_media_idle_timeout_ends_the_call() {
    let stand = Stand::new();
    let (call, mut client) = stand.call(idle_timeout("15s")).await;
    client.speak(&silence(seconds(40))).await;
    client.send(&silence(Duration::from_millis(20))).await;
    let last = Instant::now();
    let (code, at) = end_of(&mut client).await;
    assert_eq!((code, at - last), (CloseCode::MediaIdle, seconds(15)));
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
    assert_eq!(stand.troubles(call).await, ["audio.underflow", "media.idle"]);
}

#[tokio::test(start_paused = true)]
async fn a_media_idle_timeout_below_ten_seconds_acts_as_ten() {
    let stand = Stand::new();
    let (call, mut client) = stand.call(idle_timeout("3s")).await;
    let joined = Instant::now();
    let (code, at) = end_of(&mut client).await;
    assert_eq!((code, at - joined), (CloseCode::MediaIdle, seconds(10)));
    assert_eq!(stand.ended(call).await, EndReason::ConnectionError);
}

#[tokio::test(start_paused = true)]
async fn messages_and_empty_frames_are_no_audio() {
    let stand = Stand::new();
    let (_, mut client) = stand.call(idle_timeout("10s")).await;
    let joined = Instant::now();
    for _ in 0..9 {
        tokio::time::sleep(seconds(1)).await;
        client.say(&json!({"type": "ping", "timestamp": 1})).await;
        client.send(&[]).await;
    }
    let (code, at) = end_of(&mut client).await;
    assert_eq!((code, at - joined), (CloseCode::MediaIdle, seconds(10)));
}

#[tokio::test(start_paused = true)]
async fn without_a_media_idle_timeout_a_silent_line_lasts_to_the_maximum_duration() {
    let stand = Stand::new();
    let (call, mut client) = stand.call(json!({"maxDuration": "3000s"})).await;
    let joined = Instant::now();
    let (code, at) = end_of(&mut client).await;
    assert_eq!((code, at - joined), (CloseCode::Normal, seconds(3_000)));
    assert_eq!(stand.ended(call).await, EndReason::Timeout);
    assert_eq!(stand.troubles(call).await, [""; 0], "who sends nothing at all has nothing to be told");
}

#[tokio::test(start_paused = true)]
async fn every_gap_in_the_audio_is_told_once() {
    let stand = Stand::new();
    let (call, client) = stand.call(json!({})).await;
    for _ in 0..3 {
        client.speak(&silence(seconds(1))).await;
        tokio::time::sleep(seconds(30)).await;
    }
    client.hang_up();
    assert_eq!(stand.ended(call).await, EndReason::HangUp);
    assert_eq!(stand.troubles(call).await, ["audio.underflow"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_the_middle_of_speech_ends_the_turn() {
    let stand = Stand::new();
    let (_, mut client) = stand.call(json!({})).await;
    client.speak(&tone(seconds(1))).await;
    let stopped = Instant::now();
    assert_eq!(client.until_final("user").await, "hello");
    assert_eq!(client.until_final("agent").await, "You said hello.");
    assert!(stopped.elapsed() < seconds(2), "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn audio_far_ahead_of_the_clock_is_dropped_told_and_added_up() {
    let stand = Stand::new();
    let (call, mut client) = stand.call(json!({})).await;
    for _ in 0..60 {
        client.send(&silence(seconds(1))).await;
    }
    settle().await;
    // Ten seconds later the clock has caught up with what was kept, and the user is heard again.
    tokio::time::sleep(seconds(10)).await;
    client.speak(&tone(seconds(1))).await;
    client.speak(&silence(seconds(1))).await;
    assert_eq!(client.until_final("agent").await, "You said hello.");
    client.hang_up();
    stand.ended(call).await;
    let overflows: Vec<String> = stand
        .events(call)
        .await
        .into_iter()
        .filter(|event| event.kind == "audio.overflow")
        .map(|event| event.text)
        .collect();
    assert_eq!(overflows.len(), 2, "one when it begins and one at the end: {overflows:?}");
    assert!(overflows[1].starts_with("50.0s "), "{overflows:?}");
}
