//! The host of a session that is made of units of sound: calls are legs with somebody at the other end, clients are bridges to
//! calls of voice agents.
//!
//! Who is at the other end of a call is said by [`Phones`], and what leads to other servers by [`Web`]; both are the caller's.

mod agent;
mod leg;
mod party;
mod wav;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use antiphon_client::bridge::{Encoding, MediaUnit, SendMedia};
use antiphon_client::rest::{BuildError, Client};
use futures::future::{BoxFuture, join_all};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::command::{
    CallId, ClientId, ClientRequest, Command, Dial, HttpAnswer, HttpRequest, Notice, RequestId, Unit,
};
use crate::run::Host;

use agent::Agent;
use leg::{Leg, Order};

pub use party::{Deed, Party, Scene};
pub use wav::WavParty;

/// What happens and waits to be told. Whoever has more to tell waits, or leaves out what is of no use later.
const NEWS: usize = 256;
/// Remarks that wait to be told; further ones are left out.
const REMARKS: usize = 1000;
/// How long calls and clients may take to end when the session has.
const FAREWELL: Duration = Duration::from_secs(6);

/// Who is at the other end of calls.
pub trait Phones: Send {
    /// The caller of the call that begins the session.
    ///
    /// # Errors
    ///
    /// Why there is none, for the operator.
    fn caller(&mut self) -> Result<Box<dyn Party>, String>;

    /// Who takes a call that goes out.
    ///
    /// # Errors
    ///
    /// Nobody does: a SIP status and what it means.
    fn callee(&mut self, dial: &Dial) -> Result<Box<dyn Party>, (u16, String)>;
}

/// A connection to somewhere, encrypted if its URL said so.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The way to servers that scenarios name, under whatever rules the operator has.
pub trait Web: Send + Sync {
    /// Sends a request and reads the answer; fails by the code of the answer.
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, HttpAnswer>;

    /// Connects to the host and port of a `ws` or `wss` URL.
    fn connect(&self, url: &str) -> BoxFuture<'static, Result<Box<dyn Stream>, String>>;
}

/// Makes a client of the API's server with the key that a scenario has, or without one with the operator's.
pub type MakeClient = dyn Fn(Option<&str>) -> Result<Client, BuildError> + Send + Sync;

/// Something that happens in the exchange.
#[derive(Debug)]
enum News {
    Notice(Notice),
    /// A client has joined its call.
    Opened(ClientId, Box<antiphon_client::bridge::Bridge>),
}

/// See the head of this file.
pub struct Exchange {
    phones: Box<dyn Phones>,
    web: Arc<dyn Web>,
    make_client: Arc<MakeClient>,
    legs: BTreeMap<CallId, Leg>,
    /// Legs whose calls are over, and whose recordings may not be complete.
    past: Vec<Leg>,
    agents: BTreeMap<ClientId, Agent>,
    tell: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
    /// What this side has to tell itself.
    own: VecDeque<Notice>,
}

impl Exchange {
    /// An exchange without calls.
    #[must_use]
    pub fn new(phones: Box<dyn Phones>, web: Arc<dyn Web>, make_client: Arc<MakeClient>) -> Self {
        let (tell, news) = mpsc::channel(NEWS);
        let (legs, agents) = (BTreeMap::new(), BTreeMap::new());
        Self { phones, web, make_client, legs, past: Vec::new(), agents, tell, news, own: VecDeque::new() }
    }

    /// Brings in the call that begins the session. Must be called within a tokio runtime, before the session runs.
    ///
    /// # Errors
    ///
    /// There is no caller.
    pub fn ring(&mut self) -> Result<(), String> {
        let party = self.phones.caller()?;
        // The session gives the call that begins it the first number.
        let call = CallId::new(1);
        self.legs.insert(call.clone(), Leg::incoming(call, party, self.tell.clone()));
        Ok(())
    }

    /// Ends what is left of calls and clients, and waits until recordings are complete. Gives what went wrong with them.
    pub async fn finish(self) -> Vec<String> {
        for leg in self.legs.values() {
            leg.hang_up();
        }
        for agent in self.agents.values() {
            agent.close();
        }
        let Self { legs, past, agents, mut news, .. } = self;
        let legs = join_all(legs.into_values().chain(past).map(Leg::over));
        let agents = join_all(agents.into_values().map(Agent::over));
        // What takes longer is not waited for: it ends with the process or the runtime.
        let over = timeout(FAREWELL, async { tokio::join!(legs, agents) });
        let mut over = std::pin::pin!(over);
        let mut remarks = Vec::new();
        loop {
            let told = tokio::select! {
                biased;
                Some(told) = news.recv() => told,
                _ = &mut over => return remarks,
            };
            if let News::Notice(Notice::Remark { text }) = told {
                remarks.push(text);
            }
        }
    }

    fn dial(&mut self, call: CallId, dial: &Dial) {
        match self.phones.callee(dial) {
            Ok(party) => {
                self.legs.insert(call.clone(), Leg::outgoing(call, party, self.tell.clone()));
            }
            Err((code, reason)) => self.own.push_back(Notice::CallFailed { call, code, reason }),
        }
    }

    fn order(&mut self, call: &CallId, order: Order) {
        let done = self.legs.get(call).is_none_or(|leg| leg.order(order));
        if !done {
            self.remark(format!("{call} is asked for more than it can do at a time; some of it is left out"));
        }
    }

