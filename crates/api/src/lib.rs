//! The words that Antiphon's server and its clients share: REST resources and endpoints, data messages, ids, errors, pages.
//!
//! Every type is the wire's own, with public fields, and goes both ways: a client writes requests and reads responses, a server
//! the reverse. Reading is liberal (both spellings of a field, nulls, numbers as text, older forms), complete (all problems of
//! a body, each with the path of its field and what to do about it) and bounded; writing has exactly one form. The section
//! numbers in the docs are those of the project's protocol reference, and A-1 to A-70 its decisions.
//!
//! This crate decides nothing about calls, does no IO and depends on nothing else of the workspace.
//!
//! ```
//! use antiphon_api::ErrorBody;
//! use antiphon_api::json::from_request;
//! use antiphon_api::rest::calls::{CallMedium, StartCallRequest};
//!
//! // What real clients send: explicit nulls, a number as text, snake_case, a field that nobody knows.
//! let body = br#"{
//!     "systemPrompt": "Be brief.",
//!     "voice": null,
//!     "medium": {"server_web_socket": {"inputSampleRate": 8000, "clientBufferSizeMs": "60"}},
//!     "favouriteColour": "blue"
//! }"#;
//! let read = from_request::<StartCallRequest>(body)?;
//! assert_eq!(read.ignored, ["favouriteColour"]);
//! let Some(CallMedium::ServerWebSocket(medium)) = &read.value.medium else { panic!("it is another medium") };
//! assert_eq!(medium.client_buffer_size_ms, Some(60));
//!
//! // The one form in which it is written.
//! assert_eq!(
//!     serde_json::to_string(&read.value)?,
//!     r#"{"systemPrompt":"Be brief.","medium":{"serverWebSocket":{"inputSampleRate":8000,"clientBufferSizeMs":60}}}"#
//! );
//!
//! // What is wrong is said where, and with the remedy.
//! let invalid = from_request::<StartCallRequest>(br#"{"joinTimeout": "5 minutes", "temperature": 2}"#).unwrap_err();
//! let error = ErrorBody::from(&invalid);
//! assert_eq!(error.errors["temperature"], ["2 is out of range; choose from 0 to 1"]);
//! assert_eq!(
//!     error.errors["joinTimeout"],
//!     [r#""5 minutes" is not a duration; write seconds with an s, for example "300s""#]
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod asyncapi;
pub mod endpoint;
pub mod json;
pub mod openapi;
pub mod realtime;
pub mod rest;
pub mod schema;

mod change;
mod duration;
mod error;
mod ids;
mod page;
mod patch;
mod sample_rate;
mod secret;
mod timestamp;

pub use change::Change;
pub use duration::{DurationError, WireDuration};
pub use error::ErrorBody;
pub use ids::{
    AccountId, AgentId, AgentRevisionId, ApiKeyPrefix, ApiKeyPrefixError, BatchId, CallId, CallStageId,
    CallToolId, CorpusDocumentId, CorpusId, CorpusSourceId, IdError, SipRegistrationId, ThrottleId, ToolId,
    VoiceId, WebhookId,
};
pub use page::Page;
pub use patch::Patch;
pub use sample_rate::SampleRate;
pub use secret::{HIDDEN, Secret};
pub use timestamp::{Timestamp, TimestampError};
