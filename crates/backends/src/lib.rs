//! Inference behind five narrow traits, and vectors of texts.
//!
//! A backend takes a request and streams typed events; dropping the stream cancels the work. What a backend can do is data
//! (its `Capabilities`), never an optional method. Backends speak the engine's words and know nothing of calls, sockets of
//! clients, or storage. A scripted fake stands beside the real ones and passes the same contract suite.

pub mod embeddings;
pub mod health;
pub mod http;
pub mod language_model;
pub mod registry;
pub mod speech_to_text;
mod sse;
pub mod text_to_speech;
pub mod turn_detection;
pub mod voice_activity;
mod wav;
