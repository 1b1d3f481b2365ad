//! Who speaks first, and what happens before anybody does (protocol.md 5.5, A-36, A-61, A-64).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::config::{FirstSpeaker, Greeting, InactivityEnd, InactivityMessage, TurnTaking};
use antiphon_engine::input::{ForcedUrgency, Request, Urgency};
use antiphon_engine::message::{Medium, MessageBody};

use crate::story::{Story, agent_greets, config, forced, from_before};

fn agent_prompted(prompt: &str) -> FirstSpeaker {
    FirstSpeaker::Agent {
        greeting: Greeting::Prompt(Arc::from(prompt)),
        delay: Duration::ZERO,
        uninterruptible: false,
    }
}

fn user_first_or(delay: Duration, greeting: &str) -> FirstSpeaker {
    FirstSpeaker::User { fallback: Some((delay, Greeting::Text(Arc::from(greeting)))) }
}

#[test]
fn the_agent_greets_with_fixed_words() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi there."), ..config() });
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "Hi there."
        0.020s state Speaking
        0.070s agent #0 "Hi"
        0.295s agent #0 +" there."
        0.470s agent #0 ="Hi there."
        0.470s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: Hi there."]);
}

#[test]
fn the_agent_greets_with_words_made_from_a_prompt_that_never_enters_the_record() {
    let mut story = Story::joined(Config { first_speaker: agent_prompted("Greet the caller."), ..config() });
    assert_eq!(story.last_prompt(), ["instruction: Greet the caller."]);
    story.skip();
    let mut story = Story::new(Config { first_speaker: agent_prompted("Greet the caller."), ..config() });
    story.model_says("Welcome!");
    story.join();
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s model
        0.100s voice "Welcome!"
        0.120s state Speaking
        0.320s agent #0 "Welcome!"
        0.520s agent #0 ="Welcome!"
        0.520s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: Welcome!"]);
}

/// The agent opens with what the model makes of a history that ends with this message.
fn agent_opens_after(last: MessageBody) -> Story {
    let invitation = Some(Arc::from("Greet the caller."));
    Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Generated { invitation },
            delay: Duration::ZERO,
            uninterruptible: false,
        },
        initial_messages: vec![from_before(last)],
        ..config()
    })
}

#[test]
fn a_history_that_ends_with_a_question_is_answered_without_an_invitation() {
    let story = agent_opens_after(MessageBody::User { text: Arc::from("Are you open?"), audio: None });
    assert_eq!(story.last_prompt(), ["user (text): Are you open?"]);
}

#[test]
fn a_history_that_ends_with_the_agent_needs_an_invitation() {
    let said: Arc<str> = Arc::from("Call me any time.");
    let story = agent_opens_after(MessageBody::Agent { heard: Arc::clone(&said), generated: said });
    assert_eq!(story.last_prompt(), ["agent: Call me any time.", "instruction: Greet the caller."]);
}

#[test]
fn an_unprompted_model_that_says_nothing_leaves_the_word_to_the_user() {
    let mut story = Story::new(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Generated { invitation: None },
            delay: Duration::ZERO,
            uninterruptible: false,
        },
        ..config()
    });
    story.model_does(Vec::new());
    story.join();
    assert!(story.last_prompt().is_empty());
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s model
        0.100s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn the_agent_waits_for_its_delay() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("Hi.")),
            delay: Duration::from_secs(3),
            uninterruptible: false,
        },
        ..config()
    });
    story.run_secs(5);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        3.000s state Thinking
        3.000s voice "Hi."
        3.020s state Speaking
        3.095s agent #0 "Hi."
        3.170s agent #0 ="Hi."
        3.170s state Listening
        "#,
    );
}

#[test]
fn a_user_who_speaks_within_the_delay_is_answered_instead_of_greeted() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("Hi.")),
            delay: Duration::from_secs(3),
            uninterruptible: false,
        },
        ..config()
    });
    story.model_says("Hello to you.");
    story.transcript_after(100, "hello");
    story.run_secs(1);
    story.user_speaks(600);
    story.run_secs(6);
    assert_eq!(story.record(), ["user: hello", "agent: Hello to you."]);
}

#[test]
fn a_delayed_greeting_does_not_talk_over_a_user_who_is_speaking() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("Hi.")),
            delay: Duration::from_secs(1),
            uninterruptible: false,
        },
        ..config()
    });
    story.model_says("Fine.");
    story.transcript_after(100, "how are you");
    story.run_ms(900);
    story.user_speaks(2_000);
    story.run_secs(5);
    assert_eq!(story.record(), ["user: how are you", "agent: Fine."]);
}

#[test]
fn noise_only_puts_a_delayed_greeting_off() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("Hi.")),
            delay: Duration::from_secs(1),
            uninterruptible: false,
        },
        turn_taking: TurnTaking {
            minimum_turn: Duration::from_millis(96),
            minimum_interruption: Duration::from_millis(96),
            ..TurnTaking::default()
        },
        ..config()
    });
    story.run_ms(980);
    story.user_speaks(64);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.768s state Thinking
        1.768s voice "Hi."
        1.788s state Speaking
        1.863s agent #0 "Hi."
        1.938s agent #0 ="Hi."
        1.938s state Listening
        "#,
    );
}

