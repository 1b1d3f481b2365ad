//! A call as a trace: one span for the call, one for each turn with its stages and tools below it, and what went wrong as events.
//!
//! Made from the same data as the event `turn.latency` and `antiphon explain`, in the same times, when a turn is over. The
//! trace's id is the call's id, so that whoever has one finds the other. What anybody says is in no span. Names of attributes
//! follow the semantic conventions of OpenTelemetry (`gen_ai.`, `error.type`) where there are any, and begin with `antiphon.`
//! where there are none.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::message::Medium;
use antiphon_engine::output::EndReason;
use antiphon_engine::{CallTime, Config, Input};
use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use sha2::{Digest as _, Sha256};

use super::journal::Decision;
use super::waterfall::{EndedBy, Mark, ToolRun, Waterfall};
use crate::telemetry::traces::{self, Traces};

/// Events of one call that are kept; of a flood the beginning tells enough.
const MOST_EVENTS: usize = 256;
/// Spans of tools in one turn.
const MOST_TOOLS: usize = 128;

/// The stages of a turn: what they are called, and from which step to which they go.
pub(super) const STAGES: [(&str, Mark, Mark); 6] = [
    ("endpointing", Mark::UserEnd, Mark::TurnEnd),
    ("speech to text", Mark::TurnEnd, Mark::Transcript),
    (MODEL, Mark::ModelRequest, Mark::FirstToken),
    ("first speakable text", Mark::FirstToken, Mark::FirstText),
    ("voice", Mark::FirstText, Mark::FirstAudio),
    ("sending", Mark::FirstAudio, Mark::FirstSent),
];
/// The model's stage, up to its first token.
const MODEL: &str = "chat";

/// The trace of one call, while it runs.
pub(super) struct Spans {
    traces: Traces,
    scope: InstrumentationScope,
    call: CallId,
    zero: SystemTime,
    model: Arc<str>,
    medium: Medium,
    temperature: f32,
    /// How many spans were made.
    made: u64,
    now: CallTime,
    ended: Option<EndReason>,
    events: SpanEvents,
}

impl Spans {
    /// Begins the trace of a call that was created then.
    pub(super) fn new(traces: Traces, call: CallId, created: Timestamp, config: &Config) -> Self {
        let since_epoch = Duration::from_micros(u64::try_from(created.unix_micros()).unwrap_or(0));
        Self {
            traces,
            scope: traces::scope(),
            call,
            zero: SystemTime::UNIX_EPOCH + since_epoch,
            model: Arc::clone(&config.model),
            medium: config.output_medium,
            temperature: config.temperature,
            made: 0,
            now: CallTime::ZERO,
            ended: None,
            events: SpanEvents::default(),
        }
    }

    /// Something happened.
    pub(super) fn told(&mut self, at: CallTime, input: Option<&Input>) {
        self.now = at;
        if input == Some(&Input::Joined) {
            self.event(at, "call.joined", Vec::new());
        }
    }

    /// The engine decided something.
    pub(super) fn decided(&mut self, decision: &Decision) {
        if let Decision::Ended(reason) = decision {
            self.ended = Some(*reason);
        }
        // What the developer is told: interruptions, underruns, failures. A notice's text may quote somebody, its kind does not.
        if let Decision::Notice { kind, .. } = decision {
            self.event(self.now, kind.to_string(), Vec::new());
        }
    }

    /// A turn is over.
    pub(super) fn turn(&mut self, turn: &Waterfall) {
        let Some(began) = turn.began() else { return };
        let heard = turn.at(Mark::FirstHeard).or(turn.at(Mark::FirstWord));
        let id = self.next_id();
        let mut attributes = vec![
            KeyValue::new("gen_ai.conversation.id", self.call.to_string()),
            KeyValue::new("antiphon.turn.number", i64::from(turn.number)),
            KeyValue::new("antiphon.turn.opening", turn.opening.name()),
            KeyValue::new("antiphon.turn.outcome", turn.outcome.name()),
            KeyValue::new("antiphon.turn.underruns", i64::from(turn.underruns)),
            KeyValue::new("antiphon.turn.stalls", count(turn.stalls.len())),
        ];
        if let Some(by) = turn.ended_by {
            attributes.push(KeyValue::new("antiphon.turn.ended_by", by.name()));
        }
        if let Some(EndedBy::TurnDetector { probability }) = turn.ended_by {
            let probability = f64::from(probability) / 1e3;
            attributes.push(KeyValue::new("antiphon.turn.end_probability", probability));
        }
        if let Some(latency) = turn.latency() {
            attributes.push(KeyValue::new("antiphon.turn.latency", latency.as_secs_f64()));
        }
        // Where words are asked for in a pause, they may be known before the turn is over.
        let early = turn.at(Mark::Transcript) < turn.at(Mark::TurnEnd);
        let in_pause = early.then_some(("speech to text", Mark::SpeechStop, Mark::Transcript));
        for (name, from, to) in STAGES.into_iter().chain(in_pause) {
            if let (Some(from), Some(to)) = (turn.at(from), turn.at(to))
                && from <= to
            {
                self.stage(id, name, from, to);
            }
        }
        for tool in turn.tools.iter().take(MOST_TOOLS) {
            self.tool(id, tool, turn.closed);
        }
        for speech in &turn.speech_over {
            let attributes = vec![
                KeyValue::new("antiphon.turn.number", i64::from(turn.number)),
                KeyValue::new("antiphon.speech.verdict", speech.verdict()),
                KeyValue::new("antiphon.speech.judged_by", speech.by()),
                KeyValue::new("antiphon.speech.duration", speech.judgement.spoken.as_secs_f64()),
                KeyValue::new("antiphon.speech.paused", speech.judgement.paused.as_secs_f64()),
            ];
            self.event(speech.at, "speech over agent", attributes);
        }
        for stall in &turn.stalls {
            let attributes = vec![
                KeyValue::new("antiphon.turn.number", i64::from(turn.number)),
                KeyValue::new("antiphon.stall.work", stall.work.clone()),
                KeyValue::new("antiphon.stall.duration", stall.length.as_secs_f64()),
            ];
            self.event(stall.from, "stall", attributes);
        }
        let end = heard.unwrap_or(turn.closed);
        let kind = SpanKind::Internal;
        self.span(id, self.root(), kind, "turn".into(), began, end, attributes);
    }

