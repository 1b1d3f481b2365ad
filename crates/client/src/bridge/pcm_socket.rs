//! A unit at the other end of a byte stream: raw audio both ways over TCP, a Unix socket, pipes, or anything else that reads and
//! writes.
//!
//! There is nothing on the line but samples, so it keeps time by never pausing: 20 ms of audio or silence every 20 ms. Who sends
//! faster than that is held back and loses nothing.

use std::io;
use std::time::Duration;

use antiphon_audio::{G711, PcmReader, SampleRate, write_pcm};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::encoding::Encoding;
use super::port::Port;
use super::unit::MediaUnit;

const FRAME: Duration = Duration::from_millis(20);
/// Frames that wait to be written. Beyond, they are dropped: the reader is too slow, and late audio is of no use.
const FRAMES: usize = 10;
/// How far ahead of the clock a line is read.
const AHEAD: Duration = Duration::from_millis(100);

/// What the bytes of a line are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PcmFormat {
    rate: SampleRate,
    law: Option<G711>,
}

impl PcmFormat {
    /// Signed 16-bit little-endian samples, mono.
    #[must_use]
    pub const fn s16le(rate: SampleRate) -> Self {
        Self { rate, law: None }
    }

    fn bytes_in(self, duration: Duration) -> usize {
        let samples = self.rate.samples_in(duration) as usize;
        samples * if self.law.is_some() { 1 } else { 2 }
    }
}

impl From<Encoding> for PcmFormat {
    fn from(encoding: Encoding) -> Self {
        Self { rate: encoding.rate(), law: encoding.law() }
    }
}

/// Raw audio both ways over a byte stream.
#[derive(Debug)]
pub struct PcmSocket {
    port: Port,
    ended: watch::Receiver<bool>,
    /// Ends with the unit.
    _tasks: JoinSet<()>,
}

impl PcmSocket {
    /// A line over TCP.
    ///
    /// # Errors
    ///
    /// Nothing takes the connection there.
    pub async fn connect_tcp(address: impl ToSocketAddrs, format: PcmFormat) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // Audio comes in small pieces, and each should leave at once.
        stream.set_nodelay(true)?;
        Ok(Self::over(stream, format))
    }

    /// A line over a Unix socket.
    ///
    /// # Errors
    ///
    /// Nothing takes the connection there.
    #[cfg(unix)]
    pub async fn connect_unix(path: impl AsRef<std::path::Path>, format: PcmFormat) -> io::Result<Self> {
        Ok(Self::over(tokio::net::UnixStream::connect(path).await?, format))
    }

    /// A line over what is connected already, such as an accepted connection. Must be called within a tokio runtime.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static, format: PcmFormat) -> Self {
        let port = Port::live(format.rate);
        let (reader, writer) = tokio::io::split(stream);
        let (ended, watched) = watch::channel(false);
        let (frames, waiting) = mpsc::channel(FRAMES);
        let mut tasks = JoinSet::new();
        tasks.spawn(read(reader, format, port.clone(), ended));
        tasks.spawn(pace(format, port.clone(), frames));
        tasks.spawn(write(writer, waiting));
        Self { port, ended: watched, _tasks: tasks }
    }

    /// Waits until the other end has said all it had to say, or is gone.
    pub async fn ended(&self) {
        // Should the task be gone, then so is the line.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl MediaUnit for PcmSocket {
    fn port(&self) -> &Port {
        &self.port
    }
}

async fn read(mut line: impl AsyncRead + Unpin, format: PcmFormat, port: Port, ended: watch::Sender<bool>) {
    let (mut pcm, mut piece, mut samples) =
        (PcmReader::default(), vec![0; format.bytes_in(FRAME)], Vec::new());
    // When all that was read will have sounded.
    let mut sounded = Instant::now();
    // A line that breaks is one that ended.
    while let Ok(length @ 1..) = line.read(&mut piece).await {
        samples.clear();
        match format.law {
            None => pcm.read(&piece[..length], &mut samples),
            Some(law) => law.read(&piece[..length], &mut samples),
        }
        port.give(&samples);
        let now = Instant::now();
        sounded = sounded.max(now) + format.rate.duration_of(samples.len() as u64);
        sleep((sounded - now).saturating_sub(AHEAD)).await;
    }
    port.utterance_ended();
    ended.send_replace(true);
}

async fn pace(format: PcmFormat, port: Port, frames: mpsc::Sender<Vec<u8>>) {
    let mut frame = vec![0; format.rate.samples_in(FRAME) as usize];
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        clock.tick().await;
        port.take(&mut frame);
        let mut bytes = Vec::with_capacity(frame.len() * 2);
        match format.law {
            None => write_pcm(&frame, &mut bytes),
            Some(law) => law.write(&frame, &mut bytes),
        }
        match frames.try_send(bytes) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
    }
}

async fn write(mut line: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if line.write_all(&frame).await.is_err() {
            return;
        }
    }
}
