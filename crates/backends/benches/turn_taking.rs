//! How calls take turns: plain voice activity against the default policy, on speech, noises and echoes.
//!
//! Runs whole calls in virtual time: the real detector, the real guard against echo and the real engine, with a model of 400 ms, a
//! voice of 100 ms and a client that holds 60 ms of audio. It prints and never fails. `cargo bench -p antiphon-backends --bench
//! turn_taking`.
//!
//! What the set is: recordings from Debian's `pocketsphinx-testdata` and `alsa-utils`, speech of `espeak-ng` and the built-in
//! voice, and made sounds (coughs, key clicks, white and pink noise, babble, a room). What it is not: telephone conversations of
//! people. Backchannels are synthesized and coughs are shaped noise; the transcriber understands everything in 200 ms and the turn
//! detector is never wrong, so these columns say what such backends can be worth at best. With `--features smart-turn` and the path
//! of a model in ANTIPHON_SMART_TURN, a last column says what that one is worth; the same recordings are its whole turns, and it
//! takes 60 ms. Figures are for comparing policies on the same sounds, not for promising rates in the field.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "turn_taking/sounds.rs"]
mod sounds;
#[path = "turn_taking/world.rs"]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_backends::turn_detection::TurnDetector;
#[cfg(feature = "smart-turn")]
use antiphon_backends::turn_detection::smart_turn::SmartTurn;
use antiphon_engine::config::{InterruptionPolicy, PausePolicy, TurnTaking};

use sounds::{Chance, Sound, babble, clicks, cough, flite, loudness, pink, recordings, said, white};
use world::{Microphone, Outcome, Policy, run};

const STORY: &str = "Once upon a time there was a baker who had a very old oven and every morning he lit it before the sun was up and then he baked bread until the whole village smelled of it and that is the end.";
/// When something happens while the agent speaks, which it does for some nine seconds from 100 ms on.
const EVENT: usize = 3_000;
/// How loud a user is at the microphone.
const LEVEL: f32 = 2_500.0;

fn main() {
    let people = recordings();
    if people.is_empty() {
        println!("no recordings: install pocketsphinx-testdata and alsa-utils; synthesized speech only");
    }
    let agent = flite(STORY);
    let policies = policies();
    println!("{} recordings; the agent speaks for {:.1} s\n", people.len(), agent.len() as f32 / 16_000.0);
    println!("{:<44}{:>6}", "", "calls");
    print!("{:50}", "");
    for policy in &policies {
        print!("{:>22}", policy.name);
    }
    println!("\n\nOver the agent: how often it was cut off (and how long it stood, or was silent after)");
    let began = Instant::now();
    let mut calls = 0;
    for (name, cases, wanted) in over_the_agent(&people) {
        calls += cases.len() * policies.len();
        print!("{name:<44}{:>6}", cases.len());
        for policy in &policies {
            let outcomes: Vec<Outcome> =
                cases.iter().map(|case| run(policy, case, STORY, &agent, 11_000)).collect();
            print!("{:>22}", interruptions(&outcomes, wanted));
        }
        println!();
    }
    println!("\nTurns with a pause inside: how often the user was cut off in the pause");
    for pause in [250, 450, 800, 1_200] {
        let cases = pauses(&people, pause);
        calls += cases.len() * policies.len();
        print_cut_off(&format!("{pause} ms between two utterances"), &policies, &cases);
    }
    for pause in [450, 800, 1_200] {
        let cases = broken_off(&people, pause);
        calls += cases.len() * policies.len();
        print_cut_off(&format!("{pause} ms in the middle of an utterance"), &policies, &cases);
    }
    println!("\nFrom the user's last sample to the agent's first, in ms: median and worst");
    let cases = whole_turns(&people);
    calls += cases.len() * policies.len();
    print!("{:<44}{:>6}", "whole turns", cases.len());
    for policy in &policies {
        let mut delays: Vec<i64> = cases
            .iter()
            .filter_map(|(case, end)| {
                let outcome = run(policy, case, "", &[], end + 3_000);
                Some(*outcome.answers.last()? as i64 - *end as i64)
            })
            .collect();
        delays.sort_unstable();
        let (median, worst) = (delays.get(delays.len() / 2), delays.last());
        print!("{:>22}", format!("{} / {}", median.unwrap_or(&0), worst.unwrap_or(&0)));
    }
    println!("\n\n{calls} calls in {:.1} s", began.elapsed().as_secs_f32());
}

