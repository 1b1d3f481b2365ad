//! When speech counts in one call: the published `vadSettings`, the server's `[turn_taking]`, and what a call asks for instead in
//! `experimentalSettings.antiphon.turnTaking`, which is an extension of ours.

use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::VadSettings;
use antiphon_backends::registry::Backends;
use antiphon_engine::config::{Hearing, InterruptionPolicy, PausePolicy, TurnTaking};
use serde_json::Value;

use super::{Remark, SetupError};
use crate::config::{Speculation, TurnTaking as Section};

/// `turnEndpointDelay` works in steps of this (protocol.md 5.2).
const VAD_FRAME: Duration = Duration::from_millis(32);
/// The longest that any of these may be; longer ones are surely mistakes of unit.
const LONGEST: Duration = Duration::from_secs(60);
/// Where a call says what it wants.
const FIELD: &str = "experimentalSettings.antiphon.turnTaking";

/// What a call runs with.
pub(super) fn prepare(
    vad: Option<&VadSettings>,
    wanted: &Section,
    hearing: Hearing,
    backends: &Backends,
) -> Result<TurnTaking, SetupError> {
    let mut turn_taking = TurnTaking::default();
    publish(&mut turn_taking, vad)?;
    let able = Able {
        detector: backends.turn_detector.is_some(),
        transcribes: backends.speech_to_text.is_some(),
        hearing,
    };
    extend(&mut turn_taking, wanted, able);
    Ok(turn_taking)
}

/// Sets what `vadSettings` set (protocol.md 5.2).
///
/// # Errors
/// The setting that is out of range; nothing is changed then.
pub(crate) fn publish(turn_taking: &mut TurnTaking, vad: Option<&VadSettings>) -> Result<(), SetupError> {
    let default = *turn_taking;
    let read = |field: &str, value: Option<WireDuration>, default: Duration| match value {
        None => Ok(default),
        Some(value) => duration(value).ok_or_else(|| too_long(&format!("vadSettings.{field}"))),
    };
    let vad = vad.cloned().unwrap_or_default();
    let endpoint_delay = read("turnEndpointDelay", vad.turn_endpoint_delay, default.endpoint_delay)?;
    let minimum_turn = read("minimumTurnDuration", vad.minimum_turn_duration, default.minimum_turn)?;
    let minimum_interruption =
        read("minimumInterruptionDuration", vad.minimum_interruption_duration, default.minimum_interruption)?;
    let frames = endpoint_delay.as_micros().div_ceil(VAD_FRAME.as_micros()).max(1);
    turn_taking.endpoint_delay = VAD_FRAME * u32::try_from(frames).unwrap_or(u32::MAX);
    turn_taking.minimum_turn = minimum_turn;
    turn_taking.minimum_interruption = minimum_interruption.max(minimum_turn);
    Ok(())
}

/// What a call's backends can do for its turn-taking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Able {
    /// There is a turn detector.
    pub(crate) detector: bool,
    /// There is a transcriber.
    pub(crate) transcribes: bool,
    /// How the model takes speech.
    pub(crate) hearing: Hearing,
}

/// Sets what `[turn_taking]` and its like in a call set.
pub(crate) fn extend(turn_taking: &mut TurnTaking, wanted: &Section, able: Able) {
    turn_taking.pauses = PausePolicy {
        lull: wanted.lull,
        longest_delay: wanted.longest_endpoint_delay,
        detector: able.detector,
        words: wanted.open_sentences && able.transcribes,
        speculative: match wanted.speculative {
            Speculation::Auto => able.hearing == Hearing::Audio,
            Speculation::Always => true,
            Speculation::Never => false,
        },
    };
    turn_taking.interruption = InterruptionPolicy {
        pause_below: wanted.pause_below,
        longest_pause: wanted.longest_pause,
        certain_speech: wanted.certain_speech,
        settled: wanted.settled,
        words: wanted.judge_words && able.transcribes,
        first_moments: wanted.first_moments,
        minimum_at_first: wanted.minimum_at_first,
    };
}

