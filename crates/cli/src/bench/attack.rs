//! Clients that mean harm, each in its own way, as many as a machine can make. They are a process of their own at the lowest
//! priority, so that it is the server that ordinary callers wait for and not these.
//!
//! Knows no server but by its wire; those that join calls need the key, since nobody joins a call that he does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_api::json::from_request;
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, StartCallRequest};
use antiphon_client::rest::Client;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// Between two attempts of one attacker.
const AGAIN: Duration = Duration::from_millis(50);
/// How often those that are slow send something.
const TRICKLE: Duration = Duration::from_secs(1);
/// Connections that are opened in a second: more and the backlog of the listener is what is measured.
const OPENING_A_SECOND: u32 = 2_000;

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Attack {
    /// Connects and says nothing.
    Idle,
    /// Sends the head of a request, a byte a second, and never ends it.
    Handshakes,
    /// Sends a body, a byte a second.
    Bodies,
    /// Asks for large answers and takes none.
    SlowReaders,
    /// Joins calls that do not exist, one after another.
    Strangers,
    /// Joins a call and neither takes nor says anything more, like a socket whose other end is gone.
    HalfOpen,
    /// Joins a call and sends pings.
    Pings,
    /// Joins a call and sends audio as fast as it is taken.
    Audio,
    /// Joins a call and sends fragments of nothing.
    Fragments,
    /// Joins a call and sends frames that are larger than may be, and the largest that may be.
    Giants,
}

impl Attack {
    pub(super) const ALL: [Self; 10] = [
        Self::Idle,
        Self::Handshakes,
        Self::Bodies,
        Self::SlowReaders,
        Self::Strangers,
        Self::HalfOpen,
        Self::Pings,
        Self::Audio,
        Self::Fragments,
        Self::Giants,
    ];

    /// How many attackers there are.
    pub(super) fn attackers(self) -> u32 {
        match self {
            Self::Idle => 10_000,
            Self::Handshakes => 2_000,
            Self::Bodies | Self::SlowReaders => 500,
            Self::HalfOpen | Self::Strangers => 50,
            Self::Audio | Self::Fragments | Self::Giants | Self::Pings => 20,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle connections",
            Self::Handshakes => "heads that never end",
            Self::Bodies => "bodies that trickle",
            Self::SlowReaders => "answers that nobody takes",
            Self::Strangers => "joins of unknown calls",
            Self::HalfOpen => "calls joined, half open",
            Self::Pings => "floods of pings",
            Self::Audio => "floods of audio",
            Self::Fragments => "floods of empty fragments",
            Self::Giants => "giant frames",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    attack: Attack,
    #[arg(long)]
    url: String,
    #[arg(long)]
    seconds: u64,
}

/// What became of the attackers.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// Connections that were made.
    pub(super) connected: u64,
    /// Those that the server ended, or did not take.
    pub(super) ended: u64,
}

#[derive(Default)]
struct Counts {
    connected: AtomicU64,
    ended: AtomicU64,
}

/// Attacks for so long, and says what became of it on the standard output.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    rustix::process::nice(19).context("cannot lower the priority")?;
    let attacker = Attacker {
        attack: args.attack,
        host: args.url.split("://").nth(1).context("the URL has no host")?.trim_end_matches('/').into(),
        client: Arc::new(
            Client::builder().url(&args.url).environment(|name| std::env::var(name).ok()).build()?,
        ),
        until: Instant::now() + Duration::from_secs(args.seconds),
        counts: Arc::default(),
    };
    let mut attackers = JoinSet::new();
    let began = Instant::now();
    for nth in 0..args.attack.attackers() {
        let attacker = attacker.clone();
        let begins = began + Duration::from_secs(1) / OPENING_A_SECOND * nth;
        attackers.spawn(async move {
            sleep_until(begins).await;
            attacker.attack().await;
        });
    }
    while attackers.join_next().await.is_some() {}
    let outcome = Outcome {
        connected: attacker.counts.connected.load(Ordering::Relaxed),
        ended: attacker.counts.ended.load(Ordering::Relaxed),
    };
    println_outcome(outcome)
}

fn println_outcome(outcome: Outcome) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome)?)?)
}

#[derive(Clone)]
struct Attacker {
    attack: Attack,
    host: Arc<str>,
    client: Arc<Client>,
    until: Instant,
    counts: Arc<Counts>,
}

impl Attacker {
    /// One connection after another.
    async fn attack(&self) {
        while Instant::now() < self.until {
            // Whatever ends a connection ends this attempt.
            let attempt = timeout_at(self.until, self.attempt()).await;
            if attempt.is_ok() {
                self.counts.ended.fetch_add(1, Ordering::Relaxed);
                sleep(AGAIN).await;
            }
        }
    }

