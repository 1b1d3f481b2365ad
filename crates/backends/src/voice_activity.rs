//! Voice activity: is somebody speaking in this frame?
//!
//! Knows samples and probabilities. It must not know what a turn or an interruption is.

pub mod earshot;
pub mod echo;
pub mod edges;
pub mod scripted;
mod tones;

pub use edges::{Edge, SpeechEdges};

/// A detector with the state of one audio stream. Synchronous and cheap: it runs on the ingress path of every call.
pub trait VoiceActivity: Send {
    /// How many samples (16 kHz mono) a frame holds.
    fn frame_samples(&self) -> usize;

    /// How likely the frame holds speech, 0 to 1, on the scale of `frameActivationThreshold` (protocol.md 5.2): the
    /// published default of 0.1 is the point at which this detector is as likely right as wrong.
    fn speech_probability(&mut self, frame: &[i16]) -> f32;
}

/// Makes a detector for each new stream.
pub trait VoiceActivityFactory: Send + Sync + 'static {
    /// A detector for a stream that begins now.
    fn detector(&self) -> Box<dyn VoiceActivity>;
}