/// The server's settings with those that the call asks for in their place.
pub(super) fn wanted(
    usual: &Section,
    experimental: Option<&Value>,
    remarks: &mut Vec<Remark>,
) -> Result<Section, SetupError> {
    let mut section = usual.clone();
    let Some(asked) = experimental.and_then(|settings| settings.get("antiphon")?.get("turnTaking")) else {
        return Ok(section);
    };
    let Value::Object(asked) = asked else {
        return Err(SetupError::new(FIELD, "must be an object"));
    };
    for (key, value) in asked {
        if !change(&mut section, key, value)? {
            remarks.push(Remark {
                kind: "request.ignored_fields",
                text: format!("{FIELD}.{key} is not a setting of this server; it is ignored"),
            });
        }
    }
    Ok(section)
}

/// Changes one setting by its name on the wire. Returns whether there is one of that name.
///
/// # Errors
/// The value makes no sense for it.
pub(crate) fn change(section: &mut Section, key: &str, value: &Value) -> Result<bool, SetupError> {
    let field = || format!("{FIELD}.{key}");
    let time = || {
        let text = value.as_str().and_then(|text| text.parse::<WireDuration>().ok());
        match text {
            None => {
                Err(SetupError::new(field(), "must be a duration: seconds with an s, for example \"0.5s\""))
            }
            Some(time) => duration(time).ok_or_else(|| too_long(&field())),
        }
    };
    let flag = || value.as_bool().ok_or_else(|| SetupError::new(field(), "must be true or false"));
    match key {
        "pauseBelow" => section.pause_below = time()?,
        "longestPause" => section.longest_pause = time()?,
        "certainSpeech" => section.certain_speech = time()?,
        "settled" => section.settled = time()?,
        "judgeWords" => section.judge_words = flag()?,
        "firstMoments" => section.first_moments = time()?,
        "minimumAtFirst" => section.minimum_at_first = time()?,
        "echoGuard" => section.echo_guard = flag()?,
        "lull" => section.lull = time()?,
        "longestEndpointDelay" => section.longest_endpoint_delay = time()?,
        "openSentences" => section.open_sentences = flag()?,
        "speculative" => {
            section.speculative = if flag()? { Speculation::Always } else { Speculation::Never };
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn duration(wire: WireDuration) -> Option<Duration> {
    wire.to_std().filter(|duration| *duration <= LONGEST)
}

fn too_long(field: &str) -> SetupError {
    SetupError::new(field, "must be between 0s and 60s")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_asks_for_other_values_than_the_servers() {
        let asked = json!({"other": 1, "antiphon": {"turnTaking": {
            "certainSpeech": "0.3s", "judgeWords": false, "speculative": true, "pauseFor": "1s",
        }}});
        let mut remarks = Vec::new();
        let section = wanted(&Section::default(), Some(&asked), &mut remarks).unwrap();
        assert_eq!(section.certain_speech, Duration::from_millis(300));
        assert!(!section.judge_words);
        assert_eq!(section.speculative, Speculation::Always);
        assert_eq!(section.longest_pause, Section::default().longest_pause);
        let texts: Vec<&str> = remarks.iter().map(|remark| remark.text.as_str()).collect();
        let told = "experimentalSettings.antiphon.turnTaking.pauseFor is not a setting of this server; it is ignored";
        assert_eq!(texts, [told]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (value, told) in [
            (json!("fast"), ": must be an object"),
            (json!({"lull": 1}), ".lull: must be a duration: seconds with an s, for example \"0.5s\""),
            (json!({"lull": "61s"}), ".lull: must be between 0s and 60s"),
            (json!({"lull": "-1s"}), ".lull: must be between 0s and 60s"),
            (json!({"echoGuard": "no"}), ".echoGuard: must be true or false"),
        ] {
            let asked = json!({"antiphon": {"turnTaking": value}});
            let error = wanted(&Section::default(), Some(&asked), &mut Vec::new()).unwrap_err();
            assert_eq!(error.to_string(), format!("{FIELD}{told}"));
        }
    }
}
