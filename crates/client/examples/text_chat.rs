//! Chats with an agent in writing: each line of the standard input is said and its answer printed.
//!
//!     echo 'When are you open?' | cargo run -p antiphon-client --example text_chat
//!
//! The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`, or for the hosted service
//! `ANTIPHON_URL=https://api.ultravox.ai` and `ULTRAVOX_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::Duration;

use antiphon_api::realtime::{AgentState, ServerMessage, Speaker};
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, MessageMedium, StartCallRequest};
use antiphon_audio::SampleRate;
use antiphon_client::realtime::{Event, Events, Options, connect, medium};
use antiphon_client::rest::Client;
use antiphon_client::transcript::Transcripts;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    chat(&Client::from_env()?, std::io::stdin().lock().lines().map_while(Result::ok)).await?;
    Ok(())
}

/// Says each line when the one before is answered. Gives all that was said.
pub(crate) async fn chat(
    client: &Client,
    lines: impl IntoIterator<Item = String>,
) -> Result<Transcripts, Box<dyn Error>> {
    let request = StartCallRequest {
        medium: Some(medium(SampleRate::EAR, SampleRate::EAR, Duration::ZERO)),
        initial_output_medium: Some(MessageMedium::Text),
        ..StartCallRequest::default()
    };
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
    let join_url = call.join_url.ok_or("the server dials this call itself")?;
    let (sender, mut events) = connect(&join_url, &Options::default()).await?;

    let mut said = Transcripts::default();
    answer(&mut events, &mut said).await;
    for line in lines {
        sender.user_text(line).await?;
        if !answer(&mut events, &mut said).await {
            return Ok(said);
        }
    }
    sender.close().await;
    while let Some(event) = events.next().await {
        if let Event::Closed(reason) = event {
            println!("{reason}");
        }
    }
    Ok(said)
}

/// Prints what is said until the agent has finished an answer and listens. False if the call is over.
async fn answer(events: &mut Events, said: &mut Transcripts) -> bool {
    let mut is_answered = false;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(ServerMessage::Transcript(piece)) => {
                if let Some(utterance) = said.merge(&piece)
                    && utterance.is_final
                {
                    println!("{}: {}", utterance.role, utterance.text.trim());
                    is_answered |= utterance.role == Speaker::Agent;
                }
            }
            Event::Message(ServerMessage::State(state)) => {
                if is_answered && state.state == AgentState::Listening {
                    return true;
                }
            }
            Event::Closed(reason) => println!("{reason}"),
            Event::Audio(_) | Event::Message(_) | Event::Unreadable { .. } => {}
        }
    }
    false
}
