//! The connection itself: its handshake, its tries, its loss, and an end that does not take what it is sent.

use std::sync::atomic::Ordering;

use antiphon_server::config::Config;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_tungstenite::tungstenite::Message;

use super::{call, connected, event, tool};
use crate::caller::{Caller, Seen};
use crate::participant::Participant;
use crate::puppet::{goes_on, stand, stand_with, told};

#[tokio::test]
async fn the_handshake_is_signed_with_every_secret_and_has_the_headers_asked_for() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let secrets = ["s3cret-s3cret-s3cret", "another-s3cret-another"];
    let config =
        participant.config(json!({"headers": {"Authorization": "Bearer s3cret-header", "X-Own": "ü"}}));
    let fields = json!({"sharedSecrets": secrets});
    let ((created, caller), (mut peer, request)) =
        tokio::join!(call(&stand, config, fields), participant.accept_with_request());
    assert_eq!(request.uri().path_and_query().unwrap(), "/live?for=you");
    let header = |name: &str| std::str::from_utf8(request.headers()[name].as_bytes()).unwrap();
    assert_eq!(header("Authorization"), "Bearer s3cret-header");
    assert_eq!(header("X-Own"), "ü");
    let (id, at) = (header("X-Ultravox-Call-ID"), header("X-Ultravox-Signature-Timestamp"));
    assert_eq!(id, created["callId"]);
    assert!(at.len() == "2026-11-20T08:45:00.000000+00:00".len() && at.ends_with("+00:00"), "{at}");
    let signature = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{id}{at}").as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_eq!(header("X-Ultravox-Signature"), secrets.map(signature).join(","));

    caller.hang_up().await;
    assert_eq!(peer.until_closed().await, 1000);
    let ended = stand.ended(&created).await;
    let journal = std::fs::read(stand.journal(&created)).unwrap();
    for text in [created.to_string(), ended.to_string(), String::from_utf8_lossy(&journal).into_owned()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn without_secrets_nothing_is_signed_and_before_the_join_nobody_is_dialled() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let request = json!({"dataConnection": participant.config(json!({})), "joinTimeout": "1s"});
    let unjoined = stand.create(request.clone()).await;
    assert_eq!(stand.ended(&unjoined).await["endReason"], "unjoined");
    let ((call, _caller), (mut peer, request)) =
        tokio::join!(stand.call(request), participant.accept_with_request());
    assert!(!request.headers().keys().any(|name| name.as_str().starts_with("x-ultravox")));
    assert_eq!(peer.until_type("call_started").await["callId"], call["callId"], "the one that was joined");
}

#[tokio::test]
async fn the_third_try_counts_and_nothing_of_the_call_is_missed() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let ((_, mut caller), mut peer) =
        tokio::join!(call(&stand, participant.config(json!({})), json!({})), async {
            participant.turn_away().await;
            participant.turn_away().await;
            participant.accept().await
        });
    event(&mut caller, "data_connection.connected").await;
    goes_on(&mut caller).await;
    peer.until_final("agent").await;
    assert_eq!(
        peer.outline(),
        ["call_started", "listening", "user final", "thinking", "agent", "agent final"]
    );
}

#[tokio::test]
async fn after_three_tries_the_call_goes_on_without_it() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({"timeout": "20s"}))]});
    let (created, mut caller) = call(&stand, participant.config(json!({})), fields).await;
    caller.write("call look").await;
    for _ in 0..3 {
        participant.turn_away().await;
    }
    let told_by_event = event(&mut caller, "data_connection.failed").await;
    assert!(told_by_event.contains("503"), "{told_by_event}");
    // The one that waited for the connection, and one that comes later.
    assert_eq!(caller.until_final("agent").await, "Told: The tool failed.");
    assert_eq!(told(&mut caller, "call look").await, "The tool failed.");
    goes_on(&mut caller).await;
    caller.hang_up().await;
    assert_eq!(stand.ended(&created).await["endReason"], "hangup");
    assert_eq!(participant.dialled.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_private_address_is_not_dialled_unless_the_operator_allows_it() {
    let stand = stand_with(|config: &mut Config| config.outbound.allow = Vec::new()).await;
    let participant = Participant::listen().await;
    let (_, mut caller) = call(&stand, participant.config(json!({})), json!({})).await;
    let why = event(&mut caller, "data_connection.failed").await;
    assert!(why.contains("outbound.allow") && !why.contains("for=you"), "{why}");
    goes_on(&mut caller).await;
    // What was not even asked is the first that is.
    let knock = tokio::spawn(tokio_tungstenite::connect_async(participant.url()));
    let (_, request) = participant.accept_with_request().await;
    assert!(!request.headers().contains_key("user-agent"), "{request:?}");
    knock.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_dialled_again_and_told_what_it_missed() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({"timeout": "20s"}))]});
    let (created, mut caller, mut peer) = connected(&stand, &participant, fields).await;
    caller.write("call look").await;
    peer.until_type("data_connection_tool_invocation").await;
    drop(peer);
    event(&mut caller, "data_connection.lost").await;
    assert_eq!(caller.until_final("agent").await, "Told: The tool failed.");
    assert_eq!(told(&mut caller, "call look").await, "The tool failed.");

    let mut peer = participant.accept().await;
    event(&mut caller, "data_connection.connected").await;
    let first = peer.next().await;
    assert_eq!(first, Seen::Text(json!({"type": "call_started", "callId": created["callId"]})));
    assert_eq!(peer.until_final("agent").await, "Told: The tool failed.");

    let answer = async {
        let invocation = peer.until_type("data_connection_tool_invocation").await;
        let id = &invocation["invocationId"];
        peer.say(json!({"type": "data_connection_tool_result", "invocationId": id, "result": "back"})).await;
    };
    assert_eq!(tokio::join!(told(&mut caller, "call look"), answer).0, "back");

    // Lost again, and the call ends before anybody is there.
    drop(peer);
    event(&mut caller, "data_connection.lost").await;
    caller.hang_up().await;
    assert_eq!(stand.ended(&created).await["endReason"], "hangup");
}

