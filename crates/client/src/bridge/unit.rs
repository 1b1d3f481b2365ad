//! Anything that gives and takes audio, and how two of them are joined.

use super::port::{MediaError, Port, SendMedia};

/// Anything that gives and takes audio: a bridge, a phone, a file, a socket, a sound card.
///
/// A unit hears one stream at a time: sending it another replaces the one before. It may be sent to any number of others, each
/// with a tag and an encoding of its own. Nobody is kept alive by being sent something.
pub trait MediaUnit: Send + Sync {
    /// Where the unit gives and takes audio.
    fn port(&self) -> &Port;

    /// Sends what is heard from this unit to `target`, in the place of what it has heard so far.
    ///
    /// # Errors
    ///
    /// The target is this unit, or this one is sent to too many already.
    fn send_media_to(&self, target: &dyn MediaUnit, with: SendMedia) -> Result<(), MediaError> {
        self.port().send_to(target.port(), with)
    }

    /// Stops sending to `target`, which drops what it has not yet played. Gives whether there was something to stop.
    fn stop_media_to(&self, target: &dyn MediaUnit) -> bool {
        self.port().stop_to(target.port())
    }
}

impl MediaUnit for Port {
    fn port(&self) -> &Port {
        self
    }
}

/// Sends each of the two what is heard from the other.
///
/// # Errors
///
/// They are the same, or one of them is sent to too many already.
pub fn send_media_between(one: &dyn MediaUnit, other: &dyn MediaUnit) -> Result<(), MediaError> {
    one.send_media_to(other, SendMedia::default())?;
    other.send_media_to(one, SendMedia::default())
}

/// Stops what [`send_media_between`] began.
pub fn stop_media_between(one: &dyn MediaUnit, other: &dyn MediaUnit) {
    one.stop_media_to(other);
    other.stop_media_to(one);
}
