//! What every detector promises, and what the default one makes of real sounds.

use std::f32::consts::TAU;
use std::fs;

use antiphon_backends::text_to_speech::flite::Flite;
use antiphon_backends::text_to_speech::{Request, SpeechEvent, TextToSpeech};
use antiphon_backends::voice_activity::earshot::Earshot;
use antiphon_backends::voice_activity::scripted::Loudness;
use antiphon_backends::voice_activity::{Edge, SpeechEdges, VoiceActivityFactory};
use futures::StreamExt;

/// The published default of `frameActivationThreshold`.
const THRESHOLD: f32 = 0.1;
const SECOND: usize = 16_000;

fn edges(factory: &dyn VoiceActivityFactory, audio: &[i16]) -> Vec<Edge> {
    let mut found = Vec::new();
    let mut edges = SpeechEdges::new(factory.detector(), THRESHOLD);
    for part in audio.chunks(320) {
        edges.push(part, |edge| found.push(edge));
    }
    found
}

fn in_silence(sound: &[i16]) -> Vec<i16> {
    [&[0; SECOND], sound, &[0; SECOND]].concat()
}

fn tones(hz: &[f32], samples: usize) -> Vec<i16> {
    let sample = |n: usize| hz.iter().map(|hz| 6_000.0 * (TAU * hz * n as f32 / 16_000.0).sin()).sum::<f32>();
    (0..samples).map(|n| sample(n) as i16).collect()
}

async fn spoken(text: &str) -> Vec<i16> {
    let stream = Flite::new().speak(Request { text: text.into(), language: None, sample: None });
    let audio = stream.filter_map(async |event| match event {
        SpeechEvent::Audio(audio) => Some(audio),
        SpeechEvent::Words(_) | SpeechEvent::FellBack(_) | SpeechEvent::Finished | SpeechEvent::Failed(_) => {
            None
        }
    });
    audio.concat().await
}

/// A person, from Debian's `pocketsphinx-testdata`.
fn person() -> Vec<i16> {
    let path = "/usr/share/pocketsphinx/test/data/goforward.raw";
    let bytes =
        fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}; apt install pocketsphinx-testdata"));
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The promises of the trait: any frame is taken, a probability comes out, equal streams give equal answers, and detectors
/// of one factory do not disturb each other.
fn keeps_the_contract(factory: &dyn VoiceActivityFactory, speech: &[i16]) {
    let mut one = factory.detector();
    let mut other = factory.detector();
    let frame = one.frame_samples();
    assert!(frame > 0 && frame <= SECOND / 10, "a frame is short");
    let of_one: Vec<f32> = speech.chunks_exact(frame).map(|frame| one.speech_probability(frame)).collect();
    assert!(of_one.iter().all(|probability| (0.0..=1.0).contains(probability)));
    assert!(of_one.iter().any(|probability| *probability >= THRESHOLD), "speech is noticed");
    let of_other: Vec<f32> =
        speech.chunks_exact(frame).map(|frame| other.speech_probability(frame)).collect();
    assert_eq!(of_one, of_other);
    let mut fresh = factory.detector();
    for extreme in [i16::MIN, i16::MAX, 0] {
        assert!((0.0..=1.0).contains(&fresh.speech_probability(&vec![extreme; frame])));
    }
    assert_eq!(edges(factory, &[0; 4 * SECOND]), [], "silence is no speech");
}

#[tokio::test]
async fn every_detector_keeps_the_contract() {
    let speech = spoken("Good morning, two buns please.").await;
    keeps_the_contract(&Earshot, &speech);
    keeps_the_contract(&Loudness::default(), &speech);
    keeps_the_contract(&Loudness { frame_samples: 512, threshold: 300.0 }, &speech);
}

#[tokio::test]
async fn the_edges_reach_from_the_first_to_the_last_word() {
    let speech = spoken("What are your opening hours?").await;
    let found = edges(&Earshot, &in_silence(&speech));
    let (Some(Edge::Started { at_sample: from }), Some(Edge::Stopped { at_sample: to })) =
        (found.first().copied(), found.last().copied())
    else {
        panic!("{found:?}");
    };
    let spoken = SECOND as u64..(SECOND + speech.len()) as u64;
    assert!(from.abs_diff(spoken.start) < 1_600, "begins {from}, spoken {spoken:?}");
    assert!(to > spoken.end - 8_000 && to < spoken.end + 3_200, "ends {to}, spoken {spoken:?}");
}

#[test]
fn a_person_is_heard() {
    let found = edges(&Earshot, &[person(), vec![0; SECOND]].concat());
    assert!(matches!(found.first(), Some(Edge::Started { .. })), "{found:?}");
    assert!(matches!(found.last(), Some(Edge::Stopped { .. })), "{found:?}");
}

#[test]
fn beginnings_and_ends_alternate_and_rise() {
    let found = edges(&Earshot, &[person(), vec![0; SECOND], person(), vec![0; SECOND]].concat());
    let mut last = 0;
    for (index, edge) in found.iter().enumerate() {
        let (begins, at) = match *edge {
            Edge::Started { at_sample } => (true, at_sample),
            Edge::Stopped { at_sample } => (false, at_sample),
        };
        assert_eq!(begins, index % 2 == 0, "{found:?}");
        assert!(index == 0 || at > last, "{found:?}");
        last = at;
    }
}

#[test]
fn pressed_keys_are_no_speech() {
    let rows = [697.0, 770.0, 852.0, 941.0];
    let columns = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let mut audio = vec![0; SECOND];
    for row in rows {
        for column in columns {
            audio.extend(tones(&[row, column], SECOND / 10 + 37));
            audio.extend([0; 1_600]);
        }
    }
    audio.extend([0; SECOND]);
    assert_eq!(edges(&Earshot, &audio), []);
}

#[test]
fn a_click_is_no_speech() {
    assert_eq!(edges(&Earshot, &in_silence(&[30_000; 8])), []);
}

#[tokio::test]
async fn the_guard_against_keys_leaves_voices_alone() {
    // With a guard that fired on voices, probabilities of zero would stand amid those of speech.
    for speech in [person(), spoken("Oo, you do, too. Ee, see me. A name, again and again.").await] {
        let mut detector = Earshot.detector();
        let frames = speech.chunks_exact(256).map(|frame| detector.speech_probability(frame));
        assert_eq!(frames.filter(|probability| *probability == 0.0).count(), 0);
    }
}
