//! Answers what the scenario asks of its session, and takes its log and its errors: the limits are held here.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::state::{Call, Client, LastRequest, Phase, State};
use crate::command::{
    CallId, ClientId, ClientRequest, Command, Dial, HttpRequest, Network, Target, Unit, Voice,
};
use crate::outcome::Cause;
use crate::question::{Endpoint, Question};
use crate::script::{Desk, Fault, Line};

/// What one callback may ask for and write, in bytes.
pub(super) const DEED_BYTES: usize = 8 * 1024 * 1024;
/// Errors that are shown; further ones are only counted.
const SHOWN_ERRORS: u32 = 100;
impl State {
    /// Whether something that needs the session may still be begun.
    fn check_running(&self, what: &str) -> Result<(), String> {
        match self.phase {
            Phase::Running => Ok(()),
            Phase::Draining { .. } | Phase::Ending { .. } | Phase::Ended(_) => Err(format!(
                "{what}: the session is ending; only one more HTTP request can be sent, in AppEvents.Terminating"
            )),
        }
    }

    fn start_timer(&mut self, delay_ms: f64, repeat: bool) -> Result<Option<Json>, String> {
        let name = if repeat { "setInterval" } else { "setTimeout" };
        match self.phase {
            Phase::Running | Phase::Draining { .. } => {}
            Phase::Ending { .. } | Phase::Ended(_) => {
                return Err(format!("{name}: the session is ending, so there are no timers any more"));
            }
        }
        let most = self.limits.timers;
        if self.timers.count() >= most {
            return Err(format!("{name}: {most} timers are running, which is the most; clear some first"));
        }
        let delay = Duration::from_millis(delay_ms as u64).max(self.limits.shortest_timer);
        Ok(Some(json!(self.timers.start(self.now, delay, repeat))))
    }

    fn dial(&mut self, dial: Dial) -> Result<Option<Json>, String> {
        let name = match dial.network {
            Network::Pstn => "VoxEngine.callPSTN",
            Network::Sip => "VoxEngine.callSIP",
            Network::User => "VoxEngine.callUser",
        };
        self.check_running(name)?;
        if self.calls.len() >= self.limits.calls {
            return Err(format!(
                "{name}: there are {} calls, which is the most; hang up one first",
                self.limits.calls
            ));
        }
        let call = self.add_call(Call {
            incoming: false,
            connected_at: None,
            answer_by: None,
            tones: false,
            leaving: false,
        });
        self.commands.push_back(Command::Dial { call: call.clone(), dial });
        Ok(Some(json!(call)))
    }

    fn create_client(&mut self, request: ClientRequest) -> Result<Option<Json>, String> {
        let name = "Ultravox.createWebSocketAPIClient";
        self.check_running(name)?;
        if self.clients.len() >= self.limits.clients {
            return Err(format!(
                "{name}: there are {} clients, which is the most; close one first",
                self.limits.clients
            ));
        }
        self.last_client += 1;
        let client = ClientId::new(self.last_client);
        self.clients.insert(client.clone(), Client::default());
        self.commands.push_back(Command::CreateClient { client: client.clone(), request });
        Ok(Some(json!(client)))
    }

    fn add_request(&mut self, http: HttpRequest) -> Result<Option<Json>, String> {
        let name = "Net.httpRequestAsync";
        match &mut self.phase {
            Phase::Running | Phase::Draining { .. } => {}
            Phase::Ending { request: request @ LastRequest::Free, .. } => *request = LastRequest::Taken,
            Phase::Ending { .. } | Phase::Ended(_) => {
                return Err(format!(
                    "{name}: one HTTP request can be sent in AppEvents.Terminating, and it was sent"
                ));
            }
        }
        let most = self.limits.waiting_requests;
        if self.requests.count() >= most {
            return Err(format!(
                "{name}: {most} HTTP requests are under way or wait, which is the most; wait for answers first"
            ));
        }
        Ok(Some(json!(self.requests.add(http))))
    }

    /// Passes on what concerns a call, unless it has ended meanwhile.
    fn with_call(
        &mut self,
        call: &CallId,
        command: impl FnOnce(CallId) -> Command,
    ) -> Result<Option<Json>, String> {
        if self.calls.contains_key(call) {
            self.commands.push_back(command(call.clone()));
        }
        Ok(None)
    }

    fn with_client(
        &mut self,
        client: &ClientId,
        command: impl FnOnce(ClientId) -> Command,
    ) -> Result<Option<Json>, String> {
        if self.clients.contains_key(client) {
            self.commands.push_back(command(client.clone()));
        }
        Ok(None)
    }

    fn is_there(&self, unit: &Unit) -> bool {
        match unit {
            Unit::Call(call) => self.calls.contains_key(call),
            Unit::Client(client) => self.clients.contains_key(client),
        }
    }