#[test]
fn the_retry_of_a_greeting_does_not_spin_without_an_endpoint_delay() {
    let mut story = Story::joined(Config {
        first_speaker: user_first_or(Duration::from_secs(1), "Hi."),
        turn_taking: TurnTaking { endpoint_delay: Duration::ZERO, ..TurnTaking::default() },
        ..config()
    });
    story.run_ms(900);
    story.speech_starts();
    story.run_secs(1);
    assert!(story.seen.wakeups < 60, "woken {} times", story.seen.wakeups);
}

#[test]
fn an_uninterruptible_greeting_is_said_to_its_end_and_what_the_user_said_is_answered_then() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("This call is recorded.")),
            delay: Duration::ZERO,
            uninterruptible: true,
        },
        ..config()
    });
    story.model_says("Yes.");
    story.transcript_after(100, "anyone there");
    story.run_ms(200);
    story.user_speaks(300);
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "This call is recorded."
        0.020s state Speaking
        0.120s agent #0 "This"
        0.345s agent #0 +" call"
        0.545s agent #0 +" is"
        0.870s agent #0 +" recorded."
        0.884s transcribe 0..500 ms
        0.984s user #1 ="anyone there"
        1.120s agent #0 ="This call is recorded."
        1.120s state Thinking
        1.120s model
        1.220s voice "Yes."
        1.240s state Speaking
        1.340s agent #2 "Yes."
        1.440s agent #2 ="Yes."
        1.440s state Listening
        "#,
    );
    assert_eq!(story.record(), ["agent: This call is recorded.", "user: anyone there", "agent: Yes."]);
}

#[test]
fn an_uninterruptible_greeting_from_a_prompt_is_not_dropped_while_it_is_made() {
    let mut story = Story::new(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Prompt(Arc::from("Greet.")),
            delay: Duration::ZERO,
            uninterruptible: true,
        },
        ..config()
    });
    story.model_says("Welcome.");
    story.join();
    story.user_speaks(400);
    assert_eq!(story.seen.prompts.len(), 1);
    story.run_secs(2);
    assert_eq!(story.record()[0], "agent: Welcome.");
}

#[test]
fn a_user_who_speaks_first_is_waited_for() {
    let mut story = Story::joined(config());
    story.run_secs(600);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        "#,
    );
}

#[test]
fn the_fallback_speaks_when_the_user_does_not() {
    let mut story =
        Story::joined(Config { first_speaker: user_first_or(Duration::from_secs(5), "Hello?"), ..config() });
    story.run_secs(8);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        5.000s state Thinking
        5.000s voice "Hello?"
        5.020s state Speaking
        5.170s agent #0 "Hello?"
        5.320s agent #0 ="Hello?"
        5.320s state Listening
        "#,
    );
}

#[test]
fn the_fallback_is_not_needed_when_the_user_speaks() {
    let mut story =
        Story::joined(Config { first_speaker: user_first_or(Duration::from_secs(5), "Hello?"), ..config() });
    story.model_says("Hi.");
    story.transcript_after(100, "hi");
    story.run_secs(4);
    story.user_speaks(500);
    story.run_secs(10);
    assert_eq!(story.record(), ["user: hi", "agent: Hi."]);
}

#[test]
fn a_fallback_and_an_inactivity_message_due_at_once_are_said_one_after_the_other() {
    let mut story = Story::joined(Config {
        first_speaker: user_first_or(Duration::from_secs(5), "Hello?"),
        inactivity: vec![InactivityMessage {
            after: Duration::from_secs(5),
            message: Arc::from("Still there?"),
            end: InactivityEnd::KeepWaiting,
        }],
        ..config()
    });
    story.run_secs(12);
    assert_eq!(story.record(), ["agent: Hello?", "agent: Still there?"]);
}

#[test]
fn what_comes_before_the_join_is_heeded_after_it() {
    let mut story = Story::new(Config { first_speaker: agent_greets("Hi."), ..config() });
    story.model_says("It is noon.");
    story.user_writes("What time is it?", Urgency::Soon);
    story.request(Request::SetOutputMedium(Medium::Text));
    story.expect("");
    story.run_secs(1);
    story.join();
    story.run_secs(3);
    story.expect(
        r#"
        1.000s started
        1.000s state Thinking
        1.000s agent (text) #0 "Hi."
        1.000s agent (text) #0 ="Hi."
        1.000s state Listening
        1.000s user (text) #1 ="What time is it?"
        1.000s state Thinking
        1.000s model
        1.100s agent (text) #2 "It is noon."
        1.100s agent (text) #2 ="It is noon."
        1.100s state Listening
        "#,
    );
}

#[test]
fn a_forced_message_from_before_the_join_does_not_collide_with_the_greeting() {
    let mut story = Story::new(Config { first_speaker: agent_greets("Hi."), ..config() });
    story.request(Request::ForcedMessage(forced("Line one.", ForcedUrgency::Immediate)));
    story.request(Request::ForcedMessage(forced("Line two.", ForcedUrgency::Soon)));
    story.join();
    story.run_secs(5);
    assert_eq!(story.record(), ["agent: Line one.", "agent: Line two.", "agent: Hi."]);
}
