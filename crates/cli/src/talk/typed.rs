//! A user who types. Lines of a terminal are sent as they come; lines of a pipe each wait for the answer to the one before, and the
//! end of the pipe ends the call.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::listener::Patience;
use crate::conversation::{Deed, Scene, User};

/// How long the agent must have been quiet for its answer to count as whole.
const SETTLED: Duration = Duration::from_millis(300);
/// Lines that are read ahead.
const LINES: usize = 16;

/// The lines that somebody types.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Receiver<String>,
}

impl Lines {
    /// Reads the standard input from here on, in a thread of its own: reading cannot be interrupted, and must not keep the program
    /// from ending.
    pub(crate) fn of_stdin() -> Self {
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                // Input that is no text is the end of it.
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// The next line with words in it, if there is one now; `None` at the end.
    pub(crate) fn next(&self) -> Option<Option<String>> {
        loop {
            match self.lines.try_recv() {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => return Some(Some(line.trim().to_owned())),
                Err(TryRecvError::Empty) => return Some(None),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }
}

/// A user without a voice.
#[derive(Debug)]
pub(super) struct Typist {
    lines: Lines,
    is_piped: bool,
    patience: Patience,
    /// When the last line was sent, and how many answers there were before; the greeting is an answer to nothing.
    asked: Option<(Duration, usize)>,
}

impl Typist {
    /// Begins to read. `greeted` is whether the agent is going to speak first.
    pub(super) fn start(patience: Patience, greeted: bool) -> Self {
        Self {
            lines: Lines::of_stdin(),
            is_piped: !io::stdin().is_terminal(),
            patience,
            asked: greeted.then_some((Duration::ZERO, 0)),
        }
    }

    /// Whether the line before still waits for its answer.
    fn must_wait(&self, scene: &Scene<'_>) -> bool {
        let Some((asked, answers)) = self.asked else { return false };
        let is_answered = scene.answers() > answers && scene.quiet_for >= SETTLED;
        self.is_piped && !is_answered && !self.patience.is_over(scene, asked, answers)
    }
}

impl User for Typist {
    fn act(&mut self, _: &mut [i16], scene: &Scene<'_>) -> Deed {
        if self.must_wait(scene) {
            return Deed::Nothing;
        }
        match self.lines.next() {
            Some(Some(line)) => {
                self.asked = Some((scene.at, scene.answers()));
                Deed::Write(line)
            }
            Some(None) => Deed::Nothing,
            None => Deed::HangUp,
        }
    }

    fn speaks(&self) -> bool {
        false
    }
}
