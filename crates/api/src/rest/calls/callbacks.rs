//! Per-call webhooks (protocol.md 7.5.5).

use crate::json::check::HTTP_URL;
use crate::json::record;
use crate::secret::Secret;

record! {
    /// Where to report what happens to one call.
    #[derive(Default)]
    pub struct Callbacks {
        /// Called when a client has joined.
        joined: Option<Callback>,
        /// Called when the call has ended.
        ended: Option<Callback>,
        /// Called when the call is billed.
        billed: Option<Callback>,
    }
}

record! {
    /// One address to report to.
    pub struct Callback {
        /// Where to post.
        url: String where HTTP_URL,
        /// What to sign the posts with. Never returned.
        secrets: Vec<Secret>,
    }
}

impl Callbacks {
    /// The same, as it may be returned.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let bare = |callback: &Callback| Callback { url: callback.url.clone(), secrets: Vec::new() };
        Self {
            joined: self.joined.as_ref().map(bare),
            ended: self.ended.as_ref().map(bare),
            billed: self.billed.as_ref().map(bare),
        }
    }
}
