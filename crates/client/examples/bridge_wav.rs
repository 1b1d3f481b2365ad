//! Bridges a WAV file to an agent, as one would bridge a phone call: says what is in it, and records what comes back.
//!
//!     cargo run -p antiphon-client --example bridge_wav -- question.wav answer.wav
//!
//! The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::path::Path;

use antiphon_client::bridge::{Bridge, Encoding, Event, MediaUnit as _, SendMedia, WavUnit};
use antiphon_client::rest::Client;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut files = std::env::args_os().skip(1);
    let (Some(question), Some(answer)) = (files.next(), files.next()) else {
        return Err("name two WAV files: what the caller says, and where the agent goes".into());
    };
    bridge(&Client::from_env()?, question.as_ref(), answer.as_ref()).await?;
    Ok(())
}

/// Holds the call until the agent has been heard and the caller has said all. Gives the names of what happened.
pub(crate) async fn bridge(
    client: &Client,
    question: &Path,
    answer: &Path,
) -> Result<Vec<&'static str>, Box<dyn Error>> {
    let caller = WavUnit::new().play(question)?.record(answer)?.start();
    let body = json!({ "systemPrompt": "You answer the phone of a bakery.", "metadata": { "line": "1" } });
    let (bridge, mut events) = Bridge::create_call(client).request(&body).connect().await?;
    // The caller's line is a telephone's: µ-law at 8000 Hz in both directions.
    caller.send_media_to(&bridge, SendMedia::tagged("caller").encoded(Encoding::Ulaw))?;
    bridge.send_media_to(&caller, SendMedia::tagged("agent").encoded(Encoding::Ulaw))?;

    let mut happened = Vec::new();
    while let Some(event) = events.next().await {
        happened.push(event.name());
        match event {
            Event::HttpResponse(response) => println!("created: status {}", response.status),
            Event::Transcript(transcript) if transcript.value.is_final => {
                println!("{}: {}", transcript.value.role, transcript.json["text"]);
            }
            Event::MediaStarted(_) => println!("the agent is heard"),
            Event::MediaEnded(ended) => {
                println!("the agent was heard for {:.2} s", ended.duration.as_secs_f64());
                if caller.is_done() {
                    bridge.close().await;
                }
            }
            Event::Closed(closed) => println!("closed: {} {}", closed.code, closed.reason),
            Event::ClientToolInvocation(_)
            | Event::ConnectorInformation(_)
            | Event::DataConnectionToolInvocation(_)
            | Event::Debug(_)
            | Event::PlaybackClearBuffer(_)
            | Event::State(_)
            | Event::Transcript(_)
            | Event::Unknown(_)
            | Event::WebSocketError(_) => {}
        }
    }
    caller.finish().await?;
    Ok(happened)
}
