//! Changes one setting of a conversation by its name in a request to create a call: `vadSettings.turnEndpointDelay=0.6s`.
//!
//! Knows the settings that the engine itself acts on, and what to say of others.

use std::time::Duration;

use antiphon_api::WireDuration;
use antiphon_api::rest::calls::VadSettings;
use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, TurnTaking};
use serde_json::Value;

use super::EarSettings;
use crate::call::setup::turn_taking::{self, Able};
use crate::config::{Speculation, TurnTaking as Section};

/// What is asked for in `experimentalSettings`.
const TURN_TAKING: &str = "experimentalSettings.antiphon.turnTaking.";

/// What can be set where the recording is heard again, beside [`NAMES`].
pub const HEARD_NAMES: [&str; 2] =
    ["vadSettings.frameActivationThreshold", "experimentalSettings.antiphon.turnTaking.echoGuard"];

/// What can be set, for people.
pub const NAMES: [&str; 12] = [
    "vadSettings.turnEndpointDelay",
    "vadSettings.minimumTurnDuration",
    "vadSettings.minimumInterruptionDuration",
    "clientBufferSizeMs",
    "medium.serverWebSocket.clientBufferSizeMs",
    "inactivityMessages[N].duration",
    "maxDuration",
    "joinTimeout",
    "firstSpeakerSettings.agent.delay",
    "firstSpeakerSettings.agent.uninterruptible",
    "firstSpeakerSettings.user.fallback.delay",
    "experimentalSettings.antiphon.turnTaking.NAME",
];

/// A setting that cannot be changed so. Whoever wrote it changes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No name and value.
    #[error("{0:?} sets nothing; write name=value, such as vadSettings.turnEndpointDelay=0.6s")]
    NoAssignment(String),
    /// No such setting.
    #[error("{0:?} cannot be set; what can: {names}", names = NAMES.join(", "))]
    Unknown(String),
    /// The engine never sees it.
    #[error(
        "{0:?} decides what counts as speech, which is in the journal already; add --audio to hear the call's recording again"
    )]
    NeedsAudio(String),
    /// The call has no such thing.
    #[error("{0:?} does not apply: the call was not set up that way")]
    Absent(String),
    /// The value makes no sense.
    #[error("{name}={value:?} makes no sense: {problem}")]
    Value {
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// What is wrong.
        problem: String,
    },
}

/// Changes the settings of a call whose recording is heard again: those of [`set`], and those of the ear.
///
/// # Errors
/// See [`SettingError`]; nothing is changed then.
pub fn set_heard(config: &mut Config, ear: &mut EarSettings, assignment: &str) -> Result<(), SettingError> {
    let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    let (name, value) = (name.trim(), value.trim());
    let wrong = |problem: &str| SettingError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    };
    match name {
        "vadSettings.frameActivationThreshold" | "frameActivationThreshold" => {
            let threshold = value.parse().ok().filter(|threshold| (0.1..=1.0).contains(threshold));
            ear.threshold = threshold.ok_or_else(|| wrong("write a number from 0.1 to 1"))?;
        }
        "experimentalSettings.antiphon.turnTaking.echoGuard" => {
            ear.echo_guard = value.parse().map_err(|_| wrong("write true or false"))?;
        }
        _ => set(config, assignment)?,
    }
    Ok(())
}

