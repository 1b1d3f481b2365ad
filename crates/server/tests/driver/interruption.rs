//! Speech over the agent, from the samples of the user's audio to those of the agent's: the pause, the verdict, the echo.

use std::sync::Arc;
use std::time::Duration;

use antiphon_backends::registry::Backends;
use antiphon_backends::speech_to_text::scripted::Prepared;
use antiphon_engine::input::Transcription;
use antiphon_server::storage::{Severity, Storage};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, FRAME, Seen, settle, silence, tone};
use crate::stand::{Stand, backends, greeting, spoken, story};

/// Samples in a frame of 16 kHz audio.
const SAMPLES: usize = 320;

/// A stand at which every utterance of the user is understood as these words.
fn understanding(words: &'static str) -> Stand {
    let heard = (0..100).map(|_| Transcription::Words(Arc::from(words)));
    let backends = Backends { speech_to_text: Some(Arc::new(Prepared::in_order(heard))), ..backends() };
    Stand::with(backends, Storage::in_memory())
}

/// What a client saw and heard.
#[derive(Default)]
struct Heard {
    audio: usize,
    longest_gap: Duration,
    last: Option<Instant>,
    messages: Vec<Value>,
}

impl Heard {
    fn take(&mut self, seen: Seen) -> Option<Bytes> {
        match seen {
            Seen::Audio(audio) => {
                let now = Instant::now();
                self.longest_gap = self.longest_gap.max(now - self.last.unwrap_or(now));
                self.last = Some(now);
                self.audio += audio.len();
                return Some(audio);
            }
            Seen::Message(message) => self.messages.push(message),
            Seen::Closed(code) => panic!("closed with {code:?}"),
        }
        None
    }

    fn played(&self) -> Duration {
        Duration::from_micros(self.audio as u64 * 1_000_000 / 32_000)
    }

    fn cleared(&self) -> bool {
        self.messages.iter().any(|message| message["type"] == "playback_clear_buffer")
    }

    fn said(&self) -> Option<&str> {
        let last = |message: &&Value| message["role"] == "agent" && message["final"] == true;
        self.messages.iter().find(last)?["text"].as_str()
    }
}

/// Sends a frame of the user's every 20 ms until the agent has said its message, and gives what was heard meanwhile. The frames are
/// made from the audio that has come so far.
async fn listen(client: &mut Client, mut microphone: impl FnMut(usize, &[i16]) -> Vec<i16>) -> Heard {
    let mut heard = Heard::default();
    let mut loudspeaker = Vec::new();
    for frame in 0..2_000 {
        settle().await;
        for seen in client.take_all() {
            if let Some(audio) = heard.take(seen) {
                let samples = audio.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                loudspeaker.extend(samples);
            }
        }
        if heard.said().is_some() {
            return heard;
        }
        client.send(&microphone(frame, &loudspeaker)).await;
        tokio::time::advance(FRAME).await;
    }
    panic!("the agent never came to an end: {:#?}", heard.messages);
}

/// A user who makes a sound of 200 ms one second into the agent's message.
fn says_something(frame: usize, _: &[i16]) -> Vec<i16> {
    if (50..60).contains(&frame) { tone(FRAME) } else { silence(FRAME) }
}

/// What was played 120 ms ago comes back at a third of its loudness.
fn echoes(frame: usize, played: &[i16]) -> Vec<i16> {
    let at = |index: usize| index.checked_sub(6 * SAMPLES).and_then(|then| played.get(then));
    (frame * SAMPLES..(frame + 1) * SAMPLES).map(|index| at(index).map_or(0, |sample| sample / 3)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_listening_pauses_the_audio_and_costs_not_a_sample() {
    let stand = understanding("mm-hmm");
    let text = story(Duration::from_secs(5));
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(&text)})).await;
    let heard = listen(&mut client, says_something).await;
    assert_eq!(heard.said(), Some(text.as_str()));
    assert_eq!(heard.played(), spoken(&text), "all of it, once");
    assert!(!heard.cleared());
    assert!(heard.longest_gap > Duration::from_millis(120), "{:?}", heard.longest_gap);
    assert!(heard.longest_gap < Duration::from_millis(560), "{:?}", heard.longest_gap);
    settle().await;
    assert_eq!(stand.messages(call).await, [text]);
}

#[tokio::test(start_paused = true)]
async fn a_short_word_that_means_it_cuts_the_agent_off() {
    let stand = understanding("stop");
    let text = story(Duration::from_secs(5));
    let (_, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(&text)})).await;
    let heard = listen(&mut client, says_something).await;
    assert!(heard.cleared());
    let said = heard.said().unwrap();
    assert!(text.starts_with(said) && said.len() < text.len() / 2, "{said:?}");
    assert!(heard.played() < Duration::from_millis(1_300), "{:?}", heard.played());
}

#[tokio::test(start_paused = true)]
async fn the_agents_own_voice_from_the_users_loudspeaker_does_not_interrupt_it() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(5));
    let (call, mut client) = stand.call(json!({"firstSpeakerSettings": greeting(&text)})).await;
    let heard = listen(&mut client, echoes).await;
    assert_eq!(heard.said(), Some(text.as_str()));
    assert!(!heard.cleared());
    settle().await;
    let told = stand.storage.calls.events(call, Severity::Info, 100).await.unwrap();
    assert!(told.iter().any(|event| event.kind == "audio.echo"), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_guard_that_echo_interrupts() {
    let stand = Stand::new();
    let text = story(Duration::from_secs(5));
    let fields = json!({
        "firstSpeakerSettings": greeting(&text),
        "experimentalSettings": {"antiphon": {"turnTaking": {"echoGuard": false}}},
    });
    let (_, mut client) = stand.call(fields).await;
    assert!(listen(&mut client, echoes).await.cleared());
}
