//! What a call costs beside its sockets at the least: each of its parts alone, timed in a process of its own on the server's cores.
//!
//! The parts are the server's own (`antiphon_server::call::parts`); only how often a frame of the bench's calls goes through each
//! is known here.

use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use antiphon_audio::{PcmReader, SampleRate};
use antiphon_server::call::parts::{Kind, Part};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::figures::Step;
use super::floor::unmasked;
use super::server::Cores;
use super::speech::{FRAME, Speech};

/// Each part is timed in many rounds, of which the fastest is the one that was disturbed least.
const ROUNDS: usize = 60;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_parser = super::rate)]
    rate: SampleRate,
    #[arg(long)]
    speech: Vec<PathBuf>,
}

/// What one part takes for one frame of 20 ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    pub(super) part: Name,
    pub(super) micros_per_frame: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Name {
    Unmasking,
    ResamplingIn,
    HearingSpeech,
    HearingSilence,
    EchoGuardOverAgent,
    EchoGuardInSilence,
    ResamplingOut,
    Mixing,
}

/// What the parts come to in the calls of one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shares {
    pub(super) parts: Vec<Share>,
    /// Of one core, a call: the bare sockets, and the parts that are not in them.
    pub(super) floor_percent_per_call: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Share {
    #[serde(flatten)]
    pub(super) cost: Cost,
    /// Of one core, a call: as often as frames of these calls go through the part.
    pub(super) percent_per_call: f64,
    /// Whether it is added to the bare sockets.
    pub(super) counts: bool,
}

/// Times the parts and says it on the standard output.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let speech = Speech::read(&args.speech, args.rate)?;
    let mut samples = Vec::new();
    for frame in speech.clips.iter().flat_map(|clip| &clip.frames) {
        PcmReader::default().read(frame, &mut samples);
    }
    let mut costs = vec![Cost { part: Name::Unmasking, micros_per_frame: unmasking(&speech) }];
    for kind in Kind::ALL {
        let mut part = Part::new(kind, args.rate, &samples);
        let frames = part.frames();
        costs.push(Cost { part: name(kind), micros_per_frame: fastest(frames, || part.run()) });
    }
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&costs)?)?)
}

/// Has a process time the parts on the server's cores.
pub(super) async fn measure(
    cores: &Cores,
    rate: SampleRate,
    speech: &[PathBuf],
) -> anyhow::Result<Vec<Cost>> {
    let binary = std::env::current_exe().context("cannot find this program's file")?;
    let mut command = Command::new(binary);
    command.arg("bench-parts").args(["--rate", &rate.hz().to_string()]);
    for file in speech {
        command.arg("--speech").arg(file);
    }
    command.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
    let timing = cores.spawn(&mut command)?.wait_with_output();
    let output = tokio::time::timeout(PATIENCE, timing).await.context("timing the parts does not end")??;
    anyhow::ensure!(output.status.success(), "the parts could not be timed; why is above");
    serde_json::from_slice(&output.stdout).context("what was timed cannot be read")
}

/// What the parts come to for calls like those of `step`, whose bare sockets take so much.
pub(super) fn shares(costs: &[Cost], step: &Step, sockets_percent: f64) -> Shares {
    let of_sent = |frames: u64| frames as f64 / step.frames_sent.max(1) as f64;
    let (spoken, answered) = (of_sent(step.frames_spoken), of_sent(step.frames_received));
    let share = |cost: &Cost| {
        let (often, counts) = match cost.part {
            // The bare sockets do it as well.
            Name::Unmasking => (1.0, false),
            // No call of the bench is recorded.
            Name::Mixing => (1.0, false),
            Name::ResamplingIn => (1.0, true),
            Name::HearingSpeech => (spoken, true),
            Name::HearingSilence => (1.0 - spoken, true),
            Name::EchoGuardOverAgent => (answered, true),
            Name::EchoGuardInSilence => (1.0 - answered, true),
            Name::ResamplingOut => (answered, true),
        };
        let percent_per_call = cost.micros_per_frame * often / FRAME.as_secs_f64() / 1e6 * 100.0;
        Share { cost: cost.clone(), percent_per_call, counts }
    };
    let parts: Vec<Share> = costs.iter().map(share).collect();
    let counted = parts.iter().filter(|share| share.counts).map(|share| share.percent_per_call);
    Shares { floor_percent_per_call: sockets_percent + counted.sum::<f64>(), parts }
}

impl Name {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Unmasking => "unmasking a frame",
            Self::ResamplingIn => "resampling the user to 16 kHz",
            Self::HearingSpeech => "voice activity, speech",
            Self::HearingSilence => "voice activity, silence",
            Self::EchoGuardOverAgent => "echo guard, the agent speaks",
            Self::EchoGuardInSilence => "echo guard, nobody speaks",
            Self::ResamplingOut => "resampling the agent from 16 kHz",
            Self::Mixing => "mixing both sides to record them",
        }
    }
}

fn name(kind: Kind) -> Name {
    match kind {
        Kind::ResamplingIn => Name::ResamplingIn,
        Kind::HearingSpeech => Name::HearingSpeech,
        Kind::HearingSilence => Name::HearingSilence,
        Kind::GuardOverAgent => Name::EchoGuardOverAgent,
        Kind::GuardInSilence => Name::EchoGuardInSilence,
        Kind::ResamplingOut => Name::ResamplingOut,
        Kind::Mixing => Name::Mixing,
    }
}

/// As the bare sockets do it.
fn unmasking(speech: &Speech) -> f64 {
    let mut frames = Vec::new();
    for audio in speech.clips.iter().flat_map(|clip| &clip.frames) {
        // Masked with zeros it is the same again afterwards, and takes as long.
        let length = u16::try_from(audio.len()).unwrap_or(u16::MAX);
        let mut frame = vec![0x82, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(audio);
        frames.push(frame);
    }
    fastest(frames.len(), || {
        for frame in &mut frames {
            black_box(unmasked(black_box(frame)));
        }
    })
}

/// Microseconds for one of the `frames` of a round, in the fastest round.
fn fastest(frames: usize, mut round: impl FnMut()) -> f64 {
    round();
    let times = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        round();
        began.elapsed()
    });
    times.min().unwrap_or_default().as_secs_f64() * 1e6 / frames.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Tally;

    /// A half of the frames is speech, a quarter is answered.
    #[test]
    fn a_part_counts_as_often_as_frames_go_through_it() {
        let tally = Tally { frames_sent: 400, frames_spoken: 200, frames_received: 100, ..Tally::default() };
        let step = Step::of(1, 8.0, tally);
        let cost = |part, micros_per_frame| Cost { part, micros_per_frame };
        let costs = [
            cost(Name::Unmasking, 1_000.0),
            cost(Name::HearingSpeech, 10.0),
            cost(Name::HearingSilence, 2.0),
            cost(Name::ResamplingOut, 4.0),
            cost(Name::Mixing, 1_000.0),
        ];
        let found = shares(&costs, &step, 0.05);
        // Microseconds a frame of 20 ms: 200 are one per cent.
        let percent: Vec<f64> = found.parts.iter().map(|share| share.percent_per_call).collect();
        for (found, expected) in percent.iter().zip([5.0, 0.025, 0.005, 0.005, 5.0]) {
            assert!((found - expected).abs() < 1e-9, "{percent:?}");
        }
        assert!((found.floor_percent_per_call - 0.085).abs() < 1e-9, "{found:?}");
    }
}
