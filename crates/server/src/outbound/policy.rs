//! What may be dialled: the operator's lists, and what addresses are special (IANA's registries of special-purpose addresses).
//!
//! Decides about names and addresses; looks nothing up. IPv6 forms that lead to an IPv4 address are judged by that one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::error::{OutboundError, Refused};
use super::host;
use crate::config::{Outbound, Target};

/// Where clouds tell a machine its own credentials: AWS, Azure, GCP and others; AWS over IPv6; AWS ECS; Azure's agent;
/// Alibaba; Oracle.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// The operator's wishes.
pub(super) struct Policy {
    allow: Vec<Target>,
    deny: Vec<Target>,
    allow_private: bool,
    only_allowed: bool,
    https_only: bool,
}

impl Policy {
    pub(super) fn new(settings: &Outbound) -> Self {
        Self {
            allow: settings.allow.clone(),
            deny: settings.deny.clone(),
            allow_private: settings.allow_private,
            only_allowed: settings.only_allowed,
            https_only: settings.https_only,
        }
    }

    /// Whether a URL passes, as far as its text says. `Url` has read odd spellings of addresses (`0x7f.1`, `2130706433`) as
    /// the addresses that they are.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), OutboundError> {
        match url.scheme() {
            "https" | "wss" => {}
            "http" | "ws" if !self.https_only => {}
            "http" | "ws" => return Err(OutboundError::Insecure { host: host(url) }),
            other => return Err(OutboundError::Scheme(other.to_owned())),
        }
        match url.host() {
            None => Err(OutboundError::NoHost),
            Some(Host::Domain(name)) => Ok(self.check_name(name)?),
            Some(Host::Ipv4(address)) => Ok(self.check_address(&host(url), address.into())?),
            Some(Host::Ipv6(address)) => Ok(self.check_address(&host(url), address.into())?),
        }
    }

    /// Whether a name may be looked up at all.
    pub(super) fn check_name(&self, name: &str) -> Result<(), Refused> {
        if self.deny.iter().any(|target| target.is_host(name)) {
            return Err(Refused::Denied { host: name.to_owned() });
        }
        Ok(())
    }

    /// Whether `host` may be dialled at `address`, which is where it really is.
    pub(super) fn check_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let real = leads_to(address);
        let names =
            |target: &Target| target.is_host(host) || target.contains(address) || target.contains(real);
        if self.deny.iter().any(names) {
            return Err(Refused::Denied { host: host.to_owned() });
        }
        let special = |kind, remedy| Refused::Special { host: host.to_owned(), address, kind, remedy };
        if METADATA.contains(&real) {
            if self.allow.iter().any(|target| target.is_address(real)) {
                return Ok(());
            }
            return Err(special("where a cloud keeps a machine's credentials", real.to_string()));
        }
        if self.allow.iter().any(names) {
            return Ok(());
        }
        if self.only_allowed {
            return Err(Refused::NotAllowed { host: host.to_owned() });
        }
        match kind(real) {
            Kind::Public => Ok(()),
            Kind::Private(_) if self.allow_private => Ok(()),
            Kind::Private(what) | Kind::Reserved(what) => Err(special(what, host.to_owned())),
        }
    }
}

