//! Lets an agent call a function of this program.
//!
//!     cargo run -p antiphon-client --example tool -- 'Where is my order?'
//!
//! The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::time::Duration;

use antiphon_api::realtime::{AgentState, ServerMessage, Speaker};
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, MessageMedium, StartCallRequest};
use antiphon_audio::SampleRate;
use antiphon_client::realtime::{Event, Options, connect, medium};
use antiphon_client::rest::Client;
use antiphon_client::tools::{Tool, ToolRunner, Tools};
use antiphon_client::transcript::Transcripts;
use schemars::JsonSchema;
use serde::Deserialize;

/// What the agent tells the function. The comments are for the model.
#[derive(Debug, Deserialize, JsonSchema)]
struct Lookup {
    /// What the caller said about the order.
    #[serde(default)]
    request: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Where is my order?".to_owned());
    ask(&Client::from_env()?, &question).await?;
    Ok(())
}

/// Asks a question that the agent needs the function for. Gives all that was said.
pub(crate) async fn ask(client: &Client, question: &str) -> Result<Transcripts, Box<dyn Error>> {
    let look_up = async |lookup: Lookup| {
        println!("lookupOrder is called with {lookup:?}");
        if lookup.request.len() > 1_000 {
            // The agent is told that it failed, and the reason is for developers.
            return Err("the request is too long to be looked up");
        }
        Ok("Two loaves of sourdough are ready.")
    };
    let tool = Tool::new("lookupOrder", "Looks up the caller's order.", look_up);
    let mut tools = Tools::new();
    tools.add(tool.timeout(Duration::from_secs(5)))?;

    let request = StartCallRequest {
        system_prompt: Some(
            "You answer the phone of a bakery. Look orders up before you tell of them.".to_owned(),
        ),
        medium: Some(medium(SampleRate::EAR, SampleRate::EAR, Duration::ZERO)),
        initial_output_medium: Some(MessageMedium::Text),
        selected_tools: Some(tools.selected()),
        ..StartCallRequest::default()
    };
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
    let join_url = call.join_url.ok_or("the server dials this call itself")?;
    let (sender, mut events) = connect(&join_url, &Options::default()).await?;
    // Runs what the agent calls beside the conversation, and sends the results.
    let mut runner = ToolRunner::new(tools, sender.clone());

    let (mut said, mut is_asked, mut is_called) = (Transcripts::default(), false, false);
    while let Some(event) = events.next().await {
        let Event::Message(message) = event else { continue };
        is_called |= runner.handle(&message);
        if let ServerMessage::Transcript(piece) = &message
            && let Some(utterance) = said.merge(piece)
            && utterance.is_final
        {
            println!("{}: {}", utterance.role, utterance.text.trim());
        }
        let is_listening =
            matches!(&message, ServerMessage::State(state) if state.state == AgentState::Listening);
        let is_greeted = said.utterances().any(|utterance| utterance.role == Speaker::Agent);
        if is_listening && is_greeted && !is_asked {
            is_asked = true;
            sender.user_text(question).await?;
        } else if is_listening && is_called {
            sender.close().await;
        }
    }
    Ok(said)
}
