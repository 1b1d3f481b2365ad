//! The other end of a data connection: a WebSocket server that knows nothing but WebSocket and JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{MaybeTlsStream, accept_hdr_async};

use crate::caller::Caller;

/// Where data connections are waited for.
pub(crate) struct Participant {
    listener: TcpListener,
    /// How often somebody has dialled, as far as was looked.
    pub(crate) dialled: Arc<AtomicUsize>,
}

impl Participant {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, dialled: Arc::default() }
    }

    /// One whose machine keeps little of what it does not read.
    pub(crate) fn with_small_buffers() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { listener: socket.listen(8).unwrap(), dialled: Arc::default() }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/live?for=you", self.listener.local_addr().unwrap())
    }

    /// What a creation request says to have it dialled, with more fields.
    pub(crate) fn config(&self, fields: Value) -> Value {
        let mut config = json!({"websocketUrl": self.url()});
        extend(&mut config, fields);
        config
    }

    /// The next connection, and the request that it began with.
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    pub(crate) async fn accept_with_request(&self) -> (Caller, Request) {
        let mut request = None;
        let keep = |asked: &Request, answer: Response| {
            request = Some(asked.clone());
            Ok(answer)
        };
        let socket = accept_hdr_async(MaybeTlsStream::Plain(self.dialled().await), keep).await.unwrap();
        (Caller::on(socket), request.unwrap())
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> Caller {
        self.accept_with_request().await.0
    }

    /// Answers the next handshake with an error.
    pub(crate) async fn turn_away(&self) {
        let mut stream = self.dialled().await;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }

    async fn dialled(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.dialled.fetch_add(1, Ordering::Relaxed);
        stream
    }
}

/// Puts fields into an object.
pub(crate) fn extend(object: &mut Value, fields: Value) {
    let (Value::Object(object), Value::Object(fields)) = (object, fields) else { panic!("both are objects") };
    object.extend(fields);
}
