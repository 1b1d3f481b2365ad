//! How a story is told: each effect, event and message as one line for people. Decides nothing.

use std::fmt;

use antiphon_engine::AudioTime;
use antiphon_engine::message::{Medium, Message, MessageBody, Speaker};
use antiphon_engine::notices::STAGE_CHANGED;
use antiphon_engine::output::{
    Effect, Event, JudgedBy, Judgement, ThreadEvent, Transcript, TranscriptWords, Work,
};

/// The line for an effect; audio that is sent has none, for there are fifty pieces a second.
pub(crate) fn effect_line(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Cancel(work) => format!("cancel {}", work_name(*work)),
        Effect::ClearPlayback => "clear".to_owned(),
        Effect::CloseLeg(reason) => format!("close {reason:?}"),
        Effect::InvokeTool(invocation) => format!("tool {} {}", invocation.name, invocation.arguments),
        Effect::JudgeTurn(span) => format!("judge {}..{} ms", millis(span.from), millis(span.to)),
        Effect::Play { .. } => return None,
        Effect::StartModel { thread: None, .. } => "model".to_owned(),
        Effect::StartModel { thread: Some(thread), .. } => format!("model in {thread}"),
        Effect::StartSpeech { text, .. } => format!("voice {text:?}"),
        Effect::StartTones { tones, .. } => format!("keys {}", tones.keys),
        Effect::Transcribe(span) => format!("transcribe {}..{} ms", millis(span.from), millis(span.to)),
    })
}

/// The line for an event; what only the record needs has none.
pub(crate) fn event_line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started => "started".to_owned(),
        Event::StateChanged(state) => format!("state {state:?}"),
        Event::Transcript(transcript) => TranscriptLine(transcript).to_string(),
        Event::MessageCommitted { .. }
        | Event::UserStartedSpeaking
        | Event::UserStoppedSpeaking
        | Event::TurnTaken(_) => {
            return None;
        }
        // Its notice says as much.
        Event::SpeechJudged(Judgement { by: JudgedBy::Threshold, .. }) => return None,
        Event::SpeechJudged(Judgement { verdict, by, spoken, paused }) => format!(
            "judged {verdict:?} by {by:?}: {} ms of speech, after {} ms",
            spoken.as_millis(),
            paused.as_millis()
        ),
        Event::Thread(event) => thread_line(event),
        Event::StageChanged { number, .. } => number.to_string(),
        // Its event says as much.
        Event::Notice(notice) if notice.kind == STAGE_CHANGED => return None,
        Event::Notice(notice) => format!("notice {}", notice.kind),
        Event::Ended(reason) => format!("ended {reason:?}"),
    })
}

fn thread_line(event: &ThreadEvent) -> String {
    match event {
        ThreadEvent::Spawned { thread } => format!("{thread} begins"),
        ThreadEvent::Rejected { thread, reason } => format!("{thread} is rejected: {reason}"),
        ThreadEvent::Terminated { thread, end, reason, .. } => format!("{thread} ends, {end:?}: {reason}"),
        ThreadEvent::Delta { thread, text } => format!("{thread} +{text:?}"),
        ThreadEvent::Completed { thread, text, tool_calls, .. } => {
            let calls: Vec<&str> = tool_calls.iter().map(|call| &*call.name).collect();
            format!("{thread} ={text:?} {calls:?}")
        }
        ThreadEvent::GenerationFailed { thread, reason, .. } => format!("{thread} fails: {reason}"),
        ThreadEvent::GenerationCanceled { thread, .. } => format!("{thread} is stopped"),
    }
}

/// `agent #1 "First"`, `agent #1 +" more"`, `agent #1 ="First more"`.
struct TranscriptLine<'a>(&'a Transcript);

impl fmt::Display for TranscriptLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.0.speaker {
            Speaker::Agent => "agent",
            Speaker::User => "user",
        };
        let written = match self.0.medium {
            Medium::Voice => "",
            Medium::Text => " (text)",
        };
        let ordinal = self.0.ordinal.0;
        match &self.0.words {
            TranscriptWords::First(words) => write!(f, "{who}{written} #{ordinal} {words:?}"),
            TranscriptWords::More(words) => write!(f, "{who}{written} #{ordinal} +{words:?}"),
            TranscriptWords::Final(words) => write!(f, "{who}{written} #{ordinal} ={words:?}"),
        }
    }
}

/// A message of the record: who, then the text; what was generated and not heard stands in brackets.
pub(crate) fn message_line(message: &Message) -> String {
    match &message.body {
        MessageBody::Agent { heard, generated } => {
            let unheard = generated.strip_prefix(&**heard).expect("heard is a prefix of generated");
            if unheard.trim().is_empty() {
                format!("agent: {heard}")
            } else {
                format!("agent: {heard}[{unheard}]")
            }
        }
        MessageBody::ToolCall { tool, arguments, .. } => format!("call {tool}: {arguments}"),
        MessageBody::ToolResult { tool, text, error, .. } => match error {
            None => format!("result {tool}: {text}"),
            Some(error) => format!("result {tool}: {text} ({error})"),
        },
        MessageBody::User { text, audio } => {
            format!("user{}: {text}", if audio.is_some() { "" } else { " (text)" })
        }
    }
}

fn work_name(work: Work) -> &'static str {
    match work {
        Work::Model(_) => "model",
        Work::Speech(_) => "voice",
        Work::Tool(_) => "tool",
        Work::Transcription(_) => "transcription",
    }
}

fn millis(at: AudioTime) -> u64 {
    at.as_micros() / 1_000
}
