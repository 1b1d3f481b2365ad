//! Turn detection: has the user finished, or is this a pause for thought?

mod judge;
pub mod scripted;

// What a smart-turn model is run by. Everything else is built always.
#[cfg(feature = "smart-turn")]
pub mod log_mel;
#[cfg(feature = "smart-turn")]
pub mod smart_turn;

pub use judge::Judge;

/// A judge of the end of turns. Takes tens of milliseconds: calls ask it through [`Judge`], off the audio path.
pub trait TurnDetector: Send + Sync + 'static {
    /// How likely the turn is over, 0 to 1, from its audio so far and the silence behind it (16 kHz mono, at most the last 8 s are
    /// heard). NaN: no opinion.
    fn end_of_turn(&self, samples: &[i16]) -> f32;
}