    fn send_message(&mut self, client: &ClientId, message: Json) {
        let done = self.agents.get(client).is_none_or(|agent| agent.send(message));
        if !done {
            self.remark(format!(
                "{client} is sent messages faster than its connection takes them; some are left out"
            ));
        }
    }

    fn create_client(&mut self, client: ClientId, request: ClientRequest) {
        let agent = Agent::begin(client.clone(), request, &self.make_client, &self.web, self.tell.clone());
        self.agents.insert(client, agent);
    }

    fn send_media(&mut self, from: &Unit, to: &Unit, with: SendMedia) {
        let (Some(source), Some(target)) = (self.unit(from), self.unit(to)) else {
            self.remark(format!("sendMediaTo: {from} or {to} has ended, so no sound is sent"));
            return;
        };
        if let Err(error) = source.send_media_to(target, with) {
            self.remark(format!("sendMediaTo: {from} to {to}: {error}"));
        }
    }

    fn unit(&self, unit: &Unit) -> Option<&dyn MediaUnit> {
        match unit {
            Unit::Call(call) => self.legs.get(call).map(|leg| leg.port() as &dyn MediaUnit),
            Unit::Client(client) => self.agents.get(client)?.bridge().map(|bridge| bridge as &dyn MediaUnit),
        }
    }

    fn request(&self, request: RequestId, http: HttpRequest) {
        let (tell, answer) = (self.tell.clone(), self.web.send(http));
        tokio::spawn(async move {
            let answer = answer.await;
            // The session may be over.
            let _ = tell.send(News::Notice(Notice::Answered { request, answer })).await;
        });
    }

    fn remark(&mut self, text: String) {
        if self.own.len() < REMARKS {
            self.own.push_back(Notice::Remark { text });
        }
    }

    /// Keeps what has happened in mind before it is told.
    fn take(&mut self, news: News) -> Notice {
        match news {
            News::Opened(client, bridge) => {
                let web_socket = bridge.web_socket_id().to_owned();
                if let Some(agent) = self.agents.get_mut(&client) {
                    agent.opened(*bridge);
                }
                Notice::ClientOpened { client, web_socket }
            }
            News::Notice(notice) => {
                match &notice {
                    Notice::CallDisconnected { call, .. } | Notice::CallFailed { call, .. } => {
                        self.past.retain(|leg| !leg.is_over());
                        self.past.extend(self.legs.remove(call));
                    }
                    Notice::ClientClosed { client, .. } | Notice::ClientRefused { client, .. } => {
                        self.agents.remove(client);
                    }
                    Notice::Answered { .. }
                    | Notice::CallAudioStarted { .. }
                    | Notice::CallConnected { .. }
                    | Notice::CallRinging { .. }
                    | Notice::ClientEvent { .. }
                    | Notice::ClientOpened { .. }
                    | Notice::Remark { .. }
                    | Notice::Stop
                    | Notice::Timeout
                    | Notice::Tone { .. } => {}
                }
                notice
            }
        }
    }
}

impl Host for Exchange {
    fn carry_out(&mut self, command: Command) {
        match command {
            // The log is the runner's.
            Command::Log { .. } => {}
            Command::Answer { call, .. } => self.order(&call, Order::Answer),
            Command::ClearMedia { client, tag } => {
                if let Some(bridge) = self.agents.get(&client).and_then(Agent::bridge) {
                    bridge.clear_media_buffer(tag.as_deref());
                }
            }
            Command::CloseClient { client } => {
                if let Some(agent) = self.agents.get(&client) {
                    agent.close();
                }
            }
            Command::CreateClient { client, request } => self.create_client(client, request),
            Command::Dial { call, dial } => self.dial(call, &dial),
            Command::Hangup { call, .. } => {
                if let Some(leg) = self.legs.get(&call) {
                    leg.hang_up();
                }
            }
            Command::Reject { call, code, .. } => self.order(&call, Order::Reject(code)),
            Command::Request { request, http } => self.request(request, http),
            // Who calls from a file or a sound card hears no ringing.
            Command::Ring { .. } => {}
            Command::SendDigits { call, digits } => self.order(&call, Order::Digits(digits)),
            Command::SendMedia { from, to, tag, encoding, custom_parameters } => {
                let custom_parameters = match custom_parameters {
                    Some(Json::Object(fields)) => Some(fields),
                    Some(_) | None => None,
                };
                let coded =
                    encoding.as_deref().map(str::parse::<Encoding>).transpose().unwrap_or_else(|error| {
                        self.remark(format!("sendMediaTo: {error}; the sound goes uncoded"));
                        None
                    });
                let with = SendMedia { tag: tag.unwrap_or_default(), encoding: coded, custom_parameters };
                self.send_media(&from, &to, with);
            }
            Command::SendMessage { client, message } => self.send_message(&client, message),
            Command::StartEarlyMedia { call } => self.order(&call, Order::EarlyMedia),
            Command::StopMedia { from, to } => {
                if let (Some(source), Some(target)) = (self.unit(&from), self.unit(&to)) {
                    source.stop_media_to(target);
                }
            }
        }
    }

    async fn next(&mut self) -> Notice {
        if let Some(notice) = self.own.pop_front() {
            return notice;
        }
        match self.news.recv().await {
            Some(news) => self.take(news),
            // This side holds a sender itself.
            None => std::future::pending().await,
        }
    }
}
