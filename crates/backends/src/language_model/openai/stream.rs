//! What the events of a streamed completion say.
//!
//! Owns the parsing of `chat.completion.chunk` objects. Pure. It must not know of time or connections.

use serde::Deserialize;

use crate::http::error_message;
use crate::language_model::Usage;
use crate::language_model::answer::{Calls, Meaning, Told, failed};
use crate::language_model::thoughts::Thoughts;

/// A completion as it arrives.
#[derive(Debug)]
pub(super) struct Completion {
    thoughts: Thoughts,
    calls: Calls,
    /// Whether a finish reason was told.
    finished: bool,
}

/// One `chat.completion.chunk` (OpenAI API reference). Everything is optional, for servers differ.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<serde_json::Value>,
    usage: Option<ChunkUsage>,
}

#[derive(Deserialize)]
struct ChunkUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    /// A server that does not stream sends the whole message at once.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    /// What a model thinks, as DeepSeek, vLLM and llama.cpp spell it.
    reasoning_content: Option<String>,
    /// The same, as OpenRouter and newer vLLM spell it.
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    /// Some servers leave it out and send each call whole.
    index: Option<u64>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

impl Completion {
    /// `thinks_first` for a model whose template opens its first thought.
    pub(super) fn new(thinks_first: bool) -> Self {
        Self { thoughts: Thoughts::new(thinks_first), calls: Calls::default(), finished: false }
    }
}

impl Meaning for Completion {
    fn event(&mut self, data: &[u8], told: &mut Vec<Told>) {
        if data.trim_ascii() == b"[DONE]" {
            self.done(told);
            return;
        }
        match serde_json::from_slice::<Chunk>(data) {
            Ok(chunk) => self.read(chunk, told),
            Err(_) => {
                told.push(failed(format!("sent what is no completion: {}", String::from_utf8_lossy(data))))
            }
        }
    }

    fn end(&mut self, told: &mut Vec<Told>) {
        if self.finished {
            self.done(told);
        } else {
            told.push(failed("ended its answer in the middle"));
        }
    }

    fn calls(&self) -> &Calls {
        &self.calls
    }
}

impl Completion {
    fn read(&mut self, chunk: Chunk, told: &mut Vec<Told>) {
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            told.push(failed(error_message(&error).unwrap_or_else(|| error.to_string())));
            return;
        }
        // Some servers count with every chunk, others in one without a choice at the end.
        if let Some(usage) = chunk.usage {
            told.push(Told::Usage(Usage {
                input: usage.prompt_tokens,
                cached: usage.prompt_tokens_details.and_then(|details| details.cached_tokens),
                output: usage.completion_tokens,
            }));
        }
        if let Some(choice) = chunk.choices.into_iter().find(|choice| choice.index == 0) {
            self.choice(choice, told);
        }
    }

    fn choice(&mut self, choice: Choice, told: &mut Vec<Told>) {
        if let Some(delta) = choice.delta {
            let thought = [delta.reasoning_content, delta.reasoning];
            if thought.iter().flatten().any(|thought| !thought.is_empty()) {
                told.push(Told::Thinking);
            }
            if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
                let said = self.thoughts.push(&text);
                told.push(if said.is_empty() { Told::Thinking } else { Told::Text(said) });
            }
            for call in delta.tool_calls.unwrap_or_default() {
                self.call(call);
                // Nothing to say, but a sign of life.
                told.push(Told::Working);
            }
        }
        self.finished |= choice.finish_reason.is_some_and(|reason| !reason.is_empty());
    }

    fn call(&mut self, delta: CallDelta) {
        let Some(function) = delta.function else { return };
        let named = function.name.as_deref().is_some_and(|name| !name.is_empty());
        let index = delta.index.unwrap_or(match (self.calls.last(), named) {
            (Some(last), true) => last + 1,
            (Some(last), false) => last,
            (None, _) => 0,
        });
        let call = self.calls.call(index);
        // Some servers repeat the name with every part.
        if call.name.is_empty() {
            call.name = function.name.unwrap_or_default();
        }
        call.arguments.push_str(function.arguments.as_deref().unwrap_or_default());
    }

    fn done(&mut self, told: &mut Vec<Told>) {
        let held = self.thoughts.end();
        if !held.is_empty() {
            told.push(Told::Text(held));
        }
        told.push(Told::Done { calls: self.calls.take() });
    }
}

#[cfg(test)]
mod tests {
    use antiphon_engine::input::ModelToolCall;
    use proptest::prelude::*;

    use super::*;
    use crate::language_model::Failure;
    use crate::language_model::answer::Events;

