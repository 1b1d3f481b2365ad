//! A WebSocket that says what it is told (feature `echo-route`): for tests that hold the stack to RFC 6455, which need a peer that
//! repeats. What it reads and sends goes the ways of a call's.

use super::frames::{End, Frames, Received};
use super::handshake::Socket;
use super::rfc6455::Opcode;
use super::writer::{Pong, Writer};
use crate::pulse::Pulse;

/// Repeats every message until the client closes, or breaks the protocol.
pub async fn echo(socket: Socket) {
    let Socket { stream, limit } = socket;
    let (reader, writer) = tokio::io::split(stream);
    let (pulse, pong) = (Pulse::new(), Pong::default());
    let (mut frames, mut writer) = (Frames::new(reader, limit, &pulse, &pong), Writer::new(writer));
    loop {
        let ended = tokio::select! {
            biased;
            payload = pong.next() => {
                writer.put(Opcode::Pong, &payload);
                false
            }
            next = frames.next() => match next {
                Ok(Received::Binary(bytes)) => {
                    writer.put(Opcode::Binary, &bytes);
                    false
                }
                Ok(Received::Text(text)) => {
                    writer.put(Opcode::Text, text.as_bytes());
                    false
                }
                Err(End::Goodbye(said)) => {
                    writer.put(Opcode::Close, &said);
                    true
                }
                Err(End::Violated(code)) => {
                    writer.put_close(code);
                    true
                }
                Err(End::Lost) => return,
            },
        };
        if writer.flush().await.is_err() || ended {
            return;
        }
    }
}
