//! What a journal costs a call: time, and bytes on the disk, for a minute in which the agent speaks without a pause, which is the
//! worst there is; and its share of all that a call computes. Prints and asserts nothing.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up says so by failing")]

#[path = "call/stage.rs"]
#[expect(dead_code, reason = "the benchmark of calls needs more of it")]
mod stage;
#[path = "journal/whole.rs"]
mod whole;

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::config::{FirstSpeaker, Hearing, Limits, TurnTaking};
use antiphon_engine::input::{ModelEvent, Request, Urgency, VoiceEvent};
use antiphon_engine::message::Medium;
use antiphon_engine::output::Effect;
use antiphon_engine::{CallTime, Config, Conversation, Input, Output};
use antiphon_server::call::journal::{
    Decision, EarSettings, Header, Journals, Scribe, UserText, read, start,
};
use antiphon_server::call::waterfall::Observer;
use whole::Voice;

const RATE: u32 = 24_000;
const MINUTE: CallTime = CallTime::from_millis(60_000);
const ROUNDS: u32 = 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = std::env::temp_dir().join(format!("antiphon-bench-{}", std::process::id()));
    let journals = Journals { directory, flush_interval: Duration::ZERO, user_text: UserText::Keep };
    let (mut plain, mut watched, mut journaled, mut bytes, mut inputs) =
        (Duration::MAX, Duration::MAX, Duration::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let header = header();
        plain = plain.min(timed(|| speak(&mut Plain)));
        watched = watched.min(timed(|| speak(&mut Watched(Observer::default(), None))));
        journaled = journaled.min(timed(|| {
            let (scribe, writing) = start(&journals, &header);
            speak(&mut Watched(Observer::default(), Some(scribe)));
            runtime.block_on(writing);
        }));
        let path = journals.path(header.call);
        bytes = std::fs::metadata(&path).unwrap().len();
        inputs = read(&path).unwrap().entries.len();
    }
    let share = |time: Duration| time.saturating_sub(plain).as_secs_f64() / 60.0 * 100.0;
    println!("a minute of speech without a pause, {inputs} inputs:");
    println!("  the engine alone    {:>8.0} us", plain.as_secs_f64() * 1e6);
    println!(
        "  and the waterfalls  {:>8.0} us, {:.4} % of a core more",
        watched.as_secs_f64() * 1e6,
        share(watched)
    );
    println!(
        "  and the journal     {:>8.0} us, {:.4} % of a core more",
        journaled.as_secs_f64() * 1e6,
        share(journaled)
    );
    println!(
        "  {:.1} kB in the file, {:.1} bytes an input",
        bytes as f64 / 1e3,
        bytes as f64 / inputs as f64
    );
    whole_calls(&journals);
    let _ = std::fs::remove_dir_all(&journals.directory);
}

/// A whole call with a journal, written once a second as by default, and without one.
fn whole_calls(journals: &Journals) {
    let journals = Journals { flush_interval: Duration::from_secs(1), ..journals.clone() };
    println!("a whole call of a minute, without a socket:");
    for (name, voice) in [("that costs nothing", Voice::Tape), ("that is built in", Voice::BuiltIn)] {
        let (mut without, mut with) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            without = without.min(whole::minute(voice, None));
            with = with.min(whole::minute(voice, Some(&journals)));
        }
        let (call, journal) = (without.as_secs_f64() * 1e3, with.saturating_sub(without).as_secs_f64() * 1e3);
        let share = journal / (call + journal) * 100.0;
        println!("  a voice {name:<20} {call:>8.2} ms, and its journal {journal:.2} ms: {share:.2} % of it");
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// Who watches the conversation.
trait Witness {
    fn told(&mut self, at: CallTime, input: Option<&Input>);
    fn said(&mut self, output: &Output);
}

struct Plain;

impl Witness for Plain {
    fn told(&mut self, _: CallTime, _: Option<&Input>) {}
    fn said(&mut self, _: &Output) {}
}

/// As the server does it.
struct Watched(Observer, Option<Scribe>);

impl Witness for Watched {
    fn told(&mut self, at: CallTime, input: Option<&Input>) {
        self.0.told(at, input);
        if let Some(scribe) = &mut self.1 {
            scribe.begin(at, input);
        }
    }

    fn said(&mut self, output: &Output) {
        let decision = Decision::of(output);
        decision.iter().for_each(|decision| self.0.decided(decision));
        if let Some(scribe) = &mut self.1 {
            scribe.add(output, decision.as_ref());
        }
        if let Output::Timeout(deadline) = output {
            self.0.settled(*deadline);
            if let Some(scribe) = &mut self.1 {
                scribe.end(*deadline);
                scribe.hand_over();
            }
        }
    }
}

/// The user writes once, and the agent does not come to an end for a minute.
fn speak(witness: &mut impl Witness) {
    let mut conversation = Conversation::new(header().config, CallTime::ZERO);
    let mut now = CallTime::ZERO;
    let mut inputs = vec![
        Input::Request(Request::UserText { text: Arc::from("Tell me all."), urgency: Urgency::Soon }),
        Input::Joined,
    ];
    witness.told(now, None);
    loop {
        let deadline = loop {
            let output = conversation.poll();
            witness.said(&output);
            match output {
                Output::Effect(Effect::StartModel { generation, .. }) => {
                    for sentence in 0..40 {
                        let text = format!("This is sentence number {sentence}, and it is not the last. ");
                        inputs.insert(0, Input::Model(generation, ModelEvent::Text(Arc::from(text))));
                    }
                }
                Output::Effect(Effect::StartSpeech { utterance, text }) => {
                    let samples = text.len() as u32 * RATE / 15;
                    inputs.insert(0, Input::Voice(utterance, VoiceEvent::Audio { samples }));
                    inputs.insert(0, Input::Voice(utterance, VoiceEvent::Finished));
                }
                Output::Effect(_) | Output::Event(_) => {}
                Output::Timeout(deadline) => break deadline,
            }
        };
        let input = match (inputs.pop(), deadline) {
            (Some(input), _) => input,
            (None, Some((at, _))) => {
                now = now.max(at);
                Input::Timeout
            }
            (None, None) => return,
        };
        if now > MINUTE {
            return;
        }
        witness.told(now, Some(&input));
        conversation.handle(now, input);
    }
}

fn header() -> Header {
    Header {
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        call: CallId::new(uuid::Uuid::new_v4()),
        created: Timestamp::from_unix_micros(0).unwrap(),
        user_text: UserText::Keep,
        config: Config {
            system_prompt: None,
            temperature: 0.0,
            model: Arc::from("scripted"),
            hearing: Hearing::Audio,
            language: None,
            initial_messages: Vec::new(),
            tools: Vec::new(),
            initial_state: Arc::new(serde_json::json!({})),
            first_speaker: FirstSpeaker::User { fallback: None },
            output_medium: Medium::Voice,
            turn_taking: TurnTaking::default(),
            inactivity: Vec::new(),
            join_timeout: Duration::from_secs(30),
            max_duration: Duration::from_secs(3_600),
            time_exceeded_message: None,
            apology: None,
            output_rate: RATE,
            client_buffer: Duration::from_millis(60),
            limits: Limits::default(),
        },
        ear: EarSettings { threshold: 0.1, echo_guard: true },
    }
}
