//! `/api/sip`: how calls come in over SIP, and where the server registers (protocol.md 7.6.6). It is kept and checked; a SIP backend
//! that goes by it is to come.

pub(super) mod read;
pub(super) mod registrations;
pub(super) mod update;

use antiphon_api::rest::sip::{SipConfig, SipSettings};

use super::Http;
use crate::storage::AccountId;

/// What clients see. Secrets of the fallback handler are among it: whoever checks its signatures has to know them.
fn sip_resource(http: &Http, account: AccountId, settings: SipSettings) -> SipConfig {
    SipConfig {
        allowed_cidr_ranges: settings.allowed_cidr_ranges,
        allow_all_agents: settings.allow_all_agents,
        allowed_agents: settings.allowed_agents,
        fallback_handler: settings.fallback_handler,
        domain: domain(http.public_url.host(), account),
    }
}

/// What stands behind the `@` of an account's agents: a name of its own below the server's. An address has no names below it.
fn domain(host: &str, account: AccountId) -> String {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    match is_address {
        true => host.to_owned(),
        false => format!("{account}.sip.{host}"),
    }
}
