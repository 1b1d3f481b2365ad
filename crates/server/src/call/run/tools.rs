//! How the driver runs tools: each at the client, behind an HTTP endpoint, or not at all when the model called it wrongly.

use std::sync::Arc;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_engine::Input;
use antiphon_engine::ids::InvocationId;
use antiphon_engine::input::ModelToolCall;
use antiphon_engine::message::Message;
use antiphon_engine::notices;
use antiphon_engine::output::{Invocation, Severity};
use serde_json::Value;

use super::super::corpora::look_up;
use super::super::leg::ToClient;
use super::super::messages;
use super::super::stages::Staging;
use super::Driver;
use crate::tools::outcome::Answer;
use crate::tools::{self, Finished, KnownValues, Refusal, Task};

impl Driver {
    /// Mends what the model got wrong about a call of a tool, where it is clear what it meant.
    pub(super) fn mend(&mut self, call: &mut ModelToolCall) {
        if tools::mend(&self.setup.tools, &self.setup.engine.tools, call) {
            let text = format!("the model's arguments for the tool {:?} were mended", call.name);
            self.event(Severity::Info, "tool.arguments_mended", text);
        }
    }

    /// Starts an invocation. A wrong one is answered at once, with a text that lets the model do it right.
    pub(super) fn invoke(&mut self, invocation: &Invocation) {
        let known = KnownValues {
            call_id: self.subject.id.to_string(),
            stage_id: self.subject.stage.to_string(),
            metadata: metadata(&self.subject.request),
            output_rate: self.setup.output_rate.hz(),
            state: &invocation.state,
            history: self.history(invocation.history.as_deref().unwrap_or_default()),
            thread: invocation.thread.as_deref(),
            threads: &invocation.threads,
        };
        let tool = self.setup.tools.get(invocation.tool).cloned().unwrap_or_default();
        match tool.task(&invocation.arguments, &known) {
            Ok(Task::Client(parameters)) => {
                let message = self.wire.invocation(invocation, parameters);
                if let Some(data) = &mut self.data {
                    data.tell(|wire| wire.allow(message.clone()));
                }
                self.send(ToClient::Message(Box::new(message)));
            }
            Ok(Task::DataConnection(parameters)) => self.invoke_at_data_connection(invocation, parameters),
            Ok(Task::Http(call)) => {
                self.works.start_tool(invocation.id, call.run(self.subject.outbound.clone()));
            }
            Ok(Task::Search(query)) => {
                let retrieval = self.subject.retrieval.clone();
                self.works.start_tool(invocation.id, look_up(retrieval, *query));
            }
            Ok(Task::Known(outcome)) => self.inputs.push_back(Input::Tool(invocation.id, outcome)),
            Err(refusal) => {
                let Refusal(why) = &refusal;
                let text = format!("the arguments for the tool {:?} do not fit: {why}", invocation.name);
                self.event(Severity::Warning, notices::TOOL_ARGUMENTS, text);
                self.inputs.push_back(Input::Tool(invocation.id, refusal.outcome()));
            }
        }
    }

    pub(super) fn tool_finished(&mut self, id: InvocationId, finished: Finished) {
        if let Some(remark) = finished.remark {
            self.event(Severity::Warning, "tool.header_ignored", remark);
        }
        match finished.answer {
            Answer::Outcome(outcome) => self.tell(Input::Tool(id, outcome)),
            Answer::NewStage(wish) => {
                self.stage(Staging::of_tool(id, *wish));
                self.follow_up();
            }
        }
    }

    fn history(&self, history: &[Message]) -> Value {
        let given = |id, given: &Option<Arc<str>>| self.wire.invocation_id(id, given.as_ref());
        let convert =
            |(index, message)| messages::to_api(message, self.subject.stage, index, self.joined, given);
        serde_json::to_value(history.iter().enumerate().map(convert).collect::<Vec<_>>())
            .unwrap_or(Value::Null)
    }
}

fn metadata(request: &StartCallRequest) -> Value {
    let pairs = request.metadata.iter().flatten();
    Value::Object(pairs.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect())
}
