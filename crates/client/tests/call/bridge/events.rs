//! What a bridge tells.

use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_audio::SampleRate;
use antiphon_client::bridge::{Event, MediaUnit as _, Port, SendMedia};
use antiphon_client::realtime::CloseReason;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::server::{joined, joined_with};

#[tokio::test(start_paused = true)]
async fn every_message_is_its_event_with_what_came() {
    let (_bridge, mut events, mut server) = joined().await;
    for (name, text) in [
        ("Unknown", r#"{"type":"call_started","callId":"11111111-2222-4333-8444-555555555555"}"#),
        ("State", r#"{"type":"state","state":"thinking","since":1.0}"#),
        (
            "Transcript",
            r#"{"type":"transcript","role":"agent","medium":"voice","text":"","delta":" how","final":false,"ordinal":0}"#,
        ),
        (
            "ClientToolInvocation",
            r#"{"type":"client_tool_invocation","toolName":"t","invocationId":"i","parameters":{}}"#,
        ),
        (
            "DataConnectionToolInvocation",
            r#"{"type":"data_connection_tool_invocation","toolName":"t","invocationId":"i","parameters":{"a":[1]}}"#,
        ),
        ("Debug", r#"{"type":"debug","message":"m"}"#),
        ("PlaybackClearBuffer", r#"{"type":"playback_clear_buffer","extra":true}"#),
        ("Unknown", r#"{"type":"pong","timestamp":1.0}"#),
        ("Unknown", r#"{"type":"weather","sun":[1,null]}"#),
        ("Unknown", r#"{"type":"state"}"#),
        ("Unknown", r#"[1]"#),
    ] {
        server.say(text).await;
        let event = events.next().await.unwrap();
        assert_eq!(event.name(), name, "{text}");
        assert_eq!(event.payload(), serde_json::from_str::<Value>(text).unwrap());
    }
    server.say("not JSON").await;
    let event = events.next().await.unwrap();
    assert_eq!((event.name(), event.payload()), ("Unknown", json!("not JSON")));
    server.say(r#"{"type":"weather"}"#).await;
    let Some(Event::Unknown(unknown)) = events.next().await else { panic!("it is another event") };
    assert!(matches!(unknown.message, Some(ServerMessage::Unknown(message)) if message.kind() == "weather"));
}

#[tokio::test(start_paused = true)]
async fn media_starts_with_the_first_sound_after_quiet_and_ends_after_a_second_of_quiet() {
    let (_bridge, mut events, mut server) = joined().await;
    for _ in 0..2 {
        let began = Instant::now();
        for _ in 0..3 {
            server.speak(&[1; 800]).await;
        }
        let event = events.next().await.unwrap();
        assert!(matches!(event, Event::MediaStarted(_)));
        assert_eq!(event.payload(), json!({"tag": "", "encoding": "PCM8", "customParameters": null}));

        let event = events.next().await.unwrap();
        assert!(matches!(event, Event::MediaEnded(_)));
        assert_eq!(event.payload(), json!({"tag": "", "mediaInfo": {"duration": 0.3}}));
        // Tokio's clock counts whole milliseconds.
        let took = began.elapsed().as_millis();
        assert!((1_300..=1_302).contains(&took), "{took} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn media_that_is_cleared_or_cut_off_lasted_as_long_as_it_was_heard() {
    let (bridge, mut events, mut server) = joined().await;
    let ear = Port::live(SampleRate::PHONE);
    bridge.send_media_to(&ear, SendMedia::default()).unwrap();
    server.speak(&[1; 80_000]).await;
    assert!(matches!(events.next().await, Some(Event::MediaStarted(_))));
    tokio::time::advance(Duration::from_millis(400)).await;
    server.say(r#"{"type":"playback_clear_buffer"}"#).await;
    assert!(matches!(events.next().await, Some(Event::PlaybackClearBuffer(_))));
    assert_eq!(ear.heard().unplayed, Duration::ZERO);
    let Some(Event::MediaEnded(ended)) = events.next().await else { panic!("it is another event") };
    assert_eq!(ended.duration.as_millis() / 10, 40);

    server.speak(&[1; 80_000]).await;
    assert!(matches!(events.next().await, Some(Event::MediaStarted(_))));
    tokio::time::advance(Duration::from_millis(200)).await;
    server.close(1000, "").await;
    drop(server);
    let Some(Event::MediaEnded(ended)) = events.next().await else { panic!("it is another event") };
    assert_eq!(ended.duration.as_millis() / 10, 20);
    assert!(matches!(events.next().await, Some(Event::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn who_clears_by_hand_keeps_the_audio_until_then() {
    let phone = SampleRate::PHONE;
    let (bridge, mut events, mut server) =
        joined_with(|builder| builder.rates(phone, phone).clearing_by_hand()).await;
    let ear = Port::live(phone);
    bridge.send_media_to(&ear, SendMedia::default()).unwrap();
    server.speak(&[1; 8_000]).await;
    server.say(r#"{"type":"playback_clear_buffer"}"#).await;
    assert!(matches!(events.next().await, Some(Event::MediaStarted(_))));
    assert!(matches!(events.next().await, Some(Event::PlaybackClearBuffer(_))));
    assert_eq!(ear.heard().unplayed, Duration::from_secs(1));
    assert_eq!(bridge.clear_media_buffer(None), Duration::from_secs(1));
    assert_eq!(ear.heard().unplayed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_normal_close_is_clean_and_called_so() {
    let (_bridge, mut events, mut server) = joined().await;
    server.close(1000, "").await;
    let event = events.next().await.unwrap();
    assert_eq!(event.payload(), json!({"code": 1000, "reason": "Normal connection close", "wasClean": true}));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_abnormal_close_keeps_its_code_and_words() {
    for code in [1008, 1011, 4000, 4404, 4410, 4422, 4503, 4598] {
        let (_bridge, mut events, mut server) = joined().await;
        server.close(code, "why").await;
        let Some(Event::Closed(closed)) = events.next().await else { panic!("it is another event") };
        assert_eq!((closed.code, closed.reason.as_str(), closed.was_clean), (code, "why", true));
        assert_eq!(closed.cause, CloseReason::from_frame(code, "why"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_an_error_and_no_clean_close() {
    let (_bridge, mut events, server) = joined().await;
    drop(server);
    assert!(matches!(events.next().await, Some(Event::WebSocketError(_))));
    let Some(Event::Closed(closed)) = events.next().await else { panic!("it is another event") };
    assert_eq!((closed.code, closed.was_clean), (1006, false));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_and_so_does_dropping_the_last_handle() {
    let (bridge, mut events, mut server) = joined().await;
    bridge.close().await;
    assert_eq!(server.closed().await, 1000);
    let Some(Event::Closed(closed)) = events.next().await else { panic!("it is another event") };
    assert_eq!((closed.code, closed.cause), (1000, CloseReason::Ours));

    let (bridge, mut events, mut server) = joined().await;
    let clone = bridge.clone();
    drop(bridge);
    clone.user_text_message(json!({"text": "still here"})).await.unwrap();
    assert_eq!(server.message().await["text"], "still here");
    drop(clone);
    assert_eq!(server.closed().await, 1000);
    assert!(matches!(events.next().await, Some(Event::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_events_drops_them_and_the_call_goes_on() {
    let (bridge, events, mut server) = joined().await;
    drop(events);
    for _ in 0..2_000 {
        server.say(r#"{"type":"state","state":"listening"}"#).await;
    }
    bridge.hang_up(json!({})).await.unwrap();
    assert_eq!(server.message().await, json!({"type": "hang_up"}));
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_events_that_stands_still_does_not_make_the_user_unheard() {
    let (bridge, mut events, mut server) = joined().await;
    let voice = Port::live(SampleRate::PHONE);
    voice.send_media_to(&bridge, SendMedia::default()).unwrap();
    for _ in 0..1_500 {
        server.say(r#"{"type":"state","state":"listening"}"#).await;
    }
    server.hear_frames(5).await;
    voice.give(&[7; 320]);
    let heard = server.hear_frames(10).await;
    assert_eq!(heard.iter().filter(|sample| **sample == 7).count(), 320);
    for _ in 0..1_500 {
        assert!(matches!(events.next().await, Some(Event::State(_))));
    }
}
