//! What a session knows and has promised: its calls, clients, timers and requests, and how far it has come. Runs no JavaScript
//! itself; what the scenario asks of it is in `desk`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value as Json;

use super::desk::DEED_BYTES;
use super::requests::Requests;
use super::timers::Timers;
use crate::command::{CallId, ClientId, Command, Headers, Voice};
use crate::limits::Limits;
use crate::outcome::{Cause, Outcome};

/// SIP's "Temporarily Unavailable", for a call that nobody answers.
const UNAVAILABLE: u16 = 480;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Calls may come and go.
    Running,
    /// Calls are over; requests that are under way are waited for.
    Draining {
        cause: Cause,
        until: Duration,
    },
    /// The scenario was told that the session ends, and may have sent one last request.
    Ending {
        cause: Cause,
        until: Duration,
        request: LastRequest,
        told: bool,
    },
    Ended(Outcome),
}

/// The one request that a session may send while it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastRequest {
    Free,
    Taken,
}

/// What the end of a session needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndStep {
    /// Something has to happen first, or the session does not end.
    Wait,
    /// The next step may be due.
    Again,
    /// The scenario is to be told this.
    Tell(&'static str),
}

/// A call, as far as the session knows it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) incoming: bool,
    pub(super) connected_at: Option<Duration>,
    /// When it counts as unanswered, for those that come in.
    pub(super) answer_by: Option<Duration>,
    pub(super) tones: bool,
    /// Whether the host was asked to end it.
    pub(super) leaving: bool,
}

/// How a call was when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    Alerting,
    Connected { duration: Duration },
}

/// A client, as far as the session knows it.
#[derive(Debug, Default)]
pub(super) struct Client {
    opened: bool,
    /// Whether it is closed, which is the last of the events that are kept.
    over: bool,
    /// Whether the host was asked to close it.
    leaving: bool,
    pub(super) listened: bool,
    kept: VecDeque<Json>,
}

impl Client {
    /// Whether there is something that can be told.
    fn has_news(&self) -> bool {
        self.opened && self.listened && !self.kept.is_empty()
    }
}

/// See the head of this file.
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) phase: Phase,
    pub(super) timers: Timers,
    pub(super) requests: Requests,
    pub(super) commands: VecDeque<Command>,
    pub(super) now: Duration,
    pub(super) secrets: BTreeMap<String, String>,
    /// Why the session is to end, once the callback that is running is over.
    pub(super) wanted: Option<Cause>,
    pub(super) errors: u32,
    pub(super) calls: BTreeMap<CallId, Call>,
    last_call: u32,
    pub(super) clients: BTreeMap<ClientId, Client>,
    pub(super) last_client: u32,
    /// Since when there has been no call.
    alone_since: Option<Duration>,
    /// What the running callback has asked for so far.
    pub(super) deeds: usize,
    pub(super) deed_bytes: usize,
    /// Bytes that were asked for since the commands were last taken.
    pub(super) backlog: usize,
    pub(super) hides_tones: bool,
}

impl State {
    pub(super) fn new(limits: Limits, secrets: BTreeMap<String, String>) -> Self {
        Self {
            limits,
            phase: Phase::Running,
            timers: Timers::default(),
            requests: Requests::default(),
            commands: VecDeque::new(),
            now: Duration::ZERO,
            secrets,
            wanted: None,
            errors: 0,
            calls: BTreeMap::new(),
            last_call: 0,
            clients: BTreeMap::new(),
            last_client: 0,
            alone_since: Some(Duration::ZERO),
            deeds: 0,
            deed_bytes: 0,
            backlog: 0,
            hides_tones: false,
        }
    }

    pub(super) fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    pub(super) fn begin_callback(&mut self) {
        self.deeds = 0;
        self.deed_bytes = 0;
    }

    /// Whether the session goes on: nothing has asked for its end.
    pub(super) fn is_running(&self) -> bool {
        self.phase == Phase::Running && self.wanted.is_none()
    }

