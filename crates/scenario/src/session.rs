//! One session of a scenario as a state machine: what has happened goes in, what is to be done comes out.
//!
//! Time is an input: a duration since the session began. Only the JavaScript engine looks at a clock, to end a callback that
//! runs for too long. Sound, sockets and tasks are the host's.

mod desk;
mod requests;
mod state;
mod timers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::command::{CallId, Command, Incoming, Notice, Voice};
use crate::limits::Limits;
use crate::outcome::{Cause, Outcome};
use crate::script::{Desk, Fault, Script};

use state::{CallState, Phase, State};

/// A file of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, as errors show it.
    pub name: String,
    /// What is in it.
    pub source: String,
}

/// What a session is begun with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// The scenario: files that run one after the other in one context.
    pub files: Vec<File>,
    /// The call that begins the session; without one it is begun from outside, and only `AppEvents.Started` tells of it.
    pub incoming: Option<Incoming>,
    /// What `VoxEngine.customData()` gives.
    pub custom_data: String,
    /// What `VoxEngine.getSecretValue()` gives, by name.
    pub secrets: BTreeMap<String, String>,
    /// What the session may have.
    pub limits: Limits,
}

/// A session under way. Belongs to the thread that it was begun in.
pub struct Session {
    /// Nothing if the engine could not be started.
    script: Option<Script>,
    state: Rc<RefCell<State>>,
}

impl Session {
    /// Begins a session: runs the files and tells the scenario of its start, and of its call if there is one.
    #[must_use]
    pub fn begin(setup: Setup) -> Self {
        let Setup { files, incoming, custom_data, secrets, limits } = setup;
        let state = Rc::new(RefCell::new(State::new(limits.clone(), secrets)));
        // The call is there before the scenario is, so that it ends with a scenario that cannot be run.
        let call = incoming.is_some().then(|| state.borrow_mut().come_in());
        let mut session = Self { script: None, state: Rc::clone(&state) };
        let desk: Rc<RefCell<dyn Desk>> = state;
        match Script::new(&limits, &custom_data, &desk) {
            Ok(script) => session.script = Some(script),
            Err(fault) => session.state.borrow_mut().fault(fault),
        }
        for file in &files {
            session.load(file, &limits);
        }
        if session.state.borrow().is_running() {
            session.tell(&json!({"tell": "started", "event": started()}));
        }
        if let (Some(call), Some(incoming)) = (call, incoming)
            && session.state.borrow().is_running()
        {
            session.tell(&alerting(&call, &incoming, &custom_data));
        }
        session.settle();
        session
    }

    /// Takes what has happened by `now`, the time since the session began.
    pub fn handle(&mut self, now: Duration, notice: Notice) {
        self.state.borrow_mut().tick(now);
        match notice {
            Notice::CallRinging { call } => self.tell_call(&call, "Ringing", &json!({})),
            Notice::CallAudioStarted { call } => {
                self.tell_call(&call, "FirstAudioPacketReceived", &json!({}));
                self.tell_call(&call, "AudioStarted", &json!({}));
            }
            Notice::CallConnected { call, headers } => {
                let news = self.state.borrow_mut().connected(&call);
                if news {
                    self.tell_call(&call, "Connected", &json!({"headers": headers}));
                }
            }
            Notice::CallFailed { call, code, reason } => self.call_over(&call, code, &reason),
            Notice::CallDisconnected { call, code, reason } => self.call_over(&call, code, &reason),
            Notice::Tone { call, tone } => {
                if self.state.borrow_mut().hears_tone(&call, tone) {
                    self.tell_call(
                        &call,
                        "ToneReceived",
                        &json!({"tone": tone.to_string(), "type": "RFC2833"}),
                    );
                }
            }
            Notice::ClientEvent { client, name, fields } => {
                let event = json!({"tell": "client_event", "client": client, "name": name, "fields": fields});
                self.state.borrow_mut().client_event(&client, event);
            }
            Notice::ClientOpened { client, web_socket } => {
                if self.state.borrow_mut().client_opened(&client) {
                    self.tell(&json!({"tell": "client_opened", "client": client, "web_socket": web_socket}));
                }
            }
            Notice::ClientRefused { client, why } => {
                if self.state.borrow_mut().client_refused(&client) {
                    self.tell(&json!({"tell": "client_refused", "client": client, "why": why}));
                }
            }
            Notice::ClientClosed { client, code, reason, was_clean } => {
                let event = json!({
                    "tell": "client_closed", "client": client, "code": code, "reason": reason, "was_clean": was_clean,
                });
                self.state.borrow_mut().client_closed(&client, event);
            }
            Notice::Answered { request, answer } => {
                if self.state.borrow_mut().requests.answered(&request) {
                    self.tell(&json!({"tell": "answered", "request": request, "answer": answer}));
                }
            }
            Notice::Remark { text } => self.state.borrow_mut().log(Voice::Note, text),
            Notice::Stop => self.state.borrow_mut().want_end(Cause::Stopped),
            Notice::Timeout => {}
        }
        self.ring(now);
        self.settle();
    }

