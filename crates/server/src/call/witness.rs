//! Watches a call beside its driver: everything the engine is told and says goes into the journal, if there is one, and into the
//! account of where each turn's time went, and from there into the call's trace, if it has one. Changes nothing of what the call does.

use antiphon_engine::{CallTime, Input, Output};
use tracing::debug;

use super::journal::{Decision, Scribe};
use super::spans::{STAGES, Spans};
use super::waterfall::{Mark, Observer, Waterfall};
use crate::telemetry::metrics::Metrics;

/// The published name of the event that tells where a turn's time went (protocol.md A-57).
pub(super) const TURN_LATENCY: &str = "turn.latency";

pub(super) struct Witness {
    scribe: Option<Scribe>,
    observer: Observer,
    spans: Option<Spans>,
}

impl Witness {
    pub(super) fn new(scribe: Option<Scribe>, spans: Option<Spans>) -> Self {
        Self { scribe, observer: Observer::default(), spans }
    }

    /// The engine is about to be told this, or nothing but that it exists.
    pub(super) fn told(&mut self, at: CallTime, input: Option<&Input>) {
        self.observer.told(at, input);
        if let Some(spans) = &mut self.spans {
            spans.told(at, input);
        }
        if let Some(scribe) = &mut self.scribe {
            scribe.begin(at, input);
        }
    }

    /// The engine said this.
    pub(super) fn said(&mut self, output: &Output) {
        let decision = Decision::of(output);
        if let Some(decision) = &decision {
            self.observer.decided(decision);
            if let Some(spans) = &mut self.spans {
                spans.decided(decision);
            }
        }
        if let Some(scribe) = &mut self.scribe {
            scribe.add(output, decision.as_ref());
        }
        if let Output::Timeout(deadline) = output {
            self.observer.settled(*deadline);
            if let Some(scribe) = &mut self.scribe {
                scribe.end(*deadline);
                scribe.hand_over();
            }
        }
    }

    /// The turns that are over.
    pub(super) fn finished(&mut self) -> Vec<Waterfall> {
        let turns: Vec<Waterfall> = self.observer.take_finished().collect();
        if let Some(spans) = &mut self.spans {
            turns.iter().for_each(|turn| spans.turn(turn));
        }
        turns
    }
}

/// Counts a turn, and where its time went.
pub(super) fn measure(turn: &Waterfall, metrics: &Metrics) {
    metrics.turn(turn.outcome.name());
    if let Some(latency) = turn.latency() {
        metrics.turn_part("reply", latency);
    }
    for (name, from, to) in STAGES {
        if let (Some(from), Some(to)) = (turn.at(from), turn.at(to)) {
            metrics.turn_part(name, to.since(from));
        }
    }
    for tool in &turn.tools {
        if let Some(ended) = tool.ended {
            metrics.tool(ended.since(tool.started));
        }
    }
}

/// Tells the log where a turn's time went: one event within the call's span, its fields named for whatever exports them. Times are
/// milliseconds on the call's clock.
pub(super) fn trace(turn: &Waterfall) {
    let ms = |mark| turn.at(mark).map(|at| at.as_micros() as f64 / 1e3);
    debug!(
        target: "antiphon::turn",
        turn = turn.number,
        opening = turn.opening.name(),
        ended_by = turn.ended_by.map(super::waterfall::EndedBy::name),
        outcome = turn.outcome.name(),
        latency_ms = turn.latency().map(|latency| latency.as_secs_f64() * 1e3),
        user_end_ms = ms(Mark::UserEnd),
        speech_stop_ms = ms(Mark::SpeechStop),
        turn_end_ms = ms(Mark::TurnEnd),
        transcript_ms = ms(Mark::Transcript),
        model_request_ms = ms(Mark::ModelRequest),
        first_token_ms = ms(Mark::FirstToken),
        first_text_ms = ms(Mark::FirstText),
        first_audio_ms = ms(Mark::FirstAudio),
        first_sent_ms = ms(Mark::FirstSent),
        first_heard_ms = ms(Mark::FirstHeard),
        first_word_ms = ms(Mark::FirstWord),
        closed_ms = turn.closed.as_micros() as f64 / 1e3,
        tools = turn.tools.len(),
        speech_over = turn.speech_over.len(),
        underruns = turn.underruns,
        stalls = turn.stalls.len(),
        "turn"
    );
}
