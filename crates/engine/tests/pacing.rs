//! Audio on its way to the client: never too far ahead, never late, never more than there is (protocol.md 4.3).
//!
//! The witness checks the lead of every piece; these stories check that the lead is used.

use std::time::Duration;

use antiphon_engine::Config;
use antiphon_engine::input::{Urgency, VoiceEvent};
use antiphon_engine::{CallTime, Input};

use crate::story::{RATE, Story, agent_greets, config};

const WORDS: &str = "one two three four five six seven eight nine ten";
const FRAME: u32 = RATE / 50;

/// Blank-separated words of ten characters with the blank, without a full stop.
fn words(count: usize) -> String {
    (0..count).map(|word| format!("word{word:05} ")).collect()
}

/// How much audio lay unplayed at the client just before each piece but the first.
fn leads_before(story: &Story) -> impl Iterator<Item = (CallTime, Duration)> + '_ {
    story.seen.played.iter().skip(1).map(|(at, _, samples, lead)| {
        let length = Duration::from_micros(u64::from(*samples) * 1_000_000 / u64::from(RATE));
        (*at, lead.saturating_sub(length))
    })
}

fn samples_played(story: &Story) -> u64 {
    story.seen.played.iter().map(|(_, _, samples, _)| u64::from(*samples)).sum()
}

#[test]
fn a_small_buffer_is_filled_at_once_and_then_kept_full_frame_by_frame() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.run_secs(4);
    let pieces: Vec<(u64, u32)> =
        story.seen.played.iter().map(|(at, _, samples, _)| (at.as_micros() / 1_000, *samples)).collect();
    assert_eq!(pieces[..3], [(20, 3 * FRAME), (40, FRAME), (60, FRAME)]);
    for pair in pieces[1..].windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, 20, "one frame each 20 ms");
        assert_eq!(pair[0].1, FRAME, "whole frames, the last aside");
    }
    assert_eq!(samples_played(&story), WORDS.len() as u64 * 800, "all of it");
}

#[test]
fn a_buffer_smaller_than_a_frame_holds_one_frame() {
    let mut story = Story::joined(Config {
        first_speaker: agent_greets(WORDS),
        client_buffer: Duration::ZERO,
        ..config()
    });
    story.run_secs(4);
    assert!(story.seen.played.iter().all(|(_, _, _, lead)| *lead <= Duration::from_millis(20)));
    assert_eq!(samples_played(&story), WORDS.len() as u64 * 800);
}

#[test]
fn a_large_buffer_is_filled_as_fast_as_the_voice_makes_audio() {
    let mut story = Story::joined(Config {
        first_speaker: agent_greets(&words(80)),
        client_buffer: Duration::from_secs(30),
        ..config()
    });
    story.run_secs(1);
    assert!(story.lead() > Duration::from_secs(28), "the client holds {:?}", story.lead());
    story.run_secs(50);
    assert_eq!(samples_played(&story), (800 - 4) * 800, "the blanks behind four pieces are not spoken");
    assert!(leads_before(&story).all(|(_, lead)| lead > Duration::ZERO), "without a gap");
}

#[test]
fn sentences_follow_each_other_without_a_gap() {
    let text = "First sentence. Second sentence! Third one? Fourth.";
    let mut story = Story::joined(Config { first_speaker: agent_greets(text), ..config() });
    story.run_secs(5);
    assert_eq!(story.seen.utterances.len(), 4);
    let gap = leads_before(&story).find(|(_, lead)| lead.is_zero());
    assert_eq!(gap, None);
}

