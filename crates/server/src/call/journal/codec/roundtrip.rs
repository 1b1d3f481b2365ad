//! Whatever is written is read back the same, over random settings, inputs and decisions.

use antiphon_engine::config::Config;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Map;

use super::super::decision::{Author, Decision, Step, ThreadNews, Words};
use super::super::{UserText, samples};
use super::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    prop_oneof!["\\PC{0,12}", Just(String::new()), Just(" \n".to_owned())].prop_map(Arc::from)
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0..200_u32, any::<u32>()]
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn time() -> impl Strategy<Value = CallTime> {
    any::<u64>().prop_map(CallTime::from_micros)
}

fn audio() -> impl Strategy<Value = AudioTime> {
    any::<u64>().prop_map(AudioTime::from_micros)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let object = vec(("[a-m]{0,4}", inner.clone()), 0..4)
            .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
        prop_oneof![vec(inner, 0..4).prop_map(Value::Array), object]
    })
}

fn value() -> impl Strategy<Value = Arc<Value>> {
    json().prop_map(Arc::new)
}

fn medium() -> impl Strategy<Value = Medium> {
    select(vec![Medium::Voice, Medium::Text])
}

fn reaction() -> impl Strategy<Value = Reaction> {
    select(vec![Reaction::Listens, Reaction::Speaks, Reaction::SpeaksOnce])
}

fn span() -> impl Strategy<Value = AudioSpan> {
    (number(), audio(), audio()).prop_map(|(turn, from, to)| AudioSpan { turn: TurnId(turn), from, to })
}

fn message() -> impl Strategy<Value = Message> {
    let given = || option::of(text());
    let body = prop_oneof![
        (text(), text()).prop_map(|(heard, generated)| MessageBody::Agent { heard, generated }),
        (number(), given(), text(), text()).prop_map(|(id, given_id, tool, arguments)| {
            MessageBody::ToolCall { invocation: InvocationId(id), given_id, tool, arguments }
        }),
        (number(), given(), text(), text(), given(), option::of(value())).prop_map(
            |(id, given_id, tool, text, error, state)| MessageBody::ToolResult {
                invocation: InvocationId(id),
                given_id,
                tool,
                text,
                error,
                state
            }
        ),
        (text(), option::of(span())).prop_map(|(text, audio)| MessageBody::User { text, audio }),
    ];
    (body, medium(), option::of(number()), option::of((time(), time()))).prop_map(
        |(body, medium, ordinal, span)| Message { body, medium, ordinal: ordinal.map(Ordinal), span },
    )
}

fn tool() -> impl Strategy<Value = Tool> {
    let runs =
        prop_oneof![Just(ToolRuns::Outside), any::<bool>().prop_map(|strict| ToolRuns::HangUp { strict })];
    let early = (any::<bool>(), option::of(text()));
    (text(), text(), value(), duration(), reaction(), runs, any::<bool>(), early).prop_map(
        |(name, description, parameters, timeout, reaction, runs, wants_history, early)| Tool {
            face: ToolForModel { name, description, parameters },
            timeout,
            reaction,
            runs,
            wants_history,
            precomputable: early.0,
            static_response: early.1,
        },
    )
}

fn greeting() -> impl Strategy<Value = Greeting> {
    prop_oneof![
        text().prop_map(Greeting::Text),
        text().prop_map(Greeting::Prompt),
        option::of(text()).prop_map(|invitation| Greeting::Generated { invitation }),
    ]
}

fn first_speaker() -> impl Strategy<Value = FirstSpeaker> {
    prop_oneof![
        (greeting(), duration(), any::<bool>()).prop_map(|(greeting, delay, uninterruptible)| {
            FirstSpeaker::Agent { greeting, delay, uninterruptible }
        }),
        option::of((duration(), greeting())).prop_map(|fallback| FirstSpeaker::User { fallback }),
    ]
}

