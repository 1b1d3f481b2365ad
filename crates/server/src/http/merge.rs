//! How a partial update changes an agent (protocol.md A-49): objects are merged, key by key; lists and all else take the place of what
//! was there; null clears.
//!
//! Two things go beyond that. What excludes each other takes each other's place, so that a medium, a voice or a first speaker can be
//! changed without clearing the old one first. And where a secret comes back as it was shown, hidden, it stays what it was, so that
//! a client may send back what it was given.

use antiphon_api::HIDDEN;
use antiphon_api::json::JsonObject;
use serde::Serialize;
use serde_json::Value;

/// Objects with keys of somebody's own, in which two spellings are two keys.
const FREE: [&str; 6] =
    ["additionalParams", "authTokens", "body", "contextSchema", "headers", "requestContextMapping"];
/// Objects of which one key is set.
const CHOICES: [&str; 6] =
    ["definition", "externalVoice", "firstSpeakerSettings", "medium", "sip", "voiceOverrides"];
/// Fields that exclude others.
const EXCLUSIONS: [(&str, &[&str]); 3] = [
    ("voice", &["externalVoice"]),
    ("externalVoice", &["voice", "voiceOverrides"]),
    ("voiceOverrides", &["externalVoice"]),
];

/// `whole` with the changes that `patch` says. What is no object changes all of it.
pub(in crate::http) fn merged(whole: Value, patch: &Value) -> Value {
    merge(whole, patch, "")
}

fn merge(whole: Value, patch: &Value, at: &str) -> Value {
    let (mut fields, patch) = match (whole, patch) {
        (Value::Object(fields), Value::Object(patch)) => (fields, patch),
        (Value::Array(before), Value::Array(items)) if at == "selectedTools" => {
            return Value::Array(items.iter().map(|tool| with_tokens_of(&before, tool)).collect());
        }
        (Value::String(secret), Value::String(shown)) if shown == HIDDEN => return Value::String(secret),
        (_, patch) => return patch.clone(),
    };
    let keys: Vec<String> = patch.keys().map(|key| spelled(key, at)).collect();
    let set = |(key, value): (&String, &Value)| (!value.is_null()).then(|| spelled(key, at));
    let set: Vec<String> = patch.iter().filter_map(set).collect();
    if CHOICES.contains(&at) && !set.is_empty() {
        fields.retain(|key, _| set.contains(key));
    }
    for (key, excluded) in EXCLUSIONS {
        if at == "callTemplate" && set.iter().any(|set| set == key) {
            fields.retain(|field, _| !excluded.contains(&field.as_str()));
        }
    }
    for (key, value) in keys.into_iter().zip(patch.values()) {
        match (fields.remove(&key), value) {
            (_, Value::Null) => {}
            (Some(before), value) => {
                let merged = merge(before, value, &key);
                fields.insert(key, merged);
            }
            (None, value) => {
                fields.insert(key, value.clone());
            }
        }
    }
    Value::Object(fields)
}

