//! SIP: whose calls come in and to which agent, and where the server registers (protocol.md 7.6.6).
//!
//! Owns the endpoints under `/api/sip`. Whether there is anything that speaks SIP is the server's business.

use crate::endpoint::{NoBody, endpoint};
use crate::ids::{AgentId, SipRegistrationId};
use crate::json::check::{Chars, HTTP_URL, Items, Within};
use crate::json::{Reader, record};
use crate::page::Page;
use crate::patch::Patch;
use crate::schema::Schema;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

endpoint! {
    /// Reads how calls come in over SIP.
    pub ReadSipConfig: Get "/api/sip" -> 200 SipConfig
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateSipConfig: Patch "/api/sip" body Patch<SipSettings>, -> 200 SipConfig | 409
}

endpoint! {
    /// Lists the account's registrations.
    pub ListSipRegistrations: Get "/api/sip/registrations" query ListSipRegistrationsQuery, -> 200 Page<SipRegistration>
}

endpoint! {
    /// Adds a registration.
    pub CreateSipRegistration: Post "/api/sip/registrations" body SipRegistrationRequest, -> 201 SipRegistration
}

endpoint! {
    /// Reads one registration.
    pub ReadSipRegistration: Get "/api/sip/registrations/{registration_id}"
        path SipRegistrationId, -> 200 SipRegistration
}

endpoint! {
    /// Changes what the body says and leaves the rest.
    pub UpdateSipRegistration: Patch "/api/sip/registrations/{registration_id}"
        path SipRegistrationId, body Patch<SipRegistrationRequest>, -> 200 SipRegistration | 409
}

endpoint! {
    /// Removes a registration.
    pub DeleteSipRegistration: Delete "/api/sip/registrations/{registration_id}"
        path SipRegistrationId, -> 204 NoBody
}

record! {
    /// How calls come in over SIP, as far as it can be set.
    #[derive(Default)]
    pub struct SipSettings {
        /// From where, as IPv4 networks in CIDR form; from nowhere if there are none. At most 100.
        allowed_cidr_ranges: Vec<String> where Items(0, 100),
        /// Whether `agent_<agent_id>` reaches every agent.
        allow_all_agents: bool => false,
        /// Which agents can be reached, and as what. At most 20.
        allowed_agents: Vec<AgentAllowance> where Items(0, 20),
        /// Who decides about calls that reach no agent.
        fallback_handler: Option<FallbackHandler>,
    }
}

record! {
    /// How calls come in over SIP. A resource like any other, but for what may be absent.
    pub resource struct SipConfig {
        /// From where, as IPv4 networks in CIDR form.
        allowed_cidr_ranges: Vec<String>,
        /// Whether `agent_<agent_id>` reaches every agent.
        allow_all_agents: bool => false,
        /// Which agents can be reached, and as what.
        allowed_agents: Vec<AgentAllowance>,
        /// Who decides about calls that reach no agent.
        fallback_handler: Option<FallbackHandler>,
        /// What stands behind the `@` of the account's agents.
        domain: String => String::new(),
    }
}

record! {
    /// As what an agent can be reached.
    pub struct AgentAllowance {
        /// The agent.
        agent_id: AgentId,
        /// A regular expression for the user of the called URI, at most 200 characters; `^agent_<agent_id>$` if absent.
        to_user_pattern: Option<String> where Chars(1, 200),
    }
}

record! {
    /// Who is asked about calls that reach no agent.
    pub struct FallbackHandler {
        /// Where to post.
        url: String where HTTP_URL,
        /// What to sign the posts with, 1 to 10 secrets of at most 120 characters; one is made up if there are none. They are
        /// returned, since whoever checks the signatures has to know them.
        secrets: Option<Vec<Secret>>,
    }
    where secrets_are_some
}

record! {
    /// What a registration is made from.
    pub struct SipRegistrationRequest {
        /// Whom to register as, at most 60 characters.
        username: String where SipUser(60),
        /// The password, at most 200 characters. Never returned.
        password: Secret where Chars(1, 200),
        /// The server to register with: a host, perhaps with a port, at most 100 characters.
        proxy: String where SipServer,
        /// The server that leads there, if it is another one.
        outbound_proxy: Option<String> where SipServer,
        /// Whom to authenticate as, if it is another one, at most 60 characters.
        auth_user: Option<String> where SipUser(60),
    }
}

record! {
    /// A registration.
    pub resource struct SipRegistration {
        /// Its id.
        registration_id: SipRegistrationId,
        /// When it was created.
        created: Timestamp,
        /// Whom it registers.
        username: String,
        /// The server it registers with.
        proxy: String,
        /// The server that leads there.
        outbound_proxy: Option<String>,
        /// Whom it authenticates as.
        auth_user: Option<String>,
        /// Whether it is registered; null if that is not known.
        successful: Option<bool>,
    }
}

record! {
    /// The query of [`ListSipRegistrations`].
    #[derive(Default)]
    pub struct ListSipRegistrationsQuery {
        /// Where the page begins: an opaque text from a page's `next` or `previous`.
        cursor: Option<String>,
        /// Registrations on a page, 1 to 1000; 100 if not given.
        page_size: Option<u32> where Within(1, 1000),
    }
}

fn secrets_are_some(handler: &FallbackHandler, reader: &mut Reader) {
    reader.at("secrets", |reader| {
        use crate::json::Check as _;
        Items(1, 10).check(&handler.secrets, reader);
        crate::json::check::Each(Chars(1, 120)).check(&handler.secrets, reader);
    });
}

/// A user as it stands before the `@` of a SIP URI, at most so many characters.
pub(crate) struct SipUser(pub(crate) usize);

impl crate::json::Check<String> for SipUser {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("pattern", r#"^[!#-;=?A-\[\]-~]+$"#).with("maxLength", self.0)
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        let fits = |c: char| c.is_ascii_graphic() && !"@<>\"\\".contains(c);
        if value.is_empty() || value.chars().count() > self.0 || !value.chars().all(fits) {
            reader.refuse(format!(
                "must be a user of a SIP URI without its host: 1 to {} letters, digits and signs, no blanks and no @",
                self.0
            ));
        }
    }
}

/// A server of SIP: a host or an address, perhaps with a port.
pub(crate) struct SipServer;

impl crate::json::Check<String> for SipServer {
    fn bound(&self, schema: Schema) -> Schema {
        schema.with("minLength", 1).with("maxLength", 100)
    }

    fn check(&self, value: &String, reader: &mut Reader) {
        if value.len() > 100 || !is_sip_server(value) {
            reader.refuse(
                "must be a SIP server of at most 100 characters: a host and perhaps a port, for example \
                 \"sip.example.com:5061\"",
            );
        }
    }
}

fn is_sip_server(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) => {
                let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
                return is_address && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
            }
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_server_is_a_host_and_perhaps_a_port() {
        for text in
            ["sip.example.com", "trunk:5060", "192.0.2.7:5061", "[2001:db8::1]:5060", "[::1]", "a_b.example."]
        {
            assert!(is_sip_server(text), "{text}");
        }
        for text in [
            "",
            "sip:trunk.example.com",
            "a@b",
            "trunk:",
            "trunk:0",
            "trunk:70000",
            "trunk:+1",
            "-a",
            "a..b",
            "[::1",
            "[x]:1",
            "[::1]5060",
            "trunk example",
        ] {
            assert!(!is_sip_server(text), "{text}");
        }
    }
}
