//! Rust SDK for the Ultravox Realtime API, hosted or served by Antiphon.
//!
//! [`rest`] creates and reads calls, [`realtime`] joins one, [`transcript`] merges the pieces of what is said, and [`playback`]
//! holds the agent's audio until it is played. [`bridge`] joins a call with whatever else has a voice. Samples are `i16`, mono. Nothing here knows the server's code, a sound card or a
//! terminal.
//!
//! ```no_run
//! use antiphon_api::endpoint::NoQuery;
//! use antiphon_api::rest::calls::{CreateCall, CreateCallQuery, ReadCall, StartCallRequest};
//! use antiphon_client::realtime::{Event, Options, connect};
//! use antiphon_client::rest::Client;
//!
//! # async fn talk() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::from_env()?; // ANTIPHON_URL, ANTIPHON_API_KEY or ULTRAVOX_API_KEY
//! let call = client.send(CreateCall, &(), &CreateCallQuery::default(), &StartCallRequest::default()).await?;
//! let join_url = call.join_url.ok_or("the server dials this call itself")?;
//!
//! let (sender, mut events) = connect(&join_url, &Options::default()).await?;
//! sender.user_text("What are your opening hours?").await?;
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::Audio(samples) => println!("{} samples to play", samples.len()),
//!         Event::Message(message) => println!("{message:?}"),
//!         Event::Unreadable { text, problem } => println!("{text}: {problem}"),
//!         Event::Closed(reason) => println!("{reason}"),
//!     }
//! }
//! let record = client.send(ReadCall, &call.call_id, &NoQuery, &antiphon_api::endpoint::NoBody).await?;
//! println!("{:?}", record.end_reason);
//! # Ok(())
//! # }
//! ```

pub mod bridge;
pub mod playback;
pub mod realtime;
pub mod rest;
#[cfg(feature = "audio-devices")]
pub mod sound_card;
mod tls;
pub mod tools;
pub mod transcript;

pub use tls::{Authorities, NoCertificate};