fn settings() -> impl Strategy<Value = Config> {
    let hearing = select(vec![Hearing::Audio, Hearing::Transcript, Hearing::Deaf]);
    let end =
        select(vec![InactivityEnd::HangUpSoft, InactivityEnd::HangUpStrict, InactivityEnd::KeepWaiting]);
    let inactivity =
        (duration(), text(), end).prop_map(|(after, message, end)| InactivityMessage { after, message, end });
    let words = (option::of(text()), text(), option::of(text()), option::of(text()));
    let lists = (vec(message(), 0..4), vec(tool(), 0..4), vec(inactivity, 0..3), value());
    let times = (duration(), duration(), duration(), duration(), duration(), duration(), duration());
    let numbers = (-1e9..1e9_f32, number(), number(), number());
    let flags = any::<(bool, bool, bool, bool)>();
    (words, lists, times, numbers, flags, hearing, first_speaker(), medium()).prop_map(
        |(words, lists, times, numbers, flags, hearing, first_speaker, output_medium)| Config {
            system_prompt: words.0,
            model: words.1,
            language: words.2,
            time_exceeded_message: words.3.clone(),
            apology: words.3,
            initial_messages: lists.0,
            tools: lists.1,
            inactivity: lists.2,
            initial_state: lists.3,
            turn_taking: TurnTaking {
                endpoint_delay: times.0,
                minimum_turn: times.1,
                minimum_interruption: times.2,
                pre_roll: times.3,
                pauses: PausePolicy {
                    lull: times.4,
                    longest_delay: times.5,
                    detector: flags.0,
                    words: flags.1,
                    speculative: flags.2,
                },
                interruption: InterruptionPolicy {
                    pause_below: times.6,
                    longest_pause: times.5,
                    certain_speech: times.4,
                    settled: times.3,
                    words: flags.3,
                    first_moments: times.2,
                    minimum_at_first: times.1,
                },
            },
            join_timeout: times.4,
            max_duration: times.5,
            client_buffer: times.6,
            temperature: numbers.0,
            output_rate: numbers.1,
            limits: Limits {
                tool_rounds: numbers.2,
                history_bytes: numbers.3 as usize,
                retrying: times.0,
                ..samples::header().config.limits
            },
            hearing,
            first_speaker,
            output_medium,
        },
    )
}

/// Boxed, since a strategy within a strategy takes its room on the stack.
fn stage() -> BoxedStrategy<Arc<NewStage>> {
    let stage = (settings().boxed(), number(), text(), any::<[bool; 6]>()).prop_map(
        |(config, after, result, open)| NewStage {
            after: StageNumber(after),
            result,
            system_prompt: config.system_prompt,
            temperature: open[0].then_some(config.temperature),
            model: open[1].then_some(config.model),
            hearing: open[2].then_some(config.hearing),
            language: config.language,
            tools: open[3].then_some(config.tools),
            turn_taking: open[4].then_some(config.turn_taking),
            inactivity: open[5].then_some(config.inactivity),
            time_exceeded_message: config.time_exceeded_message,
            state: open[0].then_some(config.initial_state),
            messages: open[1].then_some(config.initial_messages),
        },
    );
    stage.prop_map(Arc::new).boxed()
}

fn call() -> impl Strategy<Value = ModelToolCall> {
    (text(), text(), option::of(text())).prop_map(|(name, arguments, given_id)| ModelToolCall {
        name,
        arguments,
        given_id,
    })
}

fn outcome() -> impl Strategy<Value = ToolOutcome> {
    let action = prop_oneof![
        text().prop_map(ToolAction::Respond),
        stage().prop_map(ToolAction::NewStage),
        (any::<bool>(), option::of(text()), option::of(text())).prop_map(|(strict, message, result)| {
            ToolAction::HangUp(HangUpRequest { strict, message, result })
        }),
        (text(), duration(), duration()).prop_map(|(keys, tone, space)| ToolAction::PlayTones(Tones {
            keys,
            tone,
            space
        })),
        (text(), thread_request())
            .prop_map(|(result, request)| ToolAction::SendToThread { result, request: Box::new(request) }),
    ];
    let action = action.boxed();
    prop_oneof![
        (action, option::of(reaction()), option::of(value())).prop_map(|(action, reaction, state_update)| {
            ToolOutcome::Answered(ToolAnswer { action, reaction, state_update })
        }),
        (text(), text()).prop_map(|(text, detail)| ToolOutcome::Failed { text, detail }),
    ]
}

fn thread_request() -> impl Strategy<Value = ThreadRequest> {
    let to = || prop_oneof![Just(ThreadRef::Main), Just(ThreadRef::Parent), text().prop_map(ThreadRef::Side)];
    let names = || vec(text(), 0..3);
    let limit = || option::of(number());
    let limits = (limit(), limit(), limit(), limit(), limit()).prop_map(
        |(output_tokens, input_tokens, generations, generation_output_tokens, generation_input_tokens)| {
            ThreadLimits {
                output_tokens,
                input_tokens,
                generations,
                generation_output_tokens,
                generation_input_tokens,
            }
        },
    );
    let messages = vec(text().prop_map(ThreadMessage::UserText), 0..3);
    let tools = (option::of(names()), names());
    let spawn = (option::of(text()), to(), any::<bool>(), messages, tools, limits).prop_map(
        |(id, parent, replaces, messages, (allowed_tools, blocked_tools), limits)| {
            ThreadRequest::Spawn(Box::new(SpawnThread {
                id,
                parent,
                replaces,
                messages,
                allowed_tools,
                blocked_tools,
                limits,
            }))
        },
    );
    let forced = (to(), text(), any::<bool>()).prop_map(|(to, content, uninterruptible)| {
        let message = ForcedMessage {
            content,
            tool_calls: Vec::new(),
            known_results: Vec::new(),
            uninterruptible,
            urgency: ForcedUrgency::Soon,
        };
        ThreadRequest::Forced { to, message }
    });
    let said =
        (to(), text()).prop_map(|(to, text)| ThreadRequest::UserText { to, text, urgency: Urgency::Later });
    prop_oneof![spawn, forced, said].boxed()
}

