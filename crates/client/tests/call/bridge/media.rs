//! Audio between units.

use std::time::Duration;

use antiphon_audio::{G711, SampleRate, signal};
use antiphon_client::bridge::{
    Encoding, Event, MediaError, MediaUnit as _, Port, SendMedia, send_media_between, stop_media_between,
};
use serde_json::json;

use crate::server::{joined, joined_with};

const FRAME: usize = 160;

fn take(port: &Port, samples: usize) -> Vec<i16> {
    let mut frame = vec![-1; samples];
    port.take(&mut frame);
    frame
}

/// Samples that tell their own place.
fn ramp(from: usize, length: usize) -> Vec<i16> {
    (from..from + length).map(|at| (at % 30_000) as i16 + 1).collect()
}

#[tokio::test(start_paused = true)]
async fn the_user_is_silence_until_somebody_speaks_and_then_every_sample_in_order() {
    let (bridge, _events, mut server) = joined().await;
    assert_eq!(server.hear_frames(3).await, [0; 3 * FRAME]);
    let voice = Port::live(SampleRate::PHONE);
    voice.send_media_to(&bridge, SendMedia::default()).unwrap();
    let mut heard = Vec::new();
    for frame in 0..100 {
        voice.give(&ramp(frame * FRAME, FRAME));
        heard.extend(server.hear().await);
    }
    heard.extend(server.hear_frames(10).await);
    let words: Vec<i16> = heard.into_iter().filter(|sample| *sample != 0).collect();
    assert_eq!(words, ramp(0, 100 * FRAME));
}

#[tokio::test(start_paused = true)]
async fn the_user_is_one_second_a_second() {
    let (_bridge, _events, mut server) = joined().await;
    server.hear().await;
    let began = tokio::time::Instant::now();
    assert_eq!(server.hear_frames(500).await.len(), 500 * FRAME);
    assert_eq!(began.elapsed().as_millis() / 20, 500);
}

