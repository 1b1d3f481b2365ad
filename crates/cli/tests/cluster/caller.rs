//! Somebody who joins a call at a node of their choice, writes, and listens.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::node::Node;

/// How long the agent, or the end of a connection, is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Caller {
    pub(crate) call: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

async fn connect(node: &Node, call: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    connect_async(url(node, call)).await.unwrap().0
}

fn url(node: &Node, call: &str) -> String {
    format!("ws://{}/calls/{call}/server_web_socket", node.address)
}

impl Caller {
    /// Joins, and waits until the call has begun.
    pub(crate) async fn join(node: &Node, call: &str) -> Self {
        let mut caller = Self { call: call.to_owned(), socket: connect(node, call).await };
        caller.until("call_started", |message| message["type"] == "call_started").await;
        caller
    }

    /// The same as a client that would come back if it lost its connection.
    pub(crate) async fn join_to_return(node: &Node, call: &str) -> Self {
        let socket = connect_async(format!("{}?rejoin=0", url(node, call))).await.unwrap().0;
        let mut caller = Self { call: call.to_owned(), socket };
        caller.until("a window", |message| message["rejoinWindow"] == "60s").await;
        caller
    }

    /// Loses the connection.
    pub(crate) fn drop_connection(self) {}

    /// Comes back after one message; or else the status of the answer, and when to try again.
    pub(crate) async fn return_to(node: &Node, call: &str) -> Result<Self, (u16, String)> {
        match connect_async(format!("{}?rejoin=1", url(node, call))).await {
            Ok((socket, _)) => {
                let mut caller = Self { call: call.to_owned(), socket };
                caller.until("rejoined", |message| message["type"] == "rejoined").await;
                Ok(caller)
            }
            Err(Error::Http(answer)) => {
                let later = answer.headers()["retry-after"].to_str().unwrap().to_owned();
                Err((answer.status().as_u16(), later))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The code that a join is closed with that does not work.
    pub(crate) async fn refusal(node: &Node, call: &str) -> u16 {
        let mut socket = connect(node, call).await;
        loop {
            match timeout(PATIENCE, socket.next()).await.expect("a close") {
                Some(Ok(Message::Close(frame))) => return frame.unwrap().code.into(),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let message = json!({"type": "user_text_message", "text": text, "urgency": "immediate"});
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Waits until somebody's words are final.
    pub(crate) async fn until_final(&mut self, role: &str) {
        self.until("a final transcript", |message| {
            message["type"] == "transcript" && message["role"] == role && message["final"] == true
        })
        .await;
    }

    /// Closes the connection, and waits until that is done.
    pub(crate) async fn hang_up(&mut self) {
        self.socket.close(None).await.unwrap();
        let closed = async { while self.socket.next().await.is_some_and(|next| next.is_ok()) {} };
        timeout(PATIENCE, closed).await.expect("a close");
    }

    async fn until(&mut self, what: &str, matches: impl Fn(&Value) -> bool) {
        let wait = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) if matches(&serde_json::from_str(&text).unwrap()) => return,
                    Some(Ok(Message::Close(frame))) => panic!("closed before {what}: {frame:?}"),
                    Some(Ok(_)) => {}
                    other => panic!("{other:?} before {what}"),
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("there was no {what}"));
    }
}
