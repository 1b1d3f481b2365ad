//! Every word of the engine as bytes, in both directions from one declaration.
//!
//! Each type names all its fields and each enum all its variants, so that a new one does not compile before it is listed here. The
//! numbers of variants are part of the format: they are never given twice. What the engine only says ([`outputs`]) is written and
//! never read.

mod outputs;
#[cfg(test)]
mod roundtrip;

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{
    FirstSpeaker, Greeting, Hearing, InactivityEnd, InactivityMessage, InterruptionPolicy, Limits,
    PausePolicy, Tool, ToolRuns, TurnTaking,
};
use antiphon_engine::ids::{GenerationId, InvocationId, Ordinal, StageNumber, TurnId, UtteranceId};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, HangUpRequest, LegClosed, ModelEvent, ModelToolCall, Reaction, Request,
    SpawnThread, ThreadLimits, ThreadMessage, ThreadRef, ThreadRequest, Tones, ToolAction, ToolAnswer,
    ToolOutcome, Transcription, Urgency, VoiceEvent, WordEnd,
};
use antiphon_engine::message::{AudioSpan, Medium, Message, MessageBody, Speaker, ToolForModel};
use antiphon_engine::output::{AgentState, EndReason, JudgedBy, Judgement, Severity, Verdict, Work};
use antiphon_engine::timers::Timer;
use antiphon_engine::{AudioTime, CallTime, Config, Input, NewStage};
use serde_json::Value;

use super::bytes::{Malformed, Reader, Writer};

/// Can be written.
pub(super) trait Put {
    fn put(&self, out: &mut Writer);
}

/// Can be read back.
pub(super) trait Take: Sized {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Writes one field, in the way it asks for.
macro_rules! put {
    ($out:ident, $field:ident) => {
        $crate::call::journal::codec::Put::put($field, $out)
    };
    ($out:ident, $field:ident, $how:ident) => {
        $crate::call::journal::codec::$how::put($field, $out)
    };
}

/// Reads one field, in the way it asks for.
macro_rules! take {
    ($input:ident) => {
        $crate::call::journal::codec::Take::parse($input)?
    };
    ($input:ident, $how:ident) => {
        $crate::call::journal::codec::$how::take($input)?
    };
}

/// A struct that is written: all its fields in this order.
macro_rules! put_record {
    ($name:ident { $($field:ident $(as $how:ident)?),* $(,)? }) => {
        impl $crate::call::journal::codec::Put for $name {
            fn put(&self, out: &mut $crate::call::journal::bytes::Writer) {
                let Self { $($field),* } = self;
                $($crate::call::journal::codec::put!(out, $field $(, $how)?);)*
            }
        }
    };
}

/// A struct that is written and read.
macro_rules! record {
    ($name:ident { $($field:ident $(as $how:ident)?),* $(,)? }) => {
        $crate::call::journal::codec::put_record!($name { $($field $(as $how)?),* });
        impl $crate::call::journal::codec::Take for $name {
            fn parse(
                input: &mut $crate::call::journal::bytes::Reader<'_>,
            ) -> Result<Self, $crate::call::journal::bytes::Malformed> {
                $(let $field = $crate::call::journal::codec::take!(input $(, $how)?);)*
                Ok(Self { $($field),* })
            }
        }
    };
}

/// An enum that is written: a number for the variant, then its fields in this order.
macro_rules! put_choice {
    ($name:ident { $($tag:literal: $variant:ident
        $(($($item:ident $(as $item_how:ident)?),*))?
        $({$($field:ident $(as $how:ident)?),*})?
    ),* $(,)? }) => {
        impl $crate::call::journal::codec::Put for $name {
            fn put(&self, out: &mut $crate::call::journal::bytes::Writer) {
                match self {
                    $(Self::$variant $(($($item),*))? $({$($field),*})? => {
                        out.byte($tag);
                        $($($crate::call::journal::codec::put!(out, $item $(, $item_how)?);)*)?
                        $($($crate::call::journal::codec::put!(out, $field $(, $how)?);)*)?
                    })*
                }
            }
        }
    };
}

/// An enum that is written and read.
macro_rules! choice {
    ($name:ident { $($tag:literal: $variant:ident
        $(($($item:ident $(as $item_how:ident)?),*))?
        $({$($field:ident $(as $how:ident)?),*})?
    ),* $(,)? }) => {
        $crate::call::journal::codec::put_choice!($name { $($tag: $variant
            $(($($item $(as $item_how)?),*))?
            $({$($field $(as $how)?),*})?
        ),* });
        impl $crate::call::journal::codec::Take for $name {
            fn parse(
                input: &mut $crate::call::journal::bytes::Reader<'_>,
            ) -> Result<Self, $crate::call::journal::bytes::Malformed> {
                match input.byte()? {
                    $($tag => {
                        $($(let $item = $crate::call::journal::codec::take!(input $(, $item_how)?);)*)?
                        $($(let $field = $crate::call::journal::codec::take!(input $(, $how)?);)*)?
                        Ok(Self::$variant $(($($item),*))? $({$($field),*})?)
                    })*
                    _ => Err($crate::call::journal::bytes::Malformed(
                        concat!("there is no such ", stringify!($name)),
                    )),
                }
            }
        }
    };
}

pub(super) use {choice, put, put_choice, put_record, take};

/// What a user said or wrote, which the journal may have to leave out.
pub(super) mod user {
    use super::*;

