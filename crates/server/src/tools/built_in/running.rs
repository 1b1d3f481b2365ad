//! What the built-in tools do when they are called: each answers at once, with what the engine is to do.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::json::JsonObject;
use antiphon_audio::DtmfKey;
use antiphon_engine::input::{HangUpRequest, Tones, ToolAction, ToolAnswer, ToolOutcome};
use serde_json::Value;

use super::super::outcome::failed;
use super::super::{Refusal, ToolError};

/// Keys that are pressed in one go at most: a card's number, its date and its code, with room to spare.
const MOST_KEYS: usize = 64;
/// The shortest and the longest that a key is pressed, or a pause lasts. Receivers need 40 ms of either (ITU-T Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(5);
/// The longest that all keys of one go may take.
const LONGEST_IN_ALL: Duration = Duration::from_secs(60);

/// A built-in tool that the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tools) enum Running {
    /// `leaveVoicemail`.
    Voicemail,
    /// `playDtmfSounds`.
    Keys,
    /// `coldTransfer` and `warmTransfer`.
    Transfer,
}

impl Running {
    /// What a call comes to, whose parameters are all there.
    pub(in crate::tools) fn run(self, parameters: &JsonObject) -> Result<ToolOutcome, Refusal> {
        match self {
            Self::Voicemail => voicemail(parameters),
            Self::Keys => keys(parameters),
            // No medium of this server has a telephone behind it.
            Self::Transfer => Ok(failed(
                "The call cannot be transferred: it is not a telephone call.",
                "only calls over a telephone can be transferred, and this one is not",
            )),
        }
    }

    /// Whether what a selection sets makes sense. `at` is the selection's field.
    pub(in crate::tools) fn check(self, fixed: &JsonObject, at: &str) -> Result<(), ToolError> {
        for (name, value) in fixed {
            let wanted = match (self, name.as_str()) {
                (Self::Voicemail, "strict") => {
                    value.is_boolean().then_some(()).ok_or("must be true or false")
                }
                (Self::Voicemail, "result" | "message") | (Self::Keys, "digits") => {
                    value.is_string().then_some(()).ok_or("must be a text")
                }
                (Self::Keys, "toneDuration" | "spaceDuration") => duration(value)
                    .map(|_| ())
                    .ok_or("must be a duration from 0.04s to 5s, for example \"0.2s\""),
                (Self::Transfer, "target") => value
                    .as_str()
                    .filter(|target| !target.trim().is_empty())
                    .map(|_| ())
                    .ok_or("must be a SIP URI or a telephone number"),
                (Self::Transfer, "sipVerb") => {
                    one_of(value, &["REFER", "INVITE"]).ok_or("must be \"REFER\" or \"INVITE\"")
                }
                (Self::Transfer, "transferType") => one_of(value, &["REFER", "BRIDGE", "TRY_REFER"])
                    .ok_or("must be \"REFER\", \"BRIDGE\" or \"TRY_REFER\""),
                (Self::Transfer, "extraHeaders" | "inviteHeaders" | "referHeaders") => value
                    .as_object()
                    .filter(|headers| headers.values().all(Value::is_string))
                    .map(|_| ())
                    .ok_or("must be an object of texts"),
                (Self::Transfer, _) => {
                    (value.is_null() || value.is_string()).then_some(()).ok_or("must be a text")
                }
                (Self::Voicemail | Self::Keys, _) => Ok(()),
            };
            wanted.map_err(|problem| ToolError::new(format!("{at}.parameterOverrides.{name}"), problem))?;
        }
        Ok(())
    }
}

fn one_of(value: &Value, words: &[&str]) -> Option<()> {
    value.as_str().filter(|word| words.contains(word)).map(|_| ())
}

fn duration(value: &Value) -> Option<Duration> {
    let wire: WireDuration = value.as_str()?.parse().ok()?;
    wire.to_std().filter(|duration| (SHORTEST..=LONGEST).contains(duration))
}

/// Says the message and ends the call (protocol.md 5.7).
fn voicemail(parameters: &JsonObject) -> Result<ToolOutcome, Refusal> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let message = text("message");
    if message.is_empty() {
        return Err(Refusal("message: there is nothing to say".to_owned()));
    }
    let strict = parameters.get("strict").and_then(Value::as_bool).unwrap_or(true);
    Ok(answered(ToolAction::HangUp(HangUpRequest {
        strict,
        message: Some(Arc::from(message)),
        result: Some(Arc::from(text("result"))),
    })))
}

