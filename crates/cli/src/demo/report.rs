//! What the demo says of itself: what is real in it, whether it kept its promises, and how fast the agent was.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use antiphon_api::realtime::Speaker;
use antiphon_audio::{Wav, signal};
use antiphon_client::realtime::CloseReason;
use anyhow::Context as _;

use super::TOOL;
use super::user::Said;
use crate::conversation::Outcome;

pub(super) const INTRODUCTION: &str = "\
A spoken conversation with the demo agent, in real time, offline, in this one process.
Real: the server, its WebSocket, the audio, noticing speech, recognition, turn-taking, the interruption, the tool call.
Scripted: what the agent says (a script in the place of a language model) and what the user says and when.
Synthesized: both voices (CMU Flite; the user's four sentences are in crates/cli/assets).
";

/// How to go on with a model that is not scripted. Any server that speaks the OpenAI API does; this is Ollama's address.
const REAL_MODEL: &str = "ANTIPHON_MODELS__MINE__TYPE=openai ANTIPHON_MODELS__MINE__BASE_URL=http://localhost:11434/v1 \
ANTIPHON_MODELS__MINE__MODEL=qwen3:8b ANTIPHON_CALLS__DEFAULT_MODEL=mine antiphon serve";

/// The last words of the story, which an interrupted agent does not come to say.
const STORY_END: &str = "That is the story";
/// The least level, in dBFS, of a channel that somebody speaks on now and then.
const SILENT: f64 = -60.0;
/// How far from a sentence's end its last loud sample may be.
const TAIL: Duration = Duration::from_millis(600);

/// Shows how it went, or fails with every promise that was not kept.
pub(super) fn show(outcome: &Outcome, said: &[Said], wav: &Path) -> anyhow::Result<()> {
    table(outcome, said)?;
    let broken = broken_promises(outcome, said, wav)?;
    if !broken.is_empty() {
        anyhow::bail!("the demo did not show what it promises:\n  {}", broken.join("\n  "));
    }
    let mut out = anstream::stdout();
    writeln!(out, "\nListen: {} (left the user, right the agent as it was played)", wav.display())?;
    writeln!(out, "With a real model in the place of the script:\n  {REAL_MODEL}")?;
    Ok(())
}

fn table(outcome: &Outcome, said: &[Said]) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "\n{:<42}answer heard after", "the user said")?;
    for said in said {
        let Said::Words { words, .. } = said else { continue };
        let after = match reply(outcome, said) {
            Some(after) => format!("{:>5} ms", after.as_millis()),
            None => "    -".to_owned(),
        };
        writeln!(out, "{words:<42}{after}")?;
    }
    for after in &outcome.timing.yields {
        writeln!(out, "{:<42}{:>5} ms", "(interrupted, the agent fell silent after)", after.as_millis())?;
    }
    if outcome.timing.underruns > 0 {
        writeln!(out, "{:<42}{:>5}", "(gaps in the agent's audio)", outcome.timing.underruns)?;
    }
    Ok(())
}

/// How long after a sentence the agent was heard.
fn reply(outcome: &Outcome, said: &Said) -> Option<Duration> {
    let Said::Words { began, ended, .. } = said else { return None };
    let belongs = |asked: Duration| (*began..=*ended + TAIL).contains(&asked);
    outcome.timing.replies.iter().find(|reply| belongs(reply.asked)).map(|reply| reply.after)
}

fn broken_promises(outcome: &Outcome, said: &[Said], wav: &Path) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    for said in said {
        match said {
            Said::GaveUp { words } => broken.push(format!("the agent gave no cue for {words:?} in 45 s")),
            Said::Words { words, .. } if reply(outcome, said).is_none() => {
                broken.push(format!("the agent did not answer {words:?}"));
            }
            Said::Words { .. } => {}
        }
    }
    if !matches!(outcome.reason, CloseReason::Normal { .. }) {
        broken.push(format!("the agent did not hang up: {}", outcome.reason));
    }
    let by = |speaker: Speaker| outcome.transcripts.utterances().filter(move |said| said.role == speaker);
    if !by(Speaker::Agent).any(|said| outcome.interrupted.contains(&said.ordinal)) {
        broken.push("the agent was not interrupted".to_owned());
    }
    if by(Speaker::Agent).any(|said| said.text.contains(STORY_END)) {
        broken.push("the agent told the story to its end".to_owned());
    }
    if !outcome.tools_run.iter().any(|name| name == TOOL) {
        broken.push(format!("the agent did not use its tool {TOOL}"));
    }
    if by(Speaker::User).next().is_none() {
        broken.push("there is no transcript of the user".to_owned());
    }
    let file = File::open(wav).with_context(|| format!("cannot read {}", wav.display()))?;
    let recorded = Wav::read(file)?;
    for (index, side) in [(0, "user"), (1, "agent")] {
        if signal::level(&recorded.channel(index)) < SILENT {
            broken.push(format!("the {side} is not to be heard in {}", wav.display()));
        }
    }
    Ok(broken)
}
