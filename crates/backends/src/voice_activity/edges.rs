//! From samples to the edges of speech: where it began and where it ended.
//!
//! Owns the framing of a stream and one small rule about neighbouring frames. It must not know how long silence must be to
//! end a turn, or speech to interrupt: the engine counts those from the positions given here, over as many pauses as there
//! are. So a pause is reported with its first inactive frame; bridging pauses here would lengthen every cough by the bridge.
//!
//! The published settings count in frames of 32 ms (protocol.md 5.2), detectors in frames of their own: speech begins when
//! 32 ms without a gap were active, one published frame; a shorter click is nothing.

use super::VoiceActivity;

/// Samples per millisecond at 16 kHz.
const PER_MS: usize = 16;
/// How much uninterrupted activity begins speech.
const ACTIVATION: usize = 32 * PER_MS;

/// A border between speech and silence, in samples of the 16 kHz stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Speech began.
    Started {
        /// The first active sample.
        at_sample: u64,
    },
    /// Speech ended.
    Stopped {
        /// The sample behind the last active one.
        at_sample: u64,
    },
}

/// Finds the edges of speech in one stream of 16 kHz mono audio.
pub struct SpeechEdges {
    detector: Box<dyn VoiceActivity>,
    threshold: f32,
    /// A frame that is not full yet; its capacity is never exceeded.
    frame: Vec<i16>,
    frame_samples: usize,
    rules: Rules,
}

impl SpeechEdges {
    /// Edges of a stream that begins now. A frame is active when its probability reaches `threshold`, which is a
    /// `frameActivationThreshold` (0.1 to 1).
    #[must_use]
    pub fn new(detector: Box<dyn VoiceActivity>, threshold: f32) -> Self {
        let frame_samples = detector.frame_samples().max(1);
        Self {
            detector,
            threshold,
            frame: Vec::with_capacity(frame_samples),
            frame_samples,
            rules: Rules::default(),
        }
    }

    /// Uses another threshold from the next frame on.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// How many samples have been pushed.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.rules.position + self.frame.len() as u64
    }

    /// Whether the stream is inside speech: the last edge was a beginning.
    #[must_use]
    pub fn speaking(&self) -> bool {
        match self.rules.state {
            State::Silent { .. } => false,
            State::Speaking => true,
        }
    }

    /// Takes the next samples, any number of them, and reports the edges that they reveal, in order. What does not fill a
    /// frame waits for more. Allocates nothing.
    pub fn push(&mut self, mut samples: &[i16], mut on_edge: impl FnMut(Edge)) {
        if !self.frame.is_empty() {
            let missing = (self.frame_samples - self.frame.len()).min(samples.len());
            self.frame.extend_from_slice(&samples[..missing]);
            samples = &samples[missing..];
            if self.frame.len() < self.frame_samples {
                return;
            }
            let probability = self.detector.speech_probability(&self.frame);
            self.frame.clear();
            self.take(probability, &mut on_edge);
        }
        let mut frames = samples.chunks_exact(self.frame_samples);
        for frame in &mut frames {
            let probability = self.detector.speech_probability(frame);
            self.take(probability, &mut on_edge);
        }
        self.frame.extend_from_slice(frames.remainder());
    }

    fn take(&mut self, probability: f32, on_edge: &mut impl FnMut(Edge)) {
        let active = probability >= self.threshold;
        if let Some(edge) = self.rules.frame(active, self.frame_samples) {
            on_edge(edge);
        }
    }
}

/// The rule, over frames of which only their size and activity are known.
#[derive(Debug, Default)]
struct Rules {
    /// Samples in all frames so far.
    position: u64,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The last `active` samples were active, not yet enough to be speech.
    Silent { active: usize },
    /// The last frame was active.
    Speaking,
}

impl Default for State {
    fn default() -> Self {
        Self::Silent { active: 0 }
    }
}

impl Rules {
    fn frame(&mut self, active: bool, samples: usize) -> Option<Edge> {
        self.position += samples as u64;
        match (self.state, active) {
            (State::Silent { .. }, false) => {
                self.state = State::Silent { active: 0 };
                None
            }
            (State::Silent { active }, true) => {
                let active = active + samples;
                if active < ACTIVATION {
                    self.state = State::Silent { active };
                    return None;
                }
                self.state = State::Speaking;
                Some(Edge::Started { at_sample: self.position - active as u64 })
            }
            (State::Speaking, true) => None,
            (State::Speaking, false) => {
                self.state = State::Silent { active: 0 };
                Some(Edge::Stopped { at_sample: self.position - samples as u64 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice_activity::VoiceActivityFactory;
    use crate::voice_activity::scripted::Loudness;

    /// Draws a stream in 16 ms frames, `#` active and `.` not, and gives the edges in frames.
    fn edges(frames: &str) -> Vec<(char, u64)> {
        let mut rules = Rules::default();
        frames
            .chars()
            .filter_map(|c| rules.frame(c == '#', 256))
            .map(|edge| match edge {
                Edge::Started { at_sample } => ('>', at_sample / 256),
                Edge::Stopped { at_sample } => ('<', at_sample / 256),
            })
            .collect()
    }

    #[test]
    fn speech_reaches_from_its_first_to_its_last_active_frame() {
        assert_eq!(edges("..####........"), [('>', 2), ('<', 6)]);
    }

    #[test]
    fn a_click_is_nothing() {
        assert_eq!(edges("..#....#..#...."), []);
    }

    #[test]
    fn every_pause_is_reported_with_its_first_frame() {
        assert_eq!(edges(".##.##..#.").as_slice(), [('>', 1), ('<', 3), ('>', 4), ('<', 6)]);
    }

    #[test]
    fn the_edges_do_not_depend_on_how_the_stream_is_cut() {
        let mut audio = vec![0_i16; 3_000];
        audio.extend((0..8_000).map(|n| if n % 2 == 0 { 9_000 } else { -9_000 }));
        audio.extend([0; 6_000]);
        let run = |cut: usize| {
            let mut found = Vec::new();
            let mut edges = SpeechEdges::new(Loudness::default().detector(), 0.1);
            for part in audio.chunks(cut) {
                edges.push(part, |edge| found.push(edge));
            }
            assert_eq!(edges.received(), audio.len() as u64);
            found
        };
        let whole = run(audio.len());
        assert_eq!(whole.len(), 2);
        for cut in [1, 3, 255, 256, 257, 320, 4_000] {
            assert_eq!(run(cut), whole, "cut every {cut} samples");
        }
    }
}