/// Presses keys of a telephone.
fn keys(parameters: &JsonObject) -> Result<ToolOutcome, Refusal> {
    let digits = parameters.get("digits").and_then(Value::as_str).unwrap_or_default();
    let signs = digits.chars().filter(|sign| !sign.is_whitespace());
    let keys: Option<String> = signs.map(|sign| DtmfKey::new(sign).map(DtmfKey::sign)).collect();
    let keys = keys.filter(|keys| (1..=MOST_KEYS).contains(&keys.len())).ok_or_else(|| {
        Refusal(format!("digits: must be 1 to {MOST_KEYS} of the keys 0 to 9, *, # and A to D"))
    })?;
    let of = |name: &str, default| parameters.get(name).and_then(duration).unwrap_or(default);
    let tone = of("toneDuration", Duration::from_millis(200));
    let space = of("spaceDuration", Duration::from_millis(100));
    let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
    if (tone + space) * count > LONGEST_IN_ALL {
        let seconds = LONGEST_IN_ALL.as_secs();
        return Err(Refusal(format!("digits: too many; together they may take {seconds} s")));
    }
    Ok(answered(ToolAction::PlayTones(Tones { keys: Arc::from(keys), tone, space })))
}

fn answered(action: ToolAction) -> ToolOutcome {
    ToolOutcome::Answered(ToolAnswer { action, reaction: None, state_update: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> JsonObject {
        let Value::Object(object) = value else { panic!("{value} is an object") };
        object
    }

    #[test]
    fn keys_are_counted_and_read_liberally() {
        let run = |digits: &str, tone: &str| {
            Running::Keys
                .run(&object(json!({"digits": digits, "toneDuration": tone, "spaceDuration": "0.1s"})))
        };
        let tones = |keys: &str, ms| {
            Ok(answered(ToolAction::PlayTones(Tones {
                keys: Arc::from(keys),
                tone: Duration::from_millis(ms),
                space: Duration::from_millis(100),
            })))
        };
        assert_eq!(run("0123456789*#ABCD", "0.2s"), tones("0123456789*#ABCD", 200));
        assert_eq!(run(" 12 34 d ", "0.04s"), tones("1234D", 40));
        for (digits, tone) in [("", "0.2s"), ("12x", "0.2s"), ("1,2", "0.2s"), ("１", "0.2s")] {
            assert!(run(digits, tone).is_err_and(|Refusal(why)| why.starts_with("digits: must be 1 to 64")));
        }
        assert!(run(&"1".repeat(65), "0.2s").is_err());
        assert_eq!(
            run(&"1".repeat(20), "5s"),
            Err(Refusal("digits: too many; together they may take 60 s".to_owned()))
        );
    }

    #[test]
    fn a_voicemail_is_the_last_that_is_said() {
        let run = |parameters| Running::Voicemail.run(&object(parameters));
        let left = run(json!({"message": " Call me. ", "strict": false, "result": "Left."}));
        let expected = HangUpRequest {
            strict: false,
            message: Some(Arc::from("Call me.")),
            result: Some(Arc::from("Left.")),
        };
        assert_eq!(left, Ok(answered(ToolAction::HangUp(expected))));
        assert!(run(json!({"message": " "})).is_err());
    }

    #[test]
    fn what_a_selection_sets_is_checked_by_name() {
        for (running, fixed, field) in [
            (Running::Voicemail, json!({"strict": "yes"}), "strict"),
            (Running::Voicemail, json!({"result": 7}), "result"),
            (Running::Keys, json!({"toneDuration": "0.01s"}), "toneDuration"),
            (Running::Keys, json!({"spaceDuration": 1}), "spaceDuration"),
            (Running::Transfer, json!({"target": ""}), "target"),
            (Running::Transfer, json!({"sipVerb": "CALL"}), "sipVerb"),
            (Running::Transfer, json!({"transferType": null}), "transferType"),
            (Running::Transfer, json!({"extraHeaders": {"a": 1}}), "extraHeaders"),
            (Running::Transfer, json!({"holdMusicUrl": 1}), "holdMusicUrl"),
        ] {
            let error = running.check(&object(fixed), "selectedTools[0]").unwrap_err();
            assert_eq!(error.field, format!("selectedTools[0].parameterOverrides.{field}"));
        }
        let fine = json!({"target": "sip:a@b", "sipVerb": "REFER", "extraHeaders": {"a": "b"}, "from": null});
        assert_eq!(Running::Transfer.check(&object(fine), ""), Ok(()));
    }
}