fn print_cut_off(name: &str, policies: &[Policy], cases: &[(Microphone, usize)]) {
    print!("{name:<44}{:>6}", cases.len());
    for policy in policies {
        let cut = cases.iter().filter(|(case, end)| {
            let outcome = run(policy, case, "", &[], end + 3_000);
            outcome.answers.iter().any(|at| *at < *end as u64)
        });
        print!("{:>22}", format!("{} of {}", cut.count(), cases.len()));
    }
    println!();
}

fn policies() -> Vec<Policy> {
    let plain = TurnTaking { interruption: InterruptionPolicy::ONE_PHASE, ..TurnTaking::default() };
    // What a call of a model that hears gets from the server.
    let pauses = PausePolicy { speculative: true, ..PausePolicy::default() };
    let length = TurnTaking { pauses, ..TurnTaking::default() };
    let words = TurnTaking {
        interruption: InterruptionPolicy { words: true, ..InterruptionPolicy::default() },
        ..length
    };
    let judged = TurnTaking { pauses: PausePolicy { detector: true, ..pauses }, ..words };
    let quick = Some(Duration::from_millis(200));
    let policy = |name, turn_taking, echo_guard, transcriber, detector| Policy {
        name,
        turn_taking,
        echo_guard,
        transcriber,
        detector,
    };
    let mut policies = vec![
        policy("voice activity alone", plain, false, None, None),
        policy("default, no words", length, true, None, None),
        policy("default, words", words, true, quick, None),
        policy("and a turn detector", judged, true, quick, None),
    ];
    if let Some(smart_turn) = smart_turn() {
        policies.push(policy("and smart-turn", judged, true, quick, Some(smart_turn)));
    }
    policies
}

/// The model that ANTIPHON_SMART_TURN names.
#[cfg(feature = "smart-turn")]
fn smart_turn() -> Option<Arc<dyn TurnDetector>> {
    let path = std::env::var_os("ANTIPHON_SMART_TURN")?;
    let model = SmartTurn::load(path.as_ref()).unwrap_or_else(|error| panic!("ANTIPHON_SMART_TURN: {error}"));
    let clip = vec![0; 8 * 16_000];
    let began = Instant::now();
    (0..20).for_each(|_| {
        std::hint::black_box(model.end_of_turn(&clip));
    });
    println!("smart-turn: {:.1} ms a judgement", began.elapsed().as_secs_f32() * 50.0);
    Some(Arc::new(model))
}

#[cfg(not(feature = "smart-turn"))]
fn smart_turn() -> Option<Arc<dyn TurnDetector>> {
    None
}

/// Whether the agent should be cut off.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Cut,
    GoOn,
}

