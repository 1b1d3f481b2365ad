//! The agent under test: an agent definition or a creation request, as the REST API takes them, made fit for a simulation.
//!
//! Owns what is replaced so that the call can run without its surroundings: the medium, the voice, the model and whatever runs
//! the tools. All else reaches the call's own setup as it is written.

use antiphon_api::SampleRate;
use antiphon_api::json::{JsonObject, Source, from_value};
use antiphon_api::rest::calls::{
    BaseToolRun, CallMedium, ClientToolDetails, DtmfHandling, MessageUrgency, ServerWebSocketMedium,
    StartCallRequest, ToolReference,
};
use antiphon_engine::input::Urgency;
use serde_json::Value;

use crate::templates::{self, TemplateError};

/// What an agent has around its call template (protocol.md 7.2); a simulation has no use for it.
const BOOKKEEPING: [&str; 4] = ["contextSchema", "created", "name", "updated"];
/// Samples per second on a telephone line.
const TELEPHONE_HZ: u32 = 8_000;

/// The agent under test.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) request: StartCallRequest,
    pub(super) keys: Keys,
    /// Fields that mean nothing, by their paths.
    pub(super) ignored: Vec<String>,
}

/// What pressed keys become (protocol.md 2.5).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Keys {
    Ignored,
    /// The user's text, in which `{digits}` stands for the keys.
    Text(String, Urgency),
}

