//! A call bridged with other voices.

mod creation;
mod events;
mod media;
mod messages;
mod units;
