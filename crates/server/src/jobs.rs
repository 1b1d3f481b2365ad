//! What the server does by itself, beside calls and requests.

pub mod batches;
mod clock;
pub mod endings;
pub mod hand_over;
pub mod lease;
pub mod loading;
pub mod membership;
pub mod retention;
pub mod webhooks;

pub use clock::Clock;