fn request() -> impl Strategy<Value = Request> {
    let urgency = select(vec![Urgency::Immediate, Urgency::Later, Urgency::Soon]);
    let forced = select(vec![ForcedUrgency::Immediate, ForcedUrgency::Soon]);
    prop_oneof![
        (text(), urgency).prop_map(|(text, urgency)| Request::UserText { text, urgency }),
        (text(), vec(call(), 0..3), vec((text(), outcome()), 0..3), any::<bool>(), forced).prop_map(
            |(content, tool_calls, known_results, uninterruptible, urgency)| {
                Request::ForcedMessage(ForcedMessage {
                    content,
                    tool_calls,
                    known_results,
                    uninterruptible,
                    urgency,
                })
            }
        ),
        text().prop_map(|message| Request::HangUp { message }),
        medium().prop_map(Request::SetOutputMedium),
        thread_request().prop_map(|request| Request::Thread(Box::new(request))),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let closed =
        select(vec![LegClosed::ByPeer, LegClosed::MediaIdle, LegClosed::Unresponsive, LegClosed::OurFault]);
    let model = prop_oneof![
        text().prop_map(ModelEvent::Text),
        call().prop_map(ModelEvent::ToolCall),
        Just(ModelEvent::Finished),
        text().prop_map(ModelEvent::Failed),
    ];
    let ends = vec((number(), number()), 0..5)
        .prop_map(|ends| ends.into_iter().map(|(text, samples)| WordEnd { text, samples }).collect());
    let voice = prop_oneof![
        number().prop_map(|samples| VoiceEvent::Audio { samples }),
        ends.prop_map(VoiceEvent::Words),
        Just(VoiceEvent::Finished),
        text().prop_map(VoiceEvent::Failed),
    ];
    let words = prop_oneof![text().prop_map(Transcription::Words), text().prop_map(Transcription::Failed),];
    prop_oneof![
        select(vec![Input::Timeout, Input::Joined, Input::ShutDown, Input::ConnectionLost]),
        (duration(), duration()).prop_map(|(after, lost_audio)| Input::Rejoined { after, lost_audio }),
        closed.prop_map(Input::LegClosed),
        (number(), model).prop_map(|(id, event)| Input::Model(GenerationId(id), event)),
        (audio(), audio()).prop_map(|(at, received)| Input::SpeechStarted { at, received }),
        (audio(), audio()).prop_map(|(at, received)| Input::SpeechStopped { at, received }),
        request().prop_map(Input::Request),
        (number(), outcome()).prop_map(|(id, outcome)| Input::Tool(InvocationId(id), outcome)),
        (number(), 0.0..=1.0_f32).prop_map(|(id, probability)| Input::TurnJudged(TurnId(id), probability)),
        (number(), words, option::of(text())).prop_map(|(id, words, by)| Input::Transcribed {
            turn: TurnId(id),
            words,
            by
        }),
        text().prop_map(Input::Overheard),
        (number(), voice).prop_map(|(id, event)| Input::Voice(UtteranceId(id), event)),
    ]
}

fn decision() -> impl Strategy<Value = Decision> {
    let work = (0..4_u8, number()).prop_map(|(kind, id)| match kind {
        0 => Work::Model(GenerationId(id)),
        1 => Work::Speech(UtteranceId(id)),
        2 => Work::Tool(InvocationId(id)),
        _ => Work::Transcription(TurnId(id)),
    });
    let reason = || {
        select(vec![
            EndReason::AgentHangUp,
            EndReason::ConnectionError,
            EndReason::HangUp,
            EndReason::SystemError,
            EndReason::Timeout,
            EndReason::Unjoined,
        ])
    };
    let state = select(vec![AgentState::Listening, AgentState::Speaking, AgentState::Thinking]);
    let words = (
        select(vec![Speaker::Agent, Speaker::User]),
        number().prop_map(Ordinal),
        select(vec![Step::First, Step::More, Step::Final]),
        text(),
    )
        .prop_map(|(speaker, ordinal, step, text)| Words { speaker, ordinal, step, text });
    let judgement = (
        select(vec![Verdict::Interruption, Verdict::Nothing]),
        select(vec![JudgedBy::Threshold, JudgedBy::Length, JudgedBy::Words]),
        duration(),
        duration(),
    )
        .prop_map(|(verdict, by, spoken, paused)| Judgement { verdict, by, spoken, paused });
    let author = prop_oneof![
        Just(Author::Agent),
        number().prop_map(|id| Author::Call(InvocationId(id))),
        number().prop_map(|id| Author::Result(InvocationId(id))),
        option::of(number().prop_map(TurnId)).prop_map(Author::User),
    ];
    let severity = select(vec![Severity::Debug, Severity::Info, Severity::Warning, Severity::Error]);
    prop_oneof![
        work.prop_map(Decision::Cancel),
        select(vec![
            Decision::ClearPlayback,
            Decision::Started,
            Decision::UserStartedSpeaking,
            Decision::UserStoppedSpeaking,
        ]),
        reason().prop_map(Decision::CloseLeg),
        reason().prop_map(Decision::Ended),
        (number(), text(), option::of(text())).prop_map(|(id, tool, thread)| Decision::InvokeTool {
            invocation: InvocationId(id),
            tool,
            thread
        }),
        (text(), select(vec![ThreadNews::Spawned, ThreadNews::Delta, ThreadNews::Terminated]))
            .prop_map(|(thread, news)| Decision::Thread { thread, news }),
        (number(), number()).prop_map(|(id, samples)| Decision::Play { utterance: UtteranceId(id), samples }),
        (number(), 0..9_000_usize).prop_map(|(id, messages)| Decision::StartModel {
            generation: GenerationId(id),
            messages,
            thread: None
        }),
        (number(), text()).prop_map(|(id, text)| Decision::StartSpeech { utterance: UtteranceId(id), text }),
        span().prop_map(Decision::Transcribe),
        span().prop_map(Decision::JudgeTurn),
        number().prop_map(|id| Decision::TurnTaken(TurnId(id))),
        number().prop_map(|number| Decision::StageChanged(StageNumber(number))),
        judgement.prop_map(Decision::SpeechJudged),
        state.prop_map(Decision::State),
        words.prop_map(Decision::Words),
        (0..9_000_usize, author, option::of(number().prop_map(Ordinal)))
            .prop_map(|(index, author, ordinal)| Decision::Committed { index, author, ordinal }),
        (severity, text(), text()).prop_map(|(severity, kind, text)| Decision::Notice {
            severity,
            kind,
            text
        }),
    ]
}

fn written(value: &impl Put, user_text: UserText) -> Vec<u8> {
    let mut writer = Writer::new(user_text);
    value.put(&mut writer);
    writer.bytes.to_vec()
}

fn read<T: Take>(bytes: &[u8]) -> Result<T, Malformed> {
    let mut reader = Reader::new(bytes);
    let value = T::parse(&mut reader)?;
    if reader.is_empty() { Ok(value) } else { Err(Malformed("something is left")) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn settings_are_read_back_as_written(config in settings()) {
        prop_assert_eq!(read::<Config>(&written(&config, UserText::Keep)), Ok(config));
    }

    #[test]
    fn inputs_are_read_back_as_written(input in input()) {
        prop_assert_eq!(read::<Input>(&written(&input, UserText::Keep)), Ok(input));
    }

    #[test]
    fn decisions_are_read_back_as_written(decision in decision()) {
        prop_assert_eq!(read::<Decision>(&written(&decision, UserText::Keep)), Ok(decision));
    }

    #[test]
    fn what_is_left_out_once_is_the_same_when_left_out_again(input in input()) {
        let once = written(&input, UserText::Omit);
        let again = read::<Input>(&once).map(|input| written(&input, UserText::Omit));
        prop_assert_eq!(again, Ok(once));
    }

    #[test]
    fn damaged_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = read::<Input>(&bytes);
        let _ = read::<Config>(&bytes);
        let _ = read::<Decision>(&bytes);
    }
}

#[test]
fn no_word_of_a_user_is_in_what_leaves_them_out() {
    let said = "my card number is 4711";
    let text: Arc<str> = Arc::from(said);
    let inputs = [
        Input::Transcribed { turn: TurnId(1), words: Transcription::Words(Arc::clone(&text)), by: None },
        Input::Overheard(Arc::clone(&text)),
        Input::Request(Request::UserText { text: Arc::clone(&text), urgency: Urgency::Soon }),
    ];
    for input in inputs {
        let (kept, left_out) = (written(&input, UserText::Keep), written(&input, UserText::Omit));
        let holds = |bytes: &[u8]| bytes.windows(4).any(|four| four == b"4711");
        assert!(holds(&kept) && !holds(&left_out));
    }
    let words = Words { speaker: Speaker::User, ordinal: Ordinal(0), step: Step::Final, text };
    let left_out = written(&Decision::Words(words), UserText::Omit);
    assert!(!left_out.windows(4).any(|four| four == b"4711"));
}
