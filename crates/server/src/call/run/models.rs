//! What the driver does beside the answers of models: what it tells of how they came about, and what a model reads in advance. The
//! conversation hears nothing of it.

use antiphon_backends::language_model::{Asked, Fallback, Note, Request, Usage};
use antiphon_engine::ids::GenerationId;
use antiphon_engine::output::Severity;
use serde_json::{Value, json};

use super::Driver;

/// A model was asked, and how it was given the user's speech.
const REQUEST: &str = "model.request";
/// The model thinks before it speaks.
const THINKS: &str = "model.thinks";
/// What an answer took.
const USAGE: &str = "model.usage";
/// A model failed before its first word, and another one is asked.
const FALLBACK: &str = "model.fallback";
impl Driver {
    /// Tells how an answer comes about. The conversation is not told: it goes on the same.
    pub(super) fn model_noted(&mut self, id: GenerationId, note: Note) {
        let generation = id.0;
        match note {
            Note::Asked(Asked { model, turns }) => {
                let count = |name: &str| turns.iter().filter(|(_, given)| given.name() == name).count();
                let text = format!(
                    "the model {model:?} is given {} spoken turns as audio, {} as transcripts, {} as not understood",
                    count("audio"),
                    count("transcript"),
                    count("unknown")
                );
                let turns: Vec<Value> =
                    turns.iter().map(|(turn, given)| json!({"turn": turn.0, "as": given.name()})).collect();
                let extras = json!({"generation": generation, "model": *model, "turns": turns});
                self.event_with(Severity::Debug, REQUEST, text, Some(extras));
            }
            Note::Thinks => {
                let text = "the model thinks before it speaks, and the user waits for that; if it can do without, \
                            say so in the model's `extra` (chat_template_kwargs, reasoning_effort)";
                let extras = json!({"generation": generation});
                self.event_with(Severity::Debug, THINKS, text.to_owned(), Some(extras));
            }
            Note::Usage(Usage { input, cached, output }) => {
                let known = match cached {
                    Some(cached) => format!(", {cached} of them read before"),
                    None => String::new(),
                };
                let text = format!("the answer took {input} tokens of prompt{known} and {output} of its own");
                let extras = json!({
                    "generation": generation,
                    "inputTokens": input,
                    "cachedInputTokens": cached,
                    "outputTokens": output,
                });
                self.event_with(Severity::Debug, USAGE, text, Some(extras));
            }
            Note::Fallback(Fallback { from, to, reason }) => {
                let text = if from == to {
                    format!("the model {from:?} is asked again: {reason}")
                } else {
                    format!("the model {to:?} answers instead of {from:?}: {reason}")
                };
                let extras = json!({"generation": generation, "from": *from, "to": *to, "reason": *reason});
                self.event_with(Severity::Warning, FALLBACK, text, Some(extras));
            }
        }
    }

    /// Has the model read what its next prompt will begin with, if that helps it and it has not read that already.
    pub(super) fn warm_up(&mut self) {
        if !self.setup.model.capabilities().warm_up {
            return;
        }
        let prompt = self.conversation.prospect();
        let messages = prompt.messages.len();
        if self.read.replace(messages) == Some(messages) {
            return;
        }
        let request = Request { prompt, clips: self.clips.for_model() };
        self.works.start_warm_up(&self.setup.model, request);
    }
}
