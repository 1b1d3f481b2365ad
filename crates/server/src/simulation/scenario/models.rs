//! How a scenario file writes its model: a script, recorded replies, or a real one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::json::JsonObject;
use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::language_model::scripted::Scripted;
use antiphon_backends::language_model::scripted::script::Script;
use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::{
    BackendsConfig, ModelConfig, OpenAiModelConfig, TranscriptionConfig, VoiceActivityConfig,
};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::super::model::{Model, Pace, Reply};
use super::yaml::{Period, Short, Shortened};

/// What a model takes before its first word, and for each further one, unless the file says.
const FIRST_WORD: Duration = Duration::from_millis(300);
const NEXT_WORD: Duration = Duration::from_millis(20);
/// The name of the real model among the backends.
const ENDPOINT: &str = "endpoint";

/// `model`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenModel {
    script: Option<ScriptSource>,
    replies: Option<Vec<Spanned<Short<WrittenReply>>>>,
    #[serde(default)]
    thread_replies: Vec<Spanned<Short<WrittenReply>>>,
    endpoint: Option<OpenAiModelConfig>,
    delay: Option<Period>,
    words_per_second: Option<f64>,
}

/// Recorded replies, in order.
pub(super) type WrittenReplies = Vec<Spanned<Short<WrittenReply>>>;

/// A model, or what one is made from once the agent's tools are known.
pub(super) enum Source {
    Ready(Model),
    Replies { main: WrittenReplies, threads: WrittenReplies, pace: Pace },
}

impl WrittenModel {
    pub(super) fn model(self, beside: &Path) -> Result<Source, String> {
        let paced = self.delay.is_some() || self.words_per_second.is_some();
        let source = match (self.script, self.replies, self.endpoint) {
            (None, Some(replies), None) => {
                let between_words = match self.words_per_second {
                    None => NEXT_WORD,
                    Some(pace) if (0.1..=1_000.0).contains(&pace) => Duration::from_secs_f64(1.0 / pace),
                    Some(pace) => {
                        return Err(format!("model.words_per_second: {pace} is not from 0.1 to 1000"));
                    }
                };
                let delay = Period::or(self.delay, FIRST_WORD);
                let pace = Pace { delay, between_words };
                return Ok(Source::Replies { main: replies, threads: self.thread_replies, pace });
            }
            (Some(ScriptSource::Here(script)), None, None) => Model::Script(Box::new(Scripted::new(*script))),
            (Some(ScriptSource::File(path)), None, None) => {
                let path = beside.join(path);
                let shown = path.display();
                let yaml = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{shown} cannot be read: {error}"))?;
                let script = Scripted::from_yaml(&yaml).map_err(|error| format!("{shown}, {error}"))?;
                Model::Script(Box::new(script))
            }
            (None, None, Some(endpoint)) => Model::Endpoint(real_model(endpoint)?),
            _ => return Err("a model is exactly one of `script`, `replies` and `endpoint`".to_owned()),
        };
        if !self.thread_replies.is_empty() {
            return Err("`thread_replies` belong to `replies`; other models answer in threads by themselves"
                .to_owned());
        }
        if paced {
            return Err(
                "`delay` and `words_per_second` belong to `replies`; a script has `delay_ms` and `pace`, \
                 and a real model takes the time it takes"
                    .to_owned(),
            );
        }
        Ok(Source::Ready(source))
    }
}

fn real_model(endpoint: OpenAiModelConfig) -> Result<Arc<dyn LanguageModel>, String> {
    if endpoint.audio {
        return Err("model.endpoint.audio: a simulated user has no voice to hear; leave it out".to_owned());
    }
    let config = BackendsConfig {
        default_model: ENDPOINT.to_owned(),
        models: BTreeMap::from([(ENDPOINT.to_owned(), ModelConfig::Openai(endpoint))]),
        transcription: TranscriptionConfig::None,
        voice_activity: VoiceActivityConfig::Scripted,
        ..BackendsConfig::default()
    };
    let backends = Backends::build(&config).map_err(|error| error.to_string())?;
    Ok(backends.models.get(ENDPOINT).cloned().expect("it was built from a configuration that has it"))
}

/// A script that is written here, or the file that it is in.
enum ScriptSource {
    Here(Box<Script>),
    File(PathBuf),
}

impl<'de> Deserialize<'de> for ScriptSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ScriptSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a script, or the path of its file")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<ScriptSource, E> {
                Ok(ScriptSource::File(path.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScriptSource, A::Error> {
                Script::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|script| ScriptSource::Here(Box::new(script)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A recorded reply.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenReply {
    say: Option<String>,
    call: Option<WrittenCall>,
    #[serde(default)]
    calls: Vec<WrittenCall>,
    #[serde(default)]
    hang_up: bool,
    fail: Option<String>,
    delay: Option<Period>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCall {
    tool: String,
    #[serde(default)]
    arguments: JsonObject,
}

impl Shortened for WrittenReply {
    const EXPECTED: &'static str =
        "words, or a map with `say`, `call` or `calls`, `hang_up`, `fail` and `delay`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { say: Some(text.to_owned()), ..Self::default() })
    }
}

impl WrittenReply {
    pub(super) fn reply(self, hang_up: Option<&Arc<str>>) -> Result<Reply, String> {
        if self.hang_up && hang_up.is_none() {
            return Err(
                "hang_up: the agent has no tool to hang up with; add `toolName: hangUp` to its selectedTools"
                    .to_owned(),
            );
        }
        Ok(Reply {
            say: self.say,
            calls: self
                .call
                .into_iter()
                .chain(self.calls)
                .map(|call| (call.tool, Value::Object(call.arguments)))
                .collect(),
            hang_up: hang_up.filter(|_| self.hang_up).cloned(),
            fail: self.fail,
            delay: self.delay.map(|delay| delay.0),
        })
    }
}
