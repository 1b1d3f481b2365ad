//! A prompt as the body of a `/chat/completions` request.
//!
//! Owns the spelling of messages, tools and audio (inference.md 5.5). The same history gives the same bytes, so that the
//! prefix caches of backends hold. It must not know how the request is sent.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use antiphon_audio::{Clip, SampleRate};
use antiphon_engine::ids::{InvocationId, TurnId};
use antiphon_engine::message::{Message, MessageBody, ToolForModel};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Settings;
use super::history::{AudioHistory, audible};
use super::replay::{self, Id};
use crate::language_model::{GivenAs, Request};
use crate::wav;

/// The longest audio in one part, 29.9 s: encoders hear 30 s at a time, and some forget the rest (inference.md 5.5, rule 1).
/// llama.cpp's takes 29.99 s for two such stretches, of which the second is empty and costs as much as the first.
const PART_SAMPLES: usize = 299 * 1_600;
/// The shortest, 100 ms: shorter ones are followed by silence, for llama.cpp's server dies of a few samples.
const LEAST_SAMPLES: usize = 1_600;
/// What stands for a user message without words: servers refuse or misread empty ones.
pub(in crate::language_model) const UNHEARD: &str = "[The user said something that could not be understood.]";
pub(in crate::language_model) const SILENT: &str = "[The user is silent.]";
/// What stands for a tool's result that is not there, since every call needs one.
pub(in crate::language_model) const NO_RESULT: &str = "[There is no result.]";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    // Before the messages, where templates put them, so that one request begins as the one before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<ChatMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    temperature: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    stream: bool,
    stream_options: StreamOptions,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum ChatMessage<'a> {
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall<'a>>,
    },
    System {
        content: &'a str,
    },
    Tool {
        tool_call_id: String,
        content: &'a str,
    },
    User {
        content: UserContent<'a>,
    },
}

enum UserContent<'a> {
    Audio(Vec<Recording>),
    Text(&'a str),
}

/// A part of a recording.
struct Recording {
    samples: Vec<i16>,
    /// Its id, where the server takes ids.
    id: Option<Id>,
    /// Whether the server has it already: then the id alone is sent.
    given: bool,
}

/// Text is a string, which every server takes; audio is a list of parts and nothing but audio, because some servers put
/// audio before the text of the same message whatever the order (inference.md 5.2).
impl Serialize for UserContent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Part<'a> {
            r#type: &'static str,
            input_audio: Option<InputAudio>,
            #[serde(skip_serializing_if = "Option::is_none")]
            uuid: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct InputAudio {
            data: String,
            format: &'static str,
        }
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Audio(parts) => serializer.collect_seq(parts.iter().map(|recording| {
                let input_audio = (!recording.given).then(|| {
                    let mut samples = Cow::Borrowed(&recording.samples);
                    if samples.len() < LEAST_SAMPLES {
                        samples.to_mut().resize(LEAST_SAMPLES, 0);
                    }
                    let data = BASE64.encode(wav::encode(&samples, SampleRate::EAR.hz()));
                    InputAudio { data, format: "wav" }
                });
                Part { r#type: "input_audio", input_audio, uuid: recording.id.as_deref() }
            })),
        }
    }
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: String,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: ToolFace<'a>,
}

#[derive(Serialize)]
struct ToolFace<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

impl<'a> From<&'a ToolForModel> for Tool<'a> {
    fn from(tool: &'a ToolForModel) -> Self {
        let ToolForModel { name, description, parameters } = tool;
        Self { r#type: "function", function: ToolFace { name, description, parameters } }
    }
}

/// How each of the user's spoken turns is given.
type Turns = Vec<(TurnId, GivenAs)>;

/// Which ids recordings have, and what the server has been given.
pub(super) struct Ids<'a> {
    given: Option<&'a dyn Fn(&Id) -> bool>,
    /// The recordings of the request, in order.
    pub(super) named: Vec<Id>,
    /// How many of them are not in it, but for their ids.
    pub(super) left_out: usize,
}

impl<'a> Ids<'a> {
    /// None: the server takes no ids.
    pub(super) const fn none() -> Self {
        Self { given: None, named: Vec::new(), left_out: 0 }
    }

