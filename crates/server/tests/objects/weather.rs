//! Object storage in memory, and the weather that it suffers.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tokio::sync::Semaphore;

/// What happens to whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fine,
    /// Everything fails.
    Away,
    /// Nothing is ever answered.
    Silent,
    /// Nothing is put there until the gate opens.
    Gated,
    /// Of an upload in parts, so many arrive.
    Parts(usize),
}

/// The storage.
#[derive(Debug)]
pub(crate) struct Store {
    inner: InMemory,
    weather: Mutex<Weather>,
    attempts: AtomicUsize,
    /// One for everybody who came to the gate.
    pub(crate) knocked: Semaphore,
    pub(crate) gate: Semaphore,
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            weather: Mutex::new(Weather::Fine),
            attempts: AtomicUsize::new(0),
            knocked: Semaphore::new(0),
            gate: Semaphore::new(0),
        })
    }

    pub(crate) fn turn(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// How often something was asked for.
    pub(crate) fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }

    /// The names of all objects.
    pub(crate) async fn names(&self) -> Vec<String> {
        let names = self.inner.list(None).map_ok(|meta| meta.location.to_string());
        let mut names: Vec<String> = names.try_collect().await.unwrap();
        names.sort();
        names
    }

    pub(crate) async fn bytes(&self, name: &str) -> Bytes {
        self.inner.get(&Path::from(name)).await.unwrap().bytes().await.unwrap()
    }

    async fn suffer(&self) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Fine | Weather::Gated | Weather::Parts(_) => Ok(()),
            Weather::Away => Err(away()),
            Weather::Silent => std::future::pending().await,
        }
    }
}

fn away() -> Error {
    Error::Generic { store: "test", source: "nobody is there".into() }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a storage with weather")
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.suffer().await?;
        if *self.weather.lock().unwrap() == Weather::Gated {
            self.knocked.add_permits(1);
            let _open = self.gate.acquire().await.unwrap();
        }
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.suffer().await?;
        let inner = self.inner.put_multipart_opts(at, options).await?;
        let left = match *self.weather.lock().unwrap() {
            Weather::Parts(most) => most,
            Weather::Fine | Weather::Away | Weather::Silent | Weather::Gated => usize::MAX,
        };
        Ok(Box::new(Upload { inner, left }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.suffer().await?;
        self.inner.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.suffer().await?;
        self.inner.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, names: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Fine | Weather::Gated | Weather::Parts(_) => self.inner.delete_stream(names),
            Weather::Away => stream::once(async { Err(away()) }).boxed(),
            Weather::Silent => stream::pending().boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Fine | Weather::Gated | Weather::Parts(_) => self.inner.list(prefix),
            Weather::Away => stream::once(async { Err(away()) }).boxed(),
            Weather::Silent => stream::pending().boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.suffer().await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.suffer().await?;
        self.inner.copy_opts(from, to, options).await
    }
}

/// An upload of which so many parts arrive.
#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    left: usize,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.left.checked_sub(1) {
            None => Box::pin(async { Err(away()) }),
            Some(left) => {
                self.left = left;
                self.inner.put_part(data)
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
