//! The user's audio at any rate and in pieces of any size.

use antiphon_audio::{Resampler, SampleRate};

use super::sender::{AudioRefused, Sender};

/// Frames of audio in a second, as the protocol likes them best (protocol.md 4.2): 20 ms each.
const FRAMES_PER_SECOND: usize = 50;

/// Says what it is given: brings it to the call's rate and sends it in frames of 20 ms.
#[derive(Debug)]
pub struct Voice {
    sender: Sender,
    resampler: Resampler,
    frame: usize,
    waiting: Vec<i16>,
}

impl Sender {
    /// Begins to speak at the rate `from` into a call whose input rate is `to`. One voice serves one stream.
    #[must_use]
    pub fn voice(&self, from: SampleRate, to: SampleRate) -> Voice {
        let frame = to.hz() as usize / FRAMES_PER_SECOND;
        Voice { sender: self.clone(), resampler: Resampler::new(from, to), frame, waiting: Vec::new() }
    }
}

impl Voice {
    /// Says samples, in pieces of any size, one second a second, silence included. What does not fill a frame waits for the next
    /// piece. Never waits itself.
    ///
    /// # Errors
    ///
    /// The call is over, or the connection too slow; then the oldest audio is lost, and what is given counts as taken.
    pub fn speak(&mut self, samples: &[i16]) -> Result<(), AudioRefused> {
        self.resampler.process(samples, &mut self.waiting);
        let mut outcome = Ok(());
        let whole = self.waiting.len() / self.frame * self.frame;
        for frame in self.waiting[..whole].chunks(self.frame) {
            outcome = outcome.and(self.sender.audio(frame));
        }
        self.waiting.drain(..whole);
        outcome
    }
}
