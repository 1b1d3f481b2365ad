//! What a request leaves open and takes from another: from a prior call's, or from that of the stage before.

use antiphon_api::rest::calls::StartCallRequest;
use serde_json::Value;

/// `own` with what it leaves open taken from `prior`. What excludes each other is inherited together or not at all.
pub(super) fn overlay(own: &StartCallRequest, prior: &StartCallRequest) -> StartCallRequest {
    const TOGETHER: [&[&str]; 2] =
        [&["voice", "externalVoice", "voiceOverrides"], &["firstSpeaker", "firstSpeakerSettings"]];
    let (Ok(Value::Object(own)), Ok(Value::Object(mut merged))) =
        (serde_json::to_value(own), serde_json::to_value(prior))
    else {
        return own.clone();
    };
    for group in TOGETHER {
        if group.iter().any(|key| own.contains_key(*key)) {
            merged.retain(|key, _| !group.contains(&key.as_str()));
        }
    }
    merged.extend(own);
    let merged = Value::Object(merged);
    let parsed = antiphon_api::json::from_value(&merged, antiphon_api::json::Source::RequestBody);
    parsed.expect("both halves were valid, and so is every field of them").value
}
