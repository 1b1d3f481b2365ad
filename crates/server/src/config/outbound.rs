//! `[outbound]`: whom the server dials on a user's behalf: tools, and whatever else a user gives an address for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::problem::Checks;

/// The `[outbound]` section. Backends are the operator's own and not subject to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// What may be dialled although it is private. Each is a host (`tools.internal`), the hosts below one (`*.internal`), an
    /// address or a network (`10.1.0.0/16`). Metadata addresses of clouds are opened only by their own address.
    pub allow: Vec<Target>,
    /// What may not be dialled, whatever `allow` says.
    pub deny: Vec<Target>,
    /// Whether private, loopback and link-local addresses may be dialled. Default false.
    pub allow_private: bool,
    /// Whether nothing but what `allow` names may be dialled. Default false.
    pub only_allowed: bool,
    /// Whether everything is dialled with TLS. Default false.
    pub https_only: bool,
    /// The largest answer of a tool, in bytes. Default 1 MiB.
    pub max_response_bytes: usize,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            allow_private: false,
            only_allowed: false,
            https_only: false,
            max_response_bytes: 1024 * 1024,
        }
    }
}

impl Outbound {
    pub(super) fn validate(&self, checks: &mut Checks) {
        if self.max_response_bytes == 0 {
            checks.refuse("outbound.max_response_bytes", "no tool could answer; write at least 1");
        }
    }
}

/// Something that can be dialled, or a group of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host by its name, in lower case.
    Host(String),
    /// All hosts whose names end in this, which begins with a dot.
    Below(String),
    /// Addresses.
    Network(IpNet),
}

impl Target {
    /// Whether a host of this name is meant.
    #[must_use]
    pub fn is_host(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        match self {
            Self::Host(host) => name.eq_ignore_ascii_case(host),
            Self::Below(suffix) => name.to_ascii_lowercase().ends_with(suffix),
            Self::Network(_) => false,
        }
    }

    /// Whether an address is meant.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(&address))
    }

    /// Whether exactly this address is meant, and no other.
    #[must_use]
    pub fn is_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if *network == IpNet::from(address))
    }
}

/// A text that names nothing to dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no host, address or network; write \"tools.internal\", \"*.internal\", \"10.1.2.3\" or \"10.1.0.0/16\""
)]
pub struct InvalidTarget(String);

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.to_owned());
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(IpNet::from(address)));
        }
        if text.contains('/') {
            return text
                .parse::<IpNet>()
                .map(|network| Self::Network(network.trunc()))
                .map_err(|_| invalid());
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // The same reading as of the URLs that are compared with it.
        let Ok(url::Host::Domain(name)) = url::Host::parse(name) else { return Err(invalid()) };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(fits) {
            return Err(invalid());
        }
        let name = name.strip_suffix('.').unwrap_or(&name);
        Ok(if below { Self::Below(format!(".{name}")) } else { Self::Host(name.to_owned()) })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*{suffix}"),
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                fmt::Display::fmt(&network.addr(), f)
            }
            Self::Network(network) => fmt::Display::fmt(network, f),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_hosts_groups_of_hosts_addresses_and_networks() {
        for (text, written) in [
            ("Tools.Internal", "tools.internal"),
            ("*.internal", "*.internal"),
            ("10.1.2.3", "10.1.2.3"),
            ("[::1]", "::1"),
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("fd00::/8", "fd00::/8"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), written, "{text}");
        }
        for text in ["", "*", "*.", "a b", "10.0.0.0/33", "http://a", "a/b", "host:80"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_of_hosts_does_not_hold_the_host_itself_nor_one_that_only_ends_alike() {
        let below: Target = "*.internal".parse().unwrap();
        assert!(below.is_host("a.internal") && below.is_host("B.A.Internal."));
        assert!(!below.is_host("internal") && !below.is_host("notinternal"));
    }
}
