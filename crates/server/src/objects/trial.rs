//! Whether object storage does all that is asked of it: tried out with a small object that is gone afterwards.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::ObjectStoreExt as _;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::error::Trouble;
use super::{Objects, PATIENCE, StoreError};

/// What the object holds.
const CONTENT: &[u8] = b"antiphon doctor was here";

/// How long each thing took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// To put the object there.
    pub put: Duration,
    /// To get it back.
    pub get: Duration,
    /// To find it in a list.
    pub list: Duration,
    /// To delete it.
    pub delete: Duration,
}

impl Objects {
    /// Puts an object there, gets it back, looks for it in a list, and deletes it, whatever fails.
    ///
    /// # Errors
    /// What could not be done, and see [`StoreError`].
    pub async fn try_out(&self) -> Result<Times, (&'static str, StoreError)> {
        let key = self.0.prefix.clone().join(format!(".antiphon-doctor-{}", Uuid::new_v4()));
        let store = &self.0.store;
        let put = self.timed("put", async { store.put(&key, CONTENT.into()).await.map(|_| true) }).await?;
        let rest = async {
            let get = async { Ok(store.get(&key).await?.bytes().await? == Bytes::from_static(CONTENT)) };
            let get = self.timed("get", get).await?;
            let list = async {
                let mut found = store.list(Some(&self.0.prefix));
                let first = found.next().await.transpose()?;
                Ok(first.is_some())
            };
            Ok((get, self.timed("list", list).await?))
        };
        let rest = rest.await;
        let delete = self.timed("delete", async { store.delete(&key).await.map(|()| true) }).await;
        let (get, list) = rest?;
        Ok(Times { put, get, list, delete: delete? })
    }

    async fn timed(
        &self,
        operation: &'static str,
        work: impl Future<Output = object_store::Result<bool>>,
    ) -> Result<Duration, (&'static str, StoreError)> {
        let began = Instant::now();
        let done = timeout(PATIENCE, work).await.map_err(|_| Trouble::Slow);
        match done.and_then(|done| done.map_err(Trouble::from)) {
            Ok(true) => Ok(began.elapsed()),
            Ok(false) => Err((operation, self.error(operation, Trouble::Missing))),
            Err(trouble) => Err((operation, self.error(operation, trouble))),
        }
    }
}