    fn read(parts: &[&[u8]]) -> Vec<Told> {
        let mut completion = Events::new(Completion::new(false));
        let mut told: Vec<Told> = parts.iter().flat_map(|part| completion.push(part)).collect();
        told.extend(completion.end());
        told
    }

    fn call(name: &str, arguments: &str) -> ModelToolCall {
        ModelToolCall { name: name.into(), arguments: arguments.into(), given_id: None }
    }

    const ANSWER: &str = concat!(
        ": keep-alive\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n",
        "event: message\nid: 7\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Über \"}}]}\n\n",
        ":\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":\ndata: {\"content\":\"den 🍞\"}}]}\r\r",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"end\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\n",
        "data: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"never\"}}]}\n\n",
    );

    fn expected() -> Vec<Told> {
        let (thinking, working) = (Told::Thinking, Told::Working);
        let mut told = vec![thinking, Told::Text("Über ".to_owned()), Told::Text("den 🍞".to_owned())];
        told.extend(vec![working; 4]);
        told.push(Told::Usage(Usage { input: 9, cached: None, output: 0 }));
        told.push(Told::Done { calls: vec![call("look", "{\"a\":1}"), call("end", "{}")] });
        told
    }

    #[test]
    fn an_answer_is_read_whole() {
        assert_eq!(read(&[ANSWER.as_bytes()]), expected());
    }

    #[test]
    fn an_answer_is_read_when_cut_at_any_byte() {
        let bytes = ANSWER.as_bytes();
        for cut in 0..=bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), expected(), "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), expected());
    }

    proptest! {
        #[test]
        fn an_answer_is_read_when_cut_anywhere(mut cuts in proptest::collection::vec(0..ANSWER.len(), 0..40)) {
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut from = 0;
            for cut in cuts {
                parts.push(&ANSWER.as_bytes()[from..cut]);
                from = cut;
            }
            parts.push(&ANSWER.as_bytes()[from..]);
            prop_assert_eq!(read(&parts), expected());
        }

        #[test]
        fn any_bytes_end_exactly_once(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
            let cut = cut.min(bytes.len());
            let told = read(&[&bytes[..cut], &bytes[cut..]]);
            let ends = told.iter().filter(|told| matches!(told, Told::Done { .. } | Told::Failed(_))).count();
            prop_assert_eq!(ends, 1);
        }
    }

    #[test]
    fn the_end_of_the_body_ends_an_answer_that_told_its_reason() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"length\"}]}";
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), Told::Done { calls: vec![] }]);
    }

    #[test]
    fn an_answer_that_breaks_off_is_a_failure() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let broken = Told::Failed(Failure::of_backend("ended its answer in the middle"));
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), broken.clone()]);
        assert_eq!(read(&[]), [broken]);
    }

    #[test]
    fn errors_in_the_stream_are_told() {
        let check = |body: &str, reason: &str| {
            assert_eq!(read(&[body.as_bytes()]), [Told::Failed(Failure::of_backend(reason))]);
        };
        check(
            "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\ndata: [DONE]\n\n",
            "out of memory",
        );
        check("{\"error\":\"no such model\"}", "no such model");
        check("data: <html>\n\n", "sent what is no completion: <html>");
    }

    #[test]
    fn calls_without_an_index_are_kept_apart_by_their_names() {
        let body = concat!(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"a\",\"arguments\":\"{}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"b\",\"arguments\":\"{\"}},",
            "{\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"stop\"}]}\n\n",
        );
        let told = read(&[body.as_bytes()]);
        assert_eq!(told.last(), Some(&Told::Done { calls: vec![call("a", "{}"), call("b", "{}")] }));
    }

    #[test]
    fn an_answer_that_is_not_streamed_is_read() {
        let body = r#"{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        assert_eq!(read(&[body.as_bytes()]), [Told::Text("Hi".to_owned()), Told::Done { calls: vec![] }]);
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let told = read(&[&vec![b'x'; 2 * 1024 * 1024]]);
        assert_eq!(told, [Told::Failed(Failure::of_backend("sent an event without an end"))]);
    }

    #[test]
    fn thoughts_in_the_text_are_signs_of_life_and_not_said() {
        let body = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"<think>Hm\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"m.</think>\\n\\nYes <\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,",
            "\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":5}}}\n\n",
        );
        let expected = [
            Told::Thinking,
            Told::Text("Yes ".to_owned()),
            Told::Usage(Usage { input: 7, cached: Some(5), output: 3 }),
            Told::Text("<".to_owned()),
            Told::Done { calls: vec![] },
        ];
        assert_eq!(read(&[body.as_bytes()]), expected);
    }
}