    /// An id for each recording, and nothing but that for those that the server has been given.
    pub(super) fn where_given(given: &'a dyn Fn(&Id) -> bool) -> Self {
        Self { given: Some(given), ..Self::none() }
    }

    fn clip(&mut self, samples: Vec<i16>) -> Recording {
        let id = self.given.map(|given| (replay::id(&samples), given));
        let given = id.as_ref().is_some_and(|(id, given)| given(id));
        self.left_out += usize::from(given);
        self.named.extend(id.as_ref().map(|(id, _)| Arc::clone(id)));
        Recording { samples, id: id.map(|(id, _)| id), given }
    }
}

/// The bytes of the request, and how it gives the user's spoken turns.
pub(super) fn body(settings: &Settings, request: &Request, ids: &mut Ids<'_>) -> (Vec<u8>, Turns) {
    let (chat, turns) = messages(settings.audio, request, ids);
    (written(settings, request, chat, settings.max_tokens, &[]), turns)
}

/// The bytes of a request that has the conversation read and nearly nothing said.
pub(super) fn warm_up(settings: &Settings, request: &Request, ids: &mut Ids<'_>) -> Vec<u8> {
    let (mut chat, _) = messages(settings.audio, request, ids);
    // Where the agent spoke last, some servers would have it go on.
    if !matches!(chat.last(), Some(ChatMessage::User { .. })) {
        chat.push(ChatMessage::User { content: UserContent::Text(SILENT) });
    }
    written(settings, request, chat, Some(1), &["max_tokens", "max_completion_tokens", "n_predict"])
}

/// `kept` names fields that further ones of the configuration do not replace.
fn written(
    settings: &Settings,
    request: &Request,
    messages: Vec<ChatMessage<'_>>,
    max_tokens: Option<u32>,
    kept: &[&str],
) -> Vec<u8> {
    let tools: Vec<Tool<'_>> = request.prompt.tools.iter().map(Tool::from).collect();
    let body = Body {
        model: &settings.model,
        messages,
        tool_choice: (!tools.is_empty()).then_some("auto"),
        tools,
        temperature: request.prompt.temperature,
        max_tokens,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
    };
    if settings.extra.is_empty() && settings.omit.is_empty() {
        return serde_json::to_vec(&body).expect("strings and numbers are JSON");
    }
    let mut body = serde_json::to_value(&body).expect("strings and numbers are JSON");
    if let Value::Object(fields) = &mut body {
        let extra = settings.extra.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
        fields.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
        fields.retain(|name, _| !settings.omit.contains(name));
    }
    body.to_string().into_bytes()
}

fn messages<'a>(
    audio: Option<AudioHistory>,
    request: &'a Request,
    ids: &mut Ids<'_>,
) -> (Vec<ChatMessage<'a>>, Turns) {
    let mut turns = Turns::new();
    let prompt = &request.prompt;
    let results = results(&prompt.messages);
    let audible = audible(audio, &prompt.messages);
    let mut chat: Vec<ChatMessage<'a>> =
        prompt.system.iter().map(|system| ChatMessage::System { content: system }).collect();
    let mut index = 0;
    while let Some(message) = prompt.messages.get(index) {
        match &message.body {
            MessageBody::Agent { heard, .. } => {
                let content = Some(&**heard).filter(|heard| !heard.is_empty());
                let calls = calls_from(&prompt.messages[index + 1..]);
                index += calls.len();
                push_assistant(&mut chat, content, calls, &results);
            }
            MessageBody::ToolCall { .. } => {
                let calls = calls_from(&prompt.messages[index..]);
                index += calls.len() - 1;
                push_assistant(&mut chat, None, calls, &results);
            }
            // It stands with its call, for a result anywhere else is refused.
            MessageBody::ToolResult { .. } => {}
            MessageBody::User { text, audio } => {
                let clip = audio
                    .filter(|_| audible(index, text))
                    .and_then(|span| request.clips.get(span.turn))
                    .filter(|clip| !clip.is_empty());
                let (content, given) = match clip {
                    Some(clip) => {
                        let parts = parts(clip).map(|part| ids.clip(part));
                        (UserContent::Audio(parts.collect()), GivenAs::Audio)
                    }
                    None if !text.trim().is_empty() => (UserContent::Text(text), GivenAs::Transcript),
                    None if audio.is_some() => (UserContent::Text(UNHEARD), GivenAs::Unknown),
                    None => (UserContent::Text(SILENT), GivenAs::Unknown),
                };
                turns.extend(audio.map(|span| (span.turn, given)));
                chat.push(ChatMessage::User { content });
            }
        }
        index += 1;
    }
    if let Some(instruction) = &prompt.instruction {
        chat.push(ChatMessage::User { content: UserContent::Text(instruction) });
    }
    // Many chat templates break without a user.
    if !chat.iter().any(|message| matches!(message, ChatMessage::User { .. })) {
        chat.push(ChatMessage::User { content: UserContent::Text(SILENT) });
    }
    (chat, turns)
}

