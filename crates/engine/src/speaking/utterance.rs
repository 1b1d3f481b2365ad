//! One piece of text that was handed to the voice: how much of its audio is at hand and sent, and where its words end in it.
//!
//! Positions are samples of the message's playout clock. Where the voice gives no word times, words share the audio by their
//! length; before the audio is complete its length is guessed from a common speaking rate. A voice may tell its word times bit by
//! bit: those that it has not told yet share what lies behind the last one that it has.

use std::ops::Range;

use crate::ids::UtteranceId;
use crate::input::WordEnd;

/// Characters a voice speaks in a second, for the guess before the audio is complete (150 words a minute, protocol.md 2.7).
const CHARACTERS_PER_SECOND: u64 = 15;

/// How far the voice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Working,
    Done,
    Failed,
}

#[derive(Debug)]
pub(super) struct Utterance {
    id: UtteranceId,
    /// Where the message's text holds it.
    range: Range<usize>,
    /// Ends of its words in the message's text.
    words: Vec<usize>,
    /// Ends of its first words in the audio, in samples from its beginning, as far as the voice has said so.
    word_samples: Vec<u64>,
    rate: u64,
    voice: Voice,
    ready: u64,
    sent: u64,
    /// Whether the playout ran dry in its middle.
    gap: bool,
    /// Its first sample on the playout clock, once it is its turn.
    start: Option<u64>,
}

impl Utterance {
    pub(super) fn new(id: UtteranceId, text: &str, range: Range<usize>, rate: u32) -> Self {
        let words = word_ends(&text[range.clone()]).map(|end| range.start + end).collect();
        let rate = u64::from(rate);
        Self {
            id,
            range,
            words,
            word_samples: Vec::new(),
            rate,
            voice: Voice::Working,
            ready: 0,
            sent: 0,
            gap: false,
            start: None,
        }
    }

    pub(super) fn id(&self) -> UtteranceId {
        self.id
    }

    pub(super) fn is_complete(&self) -> bool {
        self.voice != Voice::Working
    }

    /// Whether the voice spoke all of it.
    pub(super) fn is_good(&self) -> bool {
        self.voice == Voice::Done
    }

    pub(super) fn add_audio(&mut self, samples: u64) {
        self.ready += samples;
    }

    /// Whether no audio is known of it.
    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    pub(super) fn complete(&mut self) {
        self.voice = Voice::Done;
    }

    pub(super) fn fail(&mut self) {
        self.voice = Voice::Failed;
    }

    /// Takes the voice's word times. A word ends where the voice says that it, or the first thing behind it, ends.
    pub(super) fn set_words(&mut self, text: &str, ends: &[WordEnd]) {
        debug_assert!(text.len() >= self.range.end, "the text only grows");
        let begin = self.range.start;
        let mut given = ends.iter().peekable();
        let mut last = 0;
        let samples = self.words.iter().map_while(|end| {
            while let Some(next) = given.peek()
                && begin + (next.text as usize) < *end
            {
                last = last.max(u64::from(next.samples));
                given.next();
            }
            let next = given.peek()?;
            last = last.max(u64::from(next.samples));
            Some(last)
        });
        self.word_samples = samples.collect();
    }

    /// Audio at hand that was not sent.
    pub(super) fn unsent(&self) -> u64 {
        self.ready - self.sent
    }

    /// Audio that may be sent: whole frames, and the rest once there will be no more.
    pub(super) fn sendable(&self, frame: u64) -> u64 {
        match self.voice {
            Voice::Working => self.unsent() - self.unsent() % frame,
            Voice::Done | Voice::Failed => self.unsent(),
        }
    }

    /// Notes that the playout ran dry before its next audio. Returns whether this is the first gap in its middle.
    pub(super) fn note_gap(&mut self) -> bool {
        self.sent > 0 && !std::mem::replace(&mut self.gap, true)
    }

    pub(super) fn is_sent(&self) -> bool {
        self.is_complete() && self.sent == self.ready
    }

    pub(super) fn note_sent(&mut self, samples: u64) {
        self.sent += samples;
    }

    /// Says where on the playout clock it begins, the first time that everything before it was sent.
    pub(super) fn begin_at(&mut self, position: u64) {
        self.start.get_or_insert(position);
    }

    /// Where it ends on the playout clock, as far as its audio is known.
    pub(super) fn end(&self) -> u64 {
        self.start.unwrap_or(0) + self.ready
    }

    pub(super) fn text_end(&self) -> usize {
        self.range.end
    }

    /// The end of the next word behind `heard` if the playout has reached it.
    pub(super) fn heard_until(&self, position: u64, heard: usize) -> Option<usize> {
        let reached = self.next_word(heard)?;
        (position >= reached).then(|| self.words[self.word_behind(heard)])
    }

    /// The playout position at which the next word behind `heard` counts as heard: its middle, so that the error is at most
    /// half a word. Never later than the end of the audio.
    pub(super) fn next_word(&self, heard: usize) -> Option<u64> {
        let start = self.start?;
        let index = self.word_behind(heard);
        if index >= self.words.len() {
            return None;
        }
        let begins = if index == 0 { 0 } else { self.word_end(index - 1) };
        // At least one sample of it must have been played.
        let middle = begins.midpoint(self.word_end(index)).max(1);
        match self.voice {
            // Words that were to be in audio that never came are not heard.
            Voice::Failed if middle > self.ready => None,
            Voice::Done => Some(start + middle.min(self.ready.max(1))),
            Voice::Failed | Voice::Working => Some(start + middle),
        }
    }

    fn word_behind(&self, heard: usize) -> usize {
        self.words.partition_point(|end| *end <= heard)
    }

    /// Where a word ends in the audio.
    fn word_end(&self, index: usize) -> u64 {
        if let Some(samples) = self.word_samples.get(index) {
            return *samples;
        }
        let (text, samples) = match self.word_samples.last() {
            Some(samples) => (self.words[self.word_samples.len() - 1], *samples),
            None => (self.range.start, 0),
        };
        let length = (self.range.end - text) as u64;
        let until = (self.words[index] - text) as u64;
        match self.voice {
            Voice::Done => samples + self.ready.saturating_sub(samples) * until / length,
            Voice::Failed | Voice::Working => samples + until * self.rate / CHARACTERS_PER_SECOND,
        }
    }
}

/// Byte offsets behind each blank-separated word.
fn word_ends(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.split_whitespace().map(move |word| {
        // Both slices point into `text`, so the difference of their addresses is the word's offset.
        word.as_ptr() as usize - text.as_ptr() as usize + word.len()
    })
}
