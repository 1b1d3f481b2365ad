//! The way to a WebSocket: what is accepted, and that no extension is (Autobahn 12 and 13 try compression).

use tokio::io::AsyncWriteExt as _;

use crate::peer::{Server, UPGRADE, ask};

#[tokio::test]
async fn a_handshake_is_accepted_with_the_key_that_proves_it_and_without_extensions() {
    let server = Server::start().await;
    // The example of RFC 6455 1.3.
    let answer = ask(&mut server.connect().await, UPGRADE).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer}");
    let offering = UPGRADE.replace(
        "\r\n\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
    );
    let answer = ask(&mut server.connect().await, &offering).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(
        !answer.contains("sec-websocket-extensions") && !answer.contains("sec-websocket-protocol"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let server = Server::start().await;
    for (change, to, status) in [
        ("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 8\r\n", "400"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400"),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "400"),
        ("GET", "POST", "405"),
    ] {
        let request = UPGRADE.replace(change, to);
        let answer = ask(&mut server.connect().await, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{change:?} to {to:?}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn frames_may_come_with_the_handshake_and_the_handshake_byte_by_byte() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let hello = crate::peer::text("Hello").bytes();
    for byte in [UPGRADE.as_bytes(), &hello].concat() {
        stream.write_all(&[byte]).await.unwrap();
    }
    let answer = ask(&mut stream, "").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let mut echo = [0; 7];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut echo).await.unwrap();
    assert_eq!(&echo, b"\x81\x05Hello");
    server.stop().await;
}
