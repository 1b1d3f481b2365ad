//! What holds in every conversation, over random scripts of users, models, voices, tools, requests and timing, with results that
//! come late, twice, or for nothing at all. The witness insists; this file only makes things happen.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::config::{
    FirstSpeaker, Greeting, Hearing, InactivityEnd, InterruptionPolicy, Limits, PausePolicy, Tool, TurnTaking,
};
use antiphon_engine::ids::{GenerationId, InvocationId, StageNumber, TurnId, UtteranceId};
use antiphon_engine::input::{
    ForcedMessage, ForcedUrgency, LegClosed, ModelEvent, Reaction, Request, SpawnThread, ThreadLimits,
    ThreadMessage, ThreadRef, ThreadRequest, ToolOutcome, Transcription, Urgency, VoiceEvent, WordEnd,
};
use antiphon_engine::message::{Medium, MessageBody};
use antiphon_engine::{AudioTime, Config, Input, NewStage};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::test_runner::TestRunner;

use crate::story::{
    RATE, Story, answer, call, config, failed, forced, from_before, hang_up, hang_up_tool, next_stage, press,
    react, say, send, silence, spawn, tool, tool_call,
};

/// Something that happens to a conversation, after some time.
#[derive(Debug, Clone)]
enum Action {
    /// The user speaks and falls silent, by a detector that is exact.
    Speak(u64),
    /// The model's next reply, which takes this long.
    Reply(u64, Vec<ModelEvent>),
    /// The model's next reply in a side thread.
    SideReply(Vec<ModelEvent>),
    /// The words of the next turn, and how long they take.
    Words(u64, Transcription),
    /// What the turn detector says to the next pause, and how long it takes.
    Judgement(u64, f32),
    /// The voice's manners from now on.
    Voice(VoiceManners),
    /// A tool that was forced begins a stage; at the moment it would fit.
    Stage(Box<NewStage>),
    /// Something that comes when it wants, for work that may never have been.
    Stray(Input),
}

#[derive(Debug, Clone)]
struct VoiceManners {
    answers: bool,
    delay: u64,
    ms_per_character: u64,
    pieces: Option<(u32, u64)>,
    word_times: bool,
}

fn text() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        " ",
        "Yes.",
        "one two three four five six seven",
        "First sentence. Second one! And a third, which is longer? Grüße… 你好。",
        "\n\n",
        "😀",
        " and so on",
        "mm-hmm",
        "okay",
        "...",
    ])
}

fn arc_text() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn outcome() -> BoxedStrategy<ToolOutcome> {
    prop_oneof![
        4 => text().prop_map(answer),
        1 => Just(react("quiet", Some(Reaction::Listens))),
        1 => Just(react("once", Some(Reaction::SpeaksOnce))),
        1 => Just(failed("failed", "why")),
        1 => (any::<bool>(), prop::option::of(text()))
            .prop_map(|(strict, message)| hang_up(strict, message)),
        1 => stage().prop_map(next_stage),
        1 => Just(press("19")),
        2 => sent().prop_map(|request| send("sent", request)),
    ]
    .boxed()
}

/// A stage of the call; some are meant for another than is under way.
fn stage() -> impl Strategy<Value = NewStage> {
    let messages = prop::option::of(prop::collection::vec(arc_text(), 0..3));
    let hearing = prop::option::of(select(vec![Hearing::Audio, Hearing::Transcript, Hearing::Deaf]));
    let inactivity = prop::option::of(
        (1..9_u64).prop_map(|secs| vec![silence(secs, "Anybody?", InactivityEnd::KeepWaiting)]),
    );
    let tools = prop::option::of(any::<bool>().prop_map(|strict| vec![tool("look"), hang_up_tool(strict)]));
    let after = select(vec![0, 0, 0, 1, 2]).prop_map(StageNumber);
    let turn_taking = prop::option::of(turn_taking());
    (messages, hearing, inactivity, tools, after, turn_taking, any::<bool>()).prop_map(
        |(messages, hearing, inactivity, tools, after, turn_taking, renamed)| NewStage {
            after,
            result: Arc::from("OK"),
            system_prompt: renamed.then(|| Arc::from("Be somebody else.")),
            hearing,
            tools,
            turn_taking,
            inactivity,
            state: renamed.then(|| Arc::new(serde_json::json!({"new": true}))),
            messages: messages.map(|texts| {
                texts.into_iter().map(|text| from_before(MessageBody::User { text, audio: None })).collect()
            }),
            ..NewStage::default()
        },
    )
}

