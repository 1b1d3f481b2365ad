//! A WebSocket that says what it is told (feature `echo-route`): for tests that hold the stack to RFC 6455, which need a peer that
//! repeats. What it reads and sends goes the ways of a call's.

use super::frames::Received;
use super::handshake::Socket;
use super::line::Line;
use super::rfc6455::Opcode;

/// Repeats every message until the client closes, or breaks the protocol.
pub async fn echo(socket: Socket) {
    let mut line = Line::new(socket.stream, socket.limit);
    loop {
        let (opcode, payload) = match line.receive().await {
            Ok(Received::Binary(bytes)) => (Opcode::Binary, bytes),
            Ok(Received::Text(text)) => (Opcode::Text, text.into()),
            Err(end) => match end.answer() {
                Some(said) => (Opcode::Close, said),
                None => return,
            },
        };
        line.writer.put(opcode, &payload);
        if line.flush().await.is_err() || opcode == Opcode::Close {
            return;
        }
    }
}
