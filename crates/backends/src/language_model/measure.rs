//! How long a model takes to its first token: by the length of what it hears, by the length of what it has heard before, and again.
//!
//! Owns the questions and what is concluded from the times. It must not know how a model is reached.

use std::time::Duration;

use antiphon_engine::ids::TurnId;
use futures::StreamExt as _;
use tokio::time::Instant;

use super::probe::{agent, request, said, speech, spoken};
use super::{Failure, LanguageModel, Note, Request, RunEvent, Usage};

const SYSTEM: &str = "You answer with one short sentence.";
/// What a conversation is made of.
const QUESTION: &str =
    "Could you tell me once more what I have to bring along when I come to the counter tomorrow?";
const ANSWER: &str =
    "Of course: your letter, the card that came with it, and a pen of your own, since ours get lost.";
const SENTENCE: &str = "I would like to know when my order will be there, and whether I can still change it.";
/// Seconds of audio that are asked about.
const AUDIO: [u64; 3] = [1, 5, 20];
/// Exchanges of history that are asked about.
const HISTORY: [usize; 3] = [0, 10, 40];
/// A second run that takes more than this part of the first has read everything again.
const SHARE: f64 = 0.6;
/// A first token that comes as fast as this says nothing of caches.
const TOO_FAST: Duration = Duration::from_millis(150);

/// One time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// To the first token.
    pub first_token: Duration,
    /// Whether the model thought before it.
    pub thinks: bool,
    /// The tokens, where the backend counted them before its first word.
    pub usage: Option<Usage>,
}

/// Times of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurements {
    /// By seconds of audio; none for a model that does not hear.
    pub audio: Vec<(u64, Measured)>,
    /// By exchanges of history.
    pub history: Vec<(usize, Measured)>,
    /// The longest history once more, with another question.
    pub again: Measured,
}

impl Measurements {
    /// Whether the backend remembers the beginning of a prompt; `None` if the times do not say.
    #[must_use]
    pub fn caches_prefixes(&self) -> Option<bool> {
        let (_, cold) = self.history.last()?;
        if self.again.usage.and_then(|usage| usage.cached).is_some_and(|cached| cached > 0) {
            return Some(true);
        }
        if cold.first_token < TOO_FAST {
            return None;
        }
        Some(self.again.first_token.as_secs_f64() <= SHARE * cold.first_token.as_secs_f64())
    }

    /// The time of a usual turn: a few seconds of audio or a line of text, behind a few exchanges.
    #[must_use]
    pub fn usual(&self) -> Option<Measured> {
        self.audio
            .get(1)
            .map(|(_, measured)| *measured)
            .or(self.history.get(1).map(|(_, measured)| *measured))
    }
}

/// Takes the times of a model, one run after the other.
pub async fn measure(model: &dyn LanguageModel) -> Result<Measurements, Failure> {
    let mut audio = Vec::new();
    if model.capabilities().audio {
        let sentence = speech(SENTENCE).await;
        for seconds in AUDIO {
            let samples: Vec<i16> = sentence
                .iter()
                .copied()
                .cycle()
                .take(usize::try_from(seconds * 16_000).unwrap_or(0))
                .collect();
            let mut asked = request(SYSTEM, vec![spoken(0)]);
            asked.clips.insert(TurnId(0), samples.into());
            audio.push((seconds, first_token(model, asked).await?));
        }
    }
    let mut history = Vec::new();
    for exchanges in HISTORY {
        history.push((exchanges, first_token(model, conversation(exchanges, "And when?")).await?));
    }
    let again = first_token(model, conversation(HISTORY[HISTORY.len() - 1], "And where?")).await?;
    Ok(Measurements { audio, history, again })
}

/// A conversation of so many exchanges, which no backend has seen: each length has words of its own at its beginning.
fn conversation(exchanges: usize, last: &str) -> Request {
    let mut messages = Vec::new();
    for exchange in 0..exchanges {
        messages.push(said(&format!("{exchange} of {exchanges}: {QUESTION}")));
        messages.push(agent(ANSWER));
    }
    messages.push(said(last));
    request(&format!("{SYSTEM} This is conversation {exchanges}."), messages)
}

async fn first_token(model: &dyn LanguageModel, request: Request) -> Result<Measured, Failure> {
    let began = Instant::now();
    let mut measured: Option<Duration> = None;
    let (mut thinks, mut usage) = (false, None);
    let mut events = model.generate(request);
    // To the end, for the count comes behind the words; they are few.
    while let Some(event) = events.next().await {
        match event {
            RunEvent::Text(_) | RunEvent::ToolCall(_) => {
                measured.get_or_insert_with(|| began.elapsed());
            }
            RunEvent::Note(Note::Thinks) => thinks = true,
            RunEvent::Note(Note::Usage(counted)) => usage = Some(counted),
            RunEvent::Note(Note::Asked(_) | Note::Fallback(_)) | RunEvent::Finished => {}
            RunEvent::Failed(failure) => return Err(failure),
        }
    }
    Ok(Measured { first_token: measured.unwrap_or_else(|| began.elapsed()), thinks, usage })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ms: u64, cached: Option<u64>) -> Measured {
        let usage = Some(Usage { input: 1_000, cached, output: 9 });
        Measured { first_token: Duration::from_millis(ms), thinks: false, usage }
    }

    #[test]
    fn a_cache_shows_in_the_count_or_in_the_time() {
        let caches = |cold: u64, again: Measured| {
            let history = vec![(0, measured(100, None)), (40, measured(cold, None))];
            Measurements { audio: Vec::new(), history, again }.caches_prefixes()
        };
        assert_eq!(caches(900, measured(880, None)), Some(false));
        assert_eq!(caches(900, measured(200, None)), Some(true));
        assert_eq!(caches(900, measured(880, Some(700))), Some(true));
        assert_eq!(caches(100, measured(100, None)), None);
    }
}
