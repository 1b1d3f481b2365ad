//! A whole turn as a stream of its own: its audio goes out as fast as it is taken, then the end of the stream; finished pieces come
//! back while it does.

use std::sync::Arc;

use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use super::messages::{Found, Told, read};
use super::{CLOSE_STREAM, DeepgramTranscriber, Socket, audio};
use crate::http::HttpFailure;

/// Samples of one message: a quarter of a second.
const FRAME: usize = 4_000;
/// Characters of a turn's words; more are none.
const LONGEST: usize = 256 * 1024;

/// Sends the turn and takes what comes back, at the same time: neither side waits for the other.
pub(super) async fn transcribe(
    transcriber: &DeepgramTranscriber,
    socket: Socket,
    samples: &[i16],
) -> Result<Arc<str>, HttpFailure> {
    let (mut to, mut from) = socket.split();
    let sending = async {
        for frame in samples.chunks(FRAME) {
            to.feed(audio(frame)).await?;
        }
        to.send(Message::text(CLOSE_STREAM)).await
    };
    let receiving = async {
        let mut words = String::new();
        let failed = |why: &str| Err(HttpFailure::Connection(why.to_owned()));
        while let Some(message) = from.next().await {
            let Some(text) = transcriber.text(message).map_err(HttpFailure::Connection)? else { continue };
            match read(&text) {
                // Interim pieces are not asked for; should they come, the finished one comes behind them.
                Told::Found(Found { words: piece, is_final: true, .. }) if !piece.is_empty() => {
                    if !words.is_empty() {
                        words.push(' ');
                    }
                    words.push_str(&piece);
                    if words.len() > LONGEST {
                        return failed("answered more than a transcript");
                    }
                }
                Told::Found(_) | Told::Nothing => {}
                Told::Over => return Ok(words.into()),
                Told::Failed(why) => return failed(&transcriber.endpoint.shortened(why.as_bytes())),
            }
        }
        failed("ended its answer in the middle")
    };
    let (sending, receiving) = (std::pin::pin!(sending), std::pin::pin!(receiving));
    // A send that fails is no answer yet: why it failed may be under way.
    let sending = sending.then(|_| std::future::pending::<()>());
    tokio::select! {
        words = receiving => words,
        () = sending => unreachable!("it is pending for ever"),
    }
}
