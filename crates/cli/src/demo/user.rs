//! The demo's user: four sentences, made beforehand by a synthesizer (see `assets/README.md`), each said on its cue.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Duration;

use antiphon_audio::{SampleRate, Wav, convert};

use crate::conversation::{Deed, Scene, User};

/// How long the agent is quiet before the user takes the turn.
const POLITE: Duration = Duration::from_millis(700);
/// How long the user listens to the story: into the middle of its third sentence.
const FED_UP: Duration = Duration::from_secs(6);
/// How long the user waits for a cue before giving up.
const PATIENCE: Duration = Duration::from_secs(45);

/// When a sentence is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cue {
    /// The agent has finished.
    Answered,
    /// The agent has been speaking for a while.
    MidAnswer,
}

struct Line {
    cue: Cue,
    words: &'static str,
    wav: &'static [u8],
}

const HOURS: Line = Line {
    cue: Cue::Answered,
    words: "What are your opening hours?",
    wav: include_bytes!("../../assets/hours.wav"),
};

const LINES: [Line; 3] = [
    Line {
        cue: Cue::Answered,
        words: "Please tell me the story of your bread.",
        wav: include_bytes!("../../assets/story.wav"),
    },
    Line {
        cue: Cue::MidAnswer,
        words: "Stop. Where is my order?",
        wav: include_bytes!("../../assets/order.wav"),
    },
    Line {
        cue: Cue::Answered,
        words: "Thank you. Goodbye!",
        wav: include_bytes!("../../assets/goodbye.wav"),
    },
];

/// Something that the user said, or did instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// The words were said, between these times since the join.
    Words { words: &'static str, began: Duration, ended: Duration },
    /// The cue for these words never came.
    GaveUp { words: &'static str },
}

/// The user.
pub(super) struct Guest {
    lines: VecDeque<Sentence>,
    state: State,
    says: Sender<Said>,
}

struct Sentence {
    cue: Cue,
    words: &'static str,
    samples: Vec<i16>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Since when, how many utterances of the agent were finished before, and when it began to sound.
    Waiting { since: Duration, answers: usize, sounded: Option<Duration> },
    /// Since when, and how many samples of the first sentence are said.
    Speaking { began: Duration, done: usize },
}

impl Guest {
    pub(super) fn new(rate: SampleRate, fast: bool, says: Sender<Said>) -> Self {
        let sentence = |line: Line| {
            let wav = Wav::read(line.wav).expect("the assets are WAV files");
            Sentence { cue: line.cue, words: line.words, samples: convert(&wav.mono(), wav.rate_hz, rate) }
        };
        let first = (!fast).then_some(HOURS);
        let lines = first.into_iter().chain(LINES).map(sentence).collect();
        // The first cue is the end of the greeting.
        Self { lines, state: State::Waiting { since: Duration::ZERO, answers: 0, sounded: None }, says }
    }

    fn tell(&self, said: Said) {
        // Whoever listens does so until the conversation is over.
        let _ = self.says.send(said);
    }
}

impl User for Guest {
    fn act(&mut self, frame: &mut [i16], scene: &Scene<'_>) -> Deed {
        let Some(sentence) = self.lines.front() else {
            return self.wait_for_the_end(scene);
        };
        if let State::Waiting { since, answers, sounded } = &mut self.state {
            if sounded.is_none() && !scene.speaking_for.is_zero() {
                *sounded = Some(scene.at);
            }
            let is_cue = match sentence.cue {
                Cue::Answered => scene.answers() > *answers && scene.quiet_for >= POLITE,
                Cue::MidAnswer => sounded.is_some_and(|sounded| scene.at >= sounded + FED_UP),
            };
            if !is_cue {
                if scene.at < *since + PATIENCE {
                    return Deed::Nothing;
                }
                self.tell(Said::GaveUp { words: sentence.words });
                return Deed::HangUp;
            }
            self.state = State::Speaking { began: scene.at, done: 0 };
        }
        let State::Speaking { began, done } = &mut self.state else { return Deed::Nothing };
        let rest = &sentence.samples[*done..];
        let count = rest.len().min(frame.len());
        frame[..count].copy_from_slice(&rest[..count]);
        *done += count;
        if *done == sentence.samples.len() {
            let said = Said::Words { words: sentence.words, began: *began, ended: scene.at };
            self.tell(said);
            self.lines.pop_front();
            // A transcript that was open while the user interrupted is finished by now.
            self.state = State::Waiting { since: scene.at, answers: scene.answers(), sounded: None };
        }
        Deed::Nothing
    }
}

impl Guest {
    /// The agent has the last word, and hangs up.
    fn wait_for_the_end(&self, scene: &Scene<'_>) -> Deed {
        match self.state {
            State::Waiting { since, .. } if scene.at >= since + PATIENCE => {
                self.tell(Said::GaveUp { words: "(hanging up)" });
                Deed::HangUp
            }
            State::Speaking { .. } | State::Waiting { .. } => Deed::Nothing,
        }
    }
}
