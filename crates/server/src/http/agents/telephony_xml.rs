//! `POST /api/agents/{agent_id}/telephony_xml`: a telephony provider at which somebody calls creates a call with an agent, and is told
//! where to stream it (protocol.md 7.6.5).
//!
//! No key opens this, but the provider's signature by the credentials of the agent's account. Who cannot show one is told the same
//! whether there is such an agent or not.

use antiphon_api::endpoint::{Endpoint as _, PathArguments as _};
use antiphon_api::rest::agents::StartAgentCallRequest;
use antiphon_api::rest::calls::{CallMedium, PhoneMedium};
use antiphon_api::rest::telephony_configs::{AnswerTelephonyProvider, XmlDocument};
use antiphon_api::{AgentId, Timestamp};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

use super::super::Http;
use super::super::error::{ApiError, internal};
use super::super::telephony_configs::telnyx_key;
use crate::call::resource::call_resource;
use crate::call::{CreateOptions, agents};
use crate::storage::{CallAgent, Provider, ProviderSettings, StoredAgent};
use crate::telephony::request::Posted;
use crate::telephony::{signature, xml};

const TWILIO: &str = "x-twilio-signature";
const TELNYX: &str = "telnyx-signature-ed25519";
const TELNYX_TIME: &str = "telnyx-timestamp";
const PLIVO: &str = "x-plivo-signature-v3";
const PLIVO_MAIN: &str = "x-plivo-signature-ma-v3";
const PLIVO_NONCE: &str = "x-plivo-signature-v3-nonce";

pub(in crate::http) async fn telephony_xml(
    State(http): State<Http>,
    Path(agent): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let provider = provider(&headers).ok_or_else(unsigned)?;
    let posted = Posted::read(text(&headers, header::CONTENT_TYPE.as_str()), &body);
    let agent = AgentId::parse([agent.as_str()]).map_err(|_| unsigned())?;
    let agent = http.storage.agents.agent_of_any_account(agent).await?.ok_or_else(unsigned)?;
    let known = http.storage.telephony.provider_settings(agent.account, provider).await?;
    let (settings, _) = known.ok_or_else(unsigned)?;
    let url = http.public_url.rest(uri.path_and_query().map_or("/", |path| path.as_str()));
    let request = Signed { headers: &headers, url: &url, body: &body, posted: posted.as_ref() };
    if !request.is_signed_by(&settings, Timestamp::from(jiff::Timestamp::now())) {
        return Err(unsigned());
    }

    let Some(posted) = posted else {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be a form or a JSON object, as telephony providers send them",
        ));
    };
    if !settings.allows(agent.id) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!(
                "calls with this agent may not be created by {0}; allow it in /api/telephony_configs/{0}",
                provider.word()
            ),
        ));
    }
    answer(&http, agent, &settings, &posted).await
}

/// Creates the call, and says where to stream it.
async fn answer(
    http: &Http,
    agent: StoredAgent,
    settings: &ProviderSettings,
    posted: &Posted,
) -> Result<Response, ApiError> {
    let of = CallAgent { id: agent.id, name: agent.name, revision: agent.revision.id };
    let template = &agent.revision.template;
    let start = StartAgentCallRequest {
        template_context: Some(posted.context(settings.mapping())),
        medium: Some(medium(settings.provider(), template.medium.as_ref())),
        ..StartAgentCallRequest::default()
    };
    let (call, of_agent) = agents::request(of, template, start)?;
    let options = CreateOptions { greeting_prompt: true, agent: Some(of_agent), ..CreateOptions::default() };
    let call = http.calls.create(agent.account, call, options).await?;
    let join_url = call_resource(&call, &http.public_url).join_url.ok_or_else(internal)?;
    let document = match settings.provider() {
        Provider::Plivo => xml::plivo(&join_url),
        Provider::Telnyx => xml::telnyx(&join_url),
        Provider::Twilio => xml::twilio(&join_url),
    };
    let status = StatusCode::from_u16(AnswerTelephonyProvider::SUCCESS).map_err(|_| internal())?;
    Ok((status, [(header::CONTENT_TYPE, XmlDocument::CONTENT_TYPE)], document).into_response())
}

/// The provider's medium, as the agent has it, if that is a call that comes in.
fn medium(provider: Provider, of_agent: Option<&CallMedium>) -> CallMedium {
    let dtmf = match (provider, of_agent) {
        (Provider::Plivo, Some(CallMedium::Plivo(phone)))
        | (Provider::Telnyx, Some(CallMedium::Telnyx(phone)))
        | (Provider::Twilio, Some(CallMedium::Twilio(phone))) => phone.dtmf_handling.clone(),
        (Provider::Plivo | Provider::Telnyx | Provider::Twilio, _) => None,
    };
    let phone = PhoneMedium { outgoing: None, dtmf_handling: dtmf };
    match provider {
        Provider::Plivo => CallMedium::Plivo(phone),
        Provider::Telnyx => CallMedium::Telnyx(phone),
        Provider::Twilio => CallMedium::Twilio(phone),
    }
}

/// Whose signature a request carries.
fn provider(headers: &HeaderMap) -> Option<Provider> {
    let has = |name: &str| headers.contains_key(name);
    match () {
        () if has(TWILIO) => Some(Provider::Twilio),
        () if has(TELNYX) => Some(Provider::Telnyx),
        () if has(PLIVO) || has(PLIVO_MAIN) => Some(Provider::Plivo),
        () => None,
    }
}

/// A request and what signs it.
struct Signed<'r> {
    headers: &'r HeaderMap,
    /// As the provider has it: the public one.
    url: &'r str,
    body: &'r [u8],
    posted: Option<&'r Posted>,
}

impl Signed<'_> {
    fn is_signed_by(&self, settings: &ProviderSettings, now: Timestamp) -> bool {
        let form = self.posted.map_or(&[][..], Posted::pairs);
        // What is no form is covered by another way than the form's fields, or by none.
        let other = !matches!(self.posted, Some(Posted::Form(_)));
        let header = |name| text(self.headers, name);
        match settings {
            ProviderSettings::Twilio(settings) => header(TWILIO).is_some_and(|signature| {
                let json = other.then_some(self.body);
                signature::twilio(settings.auth_token.expose(), signature, self.url, form, json)
            }),
            ProviderSettings::Telnyx(settings) => {
                let (Some(signature), Some(time)) = (header(TELNYX), header(TELNYX_TIME)) else {
                    return false;
                };
                telnyx_key(settings.public_key.expose())
                    .is_some_and(|key| signature::telnyx(&key, signature, time, self.body, now))
            }
            ProviderSettings::Plivo(settings) => {
                let Some(nonce) = header(PLIVO_NONCE).filter(|_| !other) else { return false };
                [PLIVO, PLIVO_MAIN].into_iter().filter_map(header).any(|signatures| {
                    signature::plivo(settings.auth_token.expose(), signatures, nonce, self.url, form)
                })
            }
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn unsigned() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "no telephony provider that this agent's account knows has signed this request; check the agent's id and the host in \
         the URL, server.public_url, and the provider's credentials at /api/telephony_configs",
    )
}
