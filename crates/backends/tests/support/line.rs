//! A line between a client and a server on which bytes come in pieces, or not at all. What the client sends is not touched.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the line does to what the server says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Flaw {
    /// Cuts it behind every byte that follows the head of the answer: a head in many parts is refused by the library, as an attack.
    CutEverywhere,
    /// Cuts it once, behind so many bytes.
    CutAt(usize),
    /// Breaks behind so many bytes.
    BreaksAt(usize),
}

pub(crate) struct Line {
    pub(crate) base: String,
    /// How many bytes the server said on each connection that is over.
    said: mpsc::UnboundedReceiver<usize>,
}

impl Line {
    /// A line to the server at this base; each connection has the next of these flaws.
    pub(crate) async fn to(base: &str, flaws: Vec<Flaw>) -> Self {
        let (host, path) = base.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let host = host.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/{path}", listener.local_addr().unwrap());
        let (say, said) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for flaw in flaws {
                let Ok((client, _)) = listener.accept().await else { return };
                let server = TcpStream::connect(&host).await.unwrap();
                tokio::spawn(carry(client, server, flaw, say.clone()));
            }
        });
        Self { base, said }
    }

    /// How many bytes the server said on the next connection that is over.
    pub(crate) async fn said(&mut self) -> usize {
        self.said.recv().await.expect("a connection")
    }
}

async fn carry(client: TcpStream, server: TcpStream, flaw: Flaw, say: mpsc::UnboundedSender<usize>) {
    client.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = copy(&mut from_client, &mut to_server).await;
    });
    let (mut bytes, mut said) = ([0; 16 * 1024], 0);
    while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
        let mut rest = &bytes[..read];
        let broken = match flaw {
            Flaw::BreaksAt(at) if said + rest.len() >= at => {
                rest = &rest[..at - said];
                true
            }
            Flaw::BreaksAt(_) | Flaw::CutAt(_) | Flaw::CutEverywhere => false,
        };
        let head = rest.windows(4).position(|four| four == b"\r\n\r\n").filter(|_| said == 0);
        let first = match flaw {
            Flaw::CutEverywhere => head.map_or(1, |end| end + 4),
            Flaw::CutAt(at) if (said + 1..said + rest.len()).contains(&at) => at - said,
            Flaw::CutAt(_) | Flaw::BreaksAt(_) => rest.len().max(1),
        };
        said += rest.len();
        let (one, other) = rest.split_at(first.min(rest.len()));
        let pieces = std::iter::once(one).chain(other.chunks(if matches!(flaw, Flaw::CutEverywhere) {
            1
        } else {
            usize::MAX
        }));
        for piece in pieces {
            // The client may have left.
            if to_client.write_all(piece).await.is_err() {
                break;
            }
            // Lets the other side read what there is before more comes.
            tokio::task::yield_now().await;
        }
        if broken {
            break;
        }
    }
    up.abort();
    drop((to_client, from_server));
    let _ = say.send(said);
}