    /// What is to be done next; nothing if all of it was given.
    pub fn poll(&mut self) -> Option<Command> {
        self.state.borrow_mut().next_command()
    }

    /// When the session wants to be told of [`Notice::Timeout`], as a time since it began.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.state.borrow().deadline()
    }

    /// How the session ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state.borrow().phase {
            Phase::Ended(outcome) => Some(outcome),
            Phase::Running | Phase::Draining { .. } | Phase::Ending { .. } => None,
        }
    }

    fn load(&mut self, file: &File, limits: &Limits) {
        if !self.state.borrow().is_running() {
            return;
        }
        let length = file.source.chars().count();
        if length > limits.source {
            let text =
                format!("{} has {length} characters; a scenario may have {}", file.name, limits.source);
            self.state.borrow_mut().fault(Fault::Thrown(text));
            return;
        }
        self.run(|script| script.load(&file.name, &file.source));
    }

    /// Tells the scenario something and lets it do what follows.
    fn tell(&mut self, event: &Json) {
        self.run(|script| script.tell(event));
    }

    fn run(&mut self, work: impl FnOnce(&mut Script) -> Result<(), Fault>) {
        let Some(script) = &mut self.script else { return };
        self.state.borrow_mut().begin_callback();
        let thrown = work(script).err();
        let mut later = script.settle();
        // What ran for too long is told once.
        later.retain(|fault| thrown.as_ref() != Some(fault) || *fault != Fault::TooLong);
        for fault in thrown.into_iter().chain(later) {
            if fault == Fault::OutOfMemory {
                script.relax();
            }
            self.state.borrow_mut().fault(fault);
        }
    }

    fn tell_call(&mut self, call: &CallId, name: &str, fields: &Json) {
        let tells = self.state.borrow().tells_of(call);
        if tells {
            self.tell(&json!({"tell": "call", "call": call, "name": name, "fields": fields}));
        }
    }

    /// A call has ended, or was never answered.
    fn call_over(&mut self, call: &CallId, code: u16, reason: &str) {
        let Some((state, incoming, tells)) = self.state.borrow_mut().call_gone(call) else { return };
        if !tells {
            return;
        }
        let (name, fields) = match state {
            CallState::Connected { duration } => {
                let direction = if incoming { "Incoming" } else { "Outgoing" };
                let fields = json!({
                    "internalCode": code, "reason": reason, "duration": duration.as_secs(), "cost": 0,
                    "direction": direction, "headers": {},
                });
                ("Disconnected", fields)
            }
            CallState::Alerting => ("Failed", json!({"code": code, "reason": reason, "headers": {}})),
        };
        self.tell(&json!({"tell": "call", "call": call, "name": name, "fields": fields}));
    }

    /// Lets a timer ring and deadlines pass.
    fn ring(&mut self, now: Duration) {
        // One at a time, so that what each asks for is carried out before the next.
        let due = self.state.borrow_mut().timers.ring(now);
        if let Some(timer) = due {
            self.tell(&json!({"tell": "timer", "timer": timer}));
        }
        self.state.borrow_mut().pass_deadlines(now);
    }

    /// Gives clients' events to those who listen, sends what may be sent, and ends the session if it is to end.
    fn settle(&mut self) {
        while self.state.borrow().may_tell_more() {
            let event = self.state.borrow_mut().next_client_event();
            let Some(event) = event else { break };
            self.tell(&event);
        }
        loop {
            self.state.borrow_mut().send_requests();
            let step = self.state.borrow_mut().end_step();
            match step {
                state::EndStep::Wait => break,
                state::EndStep::Again => {}
                state::EndStep::Tell(what) => self.tell(&json!({"tell": what})),
            }
        }
    }
}

/// What `AppEvents.Started` tells: there is neither an account nor a URL of the session here.
fn started() -> Json {
    json!({"sessionId": 1, "accountId": 0, "applicationId": 0, "accessURL": "", "accessSecureURL": "", "logURL": ""})
}

fn alerting(call: &CallId, incoming: &Incoming, custom_data: &str) -> Json {
    let Incoming { number, callerid, display_name, headers } = incoming;
    json!({
        "tell": "alerting",
        "about": {
            "id": call, "incoming": true, "number": number, "callerid": callerid, "display_name": display_name,
            "headers": headers, "custom_data": custom_data, "client_type": "pstn",
        },
        "event": {
            "callerid": callerid, "destination": number, "displayName": display_name, "headers": headers,
            "toURI": format!("sip:{number}@localhost"), "fromURI": format!("sip:{callerid}@localhost"),
            "customData": custom_data, "scheme": {},
        },
    })
}
