//! `[server]`: where the server listens, how clients reach it, and how much it takes from them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem::Checks;
use super::{PublicUrl, Tls, period};

/// The `[server]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port to listen on. Default `127.0.0.1:8080`; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where clients reach the server: the base of join URLs and page links. `http`, `https`, `ws` and `wss` are accepted.
    /// Default: the listen address, with `https` where `tls` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<PublicUrl>,
    /// Largest request body in bytes. Default 1 MiB (protocol.md A-65).
    pub max_body_bytes: usize,
    /// Largest data message on a call's WebSocket in bytes. Default 1 MiB (protocol.md A-65).
    pub max_data_message_bytes: usize,
    /// Whether a create-call request with unknown fields is refused instead of noted in the call's events (protocol.md A-13).
    /// Default false.
    pub strict_fields: bool,
    /// Whether browsers may send `X-API-Key` from other origins, beside `X-Unsafe-API-Key` (protocol.md A-66). Default false.
    pub cors_api_key: bool,
    /// How long calls may go on after the server was told to stop, and may be joined; those that are left then end
    /// (`system_error`). Default 30 s.
    #[serde(with = "period")]
    pub drain_deadline: Duration,
    /// `[server.tls]`: the certificate and key with which the server speaks TLS, and nothing else, at `listen`. Default none: plain
    /// HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            max_body_bytes: 1 << 20,
            max_data_message_bytes: 1 << 20,
            strict_fields: false,
            cors_api_key: false,
            drain_deadline: Duration::from_secs(30),
            tls: None,
        }
    }
}

impl Server {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if let Some(tls) = &self.tls {
            tls.validate(checks);
        }
        for (field, bytes) in
            [("max_body_bytes", self.max_body_bytes), ("max_data_message_bytes", self.max_data_message_bytes)]
        {
            if bytes < 1024 {
                checks.refuse(
                    &format!("server.{field}"),
                    format!("{bytes} bytes leaves no room for a request; write at least 1024"),
                );
            }
        }
    }
}