    pub(in crate::call::journal) fn put(text: &str, out: &mut Writer) {
        out.user_text(text);
    }

    pub(in crate::call::journal) fn take(input: &mut Reader<'_>) -> Result<Arc<str>, Malformed> {
        input.user_text()
    }
}

/// A call's state or a change of it, which may hold secrets.
pub(super) mod state {
    use super::*;

    pub(in crate::call::journal) fn put(value: &Arc<Value>, out: &mut Writer) {
        out.state(value);
    }

    pub(in crate::call::journal) fn take(input: &mut Reader<'_>) -> Result<Arc<Value>, Malformed> {
        input.json().map(Arc::new)
    }
}

/// The same where there may be none.
pub(super) mod maybe_state {
    use super::*;

    pub(in crate::call::journal) fn put(value: &Option<Arc<Value>>, out: &mut Writer) {
        out.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            out.state(value);
        }
    }

    pub(in crate::call::journal) fn take(input: &mut Reader<'_>) -> Result<Option<Arc<Value>>, Malformed> {
        Ok(if bool::parse(input)? { Some(Arc::new(input.json()?)) } else { None })
    }
}

impl Put for bool {
    fn put(&self, out: &mut Writer) {
        out.byte(u8::from(*self));
    }
}

impl Take for bool {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a yes or no is neither")),
        }
    }
}

macro_rules! number {
    ($($name:ty),*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Writer) {
                out.number(*self as u64);
            }
        }

        impl Take for $name {
            fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                Self::try_from(input.number()?).map_err(|_| Malformed("a number is too large"))
            }
        }
    )*};
}

number!(u32, u64, usize);

macro_rules! id {
    ($($name:ident),*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Writer) {
                self.0.put(out);
            }
        }

        impl Take for $name {
            fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                u32::parse(input).map(Self)
            }
        }
    )*};
}

id!(GenerationId, InvocationId, Ordinal, StageNumber, TurnId, UtteranceId);

macro_rules! point {
    ($($name:ident),*) => {$(
        impl Put for $name {
            fn put(&self, out: &mut Writer) {
                out.number(self.as_micros());
            }
        }

        impl Take for $name {
            fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                input.number().map(Self::from_micros)
            }
        }
    )*};
}

point!(AudioTime, CallTime);

impl Put for f32 {
    fn put(&self, out: &mut Writer) {
        out.number(u64::from(self.to_bits()));
    }
}

impl Take for f32 {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::parse(input).map(Self::from_bits)
    }
}

impl Put for Duration {
    fn put(&self, out: &mut Writer) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }
}