/// A recording in as few parts of the same length as can be.
fn parts(clip: &Clip) -> impl Iterator<Item = Vec<i16>> {
    let count = clip.len().div_ceil(PART_SAMPLES);
    let length = clip.len().div_ceil(count);
    let mut rest = clip.to_vec();
    (0..count).map(move |_| {
        let after = rest.split_off(length.min(rest.len()));
        std::mem::replace(&mut rest, after)
    })
}

/// A call of the history: who made it, and what with.
struct HistoricCall<'a> {
    id: String,
    tool: &'a str,
    arguments: &'a str,
}

/// The calls at the beginning of these messages: those of one generation, in one message of the assistant.
fn calls_from(messages: &[Message]) -> Vec<HistoricCall<'_>> {
    messages
        .iter()
        .map_while(|message| match &message.body {
            MessageBody::ToolCall { invocation, given_id, tool, arguments } => {
                Some(HistoricCall { id: call_id(*invocation, given_id.as_deref()), tool, arguments })
            }
            MessageBody::Agent { .. } | MessageBody::ToolResult { .. } | MessageBody::User { .. } => None,
        })
        .collect()
}

fn push_assistant<'a>(
    chat: &mut Vec<ChatMessage<'a>>,
    content: Option<&'a str>,
    calls: Vec<HistoricCall<'a>>,
    results: &HashMap<String, &'a str>,
) {
    if content.is_none() && calls.is_empty() {
        return;
    }
    let answers: Vec<ChatMessage<'a>> = calls
        .iter()
        .map(|call| ChatMessage::Tool {
            tool_call_id: call.id.clone(),
            content: results.get(&call.id).copied().unwrap_or(NO_RESULT),
        })
        .collect();
    let tool_calls = calls
        .into_iter()
        .map(|call| ToolCall {
            id: call.id,
            r#type: "function",
            function: Function { name: call.tool, arguments: call.arguments },
        })
        .collect();
    chat.push(ChatMessage::Assistant { content, tool_calls });
    chat.extend(answers);
}

/// What the tools answered, by the id of the call.
fn results(messages: &[Message]) -> HashMap<String, &str> {
    messages
        .iter()
        .filter_map(|message| match &message.body {
            MessageBody::ToolResult { invocation, given_id, text, .. } => {
                Some((call_id(*invocation, given_id.as_deref()), &**text))
            }
            MessageBody::Agent { .. } | MessageBody::ToolCall { .. } | MessageBody::User { .. } => None,
        })
        .collect()
}

