//! One client of a voice agent: a task that has a bridge made, tells what happens on it and sends what it is given.

use std::sync::Arc;

use antiphon_client::bridge::{Bridge, Builder, Closed, Event, Events};
use antiphon_client::rest::Client;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::{MakeClient, News, Web};
use crate::command::{ClientId, ClientRequest, Headers, Notice, Target};

/// Messages that wait to be sent.
const MESSAGES: usize = 256;
/// The header that has the key.
const API_KEY: &str = "x-api-key";

/// A client, seen from the exchange.
#[derive(Debug)]
pub(super) struct Agent {
    messages: mpsc::Sender<Json>,
    /// Apart from the messages, so that it is never crowded out.
    closing: Arc<Notify>,
    bridge: Option<Bridge>,
    task: JoinHandle<()>,
}

impl Agent {
    pub(super) fn begin(
        id: ClientId,
        request: ClientRequest,
        make_client: &Arc<MakeClient>,
        web: &Arc<dyn Web>,
        tell: mpsc::Sender<News>,
    ) -> Self {
        let (messages, given) = mpsc::channel(MESSAGES);
        let closing = Arc::new(Notify::new());
        let wishes = Wishes { messages: given, closing: Arc::clone(&closing) };
        let (make_client, web) = (Arc::clone(make_client), Arc::clone(web));
        let task = tokio::spawn(async move {
            serve(id, request, make_client.as_ref(), web.as_ref(), wishes, &tell).await
        });
        Self { messages, closing, bridge: None, task }
    }

    pub(super) fn opened(&mut self, bridge: Bridge) {
        self.bridge = Some(bridge);
    }

    pub(super) fn bridge(&self) -> Option<&Bridge> {
        self.bridge.as_ref()
    }

    /// Sends a message; false if too many wait already.
    pub(super) fn send(&self, message: Json) -> bool {
        !matches!(self.messages.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Leaves the call, once what was sent before has gone out.
    pub(super) fn close(&self) {
        self.closing.notify_one();
    }

    /// Waits until the connection is closed.
    pub(super) async fn over(self) {
        drop(self.messages);
        // A task that has panicked is over, too.
        let _ = self.task.await;
    }
}

/// What is asked of a client, on its own side.
struct Wishes {
    messages: mpsc::Receiver<Json>,
    closing: Arc<Notify>,
}

async fn serve(
    id: ClientId,
    request: ClientRequest,
    make_client: &MakeClient,
    web: &dyn Web,
    wishes: Wishes,
    tell: &mpsc::Sender<News>,
) {
    let opened = tokio::select! {
        biased;
        opened = open(request, make_client, web) => opened,
        () = wishes.closing.notified() => Err("the client was closed before it was open".to_owned()),
    };
    // The session may be over; then nobody is told.
    let (bridge, events) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            let _ = tell.send(News::Notice(Notice::ClientRefused { client: id, why })).await;
            return;
        }
    };
    let _ = tell.send(News::Opened(id.clone(), Box::new(bridge.clone()))).await;
    converse(id, &bridge, events, wishes, tell).await;
}

async fn converse(
    id: ClientId,
    bridge: &Bridge,
    mut events: Events,
    mut wishes: Wishes,
    tell: &mpsc::Sender<News>,
) {
    let mut leaving = false;
    loop {
        let notice = tokio::select! {
            biased;
            message = wishes.messages.recv(), if !leaving => {
                match message {
                    Some(message) => send(bridge, message).await,
                    // The exchange is gone.
                    None => {
                        leaving = true;
                        bridge.close().await;
                    }
                }
                continue;
            }
            () = wishes.closing.notified(), if !leaving => {
                leaving = true;
                bridge.close().await;
                continue;
            }
            event = events.next() => match event {
                Some(Event::Closed(closed)) => {
                    let _ = tell.send(News::Notice(over(id, closed))).await;
                    return;
                }
                Some(event) => told(&id, &event),
                None => return,
            },
        };
        // Whoever does not take what happens slows the call down; a session that is over takes nothing.
        let _ = tell.send(News::Notice(notice)).await;
    }
}

async fn send(bridge: &Bridge, message: Json) {
    if let Json::Object(message) = message {
        // That the call is over is told by the events.
        let _ = bridge.sender().raw(&message).await;
    }
}

/// The call that a client is for, joined. The scenario obeys the agent's clears itself.
async fn open(
    request: ClientRequest,
    make_client: &MakeClient,
    web: &dyn Web,
) -> Result<(Bridge, Events), String> {
    let ClientRequest { target, headers, query } = request;
    let client = make_client(key(&headers)).map_err(|error| error.to_string());
    let created = |client: Client, agent: Option<String>, body: &Json| -> Builder {
        let builder = match agent {
            Some(agent) => Bridge::create_agent_call(&client, &agent),
            None => Bridge::create_call(&client),
        };
        let body = body.as_object().cloned().unwrap_or_default();
        query.iter().fold(builder.body(body), |builder, (name, value)| builder.query(name, value))
    };
    let builder = match target {
        Target::CreateCall { body } => created(client?, None, &body),
        Target::CreateAgentCall { agent, body } => created(client?, Some(agent), &body),
        Target::JoinCall { join_url } => {
            let builder = Bridge::join(join_url.clone()).clearing_by_hand();
            // The server that is spoken with anyhow is not subject to the rules for others.
            if client.is_ok_and(|client| leads_to(&join_url, &client)) {
                return builder.connect().await.map_err(|error| error.to_string());
            }
            let stream = web.connect(&join_url).await?;
            return builder.connect_over(stream).await.map_err(|error| error.to_string());
        }
    };
    builder.clearing_by_hand().connect().await.map_err(|error| error.to_string())
}

/// The key among the headers that a scenario gives.
fn key(headers: &Headers) -> Option<&str> {
    let key = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(API_KEY))?.1.trim();
    (!key.is_empty()).then_some(key)
}

/// Whether a join URL leads to the server of a client: the same host, and the same port or that of the scheme.
fn leads_to(join_url: &str, client: &Client) -> bool {
    let rest = |text: &str| {
        let (scheme, rest) = text.trim().split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
        let secure = matches!(scheme.to_ascii_lowercase().as_str(), "https" | "wss");
        let usual = if secure { ":443" } else { ":80" };
        Some((secure, authority.strip_suffix(usual).unwrap_or(&authority).to_owned()))
    };
    rest(join_url).is_some() && rest(join_url) == rest(client.url().as_str())
}

/// What happened on a bridge, as scenarios are told of it.
fn told(client: &ClientId, event: &Event) -> Notice {
    let (name, payload) = (event.name(), event.payload());
    let is_media = matches!(event, Event::MediaStarted(_) | Event::MediaEnded(_));
    let (name, fields) = if is_media {
        (format!("Ultravox.Events.{name}"), payload)
    } else {
        (format!("Ultravox.WebSocketAPI.{name}"), json!({"data": {"customEvent": name, "payload": payload}}))
    };
    Notice::ClientEvent { client: client.clone(), name, fields }
}

fn over(client: ClientId, closed: Closed) -> Notice {
    let Closed { code, reason, was_clean, .. } = closed;
    Notice::ClientClosed { client, code, reason, was_clean }
}
