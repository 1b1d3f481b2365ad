//! A model that does what the user writes: `call NAME ARGUMENTS` calls a tool with exactly these arguments, `say and call` says
//! something first. It repeats what tools told it, and says on `who are you?` what it was given.

use std::collections::BTreeMap;
use std::sync::Arc;

use antiphon_backends::language_model::{Capabilities, LanguageModel, Request, RunEvent};
use antiphon_backends::registry::Backends;
use antiphon_engine::input::{ModelEvent, ModelToolCall};
use antiphon_engine::message::{MessageBody, Prompt};
use antiphon_server::config::Config;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::stand::{Stand, backends};

pub(crate) struct Puppet;

impl LanguageModel for Puppet {
    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    fn generate(&self, request: Request) -> BoxStream<'static, RunEvent> {
        let mut events = match request.prompt.messages.last().map(|message| &message.body) {
            Some(MessageBody::ToolResult { text, .. }) => vec![say(&format!("Told: {text}"))],
            Some(MessageBody::User { text, .. }) if &**text == "who are you?" => {
                vec![say(&describe(&request.prompt))]
            }
            Some(MessageBody::User { text, .. }) => obey(text),
            _ => vec![say("Pardon?")],
        };
        events.push(ModelEvent::Finished);
        stream::iter(events.into_iter().map(RunEvent::from)).boxed()
    }

    fn warm_up(&self, _: Request) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn say(text: &str) -> ModelEvent {
    ModelEvent::Text(Arc::from(text))
}

/// The system prompt, the texts of the history, and the tools.
fn describe(prompt: &Prompt) -> String {
    let texts = prompt.messages.iter().map(|message| match &message.body {
        MessageBody::Agent { heard, .. } => heard.trim().to_owned(),
        MessageBody::ToolCall { tool, .. } => format!("({tool})"),
        MessageBody::ToolResult { text, .. } | MessageBody::User { text, .. } => text.to_string(),
    });
    let tools = prompt.tools.iter().map(|tool| tool.name.to_string());
    let system = prompt.system.as_deref().unwrap_or("nobody");
    format!(
        "I am {system}; I know {}; I have {}",
        texts.collect::<Vec<_>>().join(" / "),
        tools.collect::<Vec<_>>().join(", ")
    )
}

fn obey(order: &str) -> Vec<ModelEvent> {
    let call = |order: &str| {
        let (name, arguments) = order.split_once(' ').unwrap_or((order, ""));
        ModelEvent::ToolCall(ModelToolCall { name: name.into(), arguments: arguments.into(), given_id: None })
    };
    if let Some(order) = order.strip_prefix("say and call ") {
        return vec![
            say("One moment, please, while I look into every room of the house for you."),
            call(order),
        ];
    }
    let calls: Vec<_> = order.lines().filter_map(|line| line.strip_prefix("call ")).map(call).collect();
    if calls.is_empty() { vec![say(&format!("You said: {order}"))] } else { calls }
}

/// A server with this model, which dials whatever is on this machine.
pub(crate) async fn stand() -> Stand {
    stand_with(|_| {}).await
}

/// The same with other settings.
pub(crate) async fn stand_with(change: impl FnOnce(&mut Config)) -> Stand {
    stand_of(puppet_backends(), change).await
}

/// The same, and whatever users say is this.
pub(crate) async fn stand_hearing(words: &str) -> Stand {
    stand_of(obeying(backends(&[words; 100])), |_| {}).await
}

/// The backends of such a server.
pub(crate) fn puppet_backends() -> Backends {
    obeying(backends(&[]))
}

fn obeying(backends: Backends) -> Backends {
    let model: Arc<dyn LanguageModel> = Arc::new(Puppet);
    Backends { models: BTreeMap::from([(Arc::from("script"), model)]), ..backends }
}

/// Such a server with these backends.
pub(crate) async fn stand_of(backends: Backends, change: impl FnOnce(&mut Config)) -> Stand {
    let directory = std::env::temp_dir().join(format!("antiphon-tools-{}", uuid::Uuid::new_v4()));
    Stand::start_with(backends, directory, |config| {
        config.outbound.allow = vec!["127.0.0.1".parse().unwrap()];
        change(config);
    })
    .await
}

/// A call by text that has these tools.
pub(crate) async fn call(stand: &Stand, tools: Value) -> (Value, Caller) {
    call_with(stand, json!({"selectedTools": tools})).await
}

/// The same with more fields in its request.
pub(crate) async fn call_with(stand: &Stand, fields: Value) -> (Value, Caller) {
    let mut request = json!({
        "initialOutputMedium": "MESSAGE_MEDIUM_TEXT",
        "firstSpeakerSettings": {"user": {}},
    });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (call, mut caller) = stand.call(request).await;
    caller.until_state("listening").await;
    (call, caller)
}

/// What the model was told after this order.
pub(crate) async fn told(caller: &mut Caller, order: &str) -> String {
    caller.write(order).await;
    let text = caller.until_final("agent").await;
    text.strip_prefix("Told: ").map_or(text.clone(), str::to_owned)
}

/// The call goes on.
pub(crate) async fn goes_on(caller: &mut Caller) {
    assert_eq!(told(caller, "still there?").await, "You said: still there?");
}
