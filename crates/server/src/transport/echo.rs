//! A WebSocket that says what it is told (feature `echo-route`): for tests that hold the stack to RFC 6455, which need a peer that
//! repeats. What it reads and sends goes the ways of a call's.

use super::frames::{Frames, Received};
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
        let (opcode, payload) = tokio::select! {
            biased;
            payload = pong.next() => (Opcode::Pong, payload),
            next = frames.next() => match next {
                Ok(Received::Binary(bytes)) => (Opcode::Binary, bytes),
                Ok(Received::Text(text)) => (Opcode::Text, text.into()),
                Err(end) => match end.answer() {
                    Some(said) => (Opcode::Close, said),
                    None => return,
                },
            },
        };
        writer.put(opcode, &payload);
        if writer.flush().await.is_err() || opcode == Opcode::Close {
            return;
        }
    }
}