/// Changes `config` by an assignment `name=value`.
///
/// # Errors
/// See [`SettingError`]; `config` is as it was then.
pub fn set(config: &mut Config, assignment: &str) -> Result<(), SettingError> {
    let Some((name, value)) = assignment.split_once('=') else {
        return Err(SettingError::NoAssignment(assignment.to_owned()));
    };
    let (name, value) = (name.trim(), value.trim());
    let wrong = |problem: &str| SettingError::Value {
        name: name.to_owned(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    };
    let absent = || SettingError::Absent(name.to_owned());
    let duration = || {
        let duration: WireDuration = value.parse().map_err(|_| wrong("write seconds, such as 0.6s"))?;
        duration.to_std().ok_or_else(|| wrong("it must not be negative"))
    };
    match name {
        "vadSettings.turnEndpointDelay" => {
            let changed = TurnTaking { endpoint_delay: duration()?, ..config.turn_taking };
            config.turn_taking = checked(changed).map_err(|problem| wrong(&problem))?;
        }
        "vadSettings.minimumTurnDuration" => {
            let changed = TurnTaking { minimum_turn: duration()?, ..config.turn_taking };
            config.turn_taking = checked(changed).map_err(|problem| wrong(&problem))?;
        }
        "vadSettings.minimumInterruptionDuration" => {
            let changed = TurnTaking { minimum_interruption: duration()?, ..config.turn_taking };
            config.turn_taking = checked(changed).map_err(|problem| wrong(&problem))?;
        }
        "vadSettings.frameActivationThreshold" | "frameActivationThreshold" => {
            return Err(SettingError::NeedsAudio(name.to_owned()));
        }
        "clientBufferSizeMs" | "medium.serverWebSocket.clientBufferSizeMs" => {
            let ms: u32 = value.parse().map_err(|_| wrong("write whole milliseconds"))?;
            config.client_buffer = Duration::from_millis(u64::from(ms));
        }
        "maxDuration" => config.max_duration = duration()?,
        "joinTimeout" => config.join_timeout = duration()?,
        "firstSpeakerSettings.agent.delay" => match &mut config.first_speaker {
            FirstSpeaker::Agent { delay, .. } => *delay = duration()?,
            FirstSpeaker::User { .. } => return Err(absent()),
        },
        "firstSpeakerSettings.agent.uninterruptible" => match &mut config.first_speaker {
            FirstSpeaker::Agent { uninterruptible, .. } => {
                *uninterruptible = value.parse().map_err(|_| wrong("write true or false"))?;
            }
            FirstSpeaker::User { .. } => return Err(absent()),
        },
        "firstSpeakerSettings.user.fallback.delay" => match &mut config.first_speaker {
            FirstSpeaker::User { fallback: Some((delay, _)) } => *delay = duration()?,
            FirstSpeaker::User { fallback: None } | FirstSpeaker::Agent { .. } => return Err(absent()),
        },
        _ if name.starts_with(TURN_TAKING) => {
            set_turn_taking(config, name, value)?;
        }
        _ => {
            let index =
                name.strip_prefix("inactivityMessages[").and_then(|rest| rest.strip_suffix("].duration"));
            let Some(index) = index else { return Err(SettingError::Unknown(name.to_owned())) };
            let index = index.parse::<usize>().map_err(|_| SettingError::Unknown(name.to_owned()))?;
            let message = config.inactivity.get_mut(index).ok_or_else(absent)?;
            message.after = duration()?;
        }
    }
    Ok(())
}

/// Changes what `experimentalSettings.antiphon.turnTaking` changes. A detector or words that the call did not have stay away.
fn set_turn_taking(config: &mut Config, name: &str, value: &str) -> Result<(), SettingError> {
    let key = &name[TURN_TAKING.len()..];
    if key == "echoGuard" {
        return Err(SettingError::NeedsAudio(name.to_owned()));
    }
    let TurnTaking { pauses, interruption, .. } = config.turn_taking;
    let mut section = Section {
        pause_below: interruption.pause_below,
        longest_pause: interruption.longest_pause,
        certain_speech: interruption.certain_speech,
        settled: interruption.settled,
        judge_words: interruption.words,
        first_moments: interruption.first_moments,
        minimum_at_first: interruption.minimum_at_first,
        echo_guard: true,
        lull: pauses.lull,
        longest_endpoint_delay: pauses.longest_delay,
        open_sentences: pauses.words,
        speculative: if pauses.speculative { Speculation::Always } else { Speculation::Never },
    };
    let value = match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => Value::from(text),
    };
    match turn_taking::change(&mut section, key, &value) {
        Ok(true) => {}
        Ok(false) => return Err(SettingError::Unknown(name.to_owned())),
        Err(error) => {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(SettingError::Value { name: name.to_owned(), value, problem: error.message });
        }
    }
    // Whether the call could have had words is not in its journal; asking for more of them finds none, as in a call without.
    let able = Able { detector: pauses.detector, transcribes: true, hearing: config.hearing };
    turn_taking::extend(&mut config.turn_taking, &section, able);
    Ok(())
}

