//! One short call, and the ways in which it ends.

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::Server;

type Socket = WebSocketStream<TcpStream>;

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The agent hangs up.
    Agent,
    /// The API hangs up.
    Api,
    /// The client closes its socket properly.
    Close,
    /// The client's socket is gone.
    Drop,
    /// Its time is over.
    Duration,
    /// The client sends no data messages, again and again.
    Malformed,
    /// The client asks for it.
    Message,
    /// Nobody joins.
    NoJoin,
    /// The client sends what is no frame.
    NoProtocol,
    /// A second client joins, and is refused; then the first one leaves.
    Second,
    /// The call is over before the client joins again.
    TooLate,
}

impl Ending {
    pub(crate) const ALL: [Self; 11] = [
        Self::Agent,
        Self::Api,
        Self::Close,
        Self::Drop,
        Self::Duration,
        Self::Malformed,
        Self::Message,
        Self::NoJoin,
        Self::NoProtocol,
        Self::Second,
        Self::TooLate,
    ];
}

/// Holds the call of this number.
pub(crate) async fn hold(server: &Server, nth: usize) {
    let ending = Ending::ALL[nth % Ending::ALL.len()];
    let duration = if ending == Ending::Duration { "1s" } else { "60s" };
    let call = server
        .request(
            Method::POST,
            "/api/calls",
            Some(json!({
                "systemPrompt": "You are here for a moment.",
                "medium": {"serverWebSocket": {"inputSampleRate": 16_000, "outputSampleRate": 16_000}},
                "firstSpeakerSettings": {"agent": {"text": "Hi."}},
                "selectedTools": [{"toolName": "hangUp"}],
                "maxDuration": duration,
                "joinTimeout": if ending == Ending::NoJoin { "1s" } else { "60s" },
            })),
        )
        .await;
    let (id, url) = (call["callId"].as_str().unwrap(), call["joinUrl"].as_str().unwrap());
    if ending == Ending::NoJoin {
        return;
    }
    let mut socket = join(url).await;
    for _ in 0..5 {
        say(&mut socket, Message::binary(vec![0; 640])).await;
    }
    // Until the agent is heard, so that there is something in progress.
    while let Some(Ok(message)) = socket.next().await {
        if message.is_binary() {
            break;
        }
    }
    match ending {
        Ending::NoJoin => {}
        Ending::Agent => {
            say(&mut socket, text(&json!({"type": "user_text_message", "text": "bye"}))).await;
        }
        Ending::Api => {
            let path = format!("/api/calls/{id}/send_data_message");
            server.request(Method::POST, &path, Some(json!({"type": "hang_up", "message": "Over."}))).await;
        }
        Ending::Close | Ending::TooLate => drop(socket.close(None).await),
        Ending::Drop => return,
        // Until then the client only listens.
        Ending::Duration => {}
        Ending::Malformed => {
            for _ in 0..60 {
                say(&mut socket, Message::text("{")).await;
            }
        }
        Ending::Message => say(&mut socket, text(&json!({"type": "hang_up"}))).await,
        Ending::NoProtocol => drop(socket.get_mut().write_all(&[0xff; 64]).await),
        Ending::Second => {
            until_closed(join(url).await).await;
            return;
        }
    }
    until_closed(socket).await;
    if ending == Ending::TooLate {
        until_closed(join(url).await).await;
    }
}

async fn join(url: &str) -> Socket {
    let host = url.split('/').nth(2).unwrap();
    let stream = TcpStream::connect(host).await.unwrap();
    client_async(url, stream).await.expect("whoever knows a call's URL is let in, or told why not").0
}

fn text(message: &serde_json::Value) -> Message {
    Message::text(message.to_string())
}

/// Sends what the server may not want any more.
async fn say(socket: &mut Socket, message: Message) {
    let _ = socket.send(message).await;
}

async fn until_closed(mut socket: Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}
