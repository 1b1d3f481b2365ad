//! A client without a socket: it holds the carrier's end of a leg.

use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use antiphon_server::call::leg::{CarrierEnd, CloseCode, Departure, FromClient, Outgoing, ToClient};
use antiphon_server::call::{Join, Received};
use bytes::Bytes;
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

/// The frames in which clients send audio.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// One thing from the call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Audio(Bytes),
    Closed(CloseCode),
    Message(Value),
}

pub(crate) struct Client {
    to_call: mpsc::Sender<FromClient>,
    from_call: Outgoing,
    closed: Option<oneshot::Sender<Departure>>,
    /// How far the call has come, as far as this client has seen.
    received: Received,
}

impl Client {
    pub(crate) fn new(end: CarrierEnd) -> Self {
        let CarrierEnd { from_client, closed, to_client, .. } = end;
        let received = Received { messages: 0, samples: Some(0) };
        Self { to_call: from_client, from_call: to_client, closed: Some(closed), received }
    }

    /// Goes on over another connection.
    pub(crate) fn go_on(&mut self, end: CarrierEnd) {
        *self = Self { received: self.received, ..Self::new(end) };
    }

    /// How it comes back.
    pub(crate) fn rejoins(&self) -> Join {
        Join { rejoin: Some(self.received), ..Join::default() }
    }

    /// Ends the connection like this; what was on the way is lost.
    pub(crate) async fn leave(&mut self, how: Departure) {
        self.closed.take().unwrap().send(how).unwrap();
        let (to_call, _) = mpsc::channel(1);
        self.to_call = to_call;
        settle().await;
    }

    /// Counts what a client counts that would come back.
    fn count(&mut self, seen: Seen) -> Seen {
        match &seen {
            Seen::Audio(audio) => {
                self.received.samples = self.received.samples.map(|count| count + audio.len() as u64 / 2)
            }
            Seen::Closed(_) => {}
            Seen::Message(message) if message["type"] == "rejoined" => {
                self.received.messages = message["nextMessage"].as_u64().unwrap() - 1;
            }
            Seen::Message(message) => {
                self.received.messages += 1;
                if message["type"] == "playback_clear_buffer" {
                    self.received.samples = Some(0);
                }
            }
        }
        seen
    }

    pub(crate) async fn write(&self, text: &str) {
        self.say(&json!({"type": "user_text_message", "text": text})).await;
    }

    pub(crate) async fn say(&self, message: &Value) {
        let message = ClientMessage::parse(&message.to_string()).unwrap().value;
        self.to_call.send(FromClient::Message(Box::new(message))).await.unwrap();
    }

    /// Sends 16 kHz audio in frames, as it would come from a microphone.
    pub(crate) async fn speak(&self, samples: &[i16]) {
        for frame in samples.chunks(320) {
            self.send(frame).await;
            tokio::time::sleep(FRAME).await;
        }
    }

    /// Sends 16 kHz audio as one frame.
    pub(crate) async fn send(&self, samples: &[i16]) {
        self.send_bytes(bytes(samples)).await;
    }

    pub(crate) async fn send_bytes(&self, bytes: Bytes) {
        self.to_call.send(FromClient::Audio(bytes)).await.unwrap();
    }

    /// Everything that the call has sent so far.
    pub(crate) fn take_all(&mut self) -> Vec<Seen> {
        // Unconstrained, since the runtime would have this task pause after some hundred of them.
        let mut take = || tokio::task::unconstrained(self.from_call.next()).now_or_never().flatten();
        let all: Vec<Seen> = std::iter::from_fn(|| take().map(|next| seen(Some(next)))).collect();
        all.into_iter().map(|seen| self.count(seen)).collect()
    }

    /// How many bytes of audio the call has sent since something was last taken. What else it sent is lost.
    pub(crate) fn take_audio(&mut self) -> usize {
        let mut take = || tokio::task::unconstrained(self.from_call.next()).now_or_never().flatten();
        let bytes = |sent| if let ToClient::Audio(audio) = sent { audio.len() } else { 0 };
        std::iter::from_fn(|| take().map(bytes)).sum()
    }

    /// Waits for the next thing.
    pub(crate) async fn next(&mut self) -> Seen {
        let next = seen(self.from_call.next().await);
        self.count(next)
    }

    /// Waits for a message that matches, and gives it.
    pub(crate) async fn until(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next().await {
                Seen::Message(message) if matches(&message) => return message,
                Seen::Message(_) | Seen::Audio(_) => {}
                Seen::Closed(code) => panic!("closed with {code:?} before {what}"),
            }
        }
    }

    pub(crate) async fn until_state(&mut self, state: &str) {
        self.until(state, |message| message["type"] == "state" && message["state"] == state).await;
    }

    pub(crate) async fn until_final(&mut self, role: &str) -> String {
        let last = self
            .until(&format!("final {role} transcript"), |message| {
                message["type"] == "transcript" && message["role"] == role && message["final"] == true
            })
            .await;
        last["text"].as_str().unwrap().to_owned()
    }

    /// Waits for the call to close the leg.
    pub(crate) async fn until_closed(&mut self) -> CloseCode {
        loop {
            if let Seen::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    pub(crate) fn hang_up(self) {
        self.closed.unwrap().send(Departure::HungUp).unwrap();
    }
}

/// A call that let go of the leg without a word has failed; carriers then close with the code of that.
fn seen(next: Option<ToClient>) -> Seen {
    match next {
        Some(ToClient::Audio(audio)) => Seen::Audio(audio),
        Some(ToClient::Message(message)) => Seen::Message(serde_json::from_str(&message.to_text()).unwrap()),
        Some(ToClient::Again(text)) => Seen::Message(serde_json::from_str(&text).unwrap()),
        Some(ToClient::Close(code)) => Seen::Closed(code),
        None => Seen::Closed(CloseCode::Internal),
    }
}

/// Lets every task do what it can do without time going on.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Samples as they are sent.
pub(crate) fn bytes(samples: &[i16]) -> Bytes {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A loud tone of 16 kHz, which counts as speech.
pub(crate) fn tone(length: Duration) -> Vec<i16> {
    (0..length.as_millis() * 16).map(|n| if n % 16 < 8 { 8_000 } else { -8_000 }).collect()
}

pub(crate) fn silence(length: Duration) -> Vec<i16> {
    (0..length.as_millis() * 16).map(|_| 0).collect()
}
