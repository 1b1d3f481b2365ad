//! How the driver takes a call from stage to stage: it has stages worked out that tools ask for, and works with what a stage
//! brings as soon as the engine lets it begin.

use std::sync::Arc;

use antiphon_engine::Input;
use antiphon_engine::NewStage;
use antiphon_engine::ids::StageNumber;
use antiphon_engine::input::LegClosed;
use antiphon_engine::message::{Message, MessageBody};
use antiphon_engine::output::Severity;
use tracing::error;

use super::super::inheritance::overlay;
use super::super::live::CreateError;
use super::super::messages;
use super::super::setup::{Remark, SetupError};
use super::super::stages::{Asked, Means, Prepared, Present, Staging, prepare};
use super::super::work::WorkResult;
use super::super::{corpora, lasting_tools};
use super::Driver;
use crate::storage::{AccountId, Storage, StoredMessage, StoredStage};

/// Answers that may be worked out at a time.
pub(super) const AT_ONCE: usize = 8;

impl Driver {
    /// Has stages worked out that something asks for.
    pub(super) fn stage(&mut self, staging: Staging) {
        let Ok(permit) = Arc::clone(&self.staging).try_acquire_owned() else {
            let too_many = || SetupError::new("stage", "too many are being worked out; answer one by one");
            let results = staging.bodies().map(|_| Err(too_many())).collect();
            let (input, _) = staging.worked_out(results);
            self.inputs.push_back(input);
            return;
        };
        let asked: Vec<_> = staging.bodies().map(Asked::read).collect();
        let present = Present { number: self.stages.present().0, request: Arc::clone(&self.subject.request) };
        let (storage, account) = (self.subject.storage.clone(), self.subject.account);
        let means = Arc::clone(&self.means);
        self.works.start_staging(staging.tool(), async move {
            let mut results = Vec::with_capacity(asked.len());
            for asked in asked {
                results.push(match asked {
                    Err(error) => Err(error),
                    Ok(asked) => worked_out(asked, &storage, account, &present, &means).await,
                });
            }
            drop(permit);
            WorkResult::Staged(Box::new(staging.worked_out(results)))
        });
    }

    /// The stages are worked out: the engine is told.
    pub(super) fn staged(&mut self, input: Input, prepared: Vec<Prepared>) {
        self.stages.keep(prepared);
        self.tell(input);
    }

    /// The engine lets a stage begin: everything is done with what it brings from now on.
    pub(super) fn begin_stage(&mut self, number: StageNumber, stage: &Arc<NewStage>) {
        let (id, history_from, prepared) = self.stages.begin(self.subject.id, number, stage);
        let Some(prepared) = prepared else {
            error!("a stage began that was never worked out; this is a bug");
            return;
        };
        let Prepared { stage: _, request, engine, model, voice, threshold, tools, uses, remarks } = prepared;
        self.subject.stage = id;
        self.subject.request = Arc::new(request.clone());
        self.setup.engine = engine;
        self.setup.model = model;
        self.read = None;
        self.setup.voice = voice;
        self.setup.threshold = threshold;
        if let Some(tools) = tools {
            self.setup.tools = tools;
        }
        if let Some(ear) = &mut self.ear {
            ear.set_threshold(threshold);
        }
        self.change_language();
        let created = self.timestamp(self.told);
        let stored = StoredStage { id, number: number.0, created, history_from, request };
        if self.recorder.stage(stored, uses).is_err() {
            self.lose_record();
        }
        for Remark { kind, text } in remarks {
            self.event(Severity::Warning, kind, text);
        }
    }

    /// Keeps a message that is settled.
    pub(super) fn commit(&mut self, index: usize, stage: StageNumber, message: &Message) {
        if let MessageBody::ToolResult { tool, text, .. } = &message.body {
            self.debug_message(&format!("tool result: {tool} {text}"));
        }
        let initial = message.span.is_none();
        if !initial {
            self.announce(|wire| wire.committed(message));
        }
        let (id, index) = self.stages.place(stage, index);
        let given = |id, given: &Option<Arc<str>>| self.wire.invocation_id(id, given.as_ref());
        let mut stored = messages::to_api(message, id, index, self.joined, given);
        self.recording.note(message, &mut stored);
        let stored = StoredMessage {
            stage: id,
            stage_number: stage.0,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            initial,
            message: stored,
        };
        if self.recorder.message(stored).is_err() {
            self.lose_record();
        }
    }

    fn lose_record(&mut self) {
        if self.ended.is_none() {
            error!("the call ends: its record cannot be kept");
            self.inputs.push_back(Input::LegClosed(LegClosed::OurFault));
        }
    }
}

/// Looks up what a stage refers to, and works it out.
async fn worked_out(
    mut asked: Asked,
    storage: &Storage,
    account: AccountId,
    present: &Present,
    means: &Means,
) -> Result<Prepared, SetupError> {
    let uses = lasting_tools::resolve(storage, account, &mut asked.request).await.map_err(unresolved)?;
    corpora::check(storage, account, &asked.request).await.map_err(unresolved)?;
    let request = overlay(&asked.request, &present.request);
    let own_voice = means.own_voice(storage, account, &request).await;
    let own_voice =
        own_voice.map_err(|_| SetupError::new("voice", "the server could not look it up; try again"))?;
    prepare(asked, uses, present, means, own_voice)
}

/// Why a stage's tools were not found.
fn unresolved(error: CreateError) -> SetupError {
    match error {
        CreateError::Invalid(error) => error,
        CreateError::Capacity { .. }
        | CreateError::Limited(_)
        | CreateError::NoPriorCall
        | CreateError::NoThrottle
        | CreateError::Overloaded { .. }
        | CreateError::Stopping
        | CreateError::Storage(_)
        | CreateError::Throttled { .. }
        | CreateError::Unscheduled => {
            SetupError::new("selectedTools", "the server could not look them up; try again")
        }
    }
}