#[tokio::test(start_paused = true)]
async fn one_agent_is_sent_to_two_units_at_once_each_in_its_own_way() {
    let rate = SampleRate::EAR;
    let (bridge, mut events, mut server) = joined_with(|builder| builder.rates(rate, rate)).await;
    let (phone, studio) = (Port::live(SampleRate::PHONE), Port::live(SampleRate::WEBSOCKET_DEFAULT));
    bridge.send_media_to(&phone, SendMedia::tagged("phone").encoded(Encoding::Ulaw)).unwrap();
    let own = json!({"line": 7}).as_object().cloned();
    bridge
        .send_media_to(&studio, SendMedia { custom_parameters: own, ..SendMedia::tagged("studio") })
        .unwrap();
    assert_eq!(bridge.port().targets(), 2);
    assert_eq!(studio.stream().unwrap().custom_parameters.unwrap()["line"], 7);
    assert_eq!(phone.stream().unwrap().encoding, Some(Encoding::Ulaw));

    let second = Duration::from_secs(1);
    server.speak(&signal::sine(rate, 440.0, 0.5, second)).await;
    server.say(r#"{"type":"state","state":"listening"}"#).await;
    assert!(matches!(events.next().await, Some(Event::MediaStarted(_))));
    assert!(matches!(events.next().await, Some(Event::State(_))));
    assert_eq!((phone.heard().unplayed, studio.heard().unplayed), (second, second));
    for (port, rate) in [(&phone, SampleRate::PHONE), (&studio, SampleRate::WEBSOCKET_DEFAULT)] {
        let (heard, meant) = (take(port, rate.hz() as usize), signal::sine(rate, 440.0, 0.5, second));
        let (heard, meant) = (signal::level(&heard), signal::level(&meant));
        assert!((heard - meant).abs() < 0.2, "{heard} dB instead of {meant}");
    }
    // What came through µ-law has only the values that µ-law has.
    server.speak(&signal::sine(rate, 440.0, 0.5, second)).await;
    events.next().await;
    let coded = take(&phone, 4_000);
    assert!(coded.iter().all(|sample| G711::MuLaw.decode(G711::MuLaw.encode(*sample)) == *sample));
    let plain = take(&studio, 4_000);
    assert!(plain.iter().any(|sample| G711::MuLaw.decode(G711::MuLaw.encode(*sample)) != *sample));
}

#[tokio::test(start_paused = true)]
async fn clearing_a_tag_clears_its_streams_and_no_others() {
    let (bridge, mut events, mut server) = joined().await;
    let (one, two) = (Port::live(SampleRate::PHONE), Port::live(SampleRate::PHONE));
    bridge.send_media_to(&one, SendMedia::tagged("one")).unwrap();
    bridge.send_media_to(&two, SendMedia::tagged("two")).unwrap();
    server.speak(&[5; 8_000]).await;
    events.next().await;
    let second = Duration::from_secs(1);
    take(&one, 800);
    assert_eq!(bridge.clear_media_buffer(Some("one")), second * 9 / 10);
    assert_eq!((one.heard().unplayed, two.heard().unplayed), (Duration::ZERO, second));
    assert_eq!(one.heard().cleared, second * 9 / 10);
    assert_eq!(bridge.clear_media_buffer(Some("nobody")), Duration::ZERO);
    assert_eq!(bridge.clear_media_buffer(None), second);
    assert_eq!(two.heard().unplayed, Duration::ZERO);
}

#[test]
fn a_unit_hears_one_stream_at_a_time_and_the_newest_wins() {
    let port = || Port::ahead(SampleRate::PHONE);
    let (music, speech, ear) = (port(), port(), port());
    music.send_media_to(&ear, SendMedia::tagged("music")).unwrap();
    music.give(&[1; 800]);
    assert_eq!(take(&ear, 2), [1, 1]);
    speech.send_media_to(&ear, SendMedia::tagged("speech")).unwrap();
    music.give(&[1; 800]);
    speech.give(&[2; 4]);
    assert_eq!(take(&ear, 5), [2, 2, 2, 2, 0]);
    assert_eq!((music.targets(), ear.stream().unwrap().tag.as_str()), (0, "speech"));
    // Who was replaced has nothing to stop or to clear any more.
    speech.give(&[2; 4]);
    assert!(!music.stop_media_to(&ear));
    assert_eq!(take(&ear, 4), [2; 4]);
    speech.give(&[2; 4]);
    assert!(speech.stop_media_to(&ear));
    assert_eq!((take(&ear, 2), ear.stream()), (vec![0, 0], None));
    assert!(!speech.stop_media_to(&ear));
    // The same target again is the same stream anew.
    music.send_media_to(&ear, SendMedia::tagged("a")).unwrap();
    music.send_media_to(&ear, SendMedia::tagged("b")).unwrap();
    assert_eq!((music.targets(), ear.stream().unwrap().tag.as_str()), (1, "b"));
}

#[test]
fn nobody_is_sent_to_themselves_or_to_too_many() {
    let one = Port::live(SampleRate::PHONE);
    assert_eq!(one.send_media_to(&one.clone(), SendMedia::default()), Err(MediaError::ToItself));
    let many: Vec<Port> = (0..65).map(|_| Port::live(SampleRate::PHONE)).collect();
    for target in &many[..64] {
        one.send_media_to(target, SendMedia::default()).unwrap();
    }
    assert_eq!(one.send_media_to(&many[64], SendMedia::default()), Err(MediaError::TooMany));
    // Whoever is gone makes room.
    drop(many);
    assert_eq!(one.targets(), 0);
    one.send_media_to(&Port::live(SampleRate::PHONE), SendMedia::default()).unwrap();
}

#[test]
fn a_live_stream_that_is_too_fast_is_cut_back_and_one_that_is_ahead_is_kept() {
    let (live, ahead) = (Port::live(SampleRate::PHONE), Port::ahead(SampleRate::PHONE));
    let (ear, agent_ear) = (Port::live(SampleRate::PHONE), Port::live(SampleRate::PHONE));
    live.send_media_to(&ear, SendMedia::default()).unwrap();
    ahead.send_media_to(&agent_ear, SendMedia::default()).unwrap();
    for frame in 0..500 {
        live.give(&ramp(frame * FRAME, FRAME));
        ahead.give(&ramp(frame * FRAME, FRAME));
        assert!(ear.heard().unplayed <= Duration::from_millis(200));
    }
    // The newest is what is kept.
    let left = ear.heard().unplayed;
    let samples = SampleRate::PHONE.samples_in(left) as usize;
    assert_eq!(take(&ear, samples), ramp(500 * FRAME - samples, samples));
    assert_eq!(ear.heard().dropped + left, Duration::from_secs(10));
    assert_eq!(agent_ear.heard().unplayed, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn two_calls_that_are_bridged_hear_each_other() {
    let rate = SampleRate::EAR;
    let (one, _one_events, mut one_server) = joined().await;
    let (two, _two_events, mut two_server) = joined_with(|builder| builder.rates(rate, rate)).await;
    send_media_between(&one, &two).unwrap();
    let second = Duration::from_secs(1);
    one_server.speak(&signal::sine(SampleRate::PHONE, 440.0, 0.5, second)).await;
    two_server.speak(&signal::sine(rate, 440.0, 0.5, second)).await;
    let (heard_one, heard_two) = tokio::join!(one_server.hear_frames(60), two_server.hear_frames(60));
    for heard in [&heard_one, &heard_two] {
        let loud = heard.iter().filter(|sample| sample.abs() > 3_000).count() as f64 / heard.len() as f64;
        assert!((0.6..0.8).contains(&loud), "{loud} of it is loud");
    }
    stop_media_between(&one, &two);
    assert_eq!((one.port().targets(), two.port().targets()), (0, 0));
}
