//! The engine's behaviour, told as stories in virtual time. One file a behaviour; `story` is the only place that touches the
//! engine's inputs and outputs.

mod story;

mod footprint;
mod forced_message;
mod hang_up;
mod heard;
mod hygiene;
mod inactivity;
mod interruption;
mod keys;
mod medium;
mod model_failures;
mod opening;
mod pacing;
mod pauses;
mod properties;
mod stages;
mod threads;
mod tool_life;
mod tools;
mod transcripts;
mod turn;
mod two_phases;
mod user_text;
