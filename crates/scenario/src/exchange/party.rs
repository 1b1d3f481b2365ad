//! Who is at the other end of a call.

use std::time::Duration;

use antiphon_audio::SampleRate;

/// Somebody at the other end of a call, who is asked every 20 ms.
pub trait Party: Send {
    /// The rate at which they speak and hear.
    fn rate(&self) -> SampleRate;

    /// How long it rings before they answer, if they are called.
    fn answers_after(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Fills a frame with what they say, takes one of what they hear, equally long, and tells what else they do. What they say before
    /// the call is answered is not heard.
    fn frame(&mut self, says: &mut [i16], hears: &[i16], scene: &Scene) -> Deed;

    /// The call is over.
    ///
    /// # Errors
    ///
    /// What was not kept that should have been, for the operator.
    fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// What somebody at the end of a call perceives beside sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene {
    /// Whether the call is answered.
    pub answered: bool,
    /// Whether anybody is sent what they say.
    pub listened_to: bool,
}

/// What somebody at the end of a call does beside speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Hangs up.
    HangUp,
    /// Presses a key of the telephone: `0` to `9`, `*`, `#`, `A` to `D`.
    Press(char),
    /// Nothing else.
    Stay,
}
