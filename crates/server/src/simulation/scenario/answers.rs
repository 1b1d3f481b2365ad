//! How a scenario file writes what tools answer.

use std::fmt;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_api::realtime::{
    AgentReaction, ResponseType, ResultText, StateUpdate, ToolErrorType, ToolResult,
};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Answer;
use super::yaml::{Period, Short, Shortened};

/// The answers of one tool: one for all calls, or one for each, the last for all that follow.
pub(super) struct WrittenAnswers(Vec<WrittenAnswer>);

impl<'de> Deserialize<'de> for WrittenAnswers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = WrittenAnswers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a list of these", WrittenAnswer::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenAnswers, E> {
                let one = WrittenAnswer::from_text(text).map_err(E::custom)?;
                Ok(WrittenAnswers(vec![one]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<WrittenAnswers, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenAnswers, A::Error> {
                let one = WrittenAnswer::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(WrittenAnswers(vec![one]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<WrittenAnswers, A::Error> {
                let mut answers = Vec::new();
                while let Some(Short(answer)) = items.next_element()? {
                    answers.push(answer);
                }
                Ok(WrittenAnswers(answers))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl WrittenAnswers {
    pub(super) fn answers(self) -> Result<Vec<Answer>, String> {
        if self.0.is_empty() {
            return Err("the list of answers is empty; write at least one".to_owned());
        }
        self.0.into_iter().map(WrittenAnswer::answer).collect()
    }
}

/// One answer of a tool.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAnswer {
    answer: Option<Value>,
    error: Option<String>,
    hang_up: Option<JsonObject>,
    new_stage: Option<JsonObject>,
    send_to_thread: Option<JsonObject>,
    #[serde(default)]
    never: bool,
    after: Option<Period>,
    reaction: Option<WrittenReaction>,
    update_state: Option<JsonObject>,
}

/// What the agent does after a tool's answer, as on the wire (protocol.md 6.8).
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenReaction {
    Listens,
    Speaks,
    SpeaksOnce,
}

impl Shortened for WrittenAnswer {
    const EXPECTED: &'static str = "a text, or a map with `answer`, `error`, `hang_up`, `new_stage`, `send_to_thread` or `never`, and `after`, `reaction`, `update_state`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { answer: Some(Value::from(text)), ..Self::default() })
    }
}

const ONE: &str =
    "a tool does exactly one of `answer`, `error`, `hang_up`, `new_stage`, `send_to_thread` and `never`";

impl WrittenAnswer {
    fn answer(self) -> Result<Answer, String> {
        let after = Period::or(self.after, Duration::ZERO);
        let special = match (self.hang_up, self.new_stage, self.send_to_thread) {
            (None, None, None) => None,
            (Some(wish), None, None) => Some((ResponseType::HangUp, wish)),
            (None, Some(wish), None) => Some((ResponseType::NewStage, wish)),
            (None, None, Some(sent)) => Some((ResponseType::SendToThread, sent)),
            _ => return Err(ONE.to_owned()),
        };
        let mut result = match (self.answer, self.error, special, self.never) {
            (None, None, None, true) => return Ok(Answer { result: None, after }),
            (Some(answer), None, None, false) => ToolResult::new("", as_text(&answer)),
            (None, Some(error), None, false) => {
                ToolResult::failed("", ToolErrorType::ImplementationError, error)
            }
            (None, None, Some((response_type, wish)), false) => ToolResult {
                result: Some(ResultText(Value::Object(wish).to_string())),
                response_type,
                ..ToolResult::new("", "")
            },
            _ => return Err(ONE.to_owned()),
        };
        result.agent_reaction = self.reaction.map(|reaction| match reaction {
            WrittenReaction::Listens => AgentReaction::Listens,
            WrittenReaction::Speaks => AgentReaction::Speaks,
            WrittenReaction::SpeaksOnce => AgentReaction::SpeaksOnce,
        });
        result.update_call_state = self.update_state.map(StateUpdate);
        Ok(Answer { result: Some(result), after })
    }
}

/// A text as it is, anything else as JSON.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
