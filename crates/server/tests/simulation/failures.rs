//! What is not as expected is found, and told so that one can see why.

use std::path::Path;

use antiphon_server::simulation::{Failure, Run, Scenario, simulate};

/// A short call with everything in it that can be expected.
const CALL: &str = r#"
call:
  firstSpeakerSettings: { agent: { text: "Hello there." } }
  selectedTools:
    - temporaryTool:
        modelToolName: lookup
        dynamicParameters:
          - { name: order, location: PARAMETER_LOCATION_BODY, schema: { type: object } }
        client: {}
model:
  replies:
    - { call: { tool: lookup, arguments: { order: { number: 7, size: big } } } }
    - Your order is ready to be picked up from seven in the morning on.
    - Goodbye.
tools: { lookup: { answer: ready, after: 1s } }
steps:
  - say: Where is order seven?
  - interrupt: { after_words: 5, say: "Thanks, bye" }
expect:
"#;

fn run(expect: &str) -> Run {
    let yaml = format!("{CALL}  - {expect}\n");
    let scenario =
        Scenario::from_yaml(Path::new("call.yaml"), &yaml).unwrap_or_else(|error| panic!("{error}"));
    simulate(&scenario, 0, 0)
}

fn passes(expect: &str) {
    assert_eq!(run(expect).failures, [], "{expect}");
}

/// The call is not as expected, and the one failure says so in these words.
fn fails(expect: &str, expected: &str, happened: &[&str]) {
    let failures = run(expect).failures;
    let [failure] = failures.as_slice() else { panic!("{expect}: {failures:#?}") };
    assert_eq!((failure.expected.as_str(), failure.line), (expected, 20), "{expect}");
    let told: Vec<String> = failure.happened.iter().map(|line| timeless(line)).collect();
    assert_eq!(told, happened, "{expect}");
}