/// The same rounding and bounds as for a new call.
fn checked(wanted: TurnTaking) -> Result<TurnTaking, String> {
    let settings = VadSettings {
        turn_endpoint_delay: Some(WireDuration::from(wanted.endpoint_delay)),
        minimum_turn_duration: Some(WireDuration::from(wanted.minimum_turn)),
        minimum_interruption_duration: Some(WireDuration::from(wanted.minimum_interruption)),
        frame_activation_threshold: None,
    };
    let mut checked = wanted;
    turn_taking::publish(&mut checked, Some(&settings)).map_err(|error| error.message)?;
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::journal::samples::header;

    #[test]
    fn settings_are_changed_by_their_names_on_the_wire() {
        let mut config = header().config;
        set(&mut config, "vadSettings.turnEndpointDelay=0.6s").unwrap();
        assert_eq!(config.turn_taking.endpoint_delay, Duration::from_millis(608));
        set(&mut config, "clientBufferSizeMs = 30000").unwrap();
        assert_eq!(config.client_buffer, Duration::from_secs(30));
        set(&mut config, "firstSpeakerSettings.agent.uninterruptible=true").unwrap();
        assert!(matches!(config.first_speaker, FirstSpeaker::Agent { uninterruptible: true, .. }));
        set(&mut config, "experimentalSettings.antiphon.turnTaking.certainSpeech=0.3s").unwrap();
        assert_eq!(config.turn_taking.interruption.certain_speech, Duration::from_millis(300));
        set(&mut config, "experimentalSettings.antiphon.turnTaking.speculative=true").unwrap();
        assert!(config.turn_taking.pauses.speculative);
    }

    #[test]
    fn what_cannot_be_set_is_refused_and_changes_nothing() {
        let config = header().config;
        for wrong in [
            "vadSettings",
            "vadSettings.frameActivationThreshold=0.5",
            "vadSettings.turnEndpointDelay=fast",
            "vadSettings.turnEndpointDelay=-1s",
            "vadSettings.turnEndpointDelay=900s",
            "inactivityMessages[7].duration=1s",
            "inactivityMessages[].duration=1s",
            "firstSpeakerSettings.user.fallback.delay=1s",
            "temperature=1",
            "experimentalSettings.antiphon.turnTaking.certainSpeech=long",
            "experimentalSettings.antiphon.turnTaking.judgeWords=1s",
            "experimentalSettings.antiphon.turnTaking.patience=1s",
            "experimentalSettings.antiphon.turnTaking.echoGuard=false",
        ] {
            let mut changed = config.clone();
            assert!(set(&mut changed, wrong).is_err(), "{wrong}");
            assert_eq!(changed, config, "{wrong}");
        }
    }

    #[test]
    fn what_counts_as_speech_can_be_set_where_it_is_heard_again() {
        let header = header();
        let (mut config, mut ear) = (header.config.clone(), header.ear);
        set_heard(&mut config, &mut ear, "frameActivationThreshold=0.4").unwrap();
        set_heard(&mut config, &mut ear, "experimentalSettings.antiphon.turnTaking.echoGuard = false")
            .unwrap();
        assert_eq!((ear, &config), (EarSettings { threshold: 0.4, echo_guard: false }, &header.config));
        set_heard(&mut config, &mut ear, "vadSettings.turnEndpointDelay=0.6s").unwrap();
        assert_eq!(config.turn_taking.endpoint_delay, Duration::from_millis(608));
        for wrong in
            ["frameActivationThreshold=0", "frameActivationThreshold=loud", "frameActivationThreshold", "x=1"]
        {
            assert!(set_heard(&mut config, &mut ear, wrong).is_err(), "{wrong}");
        }
        assert!(
            set(&mut config, "frameActivationThreshold=0.4").unwrap_err().to_string().contains("--audio")
        );
    }
}
