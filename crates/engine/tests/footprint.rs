//! What a conversation holds and allocates: nothing on the audio path, and no more than its limits under a flood.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{Greeting, InactivityEnd, Limits};
use antiphon_engine::input::{ForcedUrgency, ModelEvent, Request, Urgency, VoiceEvent};
use antiphon_engine::message::Medium;
use antiphon_engine::output::Effect;
use antiphon_engine::{AudioTime, CallTime, Config, Conversation, Input, Output};

use crate::story::{RATE, agent_greets, config, forced, silence};

/// Polls until there is nothing more, and returns the deadline and how much audio was sent and else was done.
fn drain(conversation: &mut Conversation) -> (Option<CallTime>, u32, u32) {
    let (mut sent, mut others) = (0, 0);
    loop {
        match conversation.poll() {
            Output::Timeout(deadline) => return (deadline.map(|(at, _)| at), sent, others),
            Output::Effect(Effect::Play { samples, .. }) => sent += samples,
            Output::Effect(_) | Output::Event(_) => others += 1,
        }
    }
}

#[test]
fn sending_a_frame_allocates_nothing() {
    let text = "word ".repeat(40);
    let inactivity = vec![silence(5, "Hello?", InactivityEnd::KeepWaiting)];
    let mut conversation = Conversation::new(
        Config { first_speaker: agent_greets(&text), inactivity, ..config() },
        CallTime::ZERO,
    );
    conversation.handle(CallTime::ZERO, Input::Joined);
    let utterance = loop {
        if let Output::Effect(Effect::StartSpeech { utterance, .. }) = conversation.poll() {
            break utterance;
        }
    };
    conversation.handle(CallTime::ZERO, Input::Voice(utterance, VoiceEvent::Audio { samples: RATE * 9 }));
    conversation.handle(CallTime::ZERO, Input::Voice(utterance, VoiceEvent::Finished));
    let (mut deadline, ..) = drain(&mut conversation);
    let mut frames = 0;
    for _ in 0..400 {
        let Some(now) = deadline else { break };
        let mut told = 0;
        let counted = allocation_counter::measure(|| {
            conversation.handle(now, Input::Timeout);
            let (next, sent, others) = drain(&mut conversation);
            deadline = next;
            frames += sent / (RATE / 50);
            told = others;
        });
        // A word that is shown is news, and news is allocated.
        assert!(told > 0 || counted.count_total == 0, "{counted:?} for a frame at {now}");
    }
    assert!(frames > 300, "{frames} frames");
}

#[test]
fn noise_allocates_nothing() {
    let mut settings = config();
    settings.turn_taking.minimum_turn = Duration::from_millis(90);
    let mut conversation = Conversation::new(settings, CallTime::ZERO);
    conversation.handle(CallTime::ZERO, Input::Joined);
    drain(&mut conversation);
    let counted = allocation_counter::measure(|| {
        for second in 1..100_u64 {
            let at = AudioTime::from_millis(second * 1_000);
            conversation
                .handle(CallTime::from_millis(second * 1_000), Input::SpeechStarted { at, received: at });
            drain(&mut conversation);
            let at = AudioTime::from_millis(second * 1_000 + 60);
            let now = CallTime::from_millis(second * 1_000 + 60);
            conversation.handle(now, Input::SpeechStopped { at, received: at });
            let (deadline, ..) = drain(&mut conversation);
            conversation.handle(deadline.expect("the turn ends"), Input::Timeout);
            drain(&mut conversation);
        }
    });
    assert_eq!(counted.count_total, 0);
}

/// How many bytes a conversation holds after a flood.
fn after_a_flood(config: Config, joined: bool, flood: impl Fn(u32) -> Input) -> i64 {
    let mut conversation = Conversation::new(config, CallTime::ZERO);
    if joined {
        conversation.handle(CallTime::ZERO, Input::Joined);
        drain(&mut conversation);
    }
    let counted = allocation_counter::measure(|| {
        for number in 0..20_000 {
            conversation.handle(CallTime::from_millis(u64::from(number)), flood(number));
            drain(&mut conversation);
        }
    });
    counted.bytes_current
}

#[test]
fn floods_of_requests_are_held_within_the_limits() {
    const KIB: i64 = 1_024;
    let limits = Limits { history_bytes: 256 * 1_024, ..Limits::default() };
    let small = || Config { limits, ..config() };
    let written = || Config { output_medium: Medium::Text, ..small() };
    let text =
        |text: &str| Input::Request(Request::UserText { text: Arc::from(text), urgency: Urgency::Later });
    let words = "word ".repeat(100);
    let forced_words = || Input::Request(Request::ForcedMessage(forced(&words, ForcedUrgency::Soon)));

    for (what, held) in [
        ("text", after_a_flood(small(), true, |_| text(&words))),
        ("letters", after_a_flood(small(), true, |_| text("a"))),
        ("empty text", after_a_flood(small(), true, |_| text(""))),
        ("text before the join", after_a_flood(small(), false, |_| text(&words))),
        ("forced messages", after_a_flood(small(), true, |_| forced_words())),
        ("written forced messages", after_a_flood(written(), true, |_| forced_words())),
        (
            "media",
            after_a_flood(small(), true, |number| {
                let medium = if number % 2 == 0 { Medium::Text } else { Medium::Voice };
                Input::Request(Request::SetOutputMedium(medium))
            }),
        ),
    ] {
        assert!(held < 600 * KIB, "{what}: {held} bytes are held");
    }
}

#[test]
fn a_model_that_never_stops_is_stopped() {
    let mut settings = config();
    settings.limits.message_bytes = 10_000;
    settings.first_speaker = antiphon_engine::config::FirstSpeaker::Agent {
        greeting: Greeting::Generated { invitation: None },
        delay: Duration::ZERO,
        uninterruptible: false,
    };
    let generation = antiphon_engine::ids::GenerationId(0);
    let held = after_a_flood(settings, true, |_| {
        Input::Model(generation, ModelEvent::Text(Arc::from("and so on and on and on ")))
    });
    assert!(held < 200 * 1_024, "{held} bytes are held");
}

#[test]
fn a_conversation_is_small_and_can_be_moved_to_any_task() {
    fn is_free_to_move<T: Send + Sync + std::panic::UnwindSafe>() {}
    is_free_to_move::<Conversation>();
    assert!(size_of::<Conversation>() <= 1_280, "{} bytes", size_of::<Conversation>());
    assert!(size_of::<Output>() <= 96, "{} bytes", size_of::<Output>());
    assert!(size_of::<Input>() <= 128, "{} bytes", size_of::<Input>());
}
