//! Ten minutes of an agent's speech heard through the playback buffer, with a network whose delays change all the time.

use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_audio::SampleRate;
use antiphon_client::playback::Playback;
use antiphon_client::realtime::Event;
use tokio::time::{Instant, interval_at, sleep_until};

use crate::server::call;

const FRAME: usize = 160;
const FRAME_MS: u64 = 20;
/// When the speaker begins, so that nothing ever arrives as it takes.
const OFF_MS: u64 = 11;
/// Utterances of 10 s with pauses of 2 s.
const UTTERANCES: u64 = 60;
const FRAMES: u64 = 500;
const PERIOD_MS: u64 = 12_000;

/// When the frames of an utterance arrive, in even ms since its beginning: delays of 0 to `most` ms, and frames on one connection
/// never overtake each other.
fn arrivals(utterance: u64, most: u64) -> Vec<u64> {
    let mut seed = utterance.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut last = 0;
    let mut arrival = |frame: u64| {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        last = last.max(frame * FRAME_MS + seed % (most / 2 + 1) * 2);
        last
    };
    (0..FRAMES).map(&mut arrival).collect()
}

/// The gaps that these arrivals force on a speaker that begins so long after the first: how many there are and how many samples.
///
/// The speaker takes a frame every 20 ms, in odd ms.
fn forced(arrivals: &[u64], lead_frames: usize) -> (u64, u64) {
    let (mut gaps, mut missing, mut taken, mut starved) = (0, 0, 0, false);
    let first = arrivals[0];
    for tick in (OFF_MS..).step_by(FRAME_MS as usize) {
        if taken == arrivals.len() {
            return (gaps, missing);
        }
        let here = arrivals.iter().take_while(|arrival| **arrival < tick).count();
        let waited = tick.saturating_sub(first) / FRAME_MS;
        if taken == 0 && (here == 0 || (here < lead_frames && waited < lead_frames as u64)) {
            continue;
        }
        if here > taken {
            taken += 1;
            starved = false;
        } else {
            gaps += u64::from(!starved);
            missing += FRAME as u64;
            starved = true;
        }
    }
    unreachable!("the ticks do not end")
}

struct Heard {
    playback: Playback,
    samples: Vec<i16>,
    most_unplayed: usize,
}

/// Sends the utterances as they arrive and plays them as they come.
async fn listen(jitter_ms: u64, lead_frames: usize) -> Heard {
    let (_sender, mut events, mut server) = call().await;
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let network = async {
        for utterance in 0..UTTERANCES {
            for (frame, arrival) in arrivals(utterance, jitter_ms).into_iter().enumerate() {
                sleep_until(at(utterance * PERIOD_MS + arrival)).await;
                let place = utterance * FRAMES + frame as u64;
                server.speak(&[(place % 30_000) as i16 + 1; FRAME]).await;
            }
            server.say(r#"{"type":"state","state":"listening"}"#).await;
        }
        server
    };
    let lead = Duration::from_millis(lead_frames as u64 * FRAME_MS);
    let mut heard =
        Heard { playback: Playback::new(SampleRate::PHONE, lead), samples: Vec::new(), most_unplayed: 0 };
    let mut speaker = interval_at(at(OFF_MS), Duration::from_millis(FRAME_MS));
    let listening = async {
        loop {
            tokio::select! {
                event = events.next() => match event.unwrap() {
                    Event::Audio(samples) => heard.playback.push(&samples),
                    Event::Message(_) => heard.playback.finish(),
                    event @ (Event::Closed(_) | Event::Unreadable { .. }) => panic!("{event:?}"),
                },
                now = speaker.tick() => {
                    let mut frame = [0; FRAME];
                    let audio = heard.playback.play(&mut frame);
                    heard.samples.extend_from_slice(&frame[..audio]);
                    // The position is what has been heard, to the sample.
                    assert_eq!(heard.playback.played(), heard.samples.len() as u64);
                    heard.most_unplayed = heard.most_unplayed.max(heard.playback.unplayed());
                    if now >= at(UTTERANCES * PERIOD_MS) {
                        return;
                    }
                }
            }
        }
    };
    let (_server, ()) = tokio::join!(network, listening);
    heard
}

async fn check(jitter_ms: u64, lead_frames: usize) -> u64 {
    let heard = listen(jitter_ms, lead_frames).await;
    let all = UTTERANCES * FRAMES * FRAME as u64;
    assert_eq!(heard.playback.played(), all);
    assert_eq!(heard.playback.position(), Duration::from_secs(600));
    let in_order = heard
        .samples
        .chunks(FRAME)
        .enumerate()
        .all(|(place, frame)| frame == [(place % 30_000) as i16 + 1; FRAME]);
    assert!(in_order, "frames are lost, doubled or out of order");
    let forced = (0..UTTERANCES).map(|utterance| forced(&arrivals(utterance, jitter_ms), lead_frames));
    let (gaps, missing) = forced.fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    assert_eq!((heard.playback.underruns(), heard.playback.missing()), (gaps, missing));
    // What the network can hold back, and no more, ever waits: nothing grows.
    let most = (jitter_ms / FRAME_MS) as usize + 2 + lead_frames;
    assert!(heard.most_unplayed <= most * FRAME, "{} samples wait", heard.most_unplayed);
    gaps
}

#[tokio::test(start_paused = true)]
async fn a_steady_network_leaves_no_gap() {
    assert_eq!(check(0, 0).await, 0);
}

#[tokio::test(start_paused = true)]
async fn jitter_forces_the_gaps_that_it_forces_and_no_others() {
    assert!(check(70, 0).await > 0);
}

#[tokio::test(start_paused = true)]
async fn jitter_within_the_lead_is_not_heard() {
    assert_eq!(check(68, 4).await, 0);
}

#[tokio::test(start_paused = true)]
async fn jitter_beyond_the_lead_is_heard_for_what_is_beyond() {
    assert!(check(150, 3).await > 0);
}

/// An agent that is ahead by 10 s each time and interrupted after 3 s: what was heard is known to the sample.
#[tokio::test(start_paused = true)]
async fn what_is_cleared_is_not_in_the_position() {
    let (_sender, mut events, mut server) = call().await;
    let mut playback = Playback::new(SampleRate::PHONE, Duration::ZERO);
    let mut speaker =
        interval_at(Instant::now() + Duration::from_millis(OFF_MS), Duration::from_millis(FRAME_MS));
    let mut frame = [0; FRAME];
    for interruption in 1..=UTTERANCES {
        for _ in 0..FRAMES {
            server.speak(&[interruption as i16; FRAME]).await;
            let Some(Event::Audio(samples)) = events.next().await else { panic!("it is another event") };
            playback.push(&samples);
        }
        for _ in 0..150 {
            speaker.tick().await;
            assert_eq!(playback.play(&mut frame), FRAME);
            assert!(frame.iter().all(|sample| *sample == interruption as i16), "it is of another utterance");
        }
        server.say(r#"{"type":"playback_clear_buffer"}"#).await;
        let event = events.next().await;
        assert_eq!(event, Some(Event::Message(ServerMessage::PlaybackClearBuffer)));
        assert_eq!(playback.clear(), 350 * FRAME);
        assert_eq!(playback.position(), interruption as u32 * Duration::from_secs(3));
        assert_eq!((playback.play(&mut frame), playback.underruns()), (0, 0));
    }
    assert_eq!(playback.cleared(), UTTERANCES * 350 * FRAME as u64);
}