fn call_id(invocation: InvocationId, given: Option<&str>) -> String {
    given.map_or_else(|| invocation.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use antiphon_engine::ids::TurnId;
    use antiphon_engine::message::{AudioSpan, Medium, Prompt};
    use antiphon_engine::time::AudioTime;
    use serde_json::json;

    use super::*;
    use crate::language_model::{Clips, Waits};

    fn settings(audio: Option<AudioHistory>) -> Settings {
        Settings {
            model: "m".into(),
            audio,
            max_tokens: None,
            extra: serde_json::Map::new(),
            omit: Vec::new(),
            thinks_first: false,
            audio_ids: false,
            warm_up: true,
            waits: Waits { first_token: Duration::ZERO, progress: Duration::ZERO },
        }
    }

    fn request(messages: Vec<MessageBody>) -> Request {
        let messages = messages.into_iter().map(|body| Message {
            body,
            medium: Medium::Voice,
            ordinal: None,
            span: None,
        });
        let prompt = Prompt {
            system: Some("Be kind.".into()),
            messages: messages.collect(),
            instruction: None,
            tools: [].into(),
            temperature: 0.4,
            model: "default".into(),
            language: None,
        };
        Request { prompt, clips: Clips::default() }
    }

    fn written(settings: &Settings, request: &Request) -> Value {
        serde_json::from_slice(&body(settings, request, &mut Ids::none()).0).unwrap()
    }

    fn agent(heard: &str) -> MessageBody {
        MessageBody::Agent { heard: heard.into(), generated: "all of it".into() }
    }

    fn user(text: &str) -> MessageBody {
        MessageBody::User { text: text.into(), audio: None }
    }

    fn spoken(turn: u32, text: &str) -> MessageBody {
        let span = AudioSpan { turn: TurnId(turn), from: AudioTime::ZERO, to: AudioTime::from_millis(20) };
        MessageBody::User { text: text.into(), audio: Some(span) }
    }

    fn call(id: u32, given: Option<&str>) -> MessageBody {
        MessageBody::ToolCall {
            invocation: InvocationId(id),
            given_id: given.map(Arc::from),
            tool: "look".into(),
            arguments: "{\"a\":1}".into(),
        }
    }

    fn result(id: u32, given: Option<&str>, text: &str) -> MessageBody {
        MessageBody::ToolResult {
            invocation: InvocationId(id),
            given_id: given.map(Arc::from),
            tool: "look".into(),
            text: text.into(),
            error: None,
            state: None,
        }
    }

    #[test]
    fn a_conversation_is_spelled_as_chat_messages() {
        let mut asked = request(vec![
            agent("Hi, this is"),
            user("Where is it?"),
            agent("Let me see."),
            call(0, None),
            call(1, Some("given")),
            user("Hurry."),
            result(1, Some("given"), "second"),
            result(0, None, "first"),
        ]);
        asked.prompt.instruction = Some("Answer now.".into());
        asked.prompt.tools = [ToolForModel {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({"type":"object"}).into(),
        }]
        .into();
        let function = json!({"name":"look","arguments":"{\"a\":1}"});
        assert_eq!(
            written(&settings(None), &asked),
            json!({
                "model": "m",
                "messages": [
                    {"role":"system","content":"Be kind."},
                    {"role":"assistant","content":"Hi, this is"},
                    {"role":"user","content":"Where is it?"},
                    {"role":"assistant","content":"Let me see.","tool_calls":[
                        {"id":"invocation-0","type":"function","function":function},
                        {"id":"given","type":"function","function":function}]},
                    {"role":"tool","tool_call_id":"invocation-0","content":"first"},
                    {"role":"tool","tool_call_id":"given","content":"second"},
                    {"role":"user","content":"Hurry."},
                    {"role":"user","content":"Answer now."}],
                "tools": [{"type":"function","function":
                    {"name":"look","description":"Looks.","parameters":{"type":"object"}}}],
                "tool_choice": "auto",
                "temperature": 0.4,
                "stream": true,
                "stream_options": {"include_usage":true}})
        );
    }

    #[test]
    fn what_is_missing_is_stood_in_for() {
        let messages = |bodies| written(&settings(None), &request(bodies))["messages"].clone();
        assert_eq!(messages(vec![])[1], json!({"role":"user","content":SILENT}));
        assert_eq!(messages(vec![user("")])[1], json!({"role":"user","content":SILENT}));
        assert_eq!(messages(vec![spoken(0, " ")])[1], json!({"role":"user","content":UNHEARD}));
        let unanswered = messages(vec![user("x"), agent(""), call(4, None)]);
        assert_eq!(unanswered[2]["content"], Value::Null);
        assert_eq!(unanswered[3], json!({"role":"tool","tool_call_id":"invocation-4","content":NO_RESULT}));
        assert_eq!(messages(vec![user("x"), agent("")]).as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_model_that_hears_gets_the_last_turns_as_audio_and_older_ones_as_text() {
        let mut asked = request(vec![
            spoken(0, "zero"),
            spoken(1, ""),
            spoken(2, "two"),
            user("typed"),
            spoken(3, "three"),
        ]);
        for turn in 0..4 {
            asked.clips.insert(TurnId(turn), vec![turn as i16; 10].into());
        }
        let heard = |audio| {
            let body = written(&settings(audio), &asked);
            let messages = &body["messages"].as_array().unwrap()[1..];
            let contents = messages.iter().map(|message| match message["content"].as_str() {
                Some(text) => text.to_owned(),
                None => {
                    let data = message["content"][0]["input_audio"]["data"].as_str().unwrap();
                    format!("audio {}", BASE64.decode(data).unwrap()[44])
                }
            });
            contents.collect::<Vec<_>>()
        };
        assert_eq!(heard(None), ["zero", UNHEARD, "two", "typed", "three"]);
        assert_eq!(heard(Some(AudioHistory::Last(2))), ["zero", "audio 1", "audio 2", "typed", "audio 3"]);
        let (_, turns) = body(&settings(Some(AudioHistory::Last(1))), &asked, &mut Ids::none());
        let given: Vec<_> = turns.iter().map(|(turn, given)| (turn.0, *given)).collect();
        let expected =
            [(0, GivenAs::Transcript), (1, GivenAs::Audio), (2, GivenAs::Transcript), (3, GivenAs::Audio)];
        assert_eq!(given, expected);
        let (_, turns) = body(&settings(None), &asked, &mut Ids::none());
        assert_eq!(turns[1], (TurnId(1), GivenAs::Unknown));
        assert_eq!(heard(Some(AudioHistory::Last(1))), ["zero", "audio 1", "two", "typed", "audio 3"]);
        assert_eq!(heard(Some(AudioHistory::All)), ["audio 0", "audio 1", "audio 2", "typed", "audio 3"]);
        assert_eq!(heard(Some(AudioHistory::Last(9))), heard(Some(AudioHistory::All)));
    }

    #[test]
    fn audio_is_wav_in_parts_that_an_encoder_hears_at_once() {
        let check = |samples: usize, expected: &[usize]| {
            let mut asked = request(vec![spoken(0, "")]);
            asked.clips.insert(TurnId(0), vec![1; samples].into());
            let body = written(&settings(Some(AudioHistory::Last(4))), &asked);
            let parts = body["messages"][1]["content"].as_array().unwrap();
            let lengths = parts.iter().map(|part| {
                assert_eq!(
                    (&part["type"], &part["input_audio"]["format"]),
                    (&json!("input_audio"), &json!("wav"))
                );
                let wav = BASE64.decode(part["input_audio"]["data"].as_str().unwrap()).unwrap();
                assert_eq!(&wav[..4], b"RIFF");
                (wav.len() - 44) / 2
            });
            assert_eq!(lengths.collect::<Vec<_>>(), expected);
        };
        check(1, &[1_600]);
        check(32_000, &[32_000]);
        check(478_400, &[478_400]);
        check(478_401, &[239_201, 239_200]);
        check(31 * 16_000, &[15 * 16_000 + 8_000; 2]);
        check(100 * 16_000, &[25 * 16_000; 4]);
    }

    /// A conversation of so many spoken turns, each answered, and every third one with a tool.
    fn conversation(turns: u32) -> Request {
        let mut bodies = vec![agent("Hello.")];
        for turn in 0..turns {
            bodies.push(spoken(turn, &format!("words {turn}")));
            if turn % 3 == 2 {
                bodies.extend([call(turn, None), result(turn, None, "found")]);
            }
            if turn + 1 < turns {
                bodies.push(agent(&format!("answer {turn}")));
            }
        }
        let mut asked = request(bodies);
        asked.prompt.tools = [ToolForModel {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({"type":"object","properties":{"z":{},"a":{}}}).into(),
        }]
        .into();
        for turn in 0..turns {
            asked.clips.insert(TurnId(turn), vec![turn as i16; 10].into());
        }
        asked
    }

    /// How much of a request the next one shares: everything up to the end of its messages.
    fn prefix(settings: &Settings, request: &Request) -> Vec<u8> {
        let (body, _) = body(settings, request, &mut Ids::none());
        let end = body.windows(14).rposition(|part| part == b"],\"tool_choice").unwrap();
        body[..end].to_vec()
    }

    #[test]
    fn each_request_begins_with_the_one_before_it() {
        for history in [None, Some(AudioHistory::All)] {
            let settings = settings(history);
            for turns in 1..20 {
                let (short, long) = (conversation(turns), conversation(turns + 1));
                assert!(
                    prefix(&settings, &long).starts_with(&prefix(&settings, &short)),
                    "{history:?} {turns}"
                );
            }
        }
    }

    #[test]
    fn a_window_of_audio_breaks_the_prefix_only_when_it_moves() {
        let settings = settings(Some(AudioHistory::Last(4)));
        let breaks: Vec<u32> = (1..20)
            .filter(|turns| {
                let (short, long) = (conversation(*turns), conversation(turns + 1));
                !prefix(&settings, &long).starts_with(&prefix(&settings, &short))
            })
            .collect();
        assert_eq!(breaks, [7, 11, 15, 19]);
    }

    #[test]
    fn a_warm_up_begins_as_the_request_that_follows() {
        let mut settings = settings(Some(AudioHistory::Last(4)));
        settings.extra = json!({"max_tokens": 400, "seed": 1}).as_object().unwrap().clone();
        let mut before = conversation(3);
        before.prompt.messages.truncate(before.prompt.messages.len() - 3);
        let warm: Value = serde_json::from_slice(&warm_up(&settings, &before, &mut Ids::none())).unwrap();
        assert_eq!((&warm["max_tokens"], &warm["seed"]), (&json!(1), &json!(1)));
        let real = written(&settings, &conversation(3));
        assert_eq!(warm["tools"], real["tools"]);
        let (warm, real) = (warm["messages"].as_array().unwrap(), real["messages"].as_array().unwrap());
        let (last, shared) = warm.split_last().unwrap();
        assert_eq!(last, &json!({"role":"user","content":SILENT}));
        assert!(shared.len() >= 5 && real.starts_with(shared));
    }

    #[test]
    fn extra_fields_are_added_and_replace() {
        let mut settings = settings(None);
        settings.max_tokens = Some(100);
        settings.extra = json!({"seed": 7, "temperature": 0}).as_object().unwrap().clone();
        let body = written(&settings, &request(vec![user("x")]));
        assert_eq!(
            (&body["seed"], &body["temperature"], &body["max_tokens"]),
            (&json!(7), &json!(0), &json!(100))
        );
    }

    #[test]
    fn recordings_that_were_given_are_left_out_but_for_their_ids() {
        let mut asked = request(vec![spoken(0, ""), agent("Yes?"), spoken(1, "")]);
        asked.clips.insert(TurnId(0), vec![1; 16_000].into());
        asked.clips.insert(TurnId(1), vec![2; 40 * 16_000].into());
        let settings = settings(Some(AudioHistory::All));
        let first = replay::id(&[1; 16_000]);
        let given = |id: &Id| *id == first;
        let mut ids = Ids::where_given(&given);
        let body: Value = serde_json::from_slice(&body(&settings, &asked, &mut ids).0).unwrap();
        assert_eq!((ids.named.len(), ids.left_out), (3, 1));
        let part = json!({"type": "input_audio", "input_audio": null, "uuid": *first});
        assert_eq!(body["messages"][1]["content"], json!([part]));
        let new = body["messages"][3]["content"].as_array().unwrap();
        for (part, id) in new.iter().zip(&ids.named[1..]) {
            assert_eq!((&part["input_audio"]["format"], &part["uuid"]), (&json!("wav"), &json!(**id)));
        }
        let (plain, _) = super::body(&settings, &asked, &mut Ids::none());
        assert!(!plain.windows(4).any(|part| part == b"uuid"));
    }
}