    /// Asks for the session's end, which begins when the running callback is over.
    pub(super) fn want_end(&mut self, cause: Cause) {
        self.wanted = self.wanted.max(Some(cause));
    }

    pub(super) fn log(&mut self, voice: Voice, text: String) {
        self.commands.push_back(Command::Log { at: self.now, voice, text });
    }

    /// A call comes in.
    pub(super) fn come_in(&mut self) -> CallId {
        let answer_by = Some(self.now + self.limits.unanswered);
        self.add_call(Call { incoming: true, connected_at: None, answer_by, tones: false, leaving: false })
    }

    pub(super) fn add_call(&mut self, call: Call) -> CallId {
        self.last_call += 1;
        let id = CallId::new(self.last_call);
        self.calls.insert(id.clone(), call);
        self.alone_since = None;
        id
    }

    /// Whether the scenario is to hear of this call.
    pub(super) fn tells_of(&self, call: &CallId) -> bool {
        self.is_running() && self.calls.contains_key(call)
    }

    /// A call was answered; false if it was already, or is none.
    pub(super) fn connected(&mut self, call: &CallId) -> bool {
        let now = self.now;
        let Some(call) = self.calls.get_mut(call) else { return false };
        call.answer_by = None;
        call.connected_at.replace(now).is_none()
    }

    /// A call is over: how it was, whether it came in, and whether the scenario is to hear of it.
    pub(super) fn call_gone(&mut self, call: &CallId) -> Option<(CallState, bool, bool)> {
        let tells = self.is_running();
        let call = self.calls.remove(call)?;
        if self.calls.is_empty() {
            self.alone_since = Some(self.now);
        }
        let state = match call.connected_at {
            Some(since) => CallState::Connected { duration: self.now - since },
            None => CallState::Alerting,
        };
        Some((state, call.incoming, tells))
    }

    /// Whether the scenario wants to hear of keys of this call.
    pub(super) fn hears_tone(&mut self, call: &CallId, tone: char) -> bool {
        let wanted = self.calls.get(call).is_some_and(|call| call.tones);
        if wanted && !self.hides_tones {
            self.log(Voice::Note, format!("the key {tone} was pressed"));
        }
        wanted
    }

    /// Keeps an event of a client until it can be told.
    pub(super) fn client_event(&mut self, client: &ClientId, event: Json) {
        let most = self.limits.kept_events;
        let Some(client) = self.clients.get_mut(client) else { return };
        if client.kept.len() >= most {
            client.kept.pop_front();
        }
        client.kept.push_back(event);
    }

    pub(super) fn client_opened(&mut self, client: &ClientId) -> bool {
        let Some(client) = self.clients.get_mut(client) else { return false };
        !std::mem::replace(&mut client.opened, true) && self.phase == Phase::Running
    }

    /// A client could not be opened; false if nobody waits for it.
    pub(super) fn client_refused(&mut self, client: &ClientId) -> bool {
        self.clients.remove(client).is_some() && self.phase == Phase::Running
    }

    /// A client is over. Whoever has not listened by now will not, so that what was kept goes out before.
    pub(super) fn client_closed(&mut self, client: &ClientId, event: Json) {
        if let Some(client) = self.clients.get_mut(client) {
            client.kept.push_back(event);
            client.listened = true;
            client.over = true;
        }
    }

    /// The next event of a client that somebody listens to.
    pub(super) fn next_client_event(&mut self) -> Option<Json> {
        let (id, client) = self.clients.iter_mut().find(|(_, client)| client.has_news())?;
        let event = client.kept.pop_front();
        if client.over && client.kept.is_empty() {
            let id = id.clone();
            self.clients.remove(&id);
        }
        event
    }

    /// Whether another event may be told before what was asked for is carried out.
    pub(super) fn may_tell_more(&self) -> bool {
        self.is_running() && self.commands.len() < self.limits.deeds && self.backlog < DEED_BYTES
    }

    pub(super) fn next_command(&mut self) -> Option<Command> {
        let command = self.commands.pop_front();
        if command.is_none() {
            self.backlog = 0;
        }
        command
    }