    fn answer(&mut self, question: Question) -> Result<Option<Json>, String> {
        match question {
            Question::Answer { call, headers } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.answer_by = None;
                }
                self.with_call(&call, |call| Command::Answer { call, headers })
            }
            Question::ClearMedia { client, tag } => {
                self.with_client(&client, |client| Command::ClearMedia { client, tag })
            }
            Question::ClearTimer { timer } => {
                self.timers.stop(timer);
                Ok(None)
            }
            Question::CloseClient { client } => {
                self.close_client(&client);
                Ok(None)
            }
            Question::CreateClient { endpoint, headers, query, body, agent, join_url } => {
                let target = match endpoint {
                    Endpoint::CreateOfAgent => Target::CreateAgentCall { agent, body },
                    Endpoint::Create => Target::CreateCall { body },
                    Endpoint::Join => Target::JoinCall { join_url },
                };
                self.create_client(ClientRequest { target, headers, query })
            }
            Question::Dial { dial } => self.dial(dial),
            Question::EarlyMedia { call } => self.with_call(&call, |call| Command::StartEarlyMedia { call }),
            Question::HandleTones { call, on } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.tones = on;
                }
                Ok(None)
            }
            Question::Hangup { call, headers } => {
                self.leave_call(&call, |call| Command::Hangup { call, headers });
                Ok(None)
            }
            Question::HideTones { on } => {
                self.hides_tones = on;
                Ok(None)
            }
            Question::Listen { client } => {
                if let Some(client) = self.clients.get_mut(&client) {
                    client.listened = true;
                }
                Ok(None)
            }
            Question::Reject { call, code, headers } => {
                self.leave_call(&call, |call| Command::Reject { call, code: code as u16, headers });
                Ok(None)
            }
            Question::Request { http } => self.add_request(http),
            Question::Ring { call } => self.with_call(&call, |call| Command::Ring { call }),
            Question::SendDigits { call, digits } => {
                self.with_call(&call, |call| Command::SendDigits { call, digits })
            }
            Question::SendMedia { from, to, tag, encoding, custom_parameters } => {
                if self.is_there(&from) && self.is_there(&to) {
                    self.commands.push_back(Command::SendMedia {
                        from,
                        to,
                        tag,
                        encoding,
                        custom_parameters,
                    });
                } else {
                    let gone = if self.is_there(&from) { to } else { from };
                    self.log(Voice::Note, format!("sendMediaTo: {gone} has ended, so no sound is sent"));
                }
                Ok(None)
            }
            Question::SendMessage { client, message } => {
                self.with_client(&client, |client| Command::SendMessage { client, message })
            }
            Question::StopMedia { from, to } => {
                if self.is_there(&from) && self.is_there(&to) {
                    self.commands.push_back(Command::StopMedia { from, to });
                }
                Ok(None)
            }
            Question::Terminate => {
                if self.phase == Phase::Running {
                    self.want_end(Cause::Terminated);
                }
                Ok(None)
            }
            Question::Timer { delay_ms, repeat } => self.start_timer(delay_ms, repeat),
        }
    }

    /// Counts what the callback asks for, which is bounded so that no loop fills the memory outside the engine.
    fn count_deed(&mut self, bytes: usize) -> Result<(), String> {
        self.deeds += 1;
        self.deed_bytes += bytes;
        self.backlog += bytes;
        if self.deeds > self.limits.deeds || self.deed_bytes > DEED_BYTES {
            let most = self.limits.deeds;
            return Err(format!(
                "one callback may ask for {most} things and write {} MiB; this one does more",
                DEED_BYTES >> 20
            ));
        }
        Ok(())
    }
}

impl Desk for State {
    fn ask(&mut self, question: &str) -> Result<Option<Json>, String> {
        self.count_deed(question.len())?;
        let question = serde_json::from_str(question).map_err(|error| {
            format!("the runtime does not understand its own prelude ({error}); report this")
        })?;
        self.answer(question)
    }

    fn log(&mut self, line: Line) -> Result<(), String> {
        let (voice, text) = match line {
            Line::Script(text) => (Voice::Script, text),
            Line::Note(text) => (Voice::Note, text),
        };
        self.count_deed(text.len())?;
        Self::log(self, voice, text);
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        self.errors = self.errors.saturating_add(1);
        let callback = self.limits.callback.as_millis();
        let memory = self.limits.memory >> 20;
        let (text, cause) = match fault {
            Fault::Thrown(text) => (text, Some(Cause::ScriptError)),
            Fault::Rejected(text) => (format!("a promise was rejected and nothing caught it: {text}"), None),
            Fault::TooLong => {
                let text = format!(
                    "a callback ran for more than {callback} ms and was ended; do less in one, or split it with setTimeout"
                );
                (text, Some(Cause::CallbackTooLong))
            }
            Fault::OutOfMemory => (
                format!("the scenario wanted more than its {memory} MiB of memory; keep less"),
                Some(Cause::OutOfMemory),
            ),
        };
        if self.errors <= SHOWN_ERRORS {
            Self::log(self, Voice::Error, text);
        }
        if let Some(cause) = cause {
            self.want_end(cause);
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }
}
