//! Turn detection: has the user finished, or is this a pause for thought?

pub mod scripted;

/// A judge of the end of turns. Takes tens of milliseconds: call it off the audio path.
pub trait TurnDetector: Send + Sync + 'static {
    /// How likely the turn is over, 0 to 1, from its audio so far (16 kHz mono, at most the last 8 s are heard).
    fn end_of_turn(&self, samples: &[i16]) -> f32;
}
