//! `PATCH /api/sip`: changes how calls come in over SIP.

use antiphon_api::rest::sip::{AgentAllowance, FallbackHandler, SipSettings, UpdateSipConfig};
use axum::extract::State;
use ipnet::Ipv4Net;
use regex::RegexBuilder;

use super::super::Http;
use super::super::answer::{Answer, Answered};
use super::super::auth::Account;
use super::super::error::{ApiError, internal};
use super::super::patch::{ATTEMPTS, contended, patched};
use super::super::request::Requested;
use super::sip_resource;
use crate::signature::new_secret;

/// Bytes that a compiled pattern may take: one of 200 characters can ask for gigabytes.
const PATTERN_BYTES: usize = 1 << 20;

pub(in crate::http) async fn update(
    State(http): State<Http>,
    account: Account,
    request: Requested<UpdateSipConfig>,
) -> Answered<UpdateSipConfig> {
    for _ in 0..ATTEMPTS {
        let (known, version) = match http.storage.telephony.sip_settings(account.0).await? {
            Some((known, version)) => (known, Some(version)),
            None => (SipSettings::default(), None),
        };
        let mut settings: SipSettings = patched(&http, &known, &request.body.changes)?;
        check(&http, &account, &settings, &known).await?;
        if let Some(handler) = &mut settings.fallback_handler
            && handler.secrets.is_none()
        {
            handler.secrets = Some(vec![new_secret().map_err(|_| internal())?]);
        }
        if http.storage.telephony.put_sip_settings(account.0, &settings, version).await? {
            return Ok(Answer(sip_resource(&http, account.0, settings)));
        }
    }
    Err(contended("this configuration"))
}

async fn check(
    http: &Http,
    account: &Account,
    settings: &SipSettings,
    known: &SipSettings,
) -> Result<(), ApiError> {
    for (index, range) in settings.allowed_cidr_ranges.iter().enumerate() {
        network(range).map_err(|problem| ApiError::field(&format!("allowedCidrRanges[{index}]"), problem))?;
    }
    for (index, allowance) in settings.allowed_agents.iter().enumerate() {
        let at = format!("allowedAgents[{index}]");
        let AgentAllowance { agent_id, to_user_pattern } = allowance;
        // An agent that was there when it was allowed may be gone, which is no fault of this change.
        let was_known = known.allowed_agents.iter().any(|other| other.agent_id == *agent_id);
        if !was_known && http.storage.agents.find_agent(account.0, *agent_id).await?.is_none() {
            return Err(ApiError::field(&format!("{at}.agentId"), "there is no such agent"));
        }
        if let Some(pattern) = to_user_pattern {
            RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| {
                let problem = format!("is no pattern that can be used: {}", last_line(&error.to_string()));
                ApiError::field(&format!("{at}.toUserPattern"), problem)
            })?;
        }
    }
    if let Some(FallbackHandler { url, .. }) = &settings.fallback_handler {
        let refused = |why: String| ApiError::field("fallbackHandler.url", why);
        http.outbound.check_receiver(url).map_err(refused)?;
    }
    Ok(())
}

/// A network as it is to be written, with nothing behind its prefix.
fn network(text: &str) -> Result<Ipv4Net, String> {
    let example = || {
        let shown: String = text.chars().take(64).collect();
        format!(
            "{shown:?} is no IPv4 network; write for example \"203.0.113.0/24\", or \"203.0.113.7/32\" for one address"
        )
    };
    let network: Ipv4Net = text.parse().map_err(|_| example())?;
    match network.trunc() == network {
        true => Ok(network),
        false => Err(format!("\"{network}\" is an address within a network; write \"{}\"", network.trunc())),
    }
}

/// The regex crate draws the pattern before it says what is wrong with it.
fn last_line(text: &str) -> &str {
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}