    /// Sends the requests whose turn it is.
    pub(super) fn send_requests(&mut self) {
        while let Some((request, http)) = self.requests.next(self.limits.requests) {
            self.commands.push_back(Command::Request { request, http });
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running => {
                let unanswered = self.calls.values().filter_map(|call| call.answer_by).min();
                let alone = self.alone_since.map(|since| since + self.limits.without_calls);
                let news = self.clients.values().any(Client::has_news).then_some(self.now);
                [self.timers.next(), unanswered, alone, news, Some(self.limits.session)]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Phase::Draining { until, .. } => Some(self.timers.next().map_or(until, |next| next.min(until))),
            Phase::Ending { until, .. } => Some(until),
            Phase::Ended(_) => None,
        }
    }

    pub(super) fn pass_deadlines(&mut self, now: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        let late: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.answer_by.is_some_and(|by| by <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for call in late {
            let seconds = self.limits.unanswered.as_secs();
            self.log(Voice::Note, format!("{call} was not answered within {seconds} s and is given up"));
            self.leave_call(&call, |call| Command::Reject {
                call,
                code: UNAVAILABLE,
                headers: Headers::new(),
            });
        }
        if self.alone_since.is_some_and(|since| since + self.limits.without_calls <= now) {
            self.want_end(Cause::NoCalls);
        }
        if self.limits.session <= now {
            self.want_end(Cause::SessionTooLong);
        }
    }

    /// Goes a step further towards the end, if it is wanted.
    pub(super) fn end_step(&mut self) -> EndStep {
        match self.phase {
            Phase::Running => {
                let Some(cause) = self.wanted else { return EndStep::Wait };
                self.log(Voice::Note, format!("the session ends: {cause}"));
                self.hang_up_everything();
                self.requests.drop_waiting();
                self.phase = Phase::Draining { cause, until: self.now + self.limits.last_requests };
                EndStep::Again
            }
            Phase::Draining { cause, until } => {
                let cause = self.wanted.map_or(cause, |wanted| wanted.max(cause));
                if self.requests.active() > 0 && self.now < until {
                    self.phase = Phase::Draining { cause, until };
                    return EndStep::Wait;
                }
                self.timers.stop_all();
                self.requests.forget();
                let until = self.now + self.limits.last_requests;
                self.phase = Phase::Ending { cause, until, request: LastRequest::Free, told: false };
                EndStep::Tell("terminating")
            }
            Phase::Ending { cause, until, told, .. } => {
                let cause = self.wanted.map_or(cause, |wanted| wanted.max(cause));
                if self.requests.count() > 0 && self.now < until {
                    return EndStep::Wait;
                }
                if !told {
                    // What a handler still asks for, nobody waits for.
                    self.requests.forget();
                    self.phase = Phase::Ending { cause, until, request: LastRequest::Taken, told: true };
                    return EndStep::Tell("terminated");
                }
                self.requests.forget();
                self.phase = Phase::Ended(Outcome { cause, errors: self.errors, lasted: self.now });
                EndStep::Wait
            }
            Phase::Ended(_) => EndStep::Wait,
        }
    }

    fn hang_up_everything(&mut self) {
        let calls: Vec<CallId> = self.calls.keys().cloned().collect();
        for call in calls {
            self.leave_call(&call, |call| Command::Hangup { call, headers: Headers::new() });
        }
        let clients: Vec<ClientId> = self.clients.keys().cloned().collect();
        for client in clients {
            self.close_client(&client);
        }
    }

    /// Has a call ended, once.
    pub(super) fn leave_call(&mut self, id: &CallId, command: impl FnOnce(CallId) -> Command) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.answer_by = None;
        if !std::mem::replace(&mut call.leaving, true) {
            self.commands.push_back(command(id.clone()));
        }
    }

    pub(super) fn close_client(&mut self, id: &ClientId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if !std::mem::replace(&mut client.leaving, true) {
            self.commands.push_back(Command::CloseClient { client: id.clone() });
        }
    }
}
