//! What a frame leaves behind, the user's or the agent's: nothing. The path from the leg to the ear, through the engine, and from the
//! mouth to the leg allocates at its edges only.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_server::storage::Storage;
use bytes::Bytes;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::client::{Client, FRAME, bytes, settle, silence, tone};
use crate::stand::{Stand, backends, greeting};

const RATES: [u32; 5] = [8_000, 16_000, 22_050, 24_000, 48_000];

/// Sends `sound` over and over for this long, frame by frame in its time.
async fn send(client: &Client, sound: &Bytes, rate: u32, length: Duration) {
    let frame = rate as usize / 50 * 2;
    for nth in 0..length.as_millis() / FRAME.as_millis() {
        let from = usize::try_from(nth).unwrap() * frame % (sound.len() - frame);
        let from = from - from % 2;
        client.send_bytes(sound.slice(from..from + frame)).await;
        tokio::time::sleep(FRAME).await;
    }
}

fn virtual_time() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Allocations while `sound` is heard, once it has been heard for so long.
fn allocations(stand: &Stand, rate: u32, sound: &Bytes, before: Duration, counted: Duration) -> u64 {
    let runtime = virtual_time();
    let client = runtime.block_on(async {
        let medium = json!({"serverWebSocket": {"inputSampleRate": rate}});
        let (_, client) = stand.call(json!({"medium": medium})).await;
        send(&client, sound, rate, before).await;
        client
    });
    let measured = allocation_counter::measure(|| runtime.block_on(send(&client, sound, rate, counted)));
    measured.count_total
}

#[test]
fn silence_allocates_nothing() {
    let mut backends = backends();
    backends.voice_activity = Arc::new(Earshot);
    let stand = Stand::with(backends, Storage::in_memory());
    let silence = bytes(&silence(Duration::from_secs(5)));
    for rate in RATES {
        let count = allocations(&stand, rate, &silence, Duration::from_secs(3), Duration::from_secs(20));
        assert_eq!(count, 0, "in 1000 frames at {rate} Hz");
    }
}

#[test]
fn speech_allocates_nothing_but_room_for_more_of_it() {
    let stand = Stand::with(backends(), Storage::in_memory());
    let tone = bytes(&tone(Duration::from_secs(5)));
    for rate in RATES {
        let count = allocations(&stand, rate, &tone, Duration::from_secs(1), Duration::from_secs(30));
        // The turn's audio is kept in pieces of 100 ms, and in a list of them that grows.
        assert!(count <= 310, "{count} allocations in 1500 frames at {rate} Hz");
    }
}

#[test]
fn an_agent_who_speaks_to_a_user_who_is_silent_allocates_nothing() {
    let mut backends = backends();
    backends.voice_activity = Arc::new(Earshot);
    let stand = Stand::with(backends, Storage::in_memory());
    // A word that is heard is news, and news is allocated: this is one word of half a minute.
    let text = "a".repeat(1_000);
    for rate in RATES {
        let runtime = virtual_time();
        let frame = Bytes::from(vec![0; rate as usize / 50 * 2]);
        let mut client = runtime.block_on(async {
            let medium = json!({"serverWebSocket": {"inputSampleRate": rate, "outputSampleRate": rate}});
            let (_, mut client) =
                stand.call(json!({"medium": medium, "firstSpeakerSettings": greeting(&text)})).await;
            play(&mut client, &frame, Duration::from_secs(5)).await;
            client
        });
        let mut bytes = 0;
        let measured = allocation_counter::measure(|| {
            bytes = runtime.block_on(play(&mut client, &frame, Duration::from_secs(10)));
        });
        assert_eq!(bytes, rate as usize * 2 * 10, "ten seconds were heard at {rate} Hz");
        assert_eq!(measured.count_total, 0, "in 500 frames each way at {rate} Hz");
    }
}

/// Sends a frame over and over for this long, and says how many bytes of audio came.
async fn play(client: &mut Client, frame: &Bytes, length: Duration) -> usize {
    let mut heard = 0;
    for _ in 0..length.as_millis() / FRAME.as_millis() {
        client.send_bytes(frame.clone()).await;
        tokio::time::sleep(FRAME).await;
        heard += client.take_audio();
    }
    heard
}

#[test]
fn long_turns_leave_no_memory_behind() {
    let stand = Stand::with(backends(), Storage::in_memory());
    let runtime = virtual_time();
    let (tone, silence) = (bytes(&tone(Duration::from_secs(1))), bytes(&silence(Duration::from_secs(1))));
    let (_, mut client) = runtime.block_on(stand.call(json!({})));
    let measured = allocation_counter::measure(|| {
        runtime.block_on(async {
            for _ in 0..3 {
                send(&client, &tone, 16_000, Duration::from_secs(60)).await;
                send(&client, &silence, 16_000, Duration::from_secs(4)).await;
                assert_eq!(client.until_final("agent").await, "You said hello.");
                client.until_state("listening").await;
            }
            settle().await;
        });
    });
    let left = measured.bytes_current;
    // The record is kept in memory here: messages, and an event for each turn that says where its time went. So are the last
    // seconds of the agent's own voice, at a low rate, to know it again.
    assert!(left < 128 * 1024, "{left} bytes after three turns of 1.9 MB each");
}
