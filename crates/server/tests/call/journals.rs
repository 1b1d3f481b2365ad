//! Every call of this suite leaves a journal, and every journal is run through the engine again: it must say the same, byte for byte.

use std::path::Path;
use std::time::Duration;

use antiphon_server::call::journal::replay::{Replayed, replay};
use antiphon_server::call::journal::settings::set;
use antiphon_server::call::journal::what_if::{ChangeKind, what_if};
use antiphon_server::call::journal::{Journal, Tail, read};
use antiphon_server::call::waterfall::{Mark, Opening, Outcome, of_journal};
use antiphon_server::config::UserTextChoice;
use serde_json::json;

use crate::speech::{spoken, words};
use crate::stand::{Stand, backends};

/// The journal at this path, once its call has ended.
pub(crate) async fn completed(path: &Path) -> Journal {
    loop {
        if let Ok(journal) = read(path)
            && journal.is_complete()
        {
            return journal;
        }
        tokio::task::yield_now().await;
    }
}

/// Fails if the engine does not say again what it said in the call.
pub(crate) fn assert_replays(journal: &Journal) {
    assert_eq!(journal.tail, Tail::Whole);
    assert!(!journal.entries.is_empty());
    match replay(journal) {
        Replayed::Same => {}
        Replayed::Different(difference) => {
            panic!("the replay of {} differs: {difference:#?}", journal.header.call)
        }
    }
}

/// A call in which the user asks for a story and interrupts it.
async fn interrupted_story(stand: &Stand) -> Journal {
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.until_state("listening").await;
    caller.audio(&spoken("Tell me a story.").await).await;
    caller
        .until("a few words", |message| message["type"] == "transcript" && message["delta"] == " time")
        .await;
    caller.audio(&words("Wait, wait a moment.").await).await;
    caller.until_type("playback_clear_buffer").await;
    caller.until_state("listening").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    completed(&stand.journal(&call)).await
}

#[tokio::test]
async fn a_changed_decision_is_found_and_named() {
    let stand = Stand::hearing(&["tell me a story", "wait"]).await;
    let mut journal = interrupted_story(&stand).await;
    assert_replays(&journal);
    set(&mut journal.header.config, "vadSettings.turnEndpointDelay=0.6s").unwrap();
    let Replayed::Different(difference) = replay(&journal) else { panic!("nothing differs") };
    assert!(difference.input.contains("SpeechStopped"), "{difference:#?}");
    assert!(difference.expected[0].contains("EndOfTurn"), "{difference:#?}");
    assert!(difference.got[0].contains("EndOfTurn"), "{difference:#?}");
    assert_ne!(difference.expected, difference.got);
}

#[tokio::test]
async fn a_what_if_says_which_turns_would_have_ended_later_and_which_interruption_would_not_have_been() {
    let stand = Stand::hearing(&["tell me a story", "wait"]).await;
    let journal = interrupted_story(&stand).await;
    assert_eq!(what_if(&journal, journal.header.config.clone()).changes, []);

    let mut patient = journal.header.config.clone();
    set(&mut patient, "vadSettings.turnEndpointDelay=0.48s").unwrap();
    let changes = what_if(&journal, patient).changes;
    let delay = Duration::from_millis(480 - 384);
    assert!(changes.iter().any(|change| change.kind == ChangeKind::TurnLater(delay)), "{changes:#?}");
    assert!(changes.iter().any(|change| change.kind == ChangeKind::AnswerLater(delay)), "{changes:#?}");

    let mut deaf = journal.header.config.clone();
    set(&mut deaf, "vadSettings.minimumInterruptionDuration=10s").unwrap();
    let kinds: Vec<_> = what_if(&journal, deaf).changes.into_iter().map(|change| change.kind).collect();
    assert!(kinds.contains(&ChangeKind::InterruptionAvoided), "{kinds:?}");
    assert!(!kinds.contains(&ChangeKind::InterruptionAdded), "{kinds:?}");
}

#[tokio::test]
async fn the_waterfall_of_a_turn_names_its_steps_in_order() {
    let stand = Stand::hearing(&["tell me a story", "wait"]).await;
    let journal = interrupted_story(&stand).await;
    let turns = of_journal(&journal);
    let story = turns.iter().find(|turn| matches!(turn.opening, Opening::Speech(_))).unwrap();
    let steps: Vec<Mark> = story.steps().into_iter().map(|(mark, _)| mark).collect();
    assert_eq!(steps, Mark::ALL, "{story:#?}");
    assert_eq!(story.asked.as_deref(), Some("tell me a story"));
    let Outcome::Interrupted { heard, .. } = &story.outcome else { panic!("{:?}", story.outcome) };
    assert!(heard.starts_with("Once upon a time"), "{heard}");
}

