//! An answer as server-sent events: from bytes to what is told, in whatever dialect.
//!
//! Owns that something ends every answer and nothing follows, and the tool calls that are being assembled. Pure: bytes may be cut
//! anywhere. It must not know what an event means.

use std::collections::BTreeMap;

use antiphon_engine::input::ModelToolCall;

use super::Told;
use crate::language_model::Failure;
use crate::sse::EventStream;

/// What the events of an answer mean.
pub(in crate::language_model) trait Meaning: Send + 'static {
    /// Takes the data of the next event.
    fn event(&mut self, data: &[u8], told: &mut Vec<Told>);
    /// Takes the end of the body, before which the answer did not end. The last thing told is `Done` or `Failed`.
    fn end(&mut self, told: &mut Vec<Told>);
    /// The tool calls so far.
    fn calls(&self) -> &Calls;
}

/// An answer as it arrives.
#[derive(Debug)]
pub(in crate::language_model) struct Events<M> {
    stream: EventStream,
    meaning: M,
    /// Whether all was told: whatever follows is ignored.
    over: bool,
}

impl<M: Meaning> Events<M> {
    pub(in crate::language_model) fn new(meaning: M) -> Self {
        Self { stream: EventStream::default(), meaning, over: false }
    }

    /// Takes the next bytes.
    pub(in crate::language_model) fn push(&mut self, bytes: &[u8]) -> Vec<Told> {
        let (mut events, mut told) = (Vec::new(), Vec::new());
        let pushed = self.stream.push(bytes, &mut events);
        self.read(&events, &mut told);
        if let (Err(endless), false) = (pushed, self.over) {
            self.over = true;
            told.push(failed(endless.to_string()));
        }
        told
    }

    /// Takes the end of the body.
    pub(in crate::language_model) fn end(&mut self) -> Vec<Told> {
        let (mut events, mut told) = (Vec::new(), Vec::new());
        self.stream.end(&mut events);
        self.read(&events, &mut told);
        if !std::mem::replace(&mut self.over, true) {
            self.meaning.end(&mut told);
        }
        told
    }

    /// The size of the tool calls so far.
    pub(super) fn call_bytes(&self) -> usize {
        self.meaning.calls().bytes()
    }

    fn read(&mut self, events: &[Vec<u8>], told: &mut Vec<Told>) {
        for event in events {
            if self.over {
                return;
            }
            self.meaning.event(event, told);
            self.over = matches!(told.last(), Some(Told::Done { .. } | Told::Failed(_)));
        }
    }
}

/// A failure of the backend's.
pub(in crate::language_model) fn failed(reason: impl Into<String>) -> Told {
    Told::Failed(Failure::of_backend(reason.into()))
}

/// Tool calls that arrive in parts, by their index.
#[derive(Debug, Default)]
pub(in crate::language_model) struct Calls(BTreeMap<u64, Call>);

/// A tool call as far as it has come.
#[derive(Debug, Default)]
pub(in crate::language_model) struct Call {
    pub(in crate::language_model) name: String,
    pub(in crate::language_model) arguments: String,
}

impl Calls {
    /// The call of this index, which begins if there is none.
    pub(in crate::language_model) fn call(&mut self, index: u64) -> &mut Call {
        self.0.entry(index).or_default()
    }

    /// The call of this index, if it has begun.
    pub(in crate::language_model) fn begun(&mut self, index: u64) -> Option<&mut Call> {
        self.0.get_mut(&index)
    }

    /// The highest index so far.
    pub(in crate::language_model) fn last(&self) -> Option<u64> {
        self.0.keys().next_back().copied()
    }

    /// Gives them in order; those that never got a name are none.
    pub(in crate::language_model) fn take(&mut self) -> Vec<ModelToolCall> {
        let named = std::mem::take(&mut self.0).into_values().filter(|call| !call.name.is_empty());
        named
            .map(|call| ModelToolCall {
                name: call.name.into(),
                // Calls without arguments are often streamed without a single brace.
                arguments: if call.arguments.trim().is_empty() { "{}".into() } else { call.arguments.into() },
                given_id: None,
            })
            .collect()
    }

    fn bytes(&self) -> usize {
        self.0.values().map(|call| call.name.len() + call.arguments.len()).sum()
    }
}