fn model_event() -> impl Strategy<Value = ModelEvent> {
    prop_oneof![
        4 => text().prop_map(say),
        2 => select(vec!["look", "book", "peek", "note", "hangUp", "none"]).prop_map(|name| call(name, "{}")),
        1 => Just(call("look", "not json")),
        1 => Just(ModelEvent::Finished),
        1 => Just(ModelEvent::Failed(Arc::from("failed"))),
    ]
}

fn forced_message() -> impl Strategy<Value = ForcedMessage> {
    (text(), any::<bool>(), any::<bool>(), prop::option::of((any::<bool>(), outcome()))).prop_map(
        |(content, immediate, uninterruptible, tools)| {
            let urgency = if immediate { ForcedUrgency::Immediate } else { ForcedUrgency::Soon };
            let mut message = ForcedMessage { uninterruptible, ..forced(content, urgency) };
            if let Some((known, outcome)) = tools {
                message.tool_calls = vec![tool_call("look", "{}", Some("a")), tool_call("none", "{}", None)];
                if known {
                    message.known_results = vec![(Arc::from("a"), outcome)];
                }
            }
            message
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let urgency = select(vec![Urgency::Immediate, Urgency::Soon, Urgency::Later]);
    prop_oneof![
        8 => (arc_text(), urgency).prop_map(|(text, urgency)| Request::UserText { text, urgency }),
        4 => forced_message().prop_map(Request::ForcedMessage),
        2 => select(vec![Medium::Voice, Medium::Text]).prop_map(Request::SetOutputMedium),
        1 => arc_text().prop_map(|message| Request::HangUp { message }),
        4 => thread_request().prop_map(|request| Request::Thread(Box::new(request))),
    ]
}

/// What a tool sends to a thread.
fn sent() -> impl Strategy<Value = ThreadRequest> {
    prop_oneof![
        (thread_ref(), any::<bool>()).prop_map(|(parent, replaces)| {
            ThreadRequest::Spawn(Box::new(SpawnThread { parent, replaces, ..spawn("a", Vec::new()) }))
        }),
        (thread_ref(), arc_text()).prop_map(|(to, text)| ThreadRequest::UserText {
            to,
            text,
            urgency: Urgency::Soon
        }),
    ]
}

/// Few names, so that threads meet.
fn thread_ref() -> impl Strategy<Value = ThreadRef> {
    let side = || select(vec!["a", "b"]).prop_map(|id| ThreadRef::Side(Arc::from(id)));
    prop_oneof![2 => Just(ThreadRef::Main), 4 => side(), 1 => Just(ThreadRef::Parent)]
}

fn thread_message() -> impl Strategy<Value = ThreadMessage> {
    prop_oneof![
        arc_text().prop_map(ThreadMessage::UserText),
        forced_message().prop_map(ThreadMessage::Forced),
    ]
}

fn thread_request() -> BoxedStrategy<ThreadRequest> {
    let id = prop::option::of(select(vec!["a", "b", "UI"]).prop_map(Arc::from));
    let limit = || prop::option::of(0..30_u32);
    let limits = (limit(), limit(), prop::option::of(0..4_u32), limit(), limit()).prop_map(
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
    let limits = prop_oneof![3 => Just(ThreadLimits::default()), 1 => limits];
    let tools = prop::option::of(Just(vec![Arc::from("look")]));
    let messages = prop::collection::vec(thread_message(), 0..3);
    prop_oneof![
        3 => (id, thread_ref(), any::<bool>(), messages, tools, limits).prop_map(
            |(id, parent, replaces, messages, allowed_tools, limits)| {
                let blocked_tools = if replaces { vec![Arc::from("book")] } else { Vec::new() };
                ThreadRequest::Spawn(Box::new(SpawnThread {
                    id, parent, replaces, messages, allowed_tools, blocked_tools, limits,
                }))
            }
        ),
        2 => (thread_ref(), arc_text()).prop_map(|(to, text)| ThreadRequest::UserText {
            to, text, urgency: Urgency::Soon
        }),
        1 => (thread_ref(), forced_message()).prop_map(|(to, message)| ThreadRequest::Forced { to, message }),
    ]
    .boxed()
}

fn transcription() -> impl Strategy<Value = Transcription> {
    prop_oneof![
        4 => arc_text().prop_map(Transcription::Words),
        1 => Just(Transcription::Failed(Arc::from("failed"))),
    ]
}

fn voice_event() -> impl Strategy<Value = VoiceEvent> {
    prop_oneof![
        4 => (0..20_000_u32).prop_map(|samples| VoiceEvent::Audio { samples }),
        2 => prop::collection::vec((0..80_u32, 0..60_000_u32), 0..6).prop_map(|ends| {
            VoiceEvent::Words(ends.into_iter().map(|(text, samples)| WordEnd { text, samples }).collect())
        }),
        2 => Just(VoiceEvent::Finished),
        1 => Just(VoiceEvent::Failed(Arc::from("failed"))),
    ]
}

/// What a turn detector may say, sensible or not.
fn probability() -> impl Strategy<Value = f32> {
    select(vec![0.0, 0.3, 0.9, 1.0, -1.0, f32::NAN, f32::INFINITY])
}

/// An input for the work with a small number, wherever that stands.
fn stray() -> impl Strategy<Value = Input> {
    let id = || 0..8_u32;
    let audio = || (0..60_000_u64).prop_map(AudioTime::from_millis);
    prop_oneof![
        6 => request().prop_map(Input::Request),
        4 => (id(), model_event()).prop_map(|(id, event)| Input::Model(GenerationId(id), event)),
        4 => (id(), voice_event()).prop_map(|(id, event)| Input::Voice(UtteranceId(id), event)),
        4 => (id(), outcome()).prop_map(|(id, outcome)| Input::Tool(InvocationId(id), outcome)),
        3 => (id(), transcription())
            .prop_map(|(id, words)| Input::Transcribed { turn: TurnId(id), words, by: None }),
        1 => select(vec!["no wait", "mm-hmm", ""]).prop_map(|words| Input::Overheard(words.into())),
        3 => (id(), probability()).prop_map(|(id, probability)| Input::TurnJudged(TurnId(id), probability)),
        1 => (audio(), audio()).prop_map(|(at, received)| Input::SpeechStarted { at, received }),
        1 => (audio(), audio()).prop_map(|(at, received)| Input::SpeechStopped { at, received }),
        1 => Just(Input::Timeout),
        1 => Just(Input::Joined),
    ]
}

fn ending() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => Just(Input::LegClosed(LegClosed::ByPeer)),
        1 => Just(Input::LegClosed(LegClosed::OurFault)),
        1 => Just(Input::ShutDown),
        1 => Just(Input::ConnectionLost),
        1 => Just(Input::Rejoined { after: Duration::from_secs(3), lost_audio: Duration::from_millis(40) }),
        2 => text().prop_map(|text| Input::Request(Request::HangUp { message: Arc::from(text) })),
    ]
}

fn manners() -> impl Strategy<Value = VoiceManners> {
    let pieces = prop::option::of((1..4_000_u32, 0..300_u64));
    (prop::bool::weighted(0.8), 0..400_u64, 1..120_u64, pieces, any::<bool>()).prop_map(
        |(answers, delay, ms_per_character, pieces, word_times)| VoiceManners {
            answers,
            delay,
            ms_per_character,
            pieces,
            word_times,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..1_500_u64).prop_map(Action::Speak),
        6 => (0..600_u64, prop::collection::vec(model_event(), 0..6))
            .prop_map(|(delay, events)| Action::Reply(delay, events)),
        4 => prop::collection::vec(model_event(), 0..6).prop_map(Action::SideReply),
        4 => (0..3_000_u64, transcription()).prop_map(|(delay, words)| Action::Words(delay, words)),
        2 => (0..600_u64, probability()).prop_map(|(delay, says)| Action::Judgement(delay, says)),
        2 => manners().prop_map(Action::Voice),
        3 => stage().prop_map(|stage| Action::Stage(Box::new(stage))),
        10 => stray().prop_map(Action::Stray),
    ]
}

/// Actions and the milliseconds before each.
fn script() -> impl Strategy<Value = Vec<(u64, Action)>> {
    let pause = Union::new_weighted(vec![
        (3, (0..1_u64).boxed()),
        (6, (0..900_u64).boxed()),
        (1, (0..20_000_u64).boxed()),
    ]);
    prop::collection::vec((pause, action()), 0..40)
}

fn greeting() -> impl Strategy<Value = Greeting> {
    prop_oneof![
        arc_text().prop_map(Greeting::Text),
        Just(Greeting::Prompt(Arc::from("Greet."))),
        prop::option::of(Just(Arc::from("Greet."))).prop_map(|invitation| Greeting::Generated { invitation }),
    ]
}

fn first_speaker() -> impl Strategy<Value = FirstSpeaker> {
    let delay = || select(vec![0, 1, 700, 5_000]).prop_map(Duration::from_millis);
    prop_oneof![
        (greeting(), delay(), any::<bool>()).prop_map(|(greeting, delay, uninterruptible)| {
            FirstSpeaker::Agent { greeting, delay, uninterruptible }
        }),
        prop::option::of((delay(), greeting())).prop_map(|fallback| FirstSpeaker::User { fallback }),
    ]
}

fn turn_taking() -> impl Strategy<Value = TurnTaking> {
    let ms = |choices: Vec<u64>| select(choices).prop_map(Duration::from_millis);
    let least = (ms(vec![0, 32, 384, 2_000]), ms(vec![0, 90, 400]), ms(vec![0, 90, 900]));
    (least, pauses(), interruption()).prop_map(
        |((endpoint_delay, minimum_turn, minimum_interruption), pauses, interruption)| TurnTaking {
            endpoint_delay,
            minimum_turn,
            minimum_interruption: minimum_interruption.max(minimum_turn),
            pauses,
            interruption,
            ..TurnTaking::default()
        },
    )
}

fn pauses() -> impl Strategy<Value = PausePolicy> {
    let lull = select(vec![0, 160, 160, 500]).prop_map(Duration::from_millis);
    let longest = select(vec![0, 1_600]).prop_map(Duration::from_millis);
    (lull, longest, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(lull, longest_delay, detector, words, speculative)| PausePolicy {
            lull,
            longest_delay,
            detector,
            words,
            speculative,
        },
    )
}

fn interruption() -> impl Strategy<Value = InterruptionPolicy> {
    let judged = (select(vec![0, 300, 600, 2_000]), select(vec![0, 500, 500, 3_000]), any::<bool>())
        .prop_map(|(certain, longest, words)| InterruptionPolicy {
            certain_speech: Duration::from_millis(certain),
            longest_pause: Duration::from_millis(longest),
            words,
            ..InterruptionPolicy::default()
        });
    prop_oneof![1 => Just(InterruptionPolicy::ONE_PHASE), 3 => judged]
}

fn settings() -> impl Strategy<Value = Config> {
    let hearing = select(vec![Hearing::Audio, Hearing::Transcript, Hearing::Deaf]);
    let medium = select(vec![Medium::Voice, Medium::Voice, Medium::Text]);
    let buffer = select(vec![0, 60, 61, 30_000]).prop_map(Duration::from_millis);
    let end =
        || select(vec![InactivityEnd::KeepWaiting, InactivityEnd::HangUpSoft, InactivityEnd::HangUpStrict]);
    let inactivity = prop::collection::vec((0..12_u64, end()), 0..3);
    let duration = select(vec![1, 8, 3_600]);
    let rate = select(vec![8_000, 11_025, RATE, 48_000]);
    let strict = any::<bool>();
    (first_speaker(), turn_taking(), hearing, medium, buffer, inactivity, duration, rate, strict).prop_map(
        |(
            first_speaker,
            turn_taking,
            hearing,
            output_medium,
            client_buffer,
            inactivity,
            duration,
            rate,
            strict,
        )| {
            Config {
                first_speaker,
                turn_taking,
                hearing,
                output_medium,
                client_buffer,
                inactivity: inactivity
                    .into_iter()
                    .map(|(secs, end)| silence(secs, "Are you there?", end))
                    .collect(),
                max_duration: Duration::from_secs(duration),
                time_exceeded_message: strict.then(|| Arc::from("Time is up.")),
                output_rate: rate,
                tools: vec![
                    tool("look"),
                    Tool { reaction: Reaction::Listens, ..tool("book") },
                    Tool { precomputable: true, ..tool("peek") },
                    Tool { static_response: Some(Arc::from("Noted.")), ..tool("note") },
                    hang_up_tool(strict),
                ],
                limits: Limits {
                    failures: 6,
                    message_bytes: 120,
                    history_bytes: 20_000,
                    ..Limits::default()
                },
                ..config()
            }
        },
    )
}

/// How late wake-ups come, from never to badly.
fn lateness() -> impl Strategy<Value = fn(u64) -> Duration> {
    let choices: Vec<fn(u64) -> Duration> =
        vec![|_| Duration::ZERO, |number| Duration::from_micros(number * 7_919 % 9_000), |number| {
            Duration::from_millis(if number % 5 == 0 { 700 } else { 0 })
        }];
    select(choices)
}

/// Tells a script to a conversation and lets it run out. The witness watches all the while.
fn tell(config: &Config, late: fn(u64) -> Duration, script: &[(u64, Action)], ending: &Input) -> Story {
    let mut story = Story::new(config.clone());
    story.world.wakes_late = late;
    story.world.tool_answers = Some((Duration::from_millis(200), answer("fine")));
    story.run_ms(10);
    story.join();
    for (index, (pause, action)) in script.iter().enumerate() {
        story.run_ms(*pause);
        // Now and then a tool is left for the script to answer, or to forget.
        story.world.tool_answers = (index % 3 != 0).then(|| (Duration::from_millis(200), answer("fine")));
        match action {
            Action::Speak(ms) => story.user_speaks(*ms),
            Action::Reply(delay, events) => story.model_streams_after(*delay, events.clone()),
            Action::SideReply(events) => story.thread_does(events.clone()),
            Action::Words(delay, Transcription::Words(words)) => story.transcript_after(*delay, words),
            Action::Words(delay, Transcription::Failed(_)) => story.transcript_fails_after(*delay),
            Action::Judgement(delay, probability) => story.judges_after(*delay, *probability),
            Action::Voice(manners) => {
                story.world.voice_answers = manners.answers;
                story.world.voice_delay = Duration::from_millis(manners.delay);
                story.world.ms_per_character = manners.ms_per_character;
                story.world.voice_pieces =
                    manners.pieces.map(|(samples, ms)| (samples, Duration::from_millis(ms)));
                story.world.word_times = manners.word_times;
            }
            Action::Stage(stage) => {
                let stage = NewStage { after: story.stage(), ..(**stage).clone() };
                story.request(Request::ForcedMessage(ForcedMessage {
                    tool_calls: vec![tool_call("look", "{}", Some("a"))],
                    known_results: vec![(Arc::from("a"), next_stage(stage))],
                    ..forced("", ForcedUrgency::Soon)
                }));
            }
            Action::Stray(input) => story.input(input.clone()),
        }
    }
    story.run_secs(5);
    story.input(ending.clone());
    // Long enough for a farewell that nobody speaks to be given up at the maximum duration, and for the last words.
    story.run_secs(2 * 3_600);
    story
}

#[test]
fn every_conversation_keeps_its_promises() {
    // A few seconds; `PROPTEST_CASES` asks for more.
    let config = ProptestConfig {
        cases: ProptestConfig::default().cases.max(3_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let cases = config.cases;
    let random = (settings(), lateness(), script(), ending());
    let run = TestRunner::new(config).run(&random, |(config, late, script, ending)| {
        let story = tell(&config, late, &script, &ending);
        prop_assert!(story.is_over(), "the call never ended: {:#?}", story.told());
        let again = tell(&config, late, &script, &ending);
        prop_assert_eq!(story.told(), again.told());
        prop_assert_eq!(&story.seen.played, &again.seen.played);
        prop_assert_eq!(&story.seen.events, &again.seen.events);
        prop_assert_eq!(&story.seen.prompts, &again.seen.prompts);
        Ok(())
    });
    println!("random conversations: {cases} runs, each told twice");
    run.unwrap_or_else(|failure| panic!("{failure}"));
}
