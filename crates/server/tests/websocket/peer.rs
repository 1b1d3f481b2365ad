//! A client made of bytes: frames that may be wrong in any way, sent in pieces of any size, and all that comes back.

use std::path::PathBuf;
use std::time::Duration;

use antiphon_server::app::{App, Running};
use antiphon_server::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Real time, since a server is behind the pipe: as long as a slow machine may take for the largest case.
const PATIENCE: Duration = Duration::from_secs(60);
const PIPE: usize = 64 << 10;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as it is on the wire.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) last: bool,
    /// RSV1 to RSV3 as the number 0 to 7.
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { last, opcode, payload, .. } = self;
        let start = String::from_utf8_lossy(&payload[..payload.len().min(24)]);
        write!(f, "{opcode}{} {} bytes {start:?}", if *last { "" } else { "…" }, payload.len())
    }
}

/// A whole message, or a control frame.
pub(crate) fn frame(opcode: u8, payload: impl Into<Vec<u8>>) -> Frame {
    Frame { last: true, reserved: 0, opcode, payload: payload.into() }
}

pub(crate) fn text(payload: impl Into<Vec<u8>>) -> Frame {
    frame(TEXT, payload)
}

pub(crate) fn close(code: u16, reason: &str) -> Frame {
    frame(CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// A message in these pieces.
pub(crate) fn fragments<P: AsRef<[u8]>>(opcode: u8, pieces: impl IntoIterator<Item = P>) -> Vec<Frame> {
    let mut frames: Vec<Frame> =
        pieces.into_iter().map(|piece| frame(CONTINUATION, piece.as_ref())).collect();
    let count = frames.len();
    for (nth, frame) in frames.iter_mut().enumerate() {
        frame.last = nth + 1 == count;
    }
    frames[0].opcode = opcode;
    frames
}

impl Frame {
    pub(crate) fn unfinished(mut self) -> Self {
        self.last = false;
        self
    }

    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    /// As a client sends it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.last) << 7 | self.reserved << 4 | self.opcode];
        match self.payload.len() {
            short @ ..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            medium @ ..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close frame of this code.
    Code(u16),
    /// With a close frame without a code.
    NoCode,
    /// Without a word.
    Dropped,
}

/// A case: what is sent, in pieces of how many bytes, and what has to come back.
pub(crate) struct Case {
    name: String,
    sent: Vec<u8>,
    pieces: usize,
    /// Whether the client stops sending without a word.
    half_closes: bool,
    echoed: Vec<Frame>,
    end: End,
}

/// Everything at once.
pub(crate) const WHOLE: usize = usize::MAX;

impl Case {
    /// What is sent has to be repeated, and then a close of 1000, which is added here, has to be answered.
    pub(crate) fn echoes(name: impl Into<String>, sent: &[Frame], echoed: Vec<Frame>) -> Self {
        let sent = [sent, &[close(1000, "")]].concat();
        Self::ends(name, &sent, echoed, End::Code(1000))
    }

    /// After what is sent, the server has to end the connection so.
    pub(crate) fn ends(name: impl Into<String>, sent: &[Frame], echoed: Vec<Frame>, end: End) -> Self {
        let sent = sent.iter().flat_map(Frame::bytes).collect();
        Self { name: name.into(), sent, pieces: WHOLE, half_closes: false, echoed, end }
    }

    /// The same of bytes that are no frames.
    pub(crate) fn bytes(name: impl Into<String>, sent: Vec<u8>, echoed: Vec<Frame>, end: End) -> Self {
        Self { name: name.into(), sent, pieces: WHOLE, half_closes: false, echoed, end }
    }

    pub(crate) fn in_pieces_of(mut self, bytes: usize) -> Self {
        self.pieces = bytes;
        self
    }

    pub(crate) fn and_half_closes(mut self) -> Self {
        self.half_closes = true;
        self
    }

    /// The same case octet by octet, in pieces of 7 and of 997 bytes, and at once.
    pub(crate) fn in_all_pieces(self) -> Vec<Self> {
        [1, 7, 997, WHOLE]
            .into_iter()
            .map(|pieces| Self {
                name: self.name.clone(),
                sent: self.sent.clone(),
                pieces,
                half_closes: self.half_closes,
                echoed: self.echoed.clone(),
                end: self.end,
            })
            .collect()
    }

    async fn run(&self, server: &Server) -> Result<(), String> {
        let mut stream = server.connect().await;
        let answer = ask(&mut stream, UPGRADE).await;
        if !answer.starts_with("HTTP/1.1 101 ") {
            return Err(format!("was not upgraded: {answer}"));
        }
        let (mut reader, mut writer) = tokio::io::split(stream);
        let writing = async {
            for piece in self.sent.chunks(self.pieces.min(self.sent.len().max(1))) {
                // What the server does not want to hear any more is not sent.
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                if self.pieces != WHOLE {
                    tokio::task::yield_now().await;
                }
            }
            if self.half_closes {
                let _ = writer.shutdown().await;
            }
        };
        let mut bytes = Vec::new();
        let reading = reader.read_to_end(&mut bytes);
        let both = async { tokio::join!(writing, reading) };
        if tokio::time::timeout(PATIENCE, both).await.is_err() {
            return Err("the connection did not end".to_owned());
        }
        let mut frames = parse(&bytes)?;
        let end = match frames.pop_if(|frame| frame.opcode == CLOSE) {
            Some(Frame { payload, .. }) => match payload.first_chunk::<2>() {
                Some(code) => End::Code(u16::from_be_bytes(*code)),
                None => End::NoCode,
            },
            None => End::Dropped,
        };
        if frames != self.echoed {
            return Err(format!("came back {frames:?}, not {:?}", self.echoed));
        }
        if end != self.end {
            return Err(format!("ended with {end:?}, not {:?}", self.end));
        }
        Ok(())
    }
}

/// Tries all cases and says how many there were; fails with all that went otherwise.
pub(crate) async fn hold(what: &str, cases: Vec<Case>) {
    let server = Server::start().await;
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(why) = case.run(&server).await {
            failed.push(format!("{} in pieces of {}: {why}", case.name, case.pieces));
        }
    }
    server.stop().await;
    println!("conformance, {what}: {} cases", cases.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

pub(crate) const UPGRADE: &str = "GET /echo HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) struct Server {
    running: Running,
    directory: PathBuf,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("antiphon-websocket-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut config = Config::default();
        config.server.listen.set_port(0);
        config.storage.path = directory.join("antiphon.db");
        Self { running: App::start(config).await.unwrap(), directory }
    }

    pub(crate) async fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        assert!(self.running.serve(far).await, "there is room");
        near
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
        std::fs::remove_dir_all(self.directory).unwrap();
    }
}

/// Sends a request and reads the head of its answer, byte by byte so that nothing behind it is lost.
pub(crate) async fn ask(stream: &mut DuplexStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The frames of a server, which are not masked.
fn parse(mut bytes: &[u8]) -> Result<Vec<Frame>, String> {
    let mut frames = Vec::new();
    let cut = || "the server's last frame is cut off".to_owned();
    while let [first, second, rest @ ..] = bytes {
        if second & 0x80 != 0 {
            return Err("the server masks".to_owned());
        }
        let (length, rest) = match second {
            126 => {
                let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
                (usize::try_from(u64::from_be_bytes(*length)).unwrap(), rest)
            }
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        frames.push(Frame {
            last: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 15,
            payload: payload.to_vec(),
        });
        bytes = rest;
    }
    if bytes.is_empty() { Ok(frames) } else { Err(cut()) }
}