/// What is special about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    /// Part of somebody's own network: the operator may open all of these.
    Private(&'static str),
    /// Nobody's in particular, so that nothing answers there but by mistake or malice.
    Reserved(&'static str),
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [0, ..] => Kind::Reserved("an address of no host"),
        [127, ..] => Kind::Private("a loopback address"),
        [10, ..] | [192, 168, ..] => Kind::Private("a private address"),
        [172, second, ..] if second & 0xf0 == 16 => Kind::Private("a private address"),
        [100, second, ..] if second & 0xc0 == 64 => Kind::Private("an address of a carrier's own network"),
        [169, 254, ..] => Kind::Private("a link-local address"),
        [192, 0, 0, _] => Kind::Reserved("an address kept for protocols"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Reserved("an address for documentation")
        }
        [192, 88, 99, _] => Kind::Reserved("the address of a 6to4 relay"),
        [198, 18 | 19, ..] => Kind::Private("an address for benchmarks"),
        [224..=239, ..] => Kind::Reserved("a multicast address"),
        [240..=255, ..] => Kind::Reserved("a reserved address"),
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Reserved("an address of no host"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private("a loopback address"),
        [0xfc00..=0xfdff, ..] => Kind::Private("a private address"),
        [0xfe80..=0xfebf, ..] => Kind::Private("a link-local address"),
        [0xfec0..=0xfeff, ..] => Kind::Private("a site-local address"),
        [0xff00..=0xffff, ..] => Kind::Reserved("a multicast address"),
        [0x2001, second, ..] if second < 0x0200 => Kind::Reserved("an address kept for protocols"),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Kind::Reserved("an address for documentation"),
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Reserved("a reserved address"),
    }
}

/// Where packets to an address come out: the IPv4 address inside an IPv4-mapped or -compatible address, a NAT64 address
/// (RFC 6052) or a 6to4 address (RFC 3056); otherwise the address itself.
fn leads_to(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let inside =
        |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => inside(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => inside(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(change: impl FnOnce(&mut Outbound)) -> Policy {
        let mut settings = Outbound::default();
        change(&mut settings);
        Policy::new(&settings)
    }

    fn targets(texts: &[&str]) -> Vec<Target> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn url(policy: &Policy, host: &str) -> Result<(), OutboundError> {
        policy.check_url(&Url::parse(&format!("http://{host}/")).unwrap())
    }

    #[test]
    fn special_addresses_are_refused_in_every_spelling() {
        let policy = policy(|_| {});
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "127.0.0.1.",
            "0.0.0.0",
            "0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[::127.0.0.1]",
            "[::ffff:0:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2002:a00:1::5]",
            "[2001::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[100::1]",
            "[5f00::1]",
            "[4000::1]",
        ] {
            assert!(
                matches!(url(&policy, host), Err(OutboundError::Refused(Refused::Special { .. }))),
                "{host}"
            );
        }
    }

    #[test]
    fn public_addresses_pass_in_every_form() {
        let policy = policy(|_| {});
        for host in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[::ffff:1.1.1.1]",
            "[64:ff9b::1.1.1.1]",
            "[2002:101:101::]",
            "example.com",
        ] {
            assert_eq!(url(&policy, host), Ok(()), "{host}");
        }
    }

    #[test]
    fn private_addresses_can_be_opened_and_metadata_only_by_its_own_address() {
        let open = policy(|settings| settings.allow_private = true);
        assert_eq!(url(&open, "127.0.0.1"), Ok(()));
        assert_eq!(url(&open, "[fd12::1]"), Ok(()));
        assert!(url(&open, "169.254.169.254").is_err());
        assert!(url(&open, "[fd00:ec2::254]").is_err());
        assert!(url(&open, "240.0.0.1").is_err());
        let wide = policy(|settings| settings.allow = targets(&["169.254.0.0/16", "10.0.0.0/8"]));
        assert_eq!(url(&wide, "10.1.2.3"), Ok(()));
        assert_eq!(url(&wide, "[::ffff:10.1.2.3]"), Ok(()));
        assert!(url(&wide, "169.254.169.254").is_err());
        let exact = policy(|settings| settings.allow = targets(&["169.254.169.254"]));
        assert_eq!(url(&exact, "169.254.169.254"), Ok(()));
    }

    #[test]
    fn what_is_denied_stays_denied() {
        let policy = policy(|settings| {
            settings.allow = targets(&["1.1.1.1", "*.example.com"]);
            settings.deny = targets(&["1.1.1.0/24", "bad.example.com"]);
        });
        assert!(matches!(url(&policy, "1.1.1.1"), Err(OutboundError::Refused(Refused::Denied { .. }))));
        assert!(matches!(
            url(&policy, "[::ffff:1.1.1.1]"),
            Err(OutboundError::Refused(Refused::Denied { .. }))
        ));
        assert!(url(&policy, "bad.example.com").is_err());
        assert!(url(&policy, "BAD.example.com.").is_err());
        assert_eq!(url(&policy, "good.example.com"), Ok(()));
    }

    #[test]
    fn a_closed_server_dials_only_what_is_named() {
        let policy = policy(|settings| {
            settings.only_allowed = true;
            settings.allow = targets(&["tools.internal"]);
        });
        assert!(policy.check_address("example.com", "93.184.216.34".parse().unwrap()).is_err());
        assert!(policy.check_address("tools.internal", "10.0.0.1".parse().unwrap()).is_ok());
        assert!(policy.check_address("tools.internal", "169.254.169.254".parse().unwrap()).is_err());
    }

    #[test]
    fn other_schemes_and_plain_text_where_it_is_forbidden_are_refused() {
        let strict = policy(|settings| settings.https_only = true);
        assert!(matches!(url(&strict, "example.com"), Err(OutboundError::Insecure { .. })));
        for text in ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "unix:/run/x"] {
            let refused = strict.check_url(&Url::parse(text).unwrap());
            assert!(matches!(refused, Err(OutboundError::Scheme(_))), "{text}");
        }
    }
}
