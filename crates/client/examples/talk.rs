//! Talks with an agent: says what is in a WAV file, and writes what the agent says to another, as a speaker would have played it.
//!
//!     cargo run -p antiphon-client --example talk -- question.wav answer.wav
//!
//! The server and the key come from the environment: `ANTIPHON_URL` and `ANTIPHON_API_KEY`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use antiphon_api::realtime::{AgentState, ServerMessage};
use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, StartCallRequest};
use antiphon_audio::{Channels, SampleRate, Wav, WavWriter, convert};
use antiphon_client::playback::Playback;
use antiphon_client::realtime::{Event, Options, connect, medium};
use antiphon_client::rest::Client;
use antiphon_client::transcript::Transcripts;
use tokio::time::{MissedTickBehavior, interval};

/// The rate of the call, both ways, and of the files.
const RATE: SampleRate = SampleRate::EAR;
const FRAME: Duration = Duration::from_millis(20);
/// Audio that the server may send ahead, since it can be cleared here.
const AHEAD: Duration = Duration::from_secs(30);
/// How long the agent has to be quiet, when all was asked and something answered, for the conversation to be over.
const QUIET: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut files = std::env::args_os().skip(1);
    let (Some(question), Some(answer)) = (files.next(), files.next()) else {
        return Err("name two WAV files: the question, and where the answer goes".into());
    };
    talk(&Client::from_env()?, question.as_ref(), answer.as_ref()).await?;
    Ok(())
}

/// Holds the conversation and gives all that was said.
pub(crate) async fn talk(
    client: &Client,
    question: &Path,
    answer: &Path,
) -> Result<Transcripts, Box<dyn Error>> {
    let wav = Wav::read(File::open(question)?)?;
    let question = convert(&wav.mono(), wav.rate_hz, RATE);
    let mut recording = WavWriter::new(File::create(answer)?, RATE, Channels::Mono)?;

    let request = StartCallRequest { medium: Some(medium(RATE, RATE, AHEAD)), ..StartCallRequest::default() };
    let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &request).await?;
    let join_url = call.join_url.ok_or("the server dials this call itself")?;
    let (sender, mut events) = connect(&join_url, &Options::default()).await?;

    let frame = RATE.samples_in(FRAME) as usize;
    // The user is silent before and after the question, and silence is sent as well.
    let mut voice = question.chunks(frame).map(<[i16]>::to_vec);
    let (mut playback, mut said) = (Playback::new(RATE, 2 * FRAME), Transcripts::default());
    let (mut state, mut quiet) = (AgentState::Idle, Duration::ZERO);
    let mut clock = interval(FRAME);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = clock.tick() => {
                let words = voice.next();
                let is_asked = words.is_none();
                // A connection that is too slow loses old audio; that the call is over is told by the events.
                let _ = sender.audio(&words.unwrap_or_else(|| vec![0; frame]));
                let mut speaker = vec![0; frame];
                playback.play(&mut speaker);
                recording.write(&speaker)?;
                let is_quiet = state == AgentState::Listening && playback.unplayed() == 0;
                quiet = if is_quiet && is_asked { quiet + FRAME } else { Duration::ZERO };
                if quiet == QUIET {
                    sender.close().await;
                }
            }
            event = events.next() => match event {
                Some(Event::Audio(samples)) => playback.push(&samples),
                Some(Event::Message(ServerMessage::PlaybackClearBuffer)) => {
                    playback.clear();
                }
                Some(Event::Message(ServerMessage::State(now))) => {
                    state = now.state;
                    if state != AgentState::Speaking {
                        playback.finish();
                    }
                }
                Some(Event::Message(ServerMessage::Transcript(piece))) => {
                    if let Some(utterance) = said.merge(&piece)
                        && utterance.is_final
                    {
                        println!("{:>8.2} s  {}: {}", playback.position().as_secs_f64(), utterance.role, utterance.text);
                    }
                }
                Some(Event::Message(_) | Event::Unreadable { .. }) => {}
                Some(Event::Closed(reason)) => println!("{reason}"),
                None => break,
            }
        }
    }
    println!("{} gaps in the agent's audio", playback.underruns());
    recording.finish()?;
    Ok(said)
}
