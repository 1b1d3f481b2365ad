//! The engine's behaviour, told as stories in virtual time. One file a behaviour; `story` is the only place that touches the
//! engine's inputs and outputs.

mod story;

mod opening;
mod turn;
