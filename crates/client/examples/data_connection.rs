//! Observes a call over its data connection: the server connects to this program and tells it what happens in the call.
//!
//!     cargo run -p antiphon-client --example data_connection
//!
//! The server must reach this program, so it is to be run beside it, and its configuration must permit it:
//! `[outbound] allow = ["127.0.0.1"]`. The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use antiphon_api::realtime::{AgentState, ServerMessage};
use antiphon_api::rest::calls::{
    CreateCall, CreateCallQuery, DataConnectionAudioConfig, DataConnectionConfig, StartCallRequest,
};
use antiphon_audio::SampleRate;
use antiphon_client::realtime::{Event, Options, accept, connect, medium};
use antiphon_client::rest::Client;
use tokio::net::TcpListener;

/// What was observed.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The types of the messages, in their order.
    pub(crate) messages: Vec<String>,
    /// Samples of the call's sound, user and agent together.
    pub(crate) samples: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:#?}", observe(&Client::from_env()?).await?);
    Ok(())
}

/// Creates a call with a data connection to here, joins it as its user, and gives what was observed when it is over.
pub(crate) async fn observe(client: &Client) -> Result<Observed, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connection = DataConnectionConfig {
        websocket_url: format!("ws://{}/observer", listener.local_addr()?),
        // With the default layout, user and agent are two channels.
        audio_config: Some(DataConnectionAudioConfig::default()),
        data_messages: None,
        headers: BTreeMap::new(),
    };
    let request = StartCallRequest {
        medium: Some(medium(SampleRate::EAR, SampleRate::EAR, Duration::ZERO)),
        data_connection: Some(connection),
        ..StartCallRequest::default()
    };
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
    let join_url = call.join_url.ok_or("the server dials this call itself")?;

    let observing = async {
        let (stream, _) = listener.accept().await?;
        // Whoever listens on the internet looks at the signature of the request here.
        let (_sender, mut events) = accept(stream).await?;
        let mut observed = Observed::default();
        while let Some(event) = events.next().await {
            match event {
                Event::Audio(samples) => observed.samples += samples.len() / 2,
                Event::Message(message) => observed.messages.push(kind(&message)),
                Event::Unreadable { .. } | Event::Closed(_) => {}
            }
        }
        Ok::<_, Box<dyn Error>>(observed)
    };
    // The call's user, who says nothing and leaves when the agent has greeted.
    let talking = async {
        let (sender, mut events) = connect(&join_url, &Options::default()).await?;
        let mut has_spoken = false;
        while let Some(event) = events.next().await {
            if let Event::Message(ServerMessage::State(state)) = event {
                has_spoken |= state.state == AgentState::Speaking;
                if has_spoken && state.state == AgentState::Listening {
                    sender.close().await;
                }
            }
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let (observed, ()) = tokio::try_join!(observing, talking)?;
    Ok(observed)
}

fn kind(message: &ServerMessage) -> String {
    let json = serde_json::to_value(message).unwrap_or_default();
    json["type"].as_str().unwrap_or_default().to_owned()
}
