//! How a call ends: every reason, the last words of both sides, and that nothing comes after (protocol.md 1.5, A-5, A-6, A-27).

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{FirstSpeaker, Greeting, Limits};
use antiphon_engine::input::{LegClosed, Request, Transcription, Urgency, VoiceEvent};
use antiphon_engine::{CallTime, Config, Input};

use crate::story::{Story, agent_greets, answer, call, config, hang_up_tool, reading, say, tool, writing};

const WORDS: &str = "one two three four five six seven eight nine ten";

fn hang_up(message: &str) -> Request {
    Request::HangUp { message: Arc::from(message) }
}

#[test]
fn a_hang_up_without_words_ends_the_call_at_once() {
    let mut story = Story::joined(config());
    story.run_secs(1);
    story.request(hang_up(""));
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.000s close AgentHangUp
        1.000s ended AgentHangUp
        "#,
    );
    assert!(story.is_over());
}

#[test]
fn a_hang_up_says_its_farewell_first() {
    let mut story = Story::joined(config());
    story.run_secs(1);
    story.request(hang_up("Bye now."));
    story.run_secs(2);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.000s state Thinking
        1.000s voice "Bye now."
        1.020s state Speaking
        1.095s agent #0 "Bye"
        1.295s agent #0 +" now."
        1.420s agent #0 ="Bye now."
        1.420s close AgentHangUp
        1.420s ended AgentHangUp
        "#,
    );
    assert_eq!(story.record(), ["agent: Bye now."]);
}

#[test]
fn a_farewell_is_written_in_text_medium() {
    let mut story = Story::joined(writing());
    story.request(hang_up("Bye now."));
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s state Thinking
        0.000s agent (text) #0 "Bye now."
        0.000s agent (text) #0 ="Bye now."
        0.000s state Listening
        0.000s close AgentHangUp
        0.000s ended AgentHangUp
        "#,
    );
}

#[test]
fn a_hang_up_interrupts_the_agent_and_nobody_interrupts_the_farewell() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(900);
    story.skip();
    story.request(hang_up("Bye now."));
    story.run_ms(100);
    story.user_speaks(200);
    story.user_writes("Wait!", Urgency::Immediate);
    story.run_secs(2);
    story.expect(
        r#"
        0.900s cancel voice
        0.900s clear
        0.900s agent #0 ="one two three four"
        0.900s state Thinking
        0.900s voice "Bye now."
        0.920s state Speaking
        0.995s agent #1 "Bye"
        1.195s agent #1 +" now."
        1.320s agent #1 ="Bye now."
        1.320s close AgentHangUp
        1.320s ended AgentHangUp
        "#,
    );
}

#[test]
fn a_hang_up_without_words_clears_what_the_client_holds() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(900);
    story.skip();
    story.request(hang_up(""));
    story.expect(
        r#"
        0.900s cancel voice
        0.900s clear
        0.900s agent #0 ="one two three four"
        0.900s close AgentHangUp
        0.900s ended AgentHangUp
        "#,
    );
}

#[test]
fn a_hang_up_cancels_a_running_tool_whose_result_says_so() {
    let mut story = Story::joined(Config { tools: vec![tool("look")], ..config() });
    story.model_does(vec![call("look", "{}")]);
    story.user_writes("Look.", Urgency::Soon);
    story.run_ms(300);
    story.skip();
    story.request(hang_up("Bye."));
    let id = story.seen.tools[0];
    story.tool_answers(id, answer("too late"));
    story.run_secs(2);
    story.expect(
        r#"
        0.300s cancel tool
        0.300s voice "Bye."
        0.300s notice tool.result_ignored
        0.320s state Speaking
        0.420s agent #1 "Bye."
        0.520s agent #1 ="Bye."
        0.520s close AgentHangUp
        0.520s ended AgentHangUp
        "#,
    );
    assert_eq!(
        story.record()[1..],
        [
            "call look: {}",
            "result look: The call ended before the tool answered. (the call ended before the tool answered)",
            "agent: Bye."
        ]
    );
}

#[test]
fn a_hang_up_cancels_the_model() {
    let mut story = Story::joined(config());
    story.user_writes("Think.", Urgency::Soon);
    story.skip();
    story.request(hang_up(""));
    story.expect(
        r#"
        0.000s cancel model
        0.000s close AgentHangUp
        0.000s ended AgentHangUp
        "#,
    );
}

#[test]
fn every_way_to_lose_the_leg_has_its_reason() {
    for (how, reason) in [
        (LegClosed::ByPeer, "HangUp"),
        (LegClosed::MediaIdle, "ConnectionError"),
        (LegClosed::Unresponsive, "ConnectionError"),
        (LegClosed::OurFault, "SystemError"),
    ] {
        let mut story = Story::joined(config());
        story.skip();
        story.input(Input::LegClosed(how));
        story.expect(&format!("0.000s close {reason}\n0.000s ended {reason}"));
    }
}