fn over_the_agent(people: &[Sound]) -> Vec<(&'static str, Vec<Microphone>, Wanted)> {
    let at_event =
        |sound: Sound| Microphone { sounds: vec![(EVENT, sound.at_level(LEVEL))], ..Default::default() };
    let each = |sounds: Vec<Sound>| sounds.into_iter().map(at_event).collect::<Vec<_>>();
    let spoken = |texts: &[&'static str]| texts.iter().flat_map(|text| said(text)).collect::<Vec<_>>();
    let mut chance = Chance(5);
    let steady = |noise: &[f32], level: f32| {
        let factor = level / loudness(noise);
        vec![Microphone { noise: noise.iter().map(|x| x * factor).collect(), ..Default::default() }]
    };
    let crowd = if people.len() >= 6 {
        babble(10_000, &people[..people.len().min(8)])
    } else {
        white(10_000, &mut chance)
    };
    let long: Vec<Sound> = people.iter().filter(|sound| sound.ms() >= 800).cloned().collect();
    let echoes = |user: Option<&Sound>| -> Vec<Microphone> {
        let rooms = [(60, 0.3), (150, 0.15), (300, 0.25), (450, 0.1), (600, 0.2)];
        let room = |(delay, gain): (usize, f32)| Microphone {
            echo: Some((delay, gain)),
            sounds: user.map(|sound| (EVENT, sound.clone().at_level(LEVEL))).into_iter().collect(),
            ..Default::default()
        };
        rooms.into_iter().map(room).collect()
    };
    let talkers = said("Sorry, can I stop you there for a second? I know that story already.");
    vec![
        ("speech of 0.8 s and more (recorded)", each(long), Wanted::Cut),
        (
            "\"wait a moment please\" ...",
            each(spoken(&["wait a moment please", "can I ask something else"])),
            Wanted::Cut,
        ),
        ("\"stop\", \"no\", \"wait\"", each(spoken(&["stop", "no", "wait"])), Wanted::Cut),
        (
            "echo, and the user speaks over it",
            talkers.iter().flat_map(|user| echoes(Some(user))).collect(),
            Wanted::Cut,
        ),
        (
            "\"mm-hmm\", \"yeah\", \"okay\", \"uh-huh\", \"right\"",
            each(spoken(&["mm-hmm", "yeah", "okay", "uh-huh", "right"])),
            Wanted::GoOn,
        ),
        ("coughs", (1..=12).map(cough).map(at_event).collect(), Wanted::GoOn),
        ("keys", (1..=6).map(clicks).map(at_event).collect(), Wanted::GoOn),
        (
            "white noise, 20 and 10 dB below a user",
            [250.0, 800.0].iter().flat_map(|level| steady(&white(10_000, &mut chance), *level)).collect(),
            Wanted::GoOn,
        ),
        (
            "pink noise, 20 and 10 dB below a user",
            [250.0, 800.0].iter().flat_map(|level| steady(&pink(10_000, &mut Chance(6)), *level)).collect(),
            Wanted::GoOn,
        ),
        (
            "babble, 20 and 10 dB below a user",
            [250.0, 800.0].iter().flat_map(|level| steady(&crowd, *level)).collect(),
            Wanted::GoOn,
        ),
        ("echo in five rooms", echoes(None), Wanted::GoOn),
    ]
}

/// How many were cut off, as wanted or not; of those that were to be, when they fell silent; of the others, how long they stood.
fn interruptions(outcomes: &[Outcome], wanted: Wanted) -> String {
    let cut = outcomes.iter().filter(|outcome| outcome.cut);
    let count = cut.clone().count();
    match wanted {
        Wanted::Cut => {
            let mut delays: Vec<u64> = cut
                .filter_map(|outcome| outcome.silent_at)
                .map(|at| at.saturating_sub(EVENT as u64))
                .collect();
            delays.sort_unstable();
            let median = delays.get(delays.len() / 2).copied().unwrap_or(0);
            format!("{} missed ({median} ms)", outcomes.len() - count)
        }
        Wanted::GoOn => {
            let stood: u64 =
                outcomes.iter().filter(|outcome| !outcome.cut).map(|outcome| outcome.paused_ms).sum();
            let mean = stood / (outcomes.len() - count).max(1) as u64;
            format!("{count} false ({mean} ms)")
        }
    }
}

/// Two recordings of a person with a pause between, and when the second begins.
fn pauses(people: &[Sound], pause: usize) -> Vec<(Microphone, usize)> {
    let pairs = people.iter().zip(people.iter().skip(1));
    pairs
        .map(|(first, second)| {
            let next = 500 + first.ms() + pause;
            let sounds = vec![(500, first.clone().at_level(LEVEL)), (next, second.clone().at_level(LEVEL))];
            (Microphone { sounds, ..Default::default() }, next + second.ms())
        })
        .collect()
}

/// Recordings of a second and more with a pause where they are quietest in the middle, and when what is behind it begins.
fn broken_off(people: &[Sound], pause: usize) -> Vec<(Microphone, usize)> {
    let long = people.iter().filter(|sound| sound.ms() >= 1_000);
    long.map(|sound| {
        let (first, second) = sound.clone().at_level(LEVEL).halves();
        let next = 500 + first.ms() + pause;
        let end = next + second.ms();
        (Microphone { sounds: vec![(500, first), (next, second)], ..Default::default() }, end)
    })
    .collect()
}

fn whole_turns(people: &[Sound]) -> Vec<(Microphone, usize)> {
    let turn = |sound: &Sound| {
        let sounds = vec![(500, sound.clone().at_level(LEVEL))];
        (Microphone { sounds, ..Default::default() }, 500 + sound.ms())
    };
    people.iter().map(turn).collect()
}
