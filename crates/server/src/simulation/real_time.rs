//! A simulated call with a real model: the clock on the wall counts while the model works, and time leaps while it does not.
//!
//! Owns the runs of the model. What its words lead to is the world's.

use std::collections::HashMap;
use std::sync::Arc;

use antiphon_backends::language_model::{Clips, LanguageModel, Request, RunEvent};
use antiphon_engine::CallTime;
use antiphon_engine::ids::GenerationId;
use futures::StreamExt as _;
use futures::stream::{BoxStream, SelectAll};
use tokio::time::Instant;

use super::world::{Order, World};

/// Runs the call to its end.
pub(super) fn run(world: &mut World<'_>, model: &Arc<dyn LanguageModel>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the operating system gives a process an event queue");
    runtime.block_on(drive(world, model));
}

async fn drive(world: &mut World<'_>, model: &Arc<dyn LanguageModel>) {
    let mut runs: HashMap<GenerationId, BoxStream<'static, RunEvent>> = HashMap::new();
    // A moment on both clocks, while the model works.
    let mut anchor: Option<(CallTime, Instant)> = None;
    let mut now = CallTime::ZERO;
    loop {
        for order in world.take_orders() {
            match order {
                Order::Start(id, prompt) => {
                    let request = Request { prompt: *prompt, clips: Clips::default() };
                    runs.insert(id, model.generate(request));
                }
                Order::Stop(id) => drop(runs.remove(&id)),
            }
        }
        let Some(due) = world.next_due() else { return };
        if runs.is_empty() {
            anchor = None;
            now = due;
            world.advance(due);
            continue;
        }
        let (at, instant) = *anchor.get_or_insert_with(|| (now, Instant::now()));
        let mut words: SelectAll<_> =
            runs.iter_mut().map(|(id, run)| run.map(|event| (*id, event))).collect();
        let next = tokio::select! {
            biased;
            next = words.next() => next,
            () = tokio::time::sleep_until(instant + due.since(at)) => None,
        };
        drop(words);
        match next {
            Some((id, event)) => {
                now = (at + instant.elapsed()).min(due);
                if matches!(event, RunEvent::Finished | RunEvent::Failed(_)) {
                    runs.remove(&id);
                }
                if let Some(event) = event.for_conversation() {
                    world.model_says(now, id, event);
                }
            }
            None => {
                now = due;
                world.advance(due);
            }
        }
    }
}