#[test]
fn ten_minutes_do_not_drift_although_every_wake_up_is_late() {
    let mut story = Story::new(Config { first_speaker: agent_greets(&words(1_200)), ..config() });
    story.world.wakes_late = |number| Duration::from_micros(number * 7_919 % 30_000);
    story.join();
    story.run_secs(700);
    let (first, ..) = story.seen.played[0];
    let (last, .., lead) = *story.seen.played.last().expect("something was played");
    // 1,200 words of ten characters at 50 ms, less the blanks at which sentences were cut and the one at the end.
    let spoken = Duration::from_micros(samples_played(&story) * 1_000_000 / u64::from(RATE));
    assert!(spoken > Duration::from_secs(590));
    let end = last + lead;
    let drift = end.since(first).abs_diff(spoken);
    assert!(drift < Duration::from_millis(1), "{drift:?} too late");
    assert!(leads_before(&story).all(|(_, lead)| lead > Duration::ZERO), "and there was no gap");
}

#[test]
fn a_wake_up_too_late_for_the_buffer_leaves_a_gap_and_goes_on_from_there() {
    let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.world.wakes_late = |number| if number == 20 { Duration::from_millis(500) } else { Duration::ZERO };
    story.join();
    story.run_secs(5);
    assert_eq!(leads_before(&story).filter(|(_, lead)| lead.is_zero()).count(), 1);
    assert_eq!(story.record(), [format!("agent: {WORDS}")]);
    assert_eq!(samples_played(&story), WORDS.len() as u64 * 800);
}

#[test]
fn a_voice_slower_than_speech_is_told_once_and_its_words_wait_for_its_audio() {
    let mut story = Story::new(Config { first_speaker: agent_greets("one two three"), ..config() });
    story.world.voice_pieces = Some((3_200, Duration::from_millis(400)));
    story.join();
    story.run_secs(4);
    story.expect(
        r#"
        0.000s started
        0.000s state Thinking
        0.000s voice "one two three"
        0.020s state Speaking
        0.120s agent #0 "one"
        0.420s notice playout.underrun
        0.553s agent #0 +" two"
        1.620s agent #0 +" three"
        1.630s agent #0 ="one two three"
        1.630s state Listening
        "#,
    );
}

#[test]
fn audio_in_odd_pieces_is_sent_in_whole_frames() {
    let mut story = Story::new(Config { first_speaker: agent_greets(WORDS), ..config() });
    story.world.voice_pieces = Some((777, Duration::from_millis(10)));
    story.join();
    story.run_secs(5);
    let (last, rest) = story.seen.played.split_last().expect("something was played");
    assert!(rest.iter().all(|(_, _, samples, _)| samples % FRAME == 0));
    assert!(last.2 <= 3 * FRAME);
    assert_eq!(samples_played(&story), WORDS.len() as u64 * 800);
}

#[test]
fn the_voice_is_not_asked_for_more_than_it_will_take_a_while_to_play() {
    let mut story = Story::joined(Config { first_speaker: agent_greets(&words(600)), ..config() });
    story.run_secs(2);
    // 240 characters a piece are 12 s of audio: one is playing, and that is ahead enough.
    assert!(story.seen.utterances.len() <= 2, "{} utterances", story.seen.utterances.len());
    story.run_secs(10);
    assert!(story.seen.utterances.len() <= 3);
}

#[test]
fn audio_after_the_end_of_an_utterance_is_ignored() {
    let mut story = Story::joined(config());
    story.world.voice_answers = false;
    story.model_says("Hi.");
    story.user_writes("Hello.", Urgency::Soon);
    story.run_ms(200);
    let utterance = story.seen.utterances[0];
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 3_200 }));
    story.input(Input::Voice(utterance, VoiceEvent::Finished));
    story.input(Input::Voice(utterance, VoiceEvent::Audio { samples: 3_200 }));
    story.input(Input::Voice(utterance, VoiceEvent::Finished));
    story.run_secs(2);
    assert_eq!(samples_played(&story), 3_200);
}

#[test]
fn nothing_is_sent_while_the_agent_is_silent() {
    let mut story = Story::joined(Config { first_speaker: agent_greets("Hi."), ..config() });
    story.run_secs(30);
    assert!(story.seen.played.iter().all(|(at, ..)| *at < CallTime::from_millis(200)));
    let wakeups = story.seen.wakeups;
    story.run_secs(30);
    assert_eq!(story.seen.wakeups, wakeups, "and nobody is woken for it");
}