#[tokio::test]
async fn an_end_that_says_goodbye_has_left_for_good() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let fields = json!({"selectedTools": [tool(json!({"timeout": "20s"}))]});
    let (created, mut caller, peer) = connected(&stand, &participant, fields).await;
    peer.hang_up_with(1000).await;
    event(&mut caller, "data_connection.left").await;
    assert_eq!(told(&mut caller, "call look").await, "The tool failed.");
    caller.hang_up().await;
    stand.ended(&created).await;

    let (_, mut caller, peer) = connected(&stand, &participant, json!({})).await;
    peer.hang_up_with(1001).await;
    assert!(event(&mut caller, "data_connection.lost").await.contains("1001"));
    participant.accept().await;
}

#[tokio::test]
async fn an_end_that_breaks_the_protocol_is_closed_with_the_reason_and_dialled_again() {
    let stand = stand().await;
    let participant = Participant::listen().await;
    let (_, mut caller, mut peer) = connected(&stand, &participant, json!({})).await;
    peer.try_send(Message::text("x".repeat(1024 * 1024 + 1))).await;
    assert_eq!(code(&mut peer).await, 1009);
    event(&mut caller, "data_connection.lost").await;
    let mut peer = participant.accept().await;
    for _ in 0..=50 {
        peer.try_send(Message::text("nonsense")).await;
    }
    assert_eq!(code(&mut peer).await, 1008);
    event(&mut caller, "data_connection.lost").await;
    participant.accept().await;
    goes_on(&mut caller).await;
}

/// The code that it was closed with.
async fn code(peer: &mut Caller) -> u16 {
    peer.until_closed().await
}

#[tokio::test]
async fn an_end_that_takes_nothing_holds_nobody_up_and_is_told_the_rest_when_it_does() {
    const TEXTS: usize = 6_000;
    let stand = stand().await;
    let participant = Participant::with_small_buffers();
    let (_, mut caller, mut peer) = connected(&stand, &participant, json!({})).await;
    let filler = "x".repeat(1_000);
    let mut sent = 0;
    // Nobody reads at the other end. The client is sent everything.
    while sent < TEXTS {
        let later = |at: usize| json!({"type": "user_text_message", "text": format!("{at} {filler}"), "urgency": "later"});
        for at in sent..sent + 100 {
            caller.say(later(at)).await;
        }
        sent += 100;
        let last = format!("{} ", sent - 1);
        caller.until("the echo", |m| m["text"].as_str().is_some_and(|text| text.starts_with(&last))).await;
    }
    let is_behind = |seen: &Seen| matches!(seen, Seen::Text(m) if m["eventType"] == "data_connection.behind");
    let behind = caller.seen.iter().filter(|seen| is_behind(seen)).count();
    assert_eq!(behind, 1, "it is told once");
    goes_on(&mut caller).await;
    // Now somebody reads.
    let reading = tokio::spawn(async move {
        peer.until("the first", |m| m["text"].as_str().is_some_and(|text| text.starts_with("0 "))).await;
        while let Seen::Text(_) | Seen::Audio(_) = peer.next().await {}
        peer
    });
    let sum = event(&mut caller, "data_connection.behind").await;
    let dropped: usize = sum.split_once(' ').unwrap().0.parse().unwrap();
    assert!(dropped > 0 && dropped < TEXTS, "{dropped}");
    goes_on(&mut caller).await;
    caller.hang_up().await;
    let peer = reading.await.unwrap();
    let texts: Vec<Value> = peer
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Text(message) if message["role"] == "user" => Some(message["text"].clone()),
            Seen::Text(_) | Seen::Audio(_) | Seen::Closed(_) => None,
        })
        .collect();
    assert_eq!(texts.last().unwrap(), "still there?", "and what comes then reaches it");
    assert!(texts.len() < TEXTS, "{}", texts.len());
}
