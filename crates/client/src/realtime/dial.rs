//! The TCP connection under a call, made so that audio cannot grow old in it.

use std::io;
use std::time::Duration;

use reqwest::Url;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::error::UrlError;

/// Bytes that may wait in the operating system to be sent. It would take megabytes by itself: a minute of audio on a line that is too
/// slow. This is a third of a second at 48000 Hz, and enough for 100 kB/s at a round trip of 300 ms.
const SEND_BUFFER: u32 = 32 * 1024;
/// How long one of several addresses is tried.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to the host of a URL, whichever of its addresses answers first in their order.
pub(super) async fn dial(url: &Url) -> Result<TcpStream, WsError> {
    let no_host = || WsError::Url(UrlError::NoHostName);
    // An IPv6 address stands in brackets in a URL and nowhere else.
    let host = url.host_str().ok_or_else(no_host)?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        let connecting = async {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_send_buffer_size(SEND_BUFFER)?;
            // Audio comes in small pieces, and each should leave at once.
            socket.set_nodelay(true)?;
            socket.connect(address).await
        };
        match tokio::time::timeout(ADDRESS_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed.into())
}