impl Take for Duration {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match (u64::parse(input)?, u32::parse(input)?) {
            (seconds, nanos @ ..1_000_000_000) => Ok(Self::new(seconds, nanos)),
            _ => Err(Malformed("a length of time has more than a second of nanoseconds")),
        }
    }
}

impl Put for Arc<str> {
    fn put(&self, out: &mut Writer) {
        out.text(self);
    }
}

impl Take for Arc<str> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.text().map(Self::from)
    }
}

impl Put for Arc<Value> {
    fn put(&self, out: &mut Writer) {
        out.json(self);
    }
}

impl Take for Arc<Value> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.json().map(Self::new)
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Writer) {
        out.byte(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }
}

impl<T: Take> Take for Option<T> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(if bool::parse(input)? { Some(T::parse(input)?) } else { None })
    }
}

impl<A: Put, B: Put> Put for (A, B) {
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }
}

impl<A: Take, B: Take> Take for (A, B) {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::parse(input)?, B::parse(input)?))
    }
}

fn put_all<T: Put>(items: &[T], out: &mut Writer) {
    out.length(items.len());
    items.iter().for_each(|item| item.put(out));
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Writer) {
        put_all(self, out);
    }
}

impl<T: Take> Take for Vec<T> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = input.length()?;
        (0..count).map(|_| T::parse(input)).collect()
    }
}

impl<T: Put> Put for Arc<[T]> {
    fn put(&self, out: &mut Writer) {
        put_all(self, out);
    }
}

impl<T: Take> Take for Arc<[T]> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Vec::parse(input).map(Self::from)
    }
}

impl Put for Arc<NewStage> {
    fn put(&self, out: &mut Writer) {
        (**self).put(out);
    }
}

impl Take for Arc<NewStage> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        NewStage::parse(input).map(Self::new)
    }
}

impl<T: Take> Take for Box<T> {
    fn parse(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        T::parse(input).map(Self::new)
    }
}

impl<T: Put> Put for Box<T> {
    fn put(&self, out: &mut Writer) {
        (**self).put(out);
    }
}

record!(Config {
    system_prompt,
    temperature,
    model,
    hearing,
    language,
    initial_messages,
    tools,
    initial_state as state,
    first_speaker,
    output_medium,
    turn_taking,
    inactivity,
    join_timeout,
    max_duration,
    time_exceeded_message,
    apology,
    output_rate,
    client_buffer,
    limits,
});
choice!(Hearing { 0: Audio, 1: Transcript, 2: Deaf });
record!(Tool { face, timeout, reaction, runs, wants_history, precomputable, static_response });
record!(ToolForModel { name, description, parameters });
choice!(ToolRuns { 0: Outside, 1: HangUp { strict } });
choice!(FirstSpeaker { 0: Agent { greeting, delay, uninterruptible }, 1: User { fallback } });
choice!(Greeting { 0: Text(text), 1: Prompt(prompt), 2: Generated { invitation } });
record!(TurnTaking { endpoint_delay, minimum_turn, minimum_interruption, pre_roll, pauses, interruption });
record!(PausePolicy { lull, longest_delay, detector, words, speculative });
record!(InterruptionPolicy {
    pause_below,
    longest_pause,
    certain_speech,
    settled,
    words,
    first_moments,
    minimum_at_first,
});
record!(InactivityMessage { after, message, end });
choice!(InactivityEnd { 0: HangUpSoft, 1: HangUpStrict, 2: KeepWaiting });
record!(Limits {
    tool_rounds,
    tool_calls,
    message_bytes,
    waiting_messages,
    threads,
    side_generations,
    transcript,
    last_words,
    history_bytes,
    failures,
    retrying,
    voice_ahead,
    overrun,
});

record!(Message { body, medium, ordinal, span });
choice!(MessageBody {
    0: Agent { heard, generated },
    1: ToolCall { invocation, given_id, tool, arguments },
    2: ToolResult { invocation, given_id, tool, text, error, state as maybe_state },
    3: User { text as user, audio },
});
choice!(Medium { 0: Voice, 1: Text });
choice!(Speaker { 0: Agent, 1: User });
record!(AudioSpan { turn, from, to });

