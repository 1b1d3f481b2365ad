//! Clients over pipes, in virtual time: slow ones, silent ones, and too many of them.

use axum::routing::{get, post};
use futures::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::transport::handshake::Handshake;

/// What a pipe holds, as little as an attacker's window.
const PIPE: usize = 4 << 10;
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
const UPGRADE: &[u8] =
    b"GET /socket HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Stand(Connections);

impl Stand {
    fn new(rules: config::Connections) -> Self {
        Self(Connections::new(rules, usize::MAX, Metrics::default()))
    }

    /// A client that the server has taken.
    async fn client(&self) -> DuplexStream {
        self.try_client().await.expect("there is room")
    }

    async fn try_client(&self) -> Option<DuplexStream> {
        self.client_behind(PIPE).await
    }

    /// A client whose pipe holds so many bytes.
    async fn client_behind(&self, pipe: usize) -> Option<DuplexStream> {
        let (near, far) = duplex(pipe);
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/large", get(async || vec![0_u8; 10 << 20]))
            .route("/slow", post(async || sleep(Duration::from_secs(3_600)).await))
            .route(
                "/socket",
                get(async |handshake: Handshake| {
                    handshake.accept(1 << 20, async |mut socket| {
                        let mut sink = tokio::io::sink();
                        let _ = tokio::io::copy(&mut socket.stream, &mut sink).await;
                    })
                }),
            );
        self.0.serve_stream(far, router).await?;
        Some(near)
    }
}

