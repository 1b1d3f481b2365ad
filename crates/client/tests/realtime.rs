//! The client against a server that is as unkind as the protocol permits, and then some.
//!
//! The server writes its WebSocket frames byte by byte, so that it can cut them where it likes.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::future::Future;

use antiphon_api::realtime::{
    AgentState, Medium, ServerMessage, ToolErrorType, ToolResult, TranscriptText, Urgency,
};
use antiphon_client::realtime::{
    AudioRefused, CloseReason, ConnectError, Event, Events, Options, Sender, connect,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
const CONTINUATION: u8 = 0x0;
const LAST: u8 = 0x80;

/// A frame of a server (RFC 6455, 5.2): unmasked.
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(LAST | TEXT, payload.as_bytes())
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(LAST | CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// What a client sent: head and unmasked payload.
async fn received(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(head[1] & 0x80, 0x80, "clients mask");
    let length = match head[1] & 0x7f {
        126 => socket.read_u16().await.unwrap().into(),
        127 => socket.read_u64().await.unwrap(),
        length => length.into(),
    };
    let mut mask = [0; 4];
    socket.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    socket.read_exact(&mut payload).await.unwrap();
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
    (head[0], payload)
}

/// Joins a call whose server does `serve` with the bare connection after the handshake.
async fn call<F>(serve: impl FnOnce(TcpStream) -> F) -> (Sender, Events, F)
where
    F: Future,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/calls/1/server_web_socket", listener.local_addr().unwrap());
    let options = Options::default();
    let (joined, socket) = tokio::join!(connect(&url, &options), async {
        let (socket, _) = listener.accept().await.unwrap();
        accept_async(socket).await.unwrap().into_inner()
    });
    let (sender, events) = joined.unwrap();
    (sender, events, serve(socket))
}

/// All that a client sees of a server that writes `pieces`, each in a packet of its own as far as the network lets it, and then
/// reads until the client has answered its close.
async fn seen(pieces: Vec<Vec<u8>>) -> Vec<Event> {
    let (_sender, mut events, server) = call(async |mut socket: TcpStream| {
        for piece in pieces {
            socket.write_all(&piece).await.unwrap();
            socket.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        while received(&mut socket).await.0 != LAST | CLOSE {}
    })
    .await;
    let listening = async {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        seen
    };
    tokio::join!(listening, server).0
}

fn normal() -> Event {
    Event::Closed(CloseReason::Normal { reason: String::new() })
}

#[tokio::test]
async fn messages_survive_being_split_and_merged_anywhere() {
    let state = r#"{"type":"state","state":"speaking"}"#;
    let mut stream = [text(state), text(state)].concat();
    // One message in three fragments, with a ping in the middle (RFC 6455, 5.4).
    stream.extend(frame(TEXT, &state.as_bytes()[..5]));
    stream.extend(frame(CONTINUATION, &[]));
    stream.extend(frame(LAST | PING, b"now"));
    stream.extend(frame(LAST | CONTINUATION, &state.as_bytes()[5..]));
    stream.extend(close(1000, ""));
    let whole = seen(vec![stream.clone()]).await;
    let bytewise = seen(stream.into_iter().map(|byte| vec![byte]).collect()).await;

    assert_eq!(whole.len(), 4);
    assert!(whole[..3].iter().all(|event| matches!(event,
        Event::Message(ServerMessage::State(state)) if state.state == AgentState::Speaking)));
    assert_eq!(whole[3], normal());
    assert_eq!(whole, bytewise);
}

#[tokio::test]
async fn audio_survives_odd_and_empty_frames_and_may_come_first() {
    let seen = seen(vec![
        frame(LAST | BINARY, &[]),
        frame(LAST | BINARY, &[1, 0, 2]),
        frame(LAST | BINARY, &[0]),
        frame(LAST | BINARY, &[3]),
        frame(BINARY, &[0, 4]),
        frame(LAST | CONTINUATION, &[0]),
        text(r#"{"type":"call_started","callId":"11111111-2222-4333-8444-555555555555"}"#),
        close(1000, ""),
    ])
    .await;
    let audio: Vec<i16> = seen
        .iter()
        .filter_map(|event| match event {
            Event::Audio(samples) => Some(samples.clone()),
            Event::Closed(_) | Event::Message(_) | Event::Unreadable { .. } => None,
        })
        .flatten()
        .collect();
    assert_eq!(audio, [1, 2, 3, 4]);
    assert!(!seen.contains(&Event::Audio(Vec::new())));
    assert!(matches!(seen[0], Event::Audio(_)));
}

#[tokio::test]
async fn strange_messages_are_kept_or_named_and_never_end_the_call() {
    let seen = seen(vec![
        frame(LAST | PONG, b"never asked for"),
        text(r#"{"type":"pong","timestamp":1.0}"#),
        text(r#"{"type":"weather","sun":[1,null]}"#),
        text(r#"{"type":"transcript","role":"agent","text":null,"final":false,"ordinal":0}"#),
        text(r#"{"type":"transcript","role":"agent","delta":null,"text":"","final":true,"ordinal":0}"#),
        text(
            r#"{"type":"transcript","role":"robot","medium":"smoke","text":"x","final":true,"ordinal":"7"}"#,
        ),
        text(r#"{"type":"state","state":"daydreaming"}"#),
        text("{"),
        text("[]"),
        text(r#"{"type":"transcript","text":"who?"}"#),
        text(r#"{"type":7}"#),
        text(r#"{"type":"playback_clear_buffer","why":"no"}"#),
        close(1001, "bye"),
    ])
    .await;

    let Event::Message(ServerMessage::Pong(pong)) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(pong.timestamp.as_str(), "1.0");
    let Event::Message(ServerMessage::Unknown(unknown)) = &seen[1] else { panic!("{seen:?}") };
    assert_eq!((unknown.kind(), unknown.json["sun"][0].as_i64()), ("weather", Some(1)));
    for event in &seen[2..4] {
        let Event::Message(ServerMessage::Transcript(piece)) = event else { panic!("{seen:?}") };
        assert_eq!(piece.text, TranscriptText::Text(String::new()));
    }
    let Event::Message(ServerMessage::Transcript(piece)) = &seen[4] else { panic!("{seen:?}") };
    assert_eq!((piece.role.as_str(), piece.medium, piece.ordinal), ("robot", Medium::Voice, 7));
    let Event::Message(ServerMessage::State(state)) = &seen[5] else { panic!("{seen:?}") };
    assert_eq!(state.state, AgentState::Other("daydreaming".into()));
    for (event, came) in
        seen[6..10].iter().zip(["{", "[]", r#"{"type":"transcript","text":"who?"}"#, r#"{"type":7}"#])
    {
        let Event::Unreadable { text, .. } = event else { panic!("{event:?}") };
        assert_eq!(text, came);
    }
    assert_eq!(seen[10], Event::Message(ServerMessage::PlaybackClearBuffer));
    assert_eq!(seen[11], Event::Closed(CloseReason::Normal { reason: "bye".into() }));
    assert_eq!(seen.len(), 12);
}

#[tokio::test]
async fn each_close_code_is_told_apart() {
    // Those of protocol.md 1.7: the normal end, 1008, 4598, and 4000 with any HTTP status.
    let of_http = [400, 401, 403, 404, 408, 409, 410, 422, 425, 429, 500, 502, 503, 504];
    let codes = [1000, 1001, 1008, 1009, 1011, 1013, 4598, 4999].into_iter();
    for code in codes.chain(of_http.map(|status| 4000 + status)) {
        let seen = seen(vec![close(code, "said")]).await;
        let [Event::Closed(reason)] = &seen[..] else { panic!("{code}: {seen:?}") };
        assert_eq!(*reason, CloseReason::from_frame(code, "said"));
        assert_eq!((reason.is_normal(), reason.said()), (code <= 1001, "said"), "{code}");
    }
}

#[tokio::test]
async fn a_server_that_closes_while_it_is_spoken_to_and_stays_connected_is_believed() {
    let (sender, mut events, server) = call(async |mut socket: TcpStream| {
        received(&mut socket).await;
        socket.write_all(&close(4598, "")).await.unwrap();
        while received(&mut socket).await.0 != LAST | CLOSE {}
        socket
    })
    .await;
    let speaking = async {
        while sender.audio(&[0; 160]) != Err(AudioRefused::CallOver) {
            tokio::task::yield_now().await;
        }
    };
    let (event, _connected, ()) = tokio::join!(events.next(), server, speaking);
    assert_eq!(event, Some(Event::Closed(CloseReason::Idle { reason: String::new() })));
}

#[tokio::test]
async fn a_server_that_breaks_the_websocket_protocol_is_lost_with_what_it_did() {
    for (nonsense, complaint) in [
        (frame(LAST | TEXT, &[0xff, 0xfe]), "UTF-8"),
        (frame(LAST | 0x3, b"reserved"), "opcode"),
        (frame(LAST | 0x40 | TEXT, b"compressed"), "reserved bits"),
        (frame(LAST | CONTINUATION, b"of nothing"), "Continue frame"),
        (frame(PING, b"a ping in pieces"), "control frame"),
        (frame(LAST | PING, &[0; 126]), "control frame"),
        ([frame(TEXT, b"{"), text("{}")].concat(), "fragments"),
        (vec![LAST | TEXT, 0x80 | 2, 1, 2, 3, 4, 0, 0], "masked"),
    ] {
        let (_sender, mut events, server) = call(async |mut socket: TcpStream| {
            socket.write_all(&text(r#"{"type":"state","state":"idle"}"#)).await.unwrap();
            socket.write_all(&nonsense).await.unwrap();
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        })
        .await;
        let listening = async {
            assert!(matches!(events.next().await, Some(Event::Message(ServerMessage::State(_)))));
            let Some(Event::Closed(CloseReason::Lost { cause })) = events.next().await else {
                panic!("{complaint}: it is another event")
            };
            assert!(cause.to_lowercase().contains(&complaint.to_lowercase()), "{complaint}: {cause}");
            assert_eq!(events.next().await, None);
        };
        tokio::join!(listening, server);
    }
}

/// Thousands of messages in an order and in pieces that no server would send them in, the same each time.
#[tokio::test]
async fn whatever_comes_is_told_in_order_and_nothing_else() {
    let messages = [
        r#"{"type":"state","state":"listening"}"#,
        r#"{"type":"transcript","role":"agent","medium":"voice","text":"","delta":" how","final":false,"ordinal":0}"#,
        r#"{"type":"transcript","role":"agent","text":null,"delta":null,"final":true,"ordinal":0}"#,
        r#"{"type":"transcript","role":"user","text":"Ja, größer: 🦀","final":true,"ordinal":1}"#,
        r#"{"type":"transcript","role":"user","text":"Ja, größer: 🦀","final":true,"ordinal":1}"#,
        r#"{"type":"pong","timestamp":12345678901234567890}"#,
        r#"{"type":"client_tool_invocation","toolName":"t","invocationId":"i","parameters":null}"#,
        r#"{"type":"playback_clear_buffer"}"#,
        r#"{"type":"new_in_2027","deep":[[[[[[{}]]]]]]}"#,
        r#"{"type":null}"#,
        "",
        "\u{0}",
        "null",
    ];
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut chance = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as usize % below
    };
    let (mut stream, mut texts, mut audio) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2_000 {
        match chance(4) {
            0 => {
                let bytes: Vec<u8> = (0..chance(700)).map(|_| chance(256) as u8).collect();
                stream.extend(frame(LAST | BINARY, &bytes));
                audio.extend(bytes);
            }
            1 => stream.extend(frame(LAST | if chance(2) == 0 { PING } else { PONG }, b"?")),
            2 => {
                // In fragments, with a ping in between.
                let message = messages[chance(messages.len())];
                let (head, tail) = message.as_bytes().split_at(chance(message.len() + 1));
                stream.extend(frame(TEXT, head));
                stream.extend(frame(LAST | PING, &[]));
                stream.extend(frame(LAST | CONTINUATION, tail));
                texts.push(message);
            }
            _ => {
                let message = messages[chance(messages.len())];
                stream.extend(text(message));
                texts.push(message);
            }
        }
    }
    stream.extend(close(1000, ""));
    let mut pieces = Vec::new();
    while !stream.is_empty() {
        let rest = stream.split_off(stream.len().min(1 + chance(3_000)));
        pieces.push(std::mem::replace(&mut stream, rest));
    }

    let seen = seen(pieces).await;
    let (mut told, mut samples) = (Vec::new(), Vec::new());
    for event in &seen[..seen.len() - 1] {
        match event {
            Event::Audio(piece) => samples.extend(piece.iter().flat_map(|sample| sample.to_le_bytes())),
            Event::Message(_) | Event::Unreadable { .. } | Event::Closed(_) => told.push(event),
        }
    }
    assert_eq!(seen.last(), Some(&normal()));
    audio.truncate(audio.len() / 2 * 2);
    assert!(samples == audio, "{} of {} bytes of audio", samples.len(), audio.len());
    assert_eq!(told.len(), texts.len());
    for (event, text) in told.into_iter().zip(texts) {
        match (event, ServerMessage::parse(text)) {
            (Event::Message(message), Ok(parsed)) => assert_eq!(*message, parsed.value),
            (Event::Unreadable { text: kept, .. }, Err(_)) => assert_eq!(kept, text),
            (event, _) => panic!("{text}: {event:?}"),
        }
    }
}

#[tokio::test]
async fn a_close_without_a_code_is_no_normal_one() {
    let seen = seen(vec![frame(LAST | CLOSE, &[])]).await;
    assert_eq!(seen, [Event::Closed(CloseReason::Other { code: 1005, reason: String::new() })]);
}

#[tokio::test]
async fn a_connection_that_breaks_is_lost_and_says_so() {
    let (_sender, mut events, server) = call(async |mut socket: TcpStream| {
        socket.write_all(&text(r#"{"type":"state","state":"idle"}"#)[..10]).await.unwrap();
    })
    .await;
    server.await;
    let event = events.next().await.unwrap();
    assert!(matches!(&event, Event::Closed(CloseReason::Lost { .. })), "{event:?}");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_message_beyond_all_measure_ends_the_call_and_not_the_program() {
    let (_sender, mut events, server) = call(async |mut socket: TcpStream| {
        let mut head = vec![LAST | TEXT, 127];
        head.extend((u64::MAX >> 1).to_be_bytes());
        socket.write_all(&head).await.unwrap();
        // The client hangs up, with or without a word.
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
    })
    .await;
    let (event, ()) = tokio::join!(events.next(), server);
    assert!(matches!(&event, Some(Event::Closed(CloseReason::Lost { .. }))), "{event:?}");
}

#[tokio::test]
async fn keep_alive_is_answered_while_nobody_speaks() {
    let (_sender, mut events, server) = call(async |mut socket: TcpStream| {
        socket.write_all(&frame(LAST | PING, b"are you there")).await.unwrap();
        let pong = received(&mut socket).await;
        socket.write_all(&close(1000, "")).await.unwrap();
        pong
    })
    .await;
    let (event, pong) = tokio::join!(events.next(), server);
    assert_eq!(pong, (LAST | PONG, b"are you there".to_vec()));
    assert_eq!(event, Some(normal()));
}

#[tokio::test]
async fn every_message_leaves_in_the_protocols_form() {
    let (sender, _events, server) = call(async |mut socket: TcpStream| {
        let mut sent = Vec::new();
        loop {
            match received(&mut socket).await {
                (head, payload) if head == LAST | TEXT => sent.push(String::from_utf8(payload).unwrap()),
                (head, payload) => break (sent, head, payload),
            }
        }
    })
    .await;
    let speaking = async {
        sender.user_text("Hi").await.unwrap();
        sender.user_text_with("", Urgency::Immediate).await.unwrap();
        sender.client_tool_result(ToolResult::new("call_1", "sunny")).await.unwrap();
        let failed = ToolResult::failed("call_2", ToolErrorType::ImplementationError, "it broke");
        sender.client_tool_result(failed).await.unwrap();
        sender.set_output_medium(Medium::Text).await.unwrap();
        sender.ping(1.5).await.unwrap();
        sender.hang_up("Bye").await.unwrap();
        sender.close().await;
    };
    let ((), (sent, head, payload)) = tokio::join!(speaking, server);
    assert_eq!(
        sent,
        [
            r#"{"type":"user_text_message","text":"Hi","urgency":"soon","threadId":"UI"}"#,
            r#"{"type":"user_text_message","text":"","urgency":"immediate","threadId":"UI"}"#,
            r#"{"type":"client_tool_result","invocationId":"call_1","result":"sunny","responseType":"tool-response"}"#,
            r#"{"type":"client_tool_result","invocationId":"call_2","responseType":"tool-response","errorType":"implementation-error","errorMessage":"it broke"}"#,
            r#"{"type":"set_output_medium","medium":"text"}"#,
            r#"{"type":"ping","timestamp":1.5}"#,
            r#"{"type":"hang_up","message":"Bye"}"#,
        ]
    );
    assert_eq!((head, payload), (LAST | CLOSE, 1000_u16.to_be_bytes().to_vec()));
}

#[tokio::test]
async fn hanging_up_is_clean_and_says_all_that_was_said_before() {
    let (sender, mut events, server) = call(async |mut socket: TcpStream| {
        let audio = received(&mut socket).await;
        let goodbye = received(&mut socket).await;
        socket.write_all(&close(1000, "")).await.unwrap();
        (audio, goodbye)
    })
    .await;
    sender.audio(&[1, -2]).unwrap();
    sender.close().await;
    let (event, (audio, goodbye)) = tokio::join!(events.next(), server);
    assert_eq!(audio, (LAST | BINARY, vec![1, 0, 0xfe, 0xff]));
    assert_eq!(goodbye.0, LAST | CLOSE);
    assert_eq!(event, Some(Event::Closed(CloseReason::Ours)));
    assert_eq!(events.next().await, None);
    assert_eq!(sender.audio(&[0]), Err(AudioRefused::CallOver));
    assert!(sender.user_text("Still there?").await.is_err());
}

#[tokio::test]
async fn dropping_the_events_leaves_the_call_and_dropping_the_sender_does_not() {
    let (sender, events, server) = call(async |mut socket: TcpStream| {
        socket.write_all(&text(r#"{"type":"state","state":"idle"}"#)).await.unwrap();
        received(&mut socket).await.0
    })
    .await;
    drop(sender);
    let listening = async {
        let mut events = events;
        assert!(matches!(events.next().await, Some(Event::Message(ServerMessage::State(_)))));
    };
    let ((), head) = tokio::join!(listening, server);
    assert_eq!(head, LAST | CLOSE);
}

#[tokio::test]
async fn audio_for_a_server_that_does_not_read_is_lost_from_its_old_end() {
    let (sender, _events, server) = call(async |socket: TcpStream| socket).await;
    let mut unread = server.await;
    let frame_of = |place: i16| vec![place; 960];
    let mut last = 0;
    // Until half a second waits in the program, beside what the two ends of the connection hold.
    while sender.lost_frames() < 1_000 {
        last += 1;
        assert!(last < 30_000, "it takes everything");
        let outcome = sender.audio(&frame_of(last));
        assert!(matches!(outcome, Ok(()) | Err(AudioRefused::Behind)));
        tokio::task::yield_now().await;
    }
    sender.close().await;
    let mut places = Vec::new();
    loop {
        let (head, payload) = received(&mut unread).await;
        if head == LAST | CLOSE {
            break;
        }
        places.push(i16::from_le_bytes([payload[0], payload[1]]));
    }
    // All in order, with one hole, and the newest half a second behind it.
    assert!(places.is_sorted());
    let newest: Vec<i16> = (last - 24..=last).collect();
    assert_eq!(places[places.len() - 25..], newest[..]);
    let held = places.len() as i16;
    println!("{} of {last} frames of 20 ms at 48000 Hz were under way in the connection", held - 25);
    assert_eq!(u64::from(last.unsigned_abs()), u64::from(held.unsigned_abs()) + sender.lost_frames());
}

#[tokio::test]
async fn a_join_that_is_no_websocket_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/calls/secret", listener.local_addr().unwrap());
    let options = Options::default();
    let (joined, ()) = tokio::join!(connect(&url, &options), async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let error = joined.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { status: 410 }));
    assert_eq!(
        error.to_string(),
        "the server answered the join with HTTP status 410; the call is over; create another"
    );

    drop(listener);
    let error = connect(&url, &options).await.unwrap_err();
    assert!(error.to_string().starts_with("the call cannot be joined: "), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}
