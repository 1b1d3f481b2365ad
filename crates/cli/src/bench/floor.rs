//! What calls cannot cost less than: a socket that takes a frame, unmasks it, and where asked sends one back. Nothing else.
//!
//! Written by hand for one thing, so that it is the floor: no library, no queue, no second task, one write a frame. It speaks
//! as much of RFC 6455 as the callers of this program need, and is started by them only.

use std::io::Write as _;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Bytes read at once: some frames of 20 ms at any rate.
const BUFFER: usize = 8 * 1_024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes of the frame that answers each; 0 for none.
    #[arg(long)]
    answer: usize,
}

/// Serves until it is stopped.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
    println_listens(&listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = frame_of_silence(args.answer);
        // A caller that went away is no failure of the floor.
        tokio::spawn(async move { serve(stream, answer).await.ok() });
    }
}

fn println_listens(listener: &TcpListener) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "listens at ws://{}", listener.local_addr()?)?;
    out.flush()?;
    Ok(())
}

/// A binary frame of a server, which is not masked (RFC 6455 5.2).
fn frame_of_silence(bytes: usize) -> Vec<u8> {
    let mut frame = vec![0x82];
    match u8::try_from(bytes) {
        Ok(short) if short < 126 => frame.push(short),
        Ok(_) | Err(_) => {
            frame.push(126);
            frame.extend(u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.resize(frame.len() + bytes, 0);
    if bytes == 0 { Vec::new() } else { frame }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    let head = loop {
        filled += read(&mut stream, &mut buffer[filled..]).await?;
        if let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let request = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let upgrade = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(upgrade.as_bytes()).await?;
    buffer.copy_within(head..filled, 0);
    filled -= head;
    loop {
        let mut at = 0;
        while let Some((payload, end)) = unmasked(&mut buffer[at..filled]) {
            std::hint::black_box(payload);
            at += end;
            if !answer.is_empty() {
                stream.write_all(&answer).await?;
            }
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        filled += read(&mut stream, &mut buffer[filled..]).await?;
    }
}

async fn read(stream: &mut TcpStream, into: &mut [u8]) -> std::io::Result<usize> {
    match stream.read(into).await? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

/// The first frame of `bytes`, if it is there as a whole: its payload without the mask, and where it ends.
pub(super) fn unmasked(bytes: &mut [u8]) -> Option<(&[u8], usize)> {
    let short = usize::from(*bytes.get(1)? & 0x7f);
    let (length, mask_at) = match short {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        _ => (short, 2),
    };
    let start = mask_at + 4;
    let mask: [u8; 4] = bytes.get(mask_at..start)?.try_into().ok()?;
    let payload = bytes.get_mut(start..start + length)?;
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    Some((payload, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masked "Hello" of RFC 6455 5.7, and the beginning of another.
    #[test]
    fn a_frame_is_unmasked_when_it_is_there_as_a_whole() {
        let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x81, 0x85];
        assert!(unmasked(&mut { bytes }[..10]).is_none());
        let mut bytes = bytes;
        let (payload, end) = unmasked(&mut bytes).unwrap();
        assert_eq!((payload, end), (&b"Hello"[..], 11));
        assert!(unmasked(&mut bytes[11..]).is_none());
    }

    #[test]
    fn frames_of_silence_are_frames() {
        assert_eq!(frame_of_silence(2), [0x82, 2, 0, 0]);
        assert_eq!(frame_of_silence(640)[..4], [0x82, 126, 2, 128]);
        assert_eq!(frame_of_silence(640).len(), 644);
        assert!(frame_of_silence(0).is_empty());
    }
}