/// What is answered to one request, as far as one read brings it: small answers whole.
async fn ask(client: &mut DuplexStream, request: &[u8]) -> String {
    client.write_all(request).await.unwrap();
    let mut answer = vec![0; 2 * PIPE];
    let count = client.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// How long it takes until the server closes the connection, nothing being sent on it.
async fn until_closed(client: &mut DuplexStream) -> Duration {
    let since = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    since.elapsed()
}

fn about(seconds: u64) -> impl Fn(Duration) -> bool {
    move |took| took.as_millis().abs_diff(u128::from(seconds) * 1_000) < 50
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_closed() {
    let stand = Stand::new(config::Connections::default());
    let took = until_closed(&mut stand.client().await).await;
    assert!(about(10)(took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_and_never_ends_is_closed_all_the_same() {
    let stand = Stand::new(config::Connections::default());
    let mut client = stand.client().await;
    let since = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nX: ").await.unwrap();
    while client.write_all(b"x").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
        assert!(since.elapsed() < Duration::from_secs(60), "the server waits for ever");
    }
    let took = since.elapsed();
    assert!(took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_431() {
    let stand = Stand::new(config::Connections::default());
    let mut client = stand.client().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nX: ").await.unwrap();
    let mut sent = 0;
    while sent < 4 * HEAD_BYTES && client.write_all(&[b'x'; 1024]).await.is_ok() {
        sent += 1024;
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_request_but_not_for_ever() {
    let stand = Stand::new(config::Connections::default());
    let mut client = stand.client().await;
    for _ in 0..3 {
        assert!(ask(&mut client, GET).await.starts_with("HTTP/1.1 200 OK"));
        sleep(Duration::from_secs(60)).await;
    }
    assert!(ask(&mut client, GET).await.ends_with("hello"));
    let took = until_closed(&mut client).await;
    assert!(about(75)(took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_let_go() {
    let stand = Stand::new(config::Connections { maximum: 1, ..config::Connections::default() });
    let mut client = stand.client().await;
    client.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let since = Instant::now();
    // Its place is free when it is gone, without anything having been read.
    while stand.0.places.free() == 0 {
        sleep(Duration::from_millis(100)).await;
    }
    let took = since.elapsed();
    assert!(took > Duration::from_secs(29) && took < Duration::from_secs(32), "{took:?}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 1 << 20, "what did not fit into the pipe was not sent");
}

/// On a real socket: what is written to it goes into the client's system, as far as there is room, and into ours.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_keeps_little_for_a_client_that_takes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (_client, (server, _)) = (client.unwrap(), accepted.unwrap());
    prepare(&server).unwrap();
    server.writable().await.unwrap();
    let mut kept = 0;
    while let Ok(bytes) = server.try_write(&[0; 16 << 10]) {
        kept += bytes;
    }
    assert!(kept > 0 && kept < 1 << 20, "{kept} bytes are kept");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_slowly_gets_everything() {
    let stand = Stand::new(config::Connections::default());
    let mut client = stand.client().await;
    client.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut taken, mut piece) = (0, vec![0; 64 << 10]);
    loop {
        sleep(Duration::from_secs(20)).await;
        let Ok(count) = client.read(&mut piece).await else { break };
        if count == 0 {
            break;
        }
        taken += count;
    }
    assert!(taken > 10 << 20, "{taken}");
}

/// What of an answer has arrived and is taken without waiting.
fn arrived(client: &mut DuplexStream) -> usize {
    let (mut arrived, mut piece) = (0, vec![0; 64 << 10]);
    while let Some(Ok(count @ 1..)) = client.read(&mut piece).now_or_never() {
        arrived += count;
    }
    arrived
}

#[tokio::test(start_paused = true)]
async fn a_small_answer_overtakes_large_ones_that_were_asked_for_before_it() {
    let stand = Stand::new(config::Connections::default());
    let mut taking = Vec::new();
    for _ in 0..5 {
        // All of an answer fits, so that only the server decides when it goes.
        let mut client = stand.client_behind(11 << 20).await.unwrap();
        client.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
        taking.push(client);
    }
    let mut asking = stand.client().await;
    assert!(ask(&mut asking, GET).await.ends_with("hello"));
    let early: Vec<usize> = taking.iter_mut().map(arrived).collect();
    assert!(early.iter().all(|bytes| (1..8 * turns::PIECE).contains(bytes)), "{early:?}");
    for (client, early) in taking.iter_mut().zip(early) {
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(early + rest.len() > 10 << 20, "{}", rest.len());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_nothing_keeps_no_turn_from_others() {
    let stand = Stand::new(config::Connections::default());
    let mut taking_nothing = Vec::new();
    for _ in 0..5 {
        let mut client = stand.client().await;
        client.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        taking_nothing.push(client);
    }
    sleep(Duration::from_secs(1)).await;
    let mut taking = stand.client_behind(64 << 10).await.unwrap();
    taking.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await.unwrap();
    let since = Instant::now();
    let mut answer = Vec::new();
    taking.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > 10 << 20, "{}", answer.len());
    assert!(since.elapsed() < Duration::from_secs(1), "the others are let go after thirty seconds only");
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_longest_make_room_for_those_that_come() {
    let stand = Stand::new(config::Connections { maximum: 100, ..config::Connections::default() });
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(stand.client().await);
    }
    let mut asking = stand.client().await;
    assert!(ask(&mut asking, GET).await.starts_with("HTTP/1.1 200 OK"));
    let took = until_closed(&mut silent[0]).await;
    assert!(took < Duration::from_secs(1), "the first to come was the first to go: {took:?}");
    let took = until_closed(&mut silent[999]).await;
    assert!(took > Duration::from_secs(5), "the last to come was left alone: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_in_progress_and_sockets_are_not_sent_away() {
    let stand = Stand::new(config::Connections { maximum: 2, ..config::Connections::default() });
    let mut working = stand.client().await;
    working.write_all(b"POST /slow HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut socket = stand.client().await;
    let upgraded = ask(&mut socket, UPGRADE).await;
    assert!(upgraded.starts_with("HTTP/1.1 101 "), "{upgraded}");
    sleep(Duration::from_secs(600)).await;
    assert!(stand.try_client().await.is_none(), "both are at work");
    drop(socket);
    sleep(Duration::from_secs(1)).await;
    assert!(stand.try_client().await.is_some(), "a socket that ends leaves its place");
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_read_from_no_faster_than_a_call_could_need() {
    let stand = Stand::new(config::Connections::default());
    let mut socket = stand.client().await;
    let upgraded = ask(&mut socket, UPGRADE).await;
    assert!(upgraded.starts_with("HTTP/1.1 101 "), "{upgraded}");
    // Binary frames of 4 KiB, masked with zeros.
    let mut frame = vec![0x82, 0xfe, 0x10, 0x00, 0, 0, 0, 0];
    frame.resize(8 + 4_096, 0);
    let since = Instant::now();
    let mut sent = 0;
    while sent < 21 << 20 {
        socket.write_all(&frame).await.unwrap();
        sent += frame.len();
    }
    let took = since.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(11), "{took:?}");
    let since = Instant::now();
    for _ in 0..1_000 {
        // 4 KiB in 20 ms: twice the audio of the highest rate.
        socket.write_all(&frame).await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() < Duration::from_millis(22_000), "what is in time is not held back");
}

#[tokio::test(start_paused = true)]
async fn closing_ends_what_waits_and_lets_answers_be_sent() {
    let stand = Stand::new(config::Connections::default());
    let mut silent = stand.client().await;
    let mut kept = stand.client().await;
    assert!(ask(&mut kept, GET).await.starts_with("HTTP/1.1 200 OK"));
    let mut taking = stand.client().await;
    taking.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let closing = tokio::spawn({
        let connections = stand.0.clone();
        async move { connections.close().await }
    });
    for client in [&mut silent, &mut kept] {
        let took = until_closed(client).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    assert!(!closing.is_finished());
    let mut answer = Vec::new();
    taking.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > 10 << 20, "{}", answer.len());
    closing.await.unwrap();
}
