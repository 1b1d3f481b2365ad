//! The ledger of what the user heard: always a prefix of what was generated, and true within half a word (protocol.md 4.3, 5.4).

use std::sync::Arc;

use antiphon_engine::Config;
use antiphon_engine::config::FirstSpeaker;
use antiphon_engine::input::{Urgency, VoiceEvent, WordEnd};
use antiphon_engine::message::MessageBody;
use antiphon_engine::{Input, config::Greeting};

use crate::story::{Story, agent_greets, config};

const WORDS: &str = "one two three four five. six seven eight nine, ten eleven twelve!";
/// Half of the longest word, and the blank before it.
const HALF_A_WORD: usize = 4;

fn heard(story: &Story) -> String {
    story
        .committed()
        .iter()
        .find_map(|message| match &message.body {
            MessageBody::Agent { heard, .. } => Some(heard.to_string()),
            MessageBody::ToolCall { .. } | MessageBody::ToolResult { .. } | MessageBody::User { .. } => None,
        })
        .unwrap_or_default()
}

/// Cuts the greeting off at every moment of it and compares what counts as heard with what had been played.
fn cut_everywhere(prepare: impl Fn(&mut Story), ms_per_character: u64, allowed: usize) {
    for cut in (30..WORDS.len() as u64 * ms_per_character).step_by(35) {
        let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
        story.world.ms_per_character = ms_per_character;
        prepare(&mut story);
        story.join();
        story.run_ms(cut);
        story.user_writes("", Urgency::Immediate);
        // Audio begins 20 ms after the join, and the blank between the sentences is not spoken.
        let played = (cut - 20) / ms_per_character;
        let played = if played > 24 { played + 1 } else { played } as usize;
        let heard = heard(&story);
        assert!(WORDS.starts_with(&heard));
        assert!(
            heard.len().abs_diff(played) <= allowed,
            "at {cut} ms {:?} was played and {heard:?} counts as heard",
            &WORDS[..played.min(WORDS.len())]
        );
    }
}

#[test]
fn a_voice_that_tells_its_word_times_is_believed() {
    cut_everywhere(|story| story.world.word_times = true, 50, HALF_A_WORD);
    cut_everywhere(|story| story.world.word_times = true, 110, HALF_A_WORD);
}

#[test]
fn words_share_the_audio_by_their_length_where_the_voice_tells_nothing() {
    cut_everywhere(|_| {}, 50, HALF_A_WORD);
    cut_everywhere(|_| {}, 110, HALF_A_WORD);
}

#[test]
fn a_streaming_voice_is_judged_by_a_common_pace_until_all_is_made() {
    let stream = |story: &mut Story| {
        story.world.voice_pieces = Some((1_600, std::time::Duration::from_millis(70)));
    };
    cut_everywhere(stream, 66, HALF_A_WORD + 1);
}

#[test]
fn words_once_shown_are_not_taken_back_when_the_voice_turns_out_slower() {
    let mut story = Story::new(Config { first_speaker: agent_greets("one two three four"), ..config() });
    story.world.voice_answers = false;
    story.join();
    let utterance = story.seen.utterances[0];
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 16_000 }));
    story.run_ms(600);
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 48_000 }));
    story.input(Input::Voice(utterance, VoiceEvent::Finished));
    story.run_secs(5);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four"
        0.000s state Speaking
        0.100s agent #0 "one"
        0.333s agent #0 +" two"
        2.222s agent #0 +" three"
        3.444s agent #0 +" four"
        4.000s agent #0 ="one two three four"
        4.000s state Listening
        "#,
    );
}

#[test]
fn letters_of_several_bytes_are_never_cut_apart() {
    let text = "Grüße aus Köln, 你好 世界, naïve façade déjà vu 😀 señor.";
    for cut in (30..2_500).step_by(40) {
        let mut story = Story::joined(Config { first_speaker: agent_greets(text), ..config() });
        story.run_ms(cut);
        story.user_writes("", Urgency::Immediate);
        assert!(text.starts_with(&heard(&story)));
    }
}

