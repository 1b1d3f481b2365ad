//! The same for what lies in object storage: a list of it now and then, by pages, and what is kept no longer is removed.
//!
//! All nodes of a cluster share what lies there, so one of them is enough. The age of an object is counted from when it was handed
//! over.

use std::time::SystemTime;

use antiphon_api::CallId;
use futures::TryStreamExt as _;
use tracing::warn;

use super::{Keeping, Kept, Kind, Oldest, Removed, tell};
use crate::objects::{self, Listed, Objects, StoreError};
use crate::storage::Storage;

/// Sweeps object storage until it is dropped: at once, and again and again.
pub async fn run(objects: Objects, storage: Storage, keeping: Vec<Keeping>) {
    let keeping: Vec<Keeping> = keeping.into_iter().filter(Keeping::is_limited).collect();
    let Some(interval) = keeping.iter().map(Keeping::interval).min() else { return };
    loop {
        for keeping in &keeping {
            let mut more = true;
            while more {
                let swept = sweep(keeping, &objects, SystemTime::now()).await;
                let removed = swept.unwrap_or_else(|error| {
                    warn!(%error, "old objects cannot be looked for; the next sweep tries again");
                    Default::default()
                });
                tell(keeping.what, &removed.0, &storage).await;
                more = removed.1;
            }
        }
        tokio::time::sleep(interval).await;
    }
}

/// Removes what is too old or too much in object storage. At most a round; whether there may be more is the second of what it gives.
///
/// # Errors
/// See [`StoreError`].
pub async fn sweep(
    keeping: &Keeping,
    objects: &Objects,
    now: SystemTime,
) -> Result<(Removed, bool), StoreError> {
    let kind = match keeping.what {
        Kind::Journal => objects::Kind::Journal,
        Kind::Recording => objects::Kind::Recording,
    };
    let mut oldest = Oldest::default();
    let mut list = std::pin::pin!(objects.list(kind));
    while let Some(Listed { name, bytes, written }) = list.try_next().await? {
        oldest.look_at(Kept { written, place: name, call: CallId::new(name.id), bytes });
    }
    let (due, full) = keeping.due(oldest, now, |_| false);
    let mut removed = Removed::default();
    for Kept { bytes, call, place, .. } in due {
        if let Err(error) = objects.delete(place).await {
            warn!(%call, %error, "an object that is kept no longer cannot be removed; the next sweep tries again");
            return Ok((removed, false));
        }
        removed.count(call, bytes);
    }
    let more = full && !removed.calls.is_empty();
    Ok((removed, more))
}
