//! TLS on accepted connections: the handshake, under the certificate that is in force at its beginning. Connections that are there
//! keep theirs. Knows nothing of what is said on them. Below all layers.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Identity;
use crate::current::Current;

/// The server's end of TLS. Clones are the same, also after the certificate was replaced.
#[derive(Debug, Clone)]
pub(crate) struct Tls(Arc<Current<Identity>>);

impl Tls {
    pub(crate) fn new(identity: Identity) -> Self {
        Self(Arc::new(Current::new(identity)))
    }

    /// Goes by another certificate from now on. Returns whether it is another one.
    pub(crate) fn replace(&self, identity: Identity) -> bool {
        let differs = self.0.get().certificate != identity.certificate;
        self.0.replace(identity);
        differs
    }

    /// Shakes hands, for as long as the client takes.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(Arc::clone(&self.0.get().config)).accept(stream).await
    }
}