#[test]
fn a_client_that_leaves_during_the_farewell_does_not_change_the_reason() {
    let mut story = Story::joined(config());
    story.request(hang_up("Goodbye and thanks for calling."));
    story.run_ms(500);
    story.skip();
    story.hangs_up();
    story.expect(
        r#"
        0.500s cancel voice
        0.500s clear
        0.500s agent #0 ="Goodbye and"
        0.500s close AgentHangUp
        0.500s ended AgentHangUp
        "#,
    );
}

#[test]
fn a_shut_down_ends_the_call_as_our_fault() {
    let mut story = Story::joined(config());
    story.skip();
    story.input(Input::ShutDown);
    story.expect(
        r#"
        0.000s close SystemError
        0.000s ended SystemError
        "#,
    );
}

#[test]
fn nobody_joins() {
    let mut story = Story::new(config());
    story.run_secs(29);
    story.expect("");
    story.run_secs(1);
    story.expect(
        r#"
        30.000s ended Unjoined
        "#,
    );
}

#[test]
fn a_shut_down_before_anybody_joined_ends_the_call() {
    let mut story = Story::new(config());
    story.input(Input::ShutDown);
    story.expect(
        r#"
        0.000s ended SystemError
        "#,
    );
}

#[test]
fn a_join_after_the_end_changes_nothing() {
    let mut story = Story::new(config());
    story.run_secs(40);
    story.skip();
    story.join();
    story.run_secs(5);
    story.expect("");
}

#[test]
fn the_maximum_duration_counts_from_the_join() {
    let mut story = Story::new(Config { max_duration: Duration::from_secs(60), ..config() });
    story.run_secs(20);
    story.join();
    story.run_secs(59);
    story.skip();
    story.run_secs(1);
    story.expect(
        r#"
        80.000s notice call.max_duration
        80.000s close Timeout
        80.000s ended Timeout
        "#,
    );
}

#[test]
fn the_maximum_duration_is_announced() {
    let mut story = Story::joined(Config {
        first_speaker: agent_greets(WORDS),
        max_duration: Duration::from_secs(1),
        time_exceeded_message: Some(Arc::from("Time is up.")),
        ..config()
    });
    story.run_ms(900);
    story.skip();
    story.run_secs(3);
    story.expect(
        r#"
        1.000s notice call.max_duration
        1.000s cancel voice
        1.000s clear
        1.000s agent #0 ="one two three four"
        1.000s state Thinking
        1.000s voice "Time is up."
        1.020s state Speaking
        1.120s agent #1 "Time"
        1.295s agent #1 +" is"
        1.470s agent #1 +" up."
        1.570s agent #1 ="Time is up."
        1.570s close Timeout
        1.570s ended Timeout
        "#,
    );
}

#[test]
fn an_announcement_without_end_is_cut() {
    let mut story = Story::joined(Config {
        max_duration: Duration::from_secs(60),
        time_exceeded_message: Some("word ".repeat(300).into()),
        ..config()
    });
    story.run_secs(60);
    story.skip();
    story.run_secs(14);
    assert!(!story.is_over());
    story.run_secs(1);
    assert!(story.is_over(), "15 s later");
    assert_eq!(story.told().last().map(String::as_str), Some("75.000s ended Timeout"));
}

#[test]
fn a_voice_that_never_answers_does_not_hold_the_call_past_the_overrun() {
    let mut story = Story::joined(Config {
        max_duration: Duration::from_secs(60),
        time_exceeded_message: Some(Arc::from("Time is up.")),
        ..config()
    });
    story.world.voice_answers = false;
    story.run_secs(75);
    assert!(story.is_over());
}

#[test]
fn a_goodbye_under_way_is_not_cut_for_the_announcement() {
    let mut story = Story::joined(Config {
        max_duration: Duration::from_secs(60),
        time_exceeded_message: Some(Arc::from("Time is up.")),
        ..config()
    });
    story.run_ms(59_500);
    story.request(hang_up("Goodbye, it was nice talking to you."));
    story.run_secs(5);
    assert_eq!(story.record(), ["agent: Goodbye, it was nice talking to you."]);
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended AgentHangUp")));
}

#[test]
fn what_the_user_said_last_is_transcribed_after_the_leg_is_closed() {
    let mut story = Story::joined(config());
    story.transcript_after(700, "never mind, bye");
    story.run_ms(1_000);
    story.speech_starts();
    story.run_ms(900);
    story.hangs_up();
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        1.900s transcribe 700..1900 ms
        1.900s close HangUp
        2.600s user #0 ="never mind, bye"
        2.600s ended HangUp
        "#,
    );
    assert_eq!(story.record(), ["user: never mind, bye"]);
}

#[test]
fn last_words_that_do_not_come_are_not_waited_for_longer_than_a_moment() {
    let mut story = Story::joined(config());
    story.transcript_after(9_000, "never known");
    story.run_ms(1_000);
    story.user_speaks(900);
    story.hangs_up();
    story.skip();
    story.run_secs(5);
    story.expect(
        r#"
        3.900s cancel transcription
        3.900s ended HangUp
        "#,
    );
    assert_eq!(story.record(), ["user: "]);
}

