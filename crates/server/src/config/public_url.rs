//! Where clients reach the server: the base of join URLs and of page links. It knows nothing of routes.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use axum::http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The server's address as clients see it: `http`, `https`, `ws` or `wss`, a host, and perhaps a port and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    secure: bool,
    authority: String,
    /// Without a trailing slash; empty for the root.
    path: String,
}

impl PublicUrl {
    /// The address of a server that listens on `address` and has nothing in front of it. An unspecified address (`0.0.0.0`,
    /// `::`) cannot be connected to, so loopback stands for it. `secure` says whether it speaks TLS.
    pub fn listening_on(address: SocketAddr, secure: bool) -> Self {
        let ip = match address.ip() {
            std::net::IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            ip @ (std::net::IpAddr::V4(_) | std::net::IpAddr::V6(_)) => ip,
        };
        Self { secure, authority: SocketAddr::new(ip, address.port()).to_string(), path: String::new() }
    }

    /// The host, without a port: a name or an address.
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            Some(_) | None => &self.authority,
        }
    }

    /// The URL of `path` (which starts with a slash) for REST: `http` or `https`.
    pub fn rest(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }

    /// The URL of `path` (which starts with a slash) for a WebSocket: `ws` or `wss`.
    pub fn web_socket(&self, path: &str) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}{}{path}", self.authority, self.path)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rest(""))
    }
}

/// Why a text is no public URL.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" is not a public URL; write where clients reach this server, such as \"https://voice.example.com\" or \
     \"http://10.0.0.5:8080/antiphon\" (http, https, ws or wss; no user, query or fragment)"
)]
pub struct InvalidPublicUrl(String);

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPublicUrl(text.to_owned());
        if text.contains('#') {
            return Err(invalid());
        }
        let url: Uri = text.parse().map_err(|_| invalid())?;
        let secure = match url.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            Some(_) | None => return Err(invalid()),
        };
        let authority = url.authority().ok_or_else(invalid)?;
        if authority.as_str().contains('@') || authority.host().is_empty() || url.query().is_some() {
            return Err(invalid());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self { secure, authority: authority.to_string(), path })
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for PublicUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_ws_schemes_name_the_same_place() {
        for (text, rest, web_socket) in [
            ("https://voice.example.com", "https://voice.example.com/x", "wss://voice.example.com/x"),
            ("wss://voice.example.com/", "https://voice.example.com/x", "wss://voice.example.com/x"),
            ("ws://10.0.0.5:8080/a/", "http://10.0.0.5:8080/a/x", "ws://10.0.0.5:8080/a/x"),
            ("http://[::1]:9", "http://[::1]:9/x", "ws://[::1]:9/x"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.rest("/x").as_str(), url.web_socket("/x").as_str()), (rest, web_socket));
        }
    }

    #[test]
    fn the_host_is_without_its_port() {
        for (text, host) in [
            ("https://voice.example.com", "voice.example.com"),
            ("ws://10.0.0.5:8080/a/", "10.0.0.5"),
            ("http://[::1]:9", "[::1]"),
            ("http://[::1]", "[::1]"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().host(), host);
        }
    }

    #[test]
    fn what_is_no_base_is_refused_with_an_example() {
        for text in [
            "",
            "voice.example.com",
            "ftp://a",
            "http://",
            "http://u:p@h",
            "http://h/?q=1",
            "http://h/#f",
            "/x",
        ] {
            let error = text.parse::<PublicUrl>().unwrap_err().to_string();
            assert!(error.contains("https://voice.example.com"), "{text}: {error}");
        }
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        let url = PublicUrl::listening_on("0.0.0.0:80".parse().unwrap(), false);
        assert_eq!(url.to_string(), "http://127.0.0.1:80");
        let url = PublicUrl::listening_on("[::]:80".parse().unwrap(), true);
        assert_eq!(url.web_socket("/x"), "wss://[::1]:80/x");
    }
}
