//! Scenario files: what is wrong with one is told with its line and what to do.

use std::path::Path;

use antiphon_server::simulation::{Scenario, simulate};

const REST: &str = "call: {}\nmodel: { replies: [] }\n";

#[track_caller]
fn refused(yaml: &str, line: u64, problem: &str) {
    let error = Scenario::from_yaml(Path::new("dir/a.yaml"), yaml).expect_err("this is no scenario");
    assert!(error.problem.contains(problem), "{error}");
    assert_eq!(error.line, line, "{error}");
}

/// With one step in line 4.
#[track_caller]
fn step_refused(step: &str, problem: &str) {
    refused(&format!("{REST}steps:\n  - {step}\nexpect: [end: hangup]\n"), 4, problem);
}

/// With one expectation in line 5.
#[track_caller]
fn expectation_refused(expectation: &str, problem: &str) {
    refused(&format!("{REST}steps: []\nexpect:\n  - {expectation}\n"), 5, problem);
}

#[test]
fn an_error_names_the_file_and_the_line() {
    let error = Scenario::from_yaml(Path::new("dir/a.yaml"), "call: {}\nmodell: x\n").unwrap_err();
    assert!(error.to_string().starts_with("dir/a.yaml:2: "), "{error}");
    let error = Scenario::read(Path::new("nowhere/a.yaml")).unwrap_err();
    assert!(error.to_string().starts_with("nowhere/a.yaml: cannot be read: "), "{error}");
}

#[test]
fn a_scenario_has_all_its_parts() {
    refused(
        "model: { replies: [] }\nsteps: []\nexpect: [end: hangup]\n",
        1,
        "`agent` names a file, `call` is",
    );
    refused("call: {}\nsteps: []\nexpect: [end: hangup]\n", 3, "missing field `model`");
    refused(&format!("{REST}steps: []\nexpect: []\n"), 4, "cannot fail");
    refused(
        "call: {}\nmodel: {}\nsteps: []\nexpect: [end: hangup]\n",
        2,
        "exactly one of `script`, `replies`",
    );
    refused(
        "call: {}\nmodel: { script: { default: { say: x } }, delay: 1s }\nsteps: []\nexpect: [end: hangup]\n",
        2,
        "a script has `delay_ms`",
    );
    refused(
        "call: {}\nmodel:\n  script:\n    rules: []\nsteps: []\nexpect: [end: hangup]\n",
        4,
        "missing field `default`",
    );
    refused(
        "call: {}\nmodel:\n  replies:\n    - hang_up: true\nsteps: []\nexpect: [end: hangup]\n",
        4,
        "toolName: hangUp",
    );
}

#[test]
fn the_agent_is_checked_as_the_rest_api_does() {
    let rest = "model: { replies: [] }\nsteps: []\nexpect: [end: hangup]\n";
    refused(&format!("call: {{ temperature: 7 }}\n{rest}"), 1, "temperature");
    refused(
        &format!("name: x\ncall: {{ vadSettings: {{ turnEndpointDelay: 99s }} }}\n{rest}"),
        2,
        "between 0s and 60s",
    );
    refused(&format!("call: {{ systemPrompt: 'Hi {{{{name}}}}' }}\n{rest}"), 1, "add it under `context`");
    refused(&format!("agent: nowhere.json\n{rest}"), 1, "cannot be read");
    refused(
        &format!("call: {{}}\ntools: {{ lookup: x }}\n{rest}"),
        2,
        "the agent has no tool of this name; it has none",
    );
}

#[test]
fn a_field_that_means_nothing_is_told() {
    let yaml = "call: { sytemPrompt: x }\nmodel: { replies: [] }\nsteps: []\nexpect: [end: hangup]\n";
    let scenario = Scenario::from_yaml(Path::new("a.yaml"), yaml).unwrap();
    assert_eq!(scenario.remarks, ["the field sytemPrompt means nothing here"]);
}

#[test]
fn steps_are_checked() {
    step_refused("sya: hello", "`sya` is not known as a step; use one of say, pause,");
    step_refused("{ say: hello, for: 1s }", "a step has one key, and here are `say` and `for`");
    step_refused("say: ''", "there are no words");
    step_refused("say: { text: hi, fro: 1s }", "unknown field `fro`");
    step_refused("say", "`say` needs a value");
    step_refused("pause: 2", "its unit, such as 1.2s");
    step_refused("pause: 2 s", "is not a length of time");
    step_refused("interrupt: { say: hi }", "needs `after_words` or `after`");
    step_refused("interrupt: { say: hi, after: 1s, after_words: 2 }", "exclude each other");
    step_refused("dtmf: 12x", "are not keys of a telephone");
    step_refused("wait_for: {}", "exactly one of `agent`, `state`, `tool` and `end`");
    step_refused("wait_for: { state: dreaming }", "dreaming");
    step_refused("write: { text: hi, urgency: now }", "now");
}

#[test]
fn expectations_are_checked() {
    expectation_refused("agnet: hello", "`agnet` is not known as an expectation; use one of agent,");
    expectation_refused("agent: ''", "every text contains nothing");
    expectation_refused("agent: { matches: '(' }", "is not a regular expression");
    expectation_refused("agent: { is: a, contains: b }", "compared in one way");
    expectation_refused("end: tired", "tired");
    expectation_refused("interrupted: false", "write `never: {interrupted: true}`");
    expectation_refused(
        "never: { tool: { name: x, times: 2 } }",
        "`times` belongs to an expectation of its own",
    );
    expectation_refused("never: { end: hangup }", "`end` is not known as something that happens");
    expectation_refused("conversation: []", "conversation is empty");
    expectation_refused("states: []", "states is empty");
}

#[test]
fn tools_are_checked() {
    let yaml = |tool: &str| {
        format!(
            "call:\n  selectedTools: [{{ temporaryTool: {{ modelToolName: lookup, client: {{}} }} }}]\n\
             model: {{ replies: [] }}\nsteps: []\nexpect: [end: hangup]\ntools:\n  lookup: {tool}\n"
        )
    };
    refused(&yaml("[]"), 7, "write at least one");
    refused(
        &yaml("{ answer: x, never: true }"),
        7,
        "exactly one of `answer`, `error`, `hang_up`, `new_stage`, `send_to_thread` and `never`",
    );
    refused(&yaml("{ answr: x }"), 7, "unknown field `answr`");
    refused(&yaml("{ new_stage: { temperature: 7 } }"), 7, "new_stage: temperature: ");
}

#[test]
fn the_example_of_the_documentation_runs() {
    let document = include_str!("../../../../docs/simulation.md");
    let (_, rest) = document.split_once("```yaml\n").unwrap();
    let (yaml, _) = rest.split_once("```").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulation.md");
    let scenario = Scenario::from_yaml(&path, yaml).unwrap_or_else(|error| panic!("{error}"));
    let run = simulate(&scenario, 0, 0);
    assert!(run.passed(), "{:#?}", run.failures);
}
