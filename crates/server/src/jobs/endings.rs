//! What is left to do when calls have ended: let receivers know, and delete the calls that asked for that.
//!
//! What there is to do is in the store; a process that goes on where another one was cut off does it again from there.

use std::time::Duration;

use antiphon_api::CallId;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::webhooks::Clock;
use crate::call::Calls;
use crate::storage::{AccountId, Deletion, Storage, StorageError};

/// Calls that are looked at in one go.
const PAGE: u32 = 64;
/// The longest that goes by without a look.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// How long to wait for what could not be done.
const RETRY: Duration = Duration::from_secs(1);

/// Does what is left to do.
#[derive(Clone)]
pub struct Endings {
    calls: Calls,
    storage: Storage,
    clock: Clock,
}

impl Endings {
    /// For these calls.
    #[must_use]
    pub fn new(calls: Calls, storage: Storage, clock: Clock) -> Self {
        Self { calls, storage, clock }
    }

    /// Works until it is told to stop, and then once more.
    pub async fn run(self, stop: CancellationToken) {
        let mut outbox = self.storage.deliveries.outbox();
        loop {
            outbox.borrow_and_update();
            let nap = match self.work().await {
                Ok(true) => LONGEST_NAP,
                Ok(false) => RETRY,
                Err(error) => {
                    error!(%error, "calls that ended cannot be looked after; trying on");
                    RETRY
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                // The sender is the store's own.
                _ = outbox.changed() => {}
                () = sleep(nap) => {}
            }
        }
        if let Err(error) = self.work().await {
            error!(%error, "calls that ended last are looked after at the next start");
        }
    }

    /// Does what can be done now. Whether that is all.
    async fn work(&self) -> Result<bool, StorageError> {
        loop {
            let endings = self.storage.endings.endings(PAGE).await?;
            for ending in &endings {
                self.storage.endings.finish_ending(ending.call, None, (self.clock)()).await?;
            }
            if endings.len() < PAGE as usize {
                break;
            }
        }
        let mut all = true;
        for (account, call) in self.storage.endings.deletable(PAGE).await? {
            all &= self.delete(account, call).await?;
        }
        Ok(all)
    }

    /// Deletes a call that asked for it. False if that has to wait.
    async fn delete(&self, account: AccountId, call: CallId) -> Result<bool, StorageError> {
        if self.calls.is_leaving(call) {
            return Ok(false);
        }
        match self.calls.delete(account, call, (self.clock)()).await {
            Ok(Deletion::Deleted) => info!(%call, "deleted, as its retention policy asks"),
            Ok(Deletion::Live | Deletion::Unknown) => {}
            Err(crate::call::DeleteError::Storage(error)) => return Err(error),
            Err(error @ crate::call::DeleteError::Recording(_)) => {
                error!(%call, %error, "a call cannot be deleted as its retention policy asks; trying on");
                return Ok(false);
            }
        }
        Ok(true)
    }
}
