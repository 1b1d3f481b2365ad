//! A connection to the host of a URL, for protocols that speak on it themselves.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::error::OutboundError;
use super::policy::Policy;
use super::resolver::{Lookup, permitted};
use super::{CONNECT, host};

/// A connection, encrypted if the URL says so.
pub struct Connection(Stream);

enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stream::Plain(_) => "Connection(plain)",
            Stream::Secure(_) => "Connection(secure)",
        })
    }
}

pub(super) async fn connect(
    policy: &Policy,
    lookup: &dyn Lookup,
    url: &Url,
    by: Instant,
) -> Result<Connection, OutboundError> {
    policy.check_url(url)?;
    match timeout_at(by, dial(policy, lookup, url)).await {
        Ok(connection) => connection,
        Err(_) => Err(OutboundError::Timeout { after: CONNECT }),
    }
}

async fn dial(policy: &Policy, lookup: &dyn Lookup, url: &Url) -> Result<Connection, OutboundError> {
    let addresses: Vec<IpAddr> = match url.host() {
        None => return Err(OutboundError::NoHost),
        Some(Host::Domain(name)) => permitted(policy, lookup, name).await?,
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
    };
    let secure = matches!(url.scheme(), "https" | "wss");
    let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
    let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let unreachable = |why: String| OutboundError::Unreachable { host: host(url), why };
    let stream =
        TcpStream::connect(addresses.as_slice()).await.map_err(|error| unreachable(error.to_string()))?;
    // Audio and messages come in small pieces, and each should leave at once; it goes without, too.
    let _ = stream.set_nodelay(true);
    if !secure {
        return Ok(Connection(Stream::Plain(stream)));
    }
    let config = rustls::ClientConfig::with_platform_verifier()
        .map_err(|error| OutboundError::NoTls(error.to_string()))?;
    let name = match url.host() {
        Some(Host::Domain(name)) => {
            ServerName::try_from(name.to_owned()).map_err(|error| unreachable(error.to_string()))?
        }
        Some(Host::Ipv4(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
        None => return Err(OutboundError::NoHost),
    };
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    Ok(Connection(Stream::Secure(Box::new(stream))))
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
