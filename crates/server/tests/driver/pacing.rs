//! When the agent's audio leaves: never earlier than the client's buffer has room for it (protocol.md 4.3), never late because
//! the server once woke up late.

use std::time::Duration;

use antiphon_engine::output::EndReason;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, Seen, settle};
use crate::stand::{Stand, greeting, spoken, story};

/// Milliseconds of sleep that the machine made of any wish, in turn. No more than the client's buffer survives.
const LATE: [u64; 8] = [1, 7, 20, 33, 39, 3, 12, 28];
/// The same with stalls that no buffer survives.
const STALLING: [u64; 9] = [1, 7, 180, 20, 33, 700, 3, 12, 28];

fn buffer(ms: u32, text: &str) -> Value {
    json!({
        "medium": {"serverWebSocket": {"inputSampleRate": 16_000, "clientBufferSizeMs": ms}},
        "firstSpeakerSettings": greeting(text),
    })
}

/// A client that plays what it gets without a pause, as long as it has something to play.
#[derive(Debug, Default)]
struct Player {
    /// When everything that came so far will have been played.
    dry_at: Option<Instant>,
    most_ahead: Duration,
    /// Pauses between the first and the last piece of audio.
    gaps: u32,
    played: Duration,
    longest_piece: Duration,
}

impl Player {
    fn take(&mut self, seen: &Seen) {
        let Seen::Audio(audio) = seen else { return };
        let now = Instant::now();
        let length = Duration::from_micros(audio.len() as u64 * 1_000_000 / 2 / 16_000);
        let begin = match self.dry_at {
            Some(dry_at) if dry_at >= now => dry_at,
            Some(_) => {
                self.gaps += 1;
                now
            }
            None => now,
        };
        self.dry_at = Some(begin + length);
        self.most_ahead = self.most_ahead.max(begin + length - now);
        self.longest_piece = self.longest_piece.max(length);
        self.played += length;
    }
}

fn is_final(seen: &Seen) -> bool {
    matches!(seen, Seen::Message(message) if message["type"] == "transcript" && message["final"] == true)
}

/// Plays the agent's first message to its end, while the clock goes on in these steps.
async fn play(client: &mut Client, steps: &[u64]) -> Player {
    let mut player = Player::default();
    for step in steps.iter().cycle() {
        settle().await;
        for seen in client.take_all() {
            player.take(&seen);
            if is_final(&seen) {
                return player;
            }
        }
        tokio::time::advance(Duration::from_millis(*step)).await;
    }
    player
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_speech_stays_within_60_ms_however_late_the_server_wakes() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(60));
    let (_, mut client) = stand.call(buffer(60, &text)).await;
    let began = Instant::now();
    let player = play(&mut client, &LATE).await;
    assert_eq!(player.most_ahead, Duration::from_millis(60));
    assert_eq!(player.gaps, 0, "late by less than the buffer is not heard");
    let drift = began.elapsed().abs_diff(player.played);
    assert!(drift < Duration::from_millis(100), "{drift:?} of drift in {:?}", player.played);
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_the_lead_is_what_it_was() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(60));
    let (_, mut client) = stand.call(buffer(60, &text)).await;
    let player = play(&mut client, &STALLING).await;
    assert_eq!(player.most_ahead, Duration::from_millis(60));
    assert!(player.gaps > 10, "{player:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_holds_seconds_is_sent_them_at_once_in_large_pieces() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(60));
    let (_, mut client) = stand.call(buffer(30_000, &text)).await;
    settle().await;
    let first = client.take_all();
    let mut player = Player::default();
    first.iter().for_each(|seen| player.take(seen));
    assert_eq!(player.longest_piece, Duration::from_millis(100));
    assert!(
        player.played > Duration::from_secs(29) && player.played <= Duration::from_secs(30),
        "{player:?}"
    );
    let pieces = first.iter().filter(|seen| matches!(seen, Seen::Audio(_))).count();
    assert!(pieces < 400, "{pieces} pieces for 30 s");

    let rest = play(&mut client, &LATE).await;
    assert_eq!(rest.played + player.played, spoken(&text), "nothing is lost");
}

#[tokio::test(start_paused = true)]
async fn the_lead_of_30_s_is_kept_and_never_exceeded() {
    let stand = Stand::new();
    let (_, mut client) = stand.call(buffer(30_000, &story(Duration::from_secs(60)))).await;
    let player = play(&mut client, &LATE).await;
    assert!(player.most_ahead > Duration::from_millis(29_900), "{player:?}");
    assert!(player.most_ahead <= Duration::from_secs(30), "{player:?}");
    assert_eq!(player.gaps, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_cleared_is_not_sent_any_more() {
    let stand = Stand::new();
    let (_, mut client) = stand.call(buffer(30_000, &story(Duration::from_secs(60)))).await;
    // The network is slow: all that the server has for the client still waits for it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.say(&json!({"type": "user_text_message", "text": "stop", "urgency": "immediate"})).await;
    settle().await;
    let seen = client.take_all();
    let cleared = seen.iter().position(
        |seen| matches!(seen, Seen::Message(message) if message["type"] == "playback_clear_buffer"),
    );
    let cleared = cleared.expect("the client holds audio");
    let audio = seen[..cleared].iter().filter(|seen| matches!(seen, Seen::Audio(_))).count();
    assert_eq!(audio, 0, "audio that the client is told to drop next");
    assert!(seen[cleared..].iter().any(|seen| matches!(seen, Seen::Audio(_))), "the answer follows");
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_of_any_size_may_wait_for_a_slow_network() {
    for ms in [60, 999, 1_000, 30_000, 600_000] {
        let stand = Stand::new();
        let holds = Duration::from_millis(u64::from(ms));
        let text = story(Duration::from_secs(10) + holds.min(Duration::from_secs(140)));
        let (call, mut client) = stand.call(buffer(ms, &text)).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let mut player = Player::default();
        client.take_all().iter().for_each(|seen| player.take(seen));
        let due = holds.min(spoken(&text));
        assert!(player.played + Duration::from_millis(20) > due, "{ms} ms: {player:?}");
        client.until_final("agent").await;
        client.hang_up();
        assert_eq!(stand.ended(call).await, EndReason::HangUp, "{ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_loses_its_call_and_nobody_else_notices() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(60));
    let (stuck, stuck_client) = stand.call(buffer(60, &text)).await;
    let (call, mut client) = stand.call(buffer(60, &text)).await;
    let player = play(&mut client, &[5]).await;
    assert_eq!((player.gaps, player.most_ahead), (0, Duration::from_millis(60)));
    assert_eq!(stand.ended(stuck).await, EndReason::ConnectionError);
    assert_eq!(stand.troubles(stuck).await, ["client.stuck"]);
    assert!(stand.calls.is_live(call) && !stand.calls.is_live(stuck));
    drop(stuck_client);
}