impl Agent {
    /// Reads a definition (`callTemplate` and what is around it) or a creation request, with `overrides` in the place of its
    /// fields and `context` for its template.
    pub(super) fn new(
        definition: JsonObject,
        overrides: JsonObject,
        context: &Value,
    ) -> Result<Self, String> {
        let mut fields = match definition.get("callTemplate").or_else(|| definition.get("call_template")) {
            Some(Value::Object(template)) => {
                let mut fields = template.clone();
                fields.retain(|key, _| !BOOKKEEPING.contains(&key.as_str()));
                fields
            }
            Some(_) => return Err("callTemplate: must be an object".to_owned()),
            None => definition,
        };
        fields.extend(overrides);
        let mut fields = Value::Object(fields);
        fill_in(&mut fields, context)?;
        let parsed = from_value::<StartCallRequest>(&fields, Source::RequestBody).map_err(|error| {
            error.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        let mut request = parsed.value;
        let keys = keys(request.medium.as_ref());
        request.medium = Some(CallMedium::ServerWebSocket(medium(request.medium.take())));
        make_fit(&mut request);
        Ok(Self { request, keys, ignored: parsed.ignored })
    }
}

/// Replaces the voice, the model and whatever runs the tools of a request, or of what a stage changes.
pub(super) fn make_fit(request: &mut StartCallRequest) {
    request.model = None;
    request.voice = None;
    request.external_voice = None;
    request.voice_overrides = None;
    for selected in request.selected_tools.iter_mut().flatten() {
        if let ToolReference::TemporaryTool(definition) = &mut selected.tool {
            definition.run = BaseToolRun::Client(ClientToolDetails::default());
        }
    }
}

/// The same audio on a plain connection.
fn medium(medium: Option<CallMedium>) -> ServerWebSocketMedium {
    let plain = |hz: u32| ServerWebSocketMedium {
        input_sample_rate: SampleRate::new(hz).expect("a rate of A-33"),
        output_sample_rate: None,
        client_buffer_size_ms: None,
        data_messages: None,
        media_idle_timeout: None,
    };
    match medium {
        // A simulated line is never idle.
        Some(CallMedium::ServerWebSocket(medium)) => {
            ServerWebSocketMedium { media_idle_timeout: None, ..medium }
        }
        None | Some(CallMedium::WebRtc(_)) => plain(48_000),
        Some(
            CallMedium::Twilio(_)
            | CallMedium::Telnyx(_)
            | CallMedium::Plivo(_)
            | CallMedium::Exotel(_)
            | CallMedium::Sip(_),
        ) => plain(TELEPHONE_HZ),
    }
}

fn keys(medium: Option<&CallMedium>) -> Keys {
    let handling = match medium {
        Some(CallMedium::Twilio(medium)) => medium.dtmf_handling.clone(),
        Some(CallMedium::Telnyx(medium)) => medium.dtmf_handling.clone(),
        Some(CallMedium::Plivo(medium)) => medium.dtmf_handling.clone(),
        Some(CallMedium::Exotel(medium)) => medium.dtmf_handling.clone(),
        None | Some(CallMedium::WebRtc(_) | CallMedium::ServerWebSocket(_) | CallMedium::Sip(_)) => None,
    };
    let DtmfHandling { ignore, user_text_message } = handling.unwrap_or_default();
    if ignore == Some(true) {
        return Keys::Ignored;
    }
    let message = user_text_message.unwrap_or_default();
    let text = message.text.filter(|text| !text.is_empty()).unwrap_or_else(|| "{digits}".to_owned());
    Keys::Text(
        text,
        match message.urgency {
            None | Some(MessageUrgency::Immediate) => Urgency::Immediate,
            Some(MessageUrgency::Soon) => Urgency::Soon,
            Some(MessageUrgency::Later) => Urgency::Later,
        },
    )
}

/// Fills in the variables of every text.
fn fill_in(value: &mut Value, context: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(filled) = filled(text, context)? {
                *text = filled;
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| fill_in(item, context))?,
        Value::Object(fields) => fields.values_mut().try_for_each(|field| fill_in(field, context))?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn filled(text: &str, context: &Value) -> Result<Option<String>, String> {
    templates::filled(text, context).map_err(|error| match &error {
        TemplateError::Missing(name) => {
            format!("the agent's template uses {{{{{name}}}}}; add it under `context`")
        }
        TemplateError::Open(_)
        | TemplateError::Nameless(_)
        | TemplateError::Unsupported(_)
        | TemplateError::Unclosed(_)
        | TemplateError::Unopened(_)
        | TemplateError::Deep
        | TemplateError::Long => format!("the agent's template {error}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agent(definition: Value, context: &Value) -> Result<Agent, String> {
        let Value::Object(definition) = definition else { panic!("{definition} is an object") };
        Agent::new(definition, JsonObject::new(), context)
    }

    #[test]
    fn a_template_is_filled_in_from_the_context() {
        let definition = json!({"name": "Greeter", "callTemplate": {
            "systemPrompt": "You greet {{ customer.name }}, who is {{age}}.",
            "contextSchema": {"type": "object"},
        }});
        let request = agent(definition, &json!({"customer": {"name": "Jane"}, "age": 7})).unwrap().request;
        assert_eq!(request.system_prompt.as_deref(), Some("You greet Jane, who is 7."));
    }

    #[test]
    fn what_is_missing_in_the_context_is_named() {
        let error = agent(json!({"systemPrompt": "Hello {{name}}"}), &json!({})).unwrap_err();
        assert_eq!(error, "the agent's template uses {{name}}; add it under `context`");
    }

    #[test]
    fn keys_become_what_the_medium_says() {
        let keys = |medium: Value| agent(json!({"medium": medium}), &json!({})).unwrap().keys;
        assert_eq!(keys(json!({"webRtc": {}})), Keys::Text("{digits}".into(), Urgency::Immediate));
        assert_eq!(keys(json!({"twilio": {"dtmfHandling": {"ignore": true}}})), Keys::Ignored);
        let message = json!({"text": "Pressed: {digits}", "urgency": "URGENCY_SOON"});
        assert_eq!(
            keys(json!({"telnyx": {"dtmfHandling": {"userTextMessage": message}}})),
            Keys::Text("Pressed: {digits}".into(), Urgency::Soon)
        );
    }

    #[test]
    fn every_problem_of_a_request_is_told() {
        let error = agent(json!({"temperature": 7, "maxDuration": "x"}), &json!({})).unwrap_err();
        assert!(error.contains("temperature") && error.contains("maxDuration"), "{error}");
    }
}