    async fn attempt(&self) -> anyhow::Result<()> {
        match self.attack {
            Attack::Idle => {
                let mut stream = self.connect().await?;
                stream.read_u8().await?;
            }
            Attack::Handshakes => {
                let mut stream = self.connect().await?;
                stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nX: ").await?;
                trickle(&mut stream).await?;
            }
            Attack::Bodies => {
                let mut stream = self.connect().await?;
                let key = std::env::var("ANTIPHON_API_KEY").unwrap_or_default();
                let head = format!(
                    "POST /api/calls HTTP/1.1\r\nHost: here\r\nX-API-Key: {key}\r\nContent-Length: 100000\r\n\r\n{{"
                );
                stream.write_all(head.as_bytes()).await?;
                trickle(&mut stream).await?;
            }
            Attack::SlowReaders => {
                let mut stream = self.connect().await?;
                loop {
                    stream.write_all(b"GET /api/schema/ HTTP/1.1\r\nHost: here\r\n\r\n").await?;
                    sleep(TRICKLE).await;
                }
            }
            Attack::Strangers => {
                let path = "/calls/00000000-0000-4000-8000-000000000000/server_web_socket";
                let mut stream = self.upgraded(path).await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
            }
            Attack::HalfOpen => {
                let _stream = self.joined().await?;
                sleep_until(self.until).await;
            }
            Attack::Pings => flood(self.joined().await?, &[0x89, 0x80, 0, 0, 0, 0].repeat(1_000)).await?,
            Attack::Audio => {
                let mut frame = vec![0x82, 0xfe, 0x02, 0x80, 0, 0, 0, 0];
                frame.resize(8 + 640, 1);
                flood(self.joined().await?, &frame.repeat(20)).await?;
            }
            Attack::Fragments => {
                let mut stream = self.joined().await?;
                stream.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await?;
                flood(stream, &[0x00, 0x80, 0, 0, 0, 0].repeat(1_000)).await?;
            }
            Attack::Giants => {
                let mut stream = self.joined().await?;
                let mut largest = vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0];
                largest.resize(14 + (1 << 20), 1);
                for _ in 0..4 {
                    stream.write_all(&largest).await?;
                }
                stream.write_all(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await?;
                flood(stream, &[0; 65_536]).await?;
            }
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(&*self.host).await?;
        self.counts.connected.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    async fn upgraded(&self, path: &str) -> anyhow::Result<TcpStream> {
        let mut stream = self.connect().await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        // The head of the answer begins; what it says does not matter here.
        stream.read_u8().await?;
        Ok(stream)
    }

    /// A connection that has joined a call of its own. Only where nobody listens the agent speaks, since speech is no attack.
    async fn joined(&self) -> anyhow::Result<TcpStream> {
        let first = match self.attack {
            Attack::HalfOpen => {
                json!({"agent": {"text": "I speak for a long time, and nobody listens. ".repeat(20)}})
            }
            Attack::Audio
            | Attack::Bodies
            | Attack::Fragments
            | Attack::Giants
            | Attack::Handshakes
            | Attack::Idle
            | Attack::Pings
            | Attack::SlowReaders
            | Attack::Strangers => json!({"user": {}}),
        };
        let body = json!({
            "firstSpeakerSettings": first,
            "medium": {"serverWebSocket": {"inputSampleRate": 16_000, "clientBufferSizeMs": 30_000}},
        });
        let request: StartCallRequest = from_request(body.to_string().as_bytes())?.value;
        let call = self.client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
        let url = call.join_url.context("a call has a URL")?;
        let path = url.splitn(4, '/').nth(3).context("the URL has a path")?;
        self.upgraded(&format!("/{path}")).await
    }
}

/// A byte now and then, until nobody takes it.
async fn trickle(stream: &mut TcpStream) -> anyhow::Result<()> {
    loop {
        stream.write_all(b"x").await?;
        sleep(TRICKLE).await;
    }
}

/// The same again and again, as fast as it is taken, and nothing is read but to be forgotten.
async fn flood(stream: TcpStream, bytes: &[u8]) -> anyhow::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let mut forgotten = vec![0; 16 << 10];
    let reading = async {
        while reader.read(&mut forgotten).await? > 0 {}
        anyhow::Ok(())
    };
    let writing = async {
        loop {
            writer.write_all(bytes).await?;
        }
    };
    tokio::select! {
        read = reading => read,
        written = writing => written,
    }
}