/// A key of the object `at` in the spelling that the server writes.
fn spelled(key: &str, at: &str) -> String {
    if FREE.contains(&at) || !key.contains('_') {
        return key.to_owned();
    }
    let mut words = key.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// A tool whose hidden tokens are those of the same tool before.
fn with_tokens_of(before: &[Value], tool: &Value) -> Value {
    let mut tool = tool.clone();
    let known =
        before.iter().find(|known| is_same_tool(known, &tool)).and_then(|known| known.get("authTokens"));
    let key = if tool.get("authTokens").is_some() { "authTokens" } else { "auth_tokens" };
    let Some(tokens) = tool.get_mut(key).and_then(Value::as_object_mut) else { return tool };
    for (name, token) in tokens {
        let known = known.and_then(|known| known.get(name));
        if let (Some(known), Some(HIDDEN)) = (known, token.as_str()) {
            *token = known.clone();
        }
    }
    tool
}

/// Whether two selections are of one tool under one name.
fn is_same_tool(known: &Value, tool: &Value) -> bool {
    let text = |value: &Value, camel: &str, snake: &str| {
        value.get(camel).or_else(|| value.get(snake)).filter(|value| !value.is_null()).cloned()
    };
    let temporary = |value: &Value| {
        let definition = text(value, "temporaryTool", "temporary_tool")?;
        text(&definition, "modelToolName", "model_tool_name")
    };
    text(known, "toolId", "tool_id") == text(tool, "toolId", "tool_id")
        && text(known, "toolName", "tool_name") == text(tool, "toolName", "tool_name")
        && text(known, "nameOverride", "name_override") == text(tool, "nameOverride", "name_override")
        && temporary(known) == temporary(tool)
}

/// `new`, which takes the place of `before`: where a secret comes back as it was shown, it stays what it was.
pub(super) fn replacing(before: &Value, new: &Value) -> Value {
    match (before, new) {
        (Value::Object(before), Value::Object(new)) => {
            let kept = |(key, value): (&String, &Value)| {
                let value = before.get(key).map_or_else(|| value.clone(), |before| replacing(before, value));
                (key.clone(), value)
            };
            Value::Object(new.iter().map(kept).collect())
        }
        (Value::String(secret), Value::String(shown)) if shown == HIDDEN => Value::String(secret.clone()),
        (_, new) => new.clone(),
    }
}

/// The field that holds what is shown instead of a secret, if one does: that secret is lost.
pub(super) fn hidden(whole: &impl Serialize) -> Option<String> {
    let whole = serde_json::to_value(whole).expect("wire types have string keys");
    hidden_within(&whole, "", false)
}

fn hidden_within(value: &Value, path: &str, secret: bool) -> Option<String> {
    match value {
        Value::String(text) => (secret && text == HIDDEN).then(|| path.to_owned()),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| hidden_within(item, &format!("{path}[{index}]"), secret))
        }
        Value::Object(fields) => hidden_in_fields(fields, path),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn hidden_in_fields(fields: &JsonObject, path: &str) -> Option<String> {
    let dot = if path.is_empty() { "" } else { "." };
    let holds_secrets = path.ends_with("headers") || path.ends_with("authTokens");
    fields.iter().find_map(|(key, value)| hidden_within(value, &format!("{path}{dot}{key}"), holds_secrets))
}

#[cfg(test)]
mod tests {
    use antiphon_api::rest::agents::CallTemplate;
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
    fn template(before: Value, patch: Value) -> Value {
        let merged = merged(json!({"name": "A", "callTemplate": before}), &json!({"callTemplate": patch}));
        assert_eq!(merged["name"], "A");
        merged["callTemplate"].clone()
    }

    #[test]
    fn objects_merge_lists_replace_and_null_clears() {
        let before = json!({
            "systemPrompt": "Hi", "temperature": 0.5, "vadSettings": {"turnEndpointDelay": "0.4s"},
            "inactivityMessages": [{"duration": "5s", "message": "Hm?"}],
        });
        let patch = json!({
            "temperature": null, "vad_settings": {"minimum_turn_duration": "0.1s"}, "inactivityMessages": [],
            "system_prompt": "Hello",
        });
        let after = json!({
            "systemPrompt": "Hello",
            "vadSettings": {"turnEndpointDelay": "0.4s", "minimumTurnDuration": "0.1s"},
            "inactivityMessages": [],
        });
        assert_eq!(template(before, patch), after);
    }

    #[test]
    fn what_excludes_each_other_takes_each_others_place() {
        let medium = json!({"medium": {"webRtc": {}}});
        let socket = json!({"medium": {"serverWebSocket": {"inputSampleRate": 8000}}});
        assert_eq!(template(medium, socket.clone()), socket);
        let buffered = json!({"medium": {"server_web_socket": {"clientBufferSizeMs": 90}}});
        assert_eq!(
            template(socket, buffered),
            json!({"medium": {"serverWebSocket": {"inputSampleRate": 8000, "clientBufferSizeMs": 90}}})
        );
        let external = json!({"externalVoice": {"lmnt": {"voiceId": "x"}}});
        assert_eq!(
            template(json!({"voice": "a", "voiceOverrides": {"lmnt": {}}}), external.clone()),
            external
        );
        assert_eq!(template(external.clone(), json!({"voice": "a"})), json!({"voice": "a"}));
        assert_eq!(template(external.clone(), json!({"voice": null})), external);
    }

    #[test]
    fn keys_of_somebodys_own_keep_their_spelling() {
        let before = json!({"contextSchema": {"userName": 1, "user_name": 2}});
        let after = json!({"contextSchema": {"userName": 1, "user_name": 3}});
        assert_eq!(template(before, json!({"contextSchema": {"user_name": 3}})), after);
    }

    #[test]
    fn a_hidden_secret_stays_what_it_was() {
        let tool = |token: &str| json!({"toolName": "crm", "authTokens": {"key": token}});
        let headers = |value: &str| json!({"websocketUrl": "wss://x", "headers": {"X-Key": value}});
        let before = json!({"selectedTools": [{"toolName": "hangUp"}, tool("s3cret")], "dataConnection": headers("h")});
        let shown = json!({"selectedTools": [tool(HIDDEN)], "dataConnection": headers(HIDDEN)});
        let after = json!({"selectedTools": [tool("s3cret")], "dataConnection": headers("h")});
        assert_eq!(template(before, shown), after);
    }

    #[test]
    fn a_secret_that_is_lost_is_named() {
        let parse = |value: Value| serde_json::from_value::<CallTemplate>(value).unwrap();
        let tool =
            |token: &str| json!({"selectedTools": [{"toolName": "crm", "authTokens": {"key": token}}]});
        assert_eq!(hidden(&parse(tool("s3cret"))), None);
        assert_eq!(hidden(&parse(tool(HIDDEN))).as_deref(), Some("selectedTools[0].authTokens.key"));
        let prompt = json!({"systemPrompt": HIDDEN});
        assert_eq!(hidden(&parse(prompt)), None, "what is no secret may say so");
    }
}