choice!(Input {
    0: Timeout,
    1: Joined,
    2: LegClosed(how),
    3: Model(id, event),
    4: ShutDown,
    5: SpeechStarted { at, received },
    6: SpeechStopped { at, received },
    7: Request(request),
    8: Tool(id, outcome),
    9: Transcribed { turn, words, by },
    10: Voice(id, event),
    11: TurnJudged(turn, probability),
    12: Overheard(words as user),
    13: ConnectionLost,
    14: Rejoined { after, lost_audio },
});
choice!(LegClosed { 0: ByPeer, 1: MediaIdle, 2: Unresponsive, 3: OurFault });
choice!(ModelEvent { 0: Text(text), 1: ToolCall(call), 2: Finished, 3: Failed(why) });
record!(ModelToolCall { name, arguments, given_id });
choice!(VoiceEvent { 0: Audio { samples }, 1: Words(ends), 2: Finished, 3: Failed(why) });
record!(WordEnd { text, samples });
choice!(Transcription { 0: Words(words as user), 1: Failed(why) });
choice!(ToolOutcome { 0: Answered(answer), 1: Failed { text, detail } });
record!(ToolAnswer { action, reaction, state_update as maybe_state });
choice!(ToolAction {
    0: Respond(text),
    1: HangUp(request),
    2: SendToThread { result, request },
    3: NewStage(stage),
    4: PlayTones(tones)
});
record!(Tones { keys, tone, space });
record!(HangUpRequest { strict, message, result });
record!(NewStage {
    after,
    result,
    system_prompt,
    temperature,
    model,
    hearing,
    language,
    tools,
    turn_taking,
    inactivity,
    time_exceeded_message,
    state as maybe_state,
    messages,
});
choice!(Reaction { 0: Listens, 1: Speaks, 2: SpeaksOnce });
choice!(Urgency { 0: Immediate, 1: Later, 2: Soon });
choice!(Request {
    0: UserText { text as user, urgency },
    1: ForcedMessage(message),
    2: HangUp { message },
    3: SetOutputMedium(medium),
    4: Thread(request),
});
choice!(ThreadRef { 0: Main, 1: Side(id), 2: Parent });
choice!(ThreadRequest { 0: Spawn(spawn), 1: UserText { to, text as user, urgency }, 2: Forced { to, message } });
record!(SpawnThread { id, parent, replaces, messages, allowed_tools, blocked_tools, limits });
choice!(ThreadMessage { 0: UserText(text as user), 1: Forced(message) });
record!(ThreadLimits {
    output_tokens,
    input_tokens,
    generations,
    generation_output_tokens,
    generation_input_tokens,
});
record!(ForcedMessage { content, tool_calls, known_results, uninterruptible, urgency });
choice!(ForcedUrgency { 0: Immediate, 1: Soon });

choice!(Work { 0: Model(id), 1: Speech(id), 2: Tool(id), 3: Transcription(id) });
record!(Judgement { verdict, by, spoken, paused });
choice!(Verdict { 0: Interruption, 1: Nothing });
choice!(JudgedBy { 0: Threshold, 1: Length, 2: Words });
choice!(AgentState { 0: Listening, 1: Speaking, 2: Thinking });
choice!(Severity { 0: Debug, 1: Info, 2: Warning, 3: Error });
choice!(EndReason { 0: AgentHangUp, 1: ConnectionError, 2: HangUp, 3: SystemError, 4: Timeout, 5: Unjoined });
choice!(Timer {
    0: Join,
    1: MaxDuration,
    2: Overrun,
    3: FirstWords,
    4: EndOfTurn,
    5: Interruption,
    6: Inactivity,
    7: Playout,
    8: ToolTimeout,
    9: Transcript,
    10: LastWords,
    11: Lull,
    12: Verdict,
    13: ThreadTools,
});
