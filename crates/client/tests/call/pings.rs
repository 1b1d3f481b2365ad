//! How long it takes to the server and back.

use std::time::Duration;

use antiphon_api::realtime::ServerMessage;
use antiphon_client::realtime::{Event, PingError};
use tokio::time::sleep;

use crate::server::call;

#[tokio::test(start_paused = true)]
async fn a_round_trip_is_measured_whatever_else_is_answered() {
    let (sender, mut events, mut server) = call().await;
    let serving = async {
        // Pongs that nobody asked for, and one for another ping.
        server.say(r#"{"type":"pong","timestamp":0}"#).await;
        let ping = server.text().await;
        let number = ping.strip_prefix(r#"{"type":"ping","timestamp":"#).unwrap().trim_end_matches('}');
        sleep(Duration::from_millis(80)).await;
        server.say(r#"{"type":"pong","timestamp":17.5}"#).await;
        server.say(&format!(r#"{{"type":"pong","timestamp":{number}}}"#)).await;
        server.say(&format!(r#"{{"type":"pong","timestamp":{number}}}"#)).await;
    };
    let listening = async {
        for _ in 0..4 {
            let event = events.next().await;
            assert!(matches!(event, Some(Event::Message(ServerMessage::Pong(_)))), "{event:?}");
        }
    };
    let (took, (), ()) = tokio::join!(sender.round_trip(), serving, listening);
    assert_eq!(took, Ok(Duration::from_millis(80)));
}

#[tokio::test(start_paused = true)]
async fn several_pings_are_told_apart_in_any_order() {
    let (sender, _events, mut server) = call().await;
    let serving = async {
        let (first, second) = (server.message().await, server.message().await);
        sleep(Duration::from_millis(10)).await;
        for (ping, pause) in [(second, 20), (first, 0)] {
            // A server may write the number with other digits.
            let number = ping["timestamp"].as_f64().unwrap();
            server.say(&format!(r#"{{"type":"pong","timestamp":{number:.6}}}"#)).await;
            sleep(Duration::from_millis(pause)).await;
        }
    };
    let (first, second, ()) = tokio::join!(sender.round_trip(), sender.round_trip(), serving);
    assert_eq!((first, second), (Ok(Duration::from_millis(30)), Ok(Duration::from_millis(10))));
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_not_answered_says_why_and_one_of_a_call_that_ends_does_not_wait() {
    let (sender, _events, mut server) = call().await;
    assert_eq!(sender.round_trip().await, Err(PingError::NoPong));
    let (took, ()) = tokio::join!(sender.round_trip(), async {
        server.message().await;
        server.close(1000, "").await;
        drop(server);
    });
    assert_eq!(took, Err(PingError::CallOver));
    assert_eq!(sender.round_trip().await, Err(PingError::CallOver));
}
