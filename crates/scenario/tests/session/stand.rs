//! A session whose host is the test.

use std::time::Duration;

use antiphon_scenario::{
    CallId, ClientId, Command, File, Headers, HttpAnswer, Incoming, Limits, Notice, Outcome, RequestId,
    Session, Setup, Voice,
};
use serde_json::{Value, json};

/// A scenario whose session the test plays the host of. The clock stands still until the test moves it.
pub(crate) struct Stand {
    session: Session,
    now: Duration,
    commands: Vec<Command>,
    /// The log so far.
    pub(crate) log: Vec<(Voice, String)>,
}

/// What a session is begun with unless the test says otherwise.
pub(crate) fn setup(source: &str) -> Setup {
    Setup {
        files: vec![File { name: "scenario.js".to_owned(), source: source.to_owned() }],
        incoming: None,
        custom_data: String::new(),
        secrets: [("ULTRAVOX_API_KEY".to_owned(), "s3cret".to_owned())].into(),
        limits: Limits::default(),
    }
}

/// The caller of a call that comes in.
pub(crate) fn caller() -> Incoming {
    Incoming {
        number: "8005551212".to_owned(),
        callerid: "15551234567".to_owned(),
        display_name: "Ada".to_owned(),
        headers: [("X-Shop".to_owned(), "bakery".to_owned())].into(),
    }
}

impl Stand {
    /// A session that is begun from outside.
    pub(crate) fn started(source: &str) -> Self {
        Self::of(setup(source))
    }

    /// A session that a call begins, which is `call-1`.
    pub(crate) fn called(source: &str) -> Self {
        Self::of(Setup { incoming: Some(caller()), ..setup(source) })
    }

    pub(crate) fn of(setup: Setup) -> Self {
        let mut stand = Self {
            session: Session::begin(setup),
            now: Duration::ZERO,
            commands: Vec::new(),
            log: Vec::new(),
        };
        stand.drain();
        stand
    }

    fn drain(&mut self) {
        while let Some(command) = self.session.poll() {
            match command {
                Command::Log { voice, text, .. } => self.log.push((voice, text)),
                other => self.commands.push(other),
            }
        }
    }

    pub(crate) fn tell(&mut self, notice: Notice) {
        self.session.handle(self.now, notice);
        self.drain();
    }

    /// Lets time pass, waking the session whenever it wants to be.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.session.deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.tell(Notice::Timeout);
        }
        self.now = end;
    }

    pub(crate) fn wait_ms(&mut self, milliseconds: u64) {
        self.wait(Duration::from_millis(milliseconds));
    }

    /// What the scenario asked for since the last time.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The one thing that the scenario asked for.
    pub(crate) fn command(&mut self) -> Command {
        let mut commands = self.commands();
        assert_eq!(commands.len(), 1, "{commands:?} {:?}", self.log);
        commands.remove(0)
    }

    fn lines(&self, wanted: Voice) -> Vec<&str> {
        self.log.iter().filter(|(voice, _)| *voice == wanted).map(|(_, text)| text.as_str()).collect()
    }

    /// What the scenario wrote to the log.
    pub(crate) fn said(&self) -> Vec<&str> {
        self.lines(Voice::Script)
    }

    /// The same as JSON.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.said().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn notes(&self) -> Vec<&str> {
        self.lines(Voice::Note)
    }

    pub(crate) fn errors(&self) -> Vec<&str> {
        self.lines(Voice::Error)
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.session.outcome()
    }

    pub(crate) fn connected(&mut self, number: u32) {
        self.tell(Notice::CallConnected { call: CallId::new(number), headers: Headers::new() });
    }

    pub(crate) fn disconnected(&mut self, number: u32) {
        self.tell(Notice::CallDisconnected {
            call: CallId::new(number),
            code: 200,
            reason: "Normal call clearing".to_owned(),
        });
    }

    /// An event of the API, with a payload.
    #[expect(clippy::needless_pass_by_value, reason = "payloads are written where they are told")]
    pub(crate) fn api_event(&mut self, number: u32, name: &str, payload: Value) {
        self.tell(Notice::ClientEvent {
            client: ClientId::new(number),
            name: format!("Ultravox.WebSocketAPI.{name}"),
            fields: json!({"data": {"customEvent": name, "payload": payload}}),
        });
    }

    pub(crate) fn opened(&mut self, number: u32) {
        self.tell(Notice::ClientOpened {
            client: ClientId::new(number),
            web_socket: format!("socket-{number}"),
        });
    }

    pub(crate) fn closed(&mut self, number: u32) {
        self.tell(Notice::ClientClosed {
            client: ClientId::new(number),
            code: 1000,
            reason: "Normal connection close".to_owned(),
            was_clean: true,
        });
    }

    pub(crate) fn answered(&mut self, number: u32, code: i32, text: &str) {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        let answer = HttpAnswer { code, text: Some(text.to_owned()), base64: None, headers, error: None };
        self.tell(Notice::Answered { request: RequestId::new(number), answer });
    }
}