#[test]
fn a_limit_of_no_time_for_last_words_ends_at_once() {
    let limits = Limits { last_words: Duration::ZERO, ..Limits::default() };
    let mut story = Story::joined(Config { limits, ..config() });
    story.user_speaks(900);
    story.hangs_up();
    story.run_ms(1);
    assert!(story.is_over());
}

#[test]
fn last_words_of_a_reading_model_are_not_answered() {
    let mut story = Story::joined(reading());
    story.transcript_after(300, "thanks, bye");
    story.run_ms(1_000);
    story.user_speaks(900);
    story.hangs_up();
    story.run_secs(3);
    assert_eq!(story.record(), ["user: thanks, bye"]);
    assert!(story.seen.prompts.is_empty());
}

#[test]
fn a_shut_down_does_not_wait_for_last_words() {
    let mut story = Story::joined(config());
    story.user_speaks(900);
    story.hangs_up();
    assert!(!story.is_over());
    story.input(Input::ShutDown);
    assert!(story.is_over());
}

#[test]
fn nothing_comes_after_the_end() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_ms(500);
    let utterance = story.seen.utterances[0];
    story.hangs_up();
    story.skip();
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 99 }));
    story.input(Input::Joined);
    story.input(Input::ShutDown);
    story.input(Input::Timeout);
    story.user_writes("Hello?", Urgency::Immediate);
    story.user_speaks(500);
    story.run_secs(4_000);
    story.expect("");
}

#[test]
fn a_hang_up_tool_ends_the_call_after_what_the_agent_said() {
    let mut story = Story::joined(Config { tools: vec![hang_up_tool(true)], ..config() });
    story.model_does(vec![say("Goodbye."), call("hangUp", "{}")]);
    story.user_writes("Bye.", Urgency::Soon);
    story.run_secs(3);
    story.expect(
        r#"
        0.000s started
        0.000s state Listening
        0.000s user (text) #0 ="Bye."
        0.000s state Thinking
        0.000s model
        0.100s voice "Goodbye."
        0.120s state Speaking
        0.320s agent #1 "Goodbye."
        0.520s agent #1 ="Goodbye."
        0.520s state Thinking
        0.520s close AgentHangUp
        0.520s ended AgentHangUp
        "#,
    );
    assert_eq!(
        story.record(),
        ["user (text): Bye.", "agent: Goodbye.", "call hangUp: {}", "result hangUp: OK"]
    );
}

#[test]
fn a_user_who_cuts_the_goodbye_off_keeps_the_call() {
    let mut story = Story::joined(Config { tools: vec![hang_up_tool(true)], ..config() });
    story.model_does(vec![say("Goodbye and have a nice day."), call("hangUp", "{}")]);
    story.user_writes("Bye.", Urgency::Soon);
    story.run_ms(600);
    story.user_speaks(400);
    story.run_secs(5);
    assert!(!story.is_over(), "a call of an interrupted answer is dropped, strict or not");
}

#[test]
fn a_soft_hang_up_waits_for_a_user_who_has_just_begun_to_speak() {
    let mut story = Story::joined(Config { tools: vec![hang_up_tool(false)], ..config() });
    story.model_does(vec![say("Goodbye."), call("hangUp", "{}")]);
    story.user_writes("Bye.", Urgency::Soon);
    story.run_ms(100 + 20 + 400 - 50);
    story.speech_starts();
    story.run_ms(600);
    assert!(!story.is_over());
    story.speech_stops();
    story.run_secs(1);
    assert_eq!(story.seen.prompts.len(), 2, "and answers");
}

#[test]
fn repeated_failures_of_the_voice_end_the_call() {
    let mut story = Story::joined(config());
    story.world.voice_answers = false;
    for round in 0..3 {
        story.model_says("Hello.");
        story.user_writes("Hello?", Urgency::Soon);
        story.run_secs(1);
        let failed = VoiceEvent::Failed(Arc::from("no voice"));
        story.input(Input::Voice(story.seen.utterances[round], failed));
        story.run_secs(1);
    }
    assert!(story.told().last().is_some_and(|line| line.ends_with("ended SystemError")));
}

#[test]
fn time_that_goes_backwards_counts_as_standing_still() {
    let mut conversation = antiphon_engine::Conversation::new(
        Config {
            first_speaker: FirstSpeaker::User {
                fallback: Some((Duration::from_secs(1), Greeting::Text(Arc::from("Hi.")))),
            },
            ..config()
        },
        CallTime::from_millis(5_000),
    );
    conversation.handle(CallTime::ZERO, Input::Joined);
    let deadline = loop {
        if let antiphon_engine::Output::Timeout(deadline) = conversation.poll() {
            break deadline;
        }
    };
    assert_eq!(deadline.map(|(at, _)| at), Some(CallTime::from_millis(6_000)));
}

#[test]
fn a_transcript_for_a_turn_that_never_was_is_ignored() {
    let mut story = Story::joined(config());
    story.skip();
    let unknown = antiphon_engine::ids::TurnId(7);
    story.input(Input::Transcribed {
        turn: unknown,
        words: Transcription::Words(Arc::from("ghost")),
        by: None,
    });
    story.expect("");
}
