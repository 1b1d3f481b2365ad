//! Settings for tests.

use std::sync::Arc;
use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting, Hearing, Limits, TurnTaking};
use antiphon_engine::message::Medium;

use super::{EarSettings, Header, UserText};

pub(super) fn header() -> Header {
    let config = Config {
        system_prompt: None,
        temperature: 0.0,
        model: Arc::from("scripted"),
        hearing: Hearing::Audio,
        language: None,
        initial_messages: Vec::new(),
        tools: Vec::new(),
        initial_state: Arc::new(serde_json::json!({})),
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("Hello.")),
            delay: Duration::ZERO,
            uninterruptible: false,
        },
        output_medium: Medium::Voice,
        turn_taking: TurnTaking::default(),
        inactivity: Vec::new(),
        join_timeout: Duration::from_secs(30),
        max_duration: Duration::from_secs(3_600),
        time_exceeded_message: None,
        apology: None,
        output_rate: 16_000,
        client_buffer: Duration::from_millis(60),
        limits: Limits::default(),
    };
    Header {
        server_version: "0.0.0".to_owned(),
        call: CallId::new(uuid::Uuid::new_v4()),
        created: Timestamp::from_unix_micros(1_763_600_000_000_000).unwrap(),
        user_text: UserText::Keep,
        config,
        ear: EarSettings { threshold: 0.1, echo_guard: true },
    }
}