/// The line with `#` for each number that stands alone: when exactly something happens is the engine's to say.
fn timeless(line: &str) -> String {
    let is_number =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == ':' || c == '.');
    line.split(' ').map(|word| if is_number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_as_expected_passes() {
    passes("agent: hello THERE");
    passes("user: where is order");
    passes(
        r"conversation: [agent: Hello, {user: order seven}, tool: lookup, {agent: Your order}, agent: Goodbye]",
    );
    passes(
        r#"interrupted: { heard: { matches: "^Your order is ready to" }, generated: seven in the morning }"#,
    );
    passes(
        "tool: { name: lookup, arguments: { order: { number: 7 } }, result: ready, failed: false, times: 1 }",
    );
    passes("states: [thinking, speaking, listening, thinking, speaking]");
    passes("event: turn.interrupted");
    passes("end: hangup");
    passes("reply_within: 3s");
    passes("clears_within: 0.5s");
    passes("call_shorter_than: 60s");
    passes("never: { agent: nonsense }");
    passes("never: { tool: hangUp }");
}

#[test]
fn words_that_were_not_said_are_told_with_those_that_were() {
    fails(
        "agent: nonsense",
        "the agent says \"nonsense\"",
        &[
            "#  agent  Hello there.",
            "#  agent  Your order is ready to -- [interrupted, wanted to say: Your order is ready to be picked up \
             from seven in the morning on.]",
            "#  agent  Goodbye.",
        ],
    );
    fails(
        "user: { is: where is order eight? }",
        "the user is understood to say exactly \"where is order eight?\"",
        &[
            "#  user   Where is order seven?",
            "       Where is order [-eight?-] {+seven?+}",
            "#  user   Thanks, bye",
            "       [-where-] [-is-] [-order-] [-eight?-] {+Thanks,+} {+bye+}",
        ],
    );
}

#[test]
fn an_order_that_was_not_kept_is_told_up_to_where_it_was() {
    fails(
        "conversation: [user: order seven, agent: Hello, agent: Goodbye]",
        "the conversation goes in this order",
        &[
            "  found    #  user   Where is order seven?",
            "  missing  the agent says \"Hello\"",
            "           the agent says \"Goodbye\"",
            "what came after that:",
            "#  tool   lookup({\"order\":{\"number\":7,\"size\":\"big\"}}) = \"ready\" after # s",
            "#  agent  Your order is ready to -- [interrupted, wanted to say: Your order is ready to be picked up \
             from seven in the morning on.]",
            "#  user   Thanks, bye",
            "#  agent  Goodbye.",
            "#  the user hung up",
            "#  ended  hangup",
        ],
    );
}

#[test]
fn arguments_are_compared_one_by_one() {
    fails(
        "tool: { name: lookup, arguments: { order: { number: 8, colour: red } } }",
        "the agent calls lookup with {\"order\":{\"number\":8,\"colour\":\"red\"}}",
        &[
            "#  tool   lookup({\"order\":{\"number\":7,\"size\":\"big\"}}) = \"ready\" after # s",
            "       order.number: expected 8, was #",
            "       order.colour: expected \"red\", was not there",
        ],
    );
    fails(
        "tool: { name: lookup, times: 2 }",
        "the agent calls lookup, 2 times",
        &[
            "it happened once:",
            "#  tool   lookup({\"order\":{\"number\":7,\"size\":\"big\"}}) = \"ready\" after # s",
        ],
    );
}

#[test]
fn what_must_never_happen_is_shown_where_it_did() {
    fails(
        "never: { user: thanks }",
        "never: the user is understood to say \"thanks\"",
        &["#  user   Thanks, bye"],
    );
    fails("never: { agent: Goodbye }", "never: the agent says \"Goodbye\"", &["#  agent  Goodbye."]);
}

#[test]
fn times_are_measured() {
    fails("reply_within: 2s", "each answer begins within 2s", &["#  the agent answered after # s"]);
    fails(
        "clears_within: 0.05s",
        "each interruption silences the agent within 50ms",
        &["#  the agent was silent after # s"],
    );
    fails("call_shorter_than: 5s", "the call takes less than 5s", &["the call took # s"]);
    fails("end: agent_hangup", "the call ends with agent_hangup", &["#  the call ended with hangup"]);
}

#[test]
fn states_that_did_not_follow_each_other_are_told_with_those_that_did() {
    let failures = run("states: [speaking, thinking]").failures;
    assert_eq!(failures[0].expected, "the agent goes through the states speaking, thinking");
    let told: Vec<String> = failures[0].happened.iter().map(|line| timeless(line)).collect();
    assert_eq!(told[..3], ["#  thinking", "#  speaking", "#  listening"]);
}

/// The failures of a call with these steps, which is not expected to be anything.
fn steps(steps: &str) -> Vec<Failure> {
    let yaml = format!(
        "call: {{ firstSpeakerSettings: {{ agent: {{ text: Hello there you. }} }} }}\nmodel: {{ replies: [One two three.] }}\n\
         steps:\n{steps}\nexpect:\n  - never: {{ agent: nonsense }}\n"
    );
    let scenario =
        Scenario::from_yaml(Path::new("call.yaml"), &yaml).unwrap_or_else(|error| panic!("{error}"));
    simulate(&scenario, 0, 0).failures
}

fn failure(line: u64, expected: &str, happened: &[&str]) -> Failure {
    let happened = happened.iter().map(|&line| line.to_owned()).collect();
    Failure { line, expected: expected.to_owned(), happened }
}

#[test]
fn a_step_whose_moment_does_not_come_fails() {
    assert_eq!(
        steps("  - say: Hi\n  - wait_for: { agent: nine, within: 3s }"),
        [failure(
            5,
            "the moment of this step comes: wait_for the agent to say \"nine\"",
            &[
                "the user waited for 3.00 s and hung up; the agent was listening",
                "heard of the agent meanwhile: One two three."
            ]
        )]
    );
    assert_eq!(
        steps("  - interrupt: { after_words: 4, say: Stop }"),
        [failure(
            4,
            "the moment of this step comes: interrupt \"Stop\"",
            &[
                "the user waited for 30.00 s and hung up; the agent was listening",
                "heard of the agent meanwhile: Hello there you."
            ]
        )]
    );
}

#[test]
fn a_step_that_comes_too_late_fails() {
    assert_eq!(
        steps("  - hang_up: { after_words: 2 }\n  - say: Oh, one more thing"),
        [failure(
            5,
            "the user comes to this step: say \"Oh, one more thing\"",
            &["the call ended before it"]
        )]
    );
}

#[test]
fn a_model_that_is_asked_too_often_fails() {
    assert_eq!(
        steps("  - say: Hi\n  - say: Hi again")[0],
        failure(
            0,
            "the 1 replies of the model are enough",
            &["the model was asked once more; add a reply under model.replies"]
        )
    );
}

#[test]
fn a_tool_without_an_answer_fails() {
    let yaml = CALL.replace("tools: { lookup: { answer: ready, after: 1s } }", "tools: {}");
    let yaml = format!("{yaml}  - agent: Hello\n");
    let scenario = Scenario::from_yaml(Path::new("call.yaml"), &yaml).unwrap();
    assert_eq!(
        simulate(&scenario, 0, 0).failures,
        [failure(
            0,
            "the agent calls only tools with answers, and not lookup",
            &["the scenario has no answer for lookup; add it under tools"]
        )]
    );
}
