//! Creates an agent and calls it: the agent's template is filled in for each call.
//!
//!     cargo run -p antiphon-client --example agent_call -- Ada
//!
//! The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::time::Duration;

use antiphon_api::endpoint::{NoBody, NoQuery};
use antiphon_api::realtime::{ServerMessage, Speaker};
use antiphon_api::rest::agents::{
    AgentRequest, CallTemplate, CreateAgent, DeleteAgent, StartAgentCall, StartAgentCallQuery,
    StartAgentCallRequest,
};
use antiphon_api::rest::calls::{AgentGreeting, Call, FirstSpeakerSettings, MessageMedium};
use antiphon_audio::SampleRate;
use antiphon_client::realtime::{Event, Options, connect, medium};
use antiphon_client::rest::Client;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "Ada".to_owned());
    println!("{}", greeted(&Client::from_env()?, &name).await?);
    Ok(())
}

/// Has a new agent greet somebody, and gives how it does.
pub(crate) async fn greeted(client: &Client, name: &str) -> Result<String, Box<dyn Error>> {
    let greeting =
        AgentGreeting { text: Some("Hello {{name}}, how are you?".to_owned()), ..AgentGreeting::default() };
    let template = CallTemplate {
        system_prompt: Some("You are a friend of {{name}}.".to_owned()),
        first_speaker_settings: Some(FirstSpeakerSettings::Agent(greeting)),
        initial_output_medium: Some(MessageMedium::Text),
        medium: Some(medium(SampleRate::EAR, SampleRate::EAR, Duration::ZERO)),
        ..CallTemplate::default()
    };
    let request = AgentRequest { name: Some("greeter".to_owned()), call_template: Some(template) };
    let agent = client.send(CreateAgent, &(), &NoQuery, &request).await?;

    let context = json!({ "name": name });
    let request = StartAgentCallRequest {
        template_context: context.as_object().cloned(),
        ..StartAgentCallRequest::default()
    };
    let query = StartAgentCallQuery::default();
    let call = client.send(StartAgentCall, &agent.agent_id, &query, &request).await?;
    let greeting = greeting_of(&call).await;
    // Its calls stay.
    client.send(DeleteAgent, &agent.agent_id, &NoQuery, &NoBody).await?;
    greeting
}

/// Joins the call for as long as the agent greets.
async fn greeting_of(call: &Call) -> Result<String, Box<dyn Error>> {
    let join_url = call.join_url.as_deref().ok_or("the server dials this call itself")?;
    let (sender, mut events) = connect(join_url, &Options::default()).await?;
    let mut said = antiphon_client::transcript::Transcripts::default();
    while let Some(event) = events.next().await {
        match event {
            Event::Message(ServerMessage::Transcript(piece)) => {
                if let Some(utterance) = said.merge(&piece)
                    && utterance.is_final
                    && utterance.role == Speaker::Agent
                {
                    sender.close().await;
                    return Ok(utterance.text.clone());
                }
            }
            Event::Closed(reason) => return Err(reason.to_string().into()),
            Event::Audio(_) | Event::Message(_) | Event::Unreadable { .. } => {}
        }
    }
    Err("the call ended without a word".into())
}
