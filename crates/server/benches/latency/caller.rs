//! A user who speaks in time: sends a frame every 20 ms, as a microphone does, and waits for the answer.

use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// About as long as a turn takes with its answer.
pub(crate) const CYCLE: Duration = Duration::from_millis(1_200);
const FRAME: Duration = Duration::from_millis(20);
/// Samples of a frame at 16 kHz.
const SAMPLES: usize = 320;
/// Frames of one turn's speech, and of the silence between an answer and the next turn.
const SPEECH: usize = 20;
const REST: usize = 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) struct Caller {
    to: SplitSink<Socket, Message>,
    from: SplitStream<Socket>,
}

/// Where a turn is.
enum Part {
    Resting {
        left: usize,
    },
    Speaking {
        left: usize,
    },
    /// The last loud frame was sent then.
    Waiting {
        since: Instant,
    },
    /// The answer is heard.
    Listening,
}

impl Caller {
    pub(crate) async fn join(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.unwrap();
        let (to, from) = socket.split();
        Self { to, from }
    }

    /// Has so many turns, and says how long each answer was waited for since the last sample of speech.
    pub(crate) async fn talk(mut self, begin: Instant, turns: usize) -> Vec<Duration> {
        let tone: Vec<u8> = (0..SAMPLES)
            .flat_map(|nth| (if nth % 40 < 20 { 8_000_i16 } else { -8_000 }).to_le_bytes())
            .collect();
        let (speech, silence) = (bytes::Bytes::from(tone), bytes::Bytes::from(vec![0; SAMPLES * 2]));
        let mut waits = Vec::with_capacity(turns);
        let mut part = Part::Resting { left: REST };
        let mut due = begin;
        while waits.len() < turns || !matches!(part, Part::Resting { .. }) {
            tokio::select! {
                biased;
                () = sleep_until(due) => {
                    due += FRAME;
                    let (loud, next) = match part {
                        Part::Resting { left: 0 } => (true, Part::Speaking { left: SPEECH - 2 }),
                        Part::Resting { left } => (false, Part::Resting { left: left - 1 }),
                        Part::Speaking { left: 0 } => (true, Part::Waiting { since: Instant::now() }),
                        Part::Speaking { left } => (true, Part::Speaking { left: left - 1 }),
                        Part::Waiting { .. } | Part::Listening => (false, part),
                    };
                    part = next;
                    let frame = if loud { speech.clone() } else { silence.clone() };
                    self.to.send(Message::Binary(frame)).await.unwrap();
                }
                message = self.from.next() => {
                    let message = message.expect("the call goes on").unwrap();
                    part = match (part, message) {
                        (Part::Waiting { since }, Message::Binary(_)) => {
                            waits.push(since.elapsed());
                            Part::Listening
                        }
                        (Part::Listening, Message::Text(text)) if text.contains("\"listening\"") => {
                            Part::Resting { left: REST }
                        }
                        (_, Message::Close(_)) => panic!("the server closed"),
                        (part, _) => part,
                    };
                }
            }
        }
        let _ = self.to.close().await;
        waits
    }
}