#[test]
fn a_voice_that_fails_leaves_what_was_played_of_it() {
    let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.world.voice_answers = false;
    story.join();
    let utterance = story.seen.utterances[0];
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 12_800 }));
    story.input(Input::Voice(utterance, VoiceEvent::Failed(Arc::from("connection lost"))));
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four five."
        0.000s state Speaking
        0.000s notice voice.failed
        0.100s agent #0 "one"
        0.333s agent #0 +" two"
        0.666s agent #0 +" three"
        0.800s agent #0 ="one two three"
        0.800s state Listening
        "#,
    );
}

#[test]
fn a_voice_that_fails_before_it_made_anything_leaves_nothing() {
    let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.world.voice_answers = false;
    story.join();
    let utterance = story.seen.utterances[0];
    story.input(Input::Voice(utterance, VoiceEvent::Failed(Arc::from("no such voice"))));
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three four five."
        0.000s notice voice.failed
        0.000s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}

#[test]
fn a_voice_that_makes_no_audio_of_words_has_failed() {
    let mut story = Story::new(Config { first_speaker: agent_greets("你好"), ..config() });
    story.world.voice_answers = false;
    story.join();
    let utterance = story.seen.utterances[0];
    story.input(Input::Voice(utterance, VoiceEvent::Finished));
    story.run_secs(1);
    assert!(story.record().is_empty(), "what has no sound was not heard");
    assert!(story.told().iter().any(|line| line.ends_with("notice voice.failed")));
}

#[test]
fn word_times_without_sense_do_no_harm() {
    let ends = |pairs: &[(u32, u32)]| -> VoiceEvent {
        VoiceEvent::Words(pairs.iter().map(|&(text, samples)| WordEnd { text, samples }).collect())
    };
    for words in [
        ends(&[]),
        ends(&[(u32::MAX, u32::MAX)]),
        ends(&[(0, 0)]),
        ends(&[(9, 500), (3, 90_000), (5, 0), (18, 7)]),
        ends(&[(3, u32::MAX), (18, 0)]),
    ] {
        let mut story = Story::new(Config { first_speaker: agent_greets("one two three four"), ..config() });
        story.world.voice_answers = false;
        story.join();
        let utterance = story.seen.utterances[0];
        story.input(Input::Voice(utterance, words));
        story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 16_000 }));
        story.run_ms(100);
        story.input(Input::Voice(utterance, VoiceEvent::Finished));
        story.run_secs(5);
        assert_eq!(story.record(), ["agent: one two three four"]);
    }
}

#[test]
fn words_that_the_voice_has_not_timed_yet_are_not_shown_with_those_that_it_has() {
    let mut story = Story::new(Config { first_speaker: agent_greets("one two three four"), ..config() });
    story.world.voice_answers = false;
    story.join();
    let utterance = story.seen.utterances[0];
    let told = VoiceEvent::Words([WordEnd { text: 3, samples: 1_600 }].into());
    story.input(Input::Voice(utterance, told));
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 32_000 }));
    story.run_ms(250);
    let shown = |story: &Story| story.told().join("\n");
    assert!(shown(&story).contains("#0 \"one\""), "{}", shown(&story));
    assert!(!shown(&story).contains("+\" three\""), "{}", shown(&story));
    // Told later, it counts from then on.
    let told =
        [(3, 1_600), (7, 8_000), (13, 16_000), (18, 31_000)].map(|(text, samples)| WordEnd { text, samples });
    story.input(Input::Voice(utterance, VoiceEvent::Words(told.into())));
    story.input(Input::Voice(utterance, VoiceEvent::Finished));
    story.run_ms(900);
    assert!(shown(&story).contains("+\" three\""), "{}", shown(&story));
    assert!(!shown(&story).contains("+\" four\""), "{}", shown(&story));
    story.run_secs(3);
    assert_eq!(story.record(), ["agent: one two three four"]);
}

#[test]
fn an_end_without_letters_counts_with_the_words_before_it() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi there! 😀 ..."), ..config() });
    story.run_secs(2);
    assert_eq!(story.record(), ["agent: Hi there! 😀 ..."]);
}

#[test]
fn a_message_without_letters_is_not_spoken() {
    let mut story = Story::joined(Config {
        first_speaker: FirstSpeaker::Agent {
            greeting: Greeting::Text(Arc::from("...")),
            delay: std::time::Duration::ZERO,
            uninterruptible: false,
        },
        ..config()
    });
    story.run_secs(1);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s state Listening
        "#,
    );
    assert!(story.record().is_empty());
}