#[tokio::test]
async fn a_turn_that_takes_a_tool_is_one_turn_with_the_tool_in_it() {
    let stand = Stand::hearing(&[]).await;
    let lookup =
        json!({"temporaryTool": {"modelToolName": "lookup", "description": "Find an order", "client": {}}});
    let (call, mut caller) =
        stand.call(json!({"selectedTools": [lookup], "firstSpeakerSettings": {"user": {}}})).await;
    caller.write("my order").await;
    let asked = caller.until_type("client_tool_invocation").await;
    caller
        .say(json!({"type": "client_tool_result", "invocationId": asked["invocationId"], "result": "two loaves"}))
        .await;
    assert_eq!(caller.until_final("agent").await, "Found: two loaves.");
    caller.until_state("listening").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    let turns = of_journal(&completed(&stand.journal(&call)).await);
    let [turn] = &turns[..] else { panic!("{turns:#?}") };
    assert_eq!((turn.opening, &turn.outcome), (Opening::Text, &Outcome::Answered));
    assert_eq!(turn.answer, "One moment. Found: two loaves.");
    let [tool] = &turn.tools[..] else { panic!("{turn:#?}") };
    assert_eq!(&*tool.name, "lookup");
    assert!(tool.ended.is_some_and(|ended| ended >= tool.started), "{tool:?}");
}

#[tokio::test]
async fn where_the_time_went_is_told_while_the_call_runs() {
    let stand = Stand::hearing(&["tell me a story"]).await;
    let medium = json!({"serverWebSocket": {"inputSampleRate": 16000,
        "dataMessages": {"debug": true, "callEvent": true}}});
    let (call, mut caller) =
        stand.call(json!({"medium": medium, "firstSpeakerSettings": {"user": {}}})).await;
    caller.write("hm").await;
    let line = caller
        .until("a turn's latency", |message| {
            message["type"] == "debug"
                && message["message"].as_str().unwrap().starts_with("turn 1 was answered after")
        })
        .await;
    let event = caller
        .until("a turn's latency", |message| {
            message["type"] == "call_event" && message["eventType"] == "turn.latency"
        })
        .await;
    assert_eq!(event["text"], line["message"]);
    assert_eq!(event["extras"]["turn"], 1);
    assert_eq!(event["extras"]["opening"], "text");
    assert!(event["extras"]["latencyMs"].is_number(), "{event}");
    caller.hang_up().await;
    stand.ended(&call).await;
}

#[tokio::test]
async fn a_journal_without_users_text_replays_and_holds_none() {
    let directory = std::env::temp_dir().join(format!("antiphon-call-{}", uuid::Uuid::new_v4()));
    let backends = backends(&["my secret order"]);
    let stand =
        Stand::start_with(backends, directory, |config| config.journal.user_text = UserTextChoice::Omit)
            .await;
    let (call, mut caller) = stand.call(json!({"firstSpeakerSettings": {"user": {}}})).await;
    caller.write("what a riddle").await;
    caller.until_final("agent").await;
    caller.until_state("listening").await;
    caller.audio(&spoken("Hello there.").await).await;
    caller.until_final("user").await;
    caller.until_state("speaking").await;
    caller.hang_up().await;
    stand.ended(&call).await;
    let path = stand.journal(&call);
    assert_replays(&completed(&path).await);
    let bytes = std::fs::read(&path).unwrap();
    for word in ["riddle", "secret"] {
        assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word} is in the journal");
    }
}

#[tokio::test]
async fn deleting_a_call_deletes_its_journal() {
    let stand = Stand::hearing(&[]).await;
    let (call, caller) = stand.call(json!({})).await;
    drop(caller);
    stand.ended(&call).await;
    completed(&stand.journal(&call)).await;
    let path = format!("/api/calls/{}", call["callId"].as_str().unwrap());
    loop {
        let (status, _) = stand.request(reqwest::Method::DELETE, &path, None).await;
        if status == 204 {
            break;
        }
        assert_eq!(status, 425);
    }
    assert!(!stand.journal(&call).exists());
}
