//! What the engine says, as bytes that stand for it in a digest. Every field counts, so that equal digests mean equal outputs; what
//! a journal leaves out of inputs is left out here as well.

use antiphon_engine::message::{Prompt, Speaker};
use antiphon_engine::output::{
    Effect, Event, Invocation, Notice, Output, ThreadEnd, ThreadEvent, ThreadState, ThreadStatus,
    ThreadUsage, Transcript, TranscriptWords,
};

use super::{Put, put_choice, put_record};
use crate::call::journal::bytes::Writer;

put_choice!(Output { 0: Effect(effect), 1: Event(event), 2: Timeout(deadline) });
put_choice!(Effect {
    0: Cancel(work),
    1: ClearPlayback,
    2: CloseLeg(reason),
    3: InvokeTool(invocation),
    4: Play { utterance, samples },
    5: StartModel { generation, thread, prompt },
    6: StartSpeech { utterance, text },
    7: Transcribe(span),
    8: JudgeTurn(span),
    9: StartTones { utterance, tones },
});
put_record!(Invocation { id, given_id, tool, name, arguments, state as state, history, thread, threads });
put_record!(ThreadStatus { id, state, last_response });
put_choice!(ThreadState { 0: Idle, 1: Generating, 2: CallingTool, 3: Failed });
put_record!(ThreadUsage { generations, input_tokens, output_tokens });
put_choice!(ThreadEnd { 0: Canceled, 1: LimitReached, 2: Failed });
put_choice!(ThreadEvent {
    0: Spawned { thread },
    1: Rejected { thread, reason },
    2: Terminated { thread, end, reason, usage },
    3: Delta { thread, text },
    4: Completed { thread, text, tool_calls, usage },
    5: GenerationFailed { thread, reason, usage },
    6: GenerationCanceled { thread, usage },
});
put_record!(Prompt { system, messages, instruction, tools, temperature, model, language });
put_choice!(Event {
    0: Started,
    1: StateChanged(state),
    2: Transcript(transcript),
    3: MessageCommitted { index, stage, message },
    4: UserStartedSpeaking,
    5: UserStoppedSpeaking,
    6: Notice(notice),
    7: Ended(reason),
    8: SpeechJudged(judgement),
    9: TurnTaken(turn),
    10: Thread(event),
    11: StageChanged { number, stage },
});

impl Put for Transcript {
    fn put(&self, out: &mut Writer) {
        let Self { speaker, medium, ordinal, words } = self;
        speaker.put(out);
        medium.put(out);
        ordinal.put(out);
        let (step, words) = match words {
            TranscriptWords::First(words) => (0, words),
            TranscriptWords::More(words) => (1, words),
            TranscriptWords::Final(words) => (2, words),
        };
        out.byte(step);
        match speaker {
            Speaker::Agent => out.text(words),
            Speaker::User => out.user_text(words),
        }
    }
}

impl Put for Notice {
    fn put(&self, out: &mut Writer) {
        let Self { severity, kind, text } = self;
        severity.put(out);
        out.text(kind);
        out.text(text);
    }
}
