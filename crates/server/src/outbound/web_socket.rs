//! WebSockets that the server dials: the handshake on a connection of [`Outbound::connect`]. Redirects are not followed,
//! since a handshake may carry credentials and nothing promises that whoever is next should have them.

use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::connect::Connection;
use super::{Bounds, Outbound, OutboundError, error, host};

/// A WebSocket whose handshake is done.
pub type WebSocket = WebSocketStream<Connection>;

/// What is read from a socket in one go. There may be one WebSocket a call, so it is small.
const READ: usize = 8 * 1024;

impl Outbound {
    /// Dials a WebSocket, with these headers in its handshake. `bounds` says how long that may take, and how large a message may
    /// be that comes from there; a larger one is an error of the socket.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn web_socket(
        &self,
        url: &Url,
        headers: HeaderMap,
        bounds: Bounds,
    ) -> Result<WebSocket, OutboundError> {
        let Bounds { time, bytes } = bounds;
        match timeout(time, self.shake_hands(url, headers, bytes)).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::Timeout { after: time }),
        }
    }

    async fn shake_hands(
        &self,
        url: &Url,
        headers: HeaderMap,
        most: usize,
    ) -> Result<WebSocket, OutboundError> {
        let refused = |why: String| OutboundError::Handshake { host: host(url), why };
        let mut request = url.as_str().into_client_request().map_err(|error| refused(error.to_string()))?;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(super::USER_AGENT));
        for (name, value) in &headers {
            request.headers_mut().insert(name, value.clone());
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let stream = self.connect(url).await?;
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(refused(format!("it answered with {}", response.status()))),
            Err(Error::Io(error)) => {
                Err(OutboundError::Broken { host: host(url), why: error::chain(&error) })
            }
            Err(Error::Protocol(ProtocolError::HandshakeIncomplete)) => {
                Err(OutboundError::Broken { host: host(url), why: "it was closed too early".to_owned() })
            }
            Err(other) => Err(refused(other.to_string())),
        }
    }
}

impl OutboundError {
    /// Whether the same might go well a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unknown { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Handshake { .. }
            | Self::Timeout { .. } => true,
            Self::Refused(_)
            | Self::Insecure { .. }
            | Self::Scheme(_)
            | Self::NoHost
            | Self::NoTls(_)
            | Self::BadRedirect
            | Self::Downgrade { .. }
            | Self::TooManyRedirects(_) => false,
        }
    }
}