    fn stage(&mut self, turn: SpanId, name: &'static str, from: CallTime, to: CallTime) {
        let id = self.next_id();
        if name != MODEL {
            return self.span(id, turn, SpanKind::Internal, name.into(), from, to, Vec::new());
        }
        let attributes = vec![
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.request.model", self.model.to_string()),
            KeyValue::new("gen_ai.request.temperature", f64::from(self.temperature)),
            // The rest of the answer comes while the user hears its beginning.
            KeyValue::new("antiphon.until", "first token"),
        ];
        let name = format!("{MODEL} {}", self.model);
        self.span(id, turn, SpanKind::Client, name.into(), from, to, attributes);
    }

    fn tool(&mut self, turn: SpanId, tool: &ToolRun, closed: CallTime) {
        let id = self.next_id();
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", "execute_tool"),
            KeyValue::new("gen_ai.tool.name", tool.name.to_string()),
            KeyValue::new("gen_ai.tool.type", "function"),
            KeyValue::new("gen_ai.tool.call.id", tool.invocation.to_string()),
        ];
        if tool.ended.is_none() {
            attributes.push(KeyValue::new("error.type", "unanswered"));
        }
        let (name, end) = (format!("execute_tool {}", tool.name), tool.ended.unwrap_or(closed));
        self.span(id, turn, SpanKind::Internal, name.into(), tool.started, end, attributes);
    }

    fn event(&mut self, at: CallTime, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        if self.events.events.len() < MOST_EVENTS {
            self.events.events.push(Event::new(name, self.wall(at), attributes, 0));
        } else {
            self.events.dropped_count += 1;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a span has as many parts")]
    fn span(
        &self,
        id: SpanId,
        parent: SpanId,
        span_kind: SpanKind,
        name: Cow<'static, str>,
        from: CallTime,
        to: CallTime,
        attributes: Vec<KeyValue>,
    ) {
        self.traces.take(SpanData {
            span_context: self.context(id),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind,
            name,
            start_time: self.wall(from),
            end_time: self.wall(to.max(from)),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// The call's id without hyphens.
    fn context(&self, id: SpanId) -> SpanContext {
        let trace = TraceId::from_bytes(*self.call.uuid().as_bytes());
        SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    fn wall(&self, at: CallTime) -> SystemTime {
        self.zero + at.since_start()
    }

    /// The call's own span.
    fn root(&self) -> SpanId {
        span_id(self.call, 0)
    }

    fn next_id(&mut self) -> SpanId {
        self.made += 1;
        span_id(self.call, self.made)
    }
}

/// The call's span comes last, when its driver lets go of it: a call that fails has one too.
impl Drop for Spans {
    fn drop(&mut self) {
        let mut attributes = vec![
            KeyValue::new("gen_ai.operation.name", "invoke_agent"),
            KeyValue::new("gen_ai.conversation.id", self.call.to_string()),
            KeyValue::new("gen_ai.request.model", self.model.to_string()),
            KeyValue::new(
                "gen_ai.output.type",
                match self.medium {
                    Medium::Text => "text",
                    Medium::Voice => "speech",
                },
            ),
        ];
        let reason = self.ended.map_or("failed", end_reason);
        attributes.push(KeyValue::new("antiphon.call.end_reason", reason));
        let failed = match self.ended {
            Some(EndReason::AgentHangUp | EndReason::HangUp | EndReason::Timeout | EndReason::Unjoined) => {
                false
            }
            None | Some(EndReason::ConnectionError | EndReason::SystemError) => true,
        };
        if failed {
            attributes.push(KeyValue::new("error.type", reason));
        }
        self.traces.take(SpanData {
            span_context: self.context(self.root()),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Server,
            name: "call".into(),
            start_time: self.zero,
            end_time: self.wall(self.now),
            attributes,
            dropped_attributes_count: 0,
            events: std::mem::take(&mut self.events),
            links: SpanLinks::default(),
            status: if failed { Status::error(reason) } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// The words of the API (protocol.md 1.5).
pub(super) const fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::AgentHangUp => "agent_hangup",
        EndReason::ConnectionError => "connection_error",
        EndReason::HangUp => "hangup",
        EndReason::SystemError => "system_error",
        EndReason::Timeout => "timeout",
        EndReason::Unjoined => "unjoined",
    }
}

/// Made from the call's id, so that the same call has the same spans however often it is told.
fn span_id(call: CallId, number: u64) -> SpanId {
    let hash = Sha256::new()
        .chain_update(b"span of ")
        .chain_update(call.uuid().as_bytes())
        .chain_update(number.to_le_bytes())
        .finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    // Zero is no span.
    SpanId::from(u64::from_le_bytes(bytes).max(1))
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
