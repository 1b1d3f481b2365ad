//! How long the agent took to answer, measured where the user sits: from the last loud sample that was sent to the first sample of
//! the answer that was played. Pure.

use std::time::Duration;

use antiphon_audio::{SampleRate, signal};

/// What counts as speaking on a clean line, in dBFS: well above a quiet room, well below speech.
const LOUD: f64 = -45.0;
/// How long somebody must have been silent for the next sound to begin something new.
const PAUSE: Duration = Duration::from_millis(500);

/// Times of a conversation.
#[derive(Debug)]
pub(crate) struct Timing {
    rate: SampleRate,
    /// The answers to what the user said aloud.
    pub(crate) replies: Vec<Reply>,
    /// Frames of the user that the connection was too slow for.
    pub(crate) lost_frames: u64,
    /// How often the agent's audio came too late.
    pub(crate) underruns: u64,
    /// How long the user had been speaking each time that the agent's unplayed audio was dropped.
    pub(crate) yields: Vec<Duration>,
    /// When the user was last loud, while that is unanswered.
    unanswered: Option<Duration>,
    /// When the user began to be loud, and was last.
    loud: Option<(Duration, Duration)>,
    agent_last_heard: Option<Duration>,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// When the user had finished speaking, since the join.
    pub(crate) asked: Duration,
    /// How long it took until the answer was heard.
    pub(crate) after: Duration,
}

impl Timing {
    pub(crate) fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            replies: Vec::new(),
            lost_frames: 0,
            underruns: 0,
            yields: Vec::new(),
            unanswered: None,
            loud: None,
            agent_last_heard: None,
        }
    }

    /// Takes what was said and heard from `at` on; nothing is heard of an agent that does not sound.
    pub(crate) fn frame(&mut self, at: Duration, said: &[i16], heard: &[i16]) {
        if signal::level(said) > LOUD {
            self.unanswered = Some(at + self.rate.duration_of(said.len() as u64));
            let began = self.loud.filter(|(_, last)| at < *last + PAUSE).map_or(at, |(began, _)| began);
            self.loud = Some((began, at));
        }
        if heard.is_empty() {
            return;
        }
        let begins = self.agent_last_heard.is_none_or(|last| at >= last + PAUSE);
        self.agent_last_heard = Some(at);
        // An agent that starts while the user speaks does not answer it.
        if begins && let Some(asked) = self.unanswered.take_if(|asked| *asked <= at) {
            self.replies.push(Reply { asked, after: at - asked });
        }
    }

    /// Takes that the agent's unplayed audio was dropped at `at`.
    pub(crate) fn cleared(&mut self, at: Duration) {
        if let Some((began, last)) = self.loud
            && at < last + PAUSE
        {
            self.yields.push(at - began);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 160;

    /// One letter a frame of 20 ms: `u` the user speaks, `a` the agent does, `b` both, `.` nobody.
    fn replies(story: &str) -> Vec<(u64, u64)> {
        let mut timing = Timing::new(SampleRate::new(8_000).unwrap());
        for (tick, who) in story.chars().enumerate() {
            let at = Duration::from_millis(20 * tick as u64);
            let said = [if "ub".contains(who) { 9_000 } else { 3 }; FRAME];
            let heard = [1; FRAME];
            timing.frame(at, &said, if "ab".contains(who) { &heard } else { &[] });
        }
        timing
            .replies
            .iter()
            .map(|reply| (reply.asked.as_millis() as u64, reply.after.as_millis() as u64))
            .collect()
    }

    #[test]
    fn a_reply_is_timed_from_the_last_loud_sample_to_the_first_heard() {
        assert_eq!(replies("uu.u..aaaa"), [(80, 40)]);
    }

    #[test]
    fn a_greeting_answers_nothing() {
        assert_eq!(replies("..aaaa"), []);
    }

    #[test]
    fn pauses_of_the_agent_do_not_make_answers() {
        assert_eq!(replies("u.aa...aa"), [(20, 20)]);
    }

    #[test]
    fn an_interruption_is_timed_to_what_follows_it() {
        let pause = ".".repeat(25);
        assert_eq!(replies(&format!("u.aaaabb{pause}aa")), [(20, 20), (160, 500)]);
    }

    #[test]
    fn an_agent_that_is_cut_off_yields_to_who_speaks_now_and_to_nobody_else() {
        let mut timing = Timing::new(SampleRate::new(8_000).unwrap());
        let ms = Duration::from_millis;
        timing.frame(ms(0), &[9_000; FRAME], &[]);
        timing.cleared(ms(600));
        assert_eq!(timing.yields, []);

        for tick in [1_000, 1_020, 1_300] {
            timing.frame(ms(tick), &[9_000; FRAME], &[]);
        }
        timing.cleared(ms(1_320));
        assert_eq!(timing.yields, [ms(320)]);
    }
}
