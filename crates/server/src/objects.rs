//! Object storage: where recordings, journals and what voices were cloned from lie for all nodes of a cluster, once they are complete.
//!
//! Owns the names of objects, how long the storage may take and how much of an object is in memory, and with `objects/` alone knows
//! the library that speaks to it. What is in an object, when it is handed over and how long it is kept are the business of others.
//! A storage that is away costs its patience and an error, never more.

mod error;
mod s3;
mod trial;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use antiphon_api::{CallId, VoiceId};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::config::{self, Place};
use crate::private;
use crate::telemetry::metrics::Metrics;

pub use error::{OpenError, PutError, StoreError};
pub use trial::Times;

use error::Trouble;

/// How long an answer may take that is hardly more than its head, with all attempts.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a part of an object may take on its way there: 8 MiB over a line of 1 Mbit/s.
const PART_PATIENCE: Duration = Duration::from_secs(90);
/// Bytes of a part. S3 takes 10,000 parts: objects up to 80 GB, weeks of a call.
const PART: usize = 8 * 1024 * 1024;
/// Bytes at the beginning of an object that are read when it is opened.
const HEAD: u64 = 4 * 1024;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A call's journal.
    Journal,
    /// A call's recording.
    Recording,
    /// What a voice was cloned from.
    Sample,
}

/// The name of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// Of which call or voice.
    pub id: Uuid,
}

/// Object storage. Cheap to clone.
#[derive(Clone)]
pub struct Objects(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    /// Before the names of all objects.
    prefix: Key,
    /// For people.
    place: String,
    metrics: Metrics,
    /// Something may be there to be handed over.
    news: Notify,
}

/// An object that can be read.
#[derive(Debug, Clone)]
pub struct Object {
    objects: Objects,
    key: Key,
    /// How many bytes it has.
    pub size: u64,
    /// The first of them, up to 4096.
    pub head: Bytes,
}

/// An object as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was handed over.
    pub written: SystemTime,
}

impl Kind {
    const fn directory(self) -> &'static str {
        match self {
            Self::Journal => "journals",
            Self::Recording => "recordings",
            Self::Sample => "voices",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Recording => "wav",
            Self::Sample => "sample",
        }
    }
}

impl Name {
    /// The journal of a call.
    #[must_use]
    pub const fn journal(call: CallId) -> Self {
        Self { kind: Kind::Journal, id: call.uuid() }
    }

    /// The recording of a call.
    #[must_use]
    pub const fn recording(call: CallId) -> Self {
        Self { kind: Kind::Recording, id: call.uuid() }
    }

    /// What a voice was cloned from.
    #[must_use]
    pub const fn sample(voice: VoiceId) -> Self {
        Self { kind: Kind::Sample, id: voice.uuid() }
    }

    /// The name that a file of a kind stands for; none if it is none of ours.
    #[must_use]
    pub fn of_file(kind: Kind, file: &str) -> Option<Self> {
        let (id, extension) = file.split_once('.')?;
        let id = id.parse().ok().filter(|_| extension == kind.extension())?;
        Some(Self { kind, id })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.kind.directory(), self.id, self.kind.extension())
    }
}

impl Objects {
    /// The storage that the configuration names, if it names one. Nothing is connected to.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(settings: &config::Objects, metrics: Metrics) -> Result<Option<Self>, OpenError> {
        let (store, prefix): (Arc<dyn ObjectStore>, _) = match settings.place().map_err(OpenError::Place)? {
            None => return Ok(None),
            Some(Place::Directory(path)) => {
                let made = private::create_directory(&path);
                made.map_err(|source| OpenError::Directory { path: path.clone(), source })?;
                let store = LocalFileSystem::new_with_prefix(&path)
                    .map_err(|error| OpenError::Directory { path, source: io::Error::other(error) })?;
                // A file is removed once it is said to be here.
                (Arc::new(store.with_fsync(true)), String::new())
            }
            Some(Place::Bucket { bucket, prefix }) => (Arc::new(s3::open(settings, &bucket)?), prefix),
        };
        let place = settings.url.clone().unwrap_or_default();
        Ok(Some(Self::new(store, &prefix, place, metrics)))
    }

    /// A storage of the caller's own.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, place: String, metrics: Metrics) -> Self {
        let prefix = Key::from(prefix);
        Self(Arc::new(Inner { store, prefix, place, metrics, news: Notify::new() }))
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// What it is counted into.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Something may be there to be handed over.
    pub fn ring(&self) {
        self.0.news.notify_one();
    }

    /// Waits until there may be something, from the last time on.
    pub async fn rung(&self) {
        self.0.news.notified().await;
    }

    /// Puts a file there, in parts if it is large; gives how many bytes it has. What was there by this name is replaced.
    ///
    /// # Errors
    /// See [`PutError`]. What arrived is taken back, as far as that can be.
    pub async fn put_file(&self, name: Name, path: &Path) -> Result<u64, PutError> {
        let mut file = tokio::fs::File::open(path).await?;
        let first = part(&mut file).await?;
        if first.len() < PART {
            let bytes = first.len() as u64;
            self.put(name, first).await?;
            return Ok(bytes);
        }
        let key = self.key(name);
        let begun = timeout(PATIENCE, self.0.store.put_multipart(&key)).await;
        let mut upload = self.told("put", begun)?;
        let whole = self.put_parts(&mut *upload, first, &mut file).await;
        if whole.is_err() {
            // The storage may be away; what is left of the upload then is for its own rules to remove.
            let _ = timeout(PATIENCE, upload.abort()).await;
        }
        whole
    }

    /// Puts bytes there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put(&self, name: Name, bytes: Bytes) -> Result<(), StoreError> {
        let put = timeout(PART_PATIENCE, self.0.store.put(&self.key(name), bytes.into())).await;
        self.told("put", put).map(|_| ())
    }

    async fn put_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        mut next: Bytes,
        file: &mut tokio::fs::File,
    ) -> Result<u64, PutError> {
        let mut bytes = 0;
        while !next.is_empty() {
            bytes += next.len() as u64;
            let put = timeout(PART_PATIENCE, upload.put_part(next.into())).await;
            self.told("put", put)?;
            next = part(file).await?;
        }
        let complete = timeout(PART_PATIENCE, upload.complete()).await;
        self.told("put", complete)?;
        Ok(bytes)
    }

    /// Opens an object, if there is one by this name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn find(&self, name: Name) -> Result<Option<Object>, StoreError> {
        let key = self.key(name);
        let options = GetOptions { range: Some(GetRange::Bounded(0..HEAD)), ..GetOptions::default() };
        let found = timeout(PATIENCE, async {
            let found = self.0.store.get_opts(&key, options).await?;
            let size = found.meta.size;
            Ok::<_, object_store::Error>((size, found.bytes().await?))
        });
        let found = found.await.map_err(|_| Trouble::Slow).and_then(|found| found.map_err(Trouble::from));
        match found {
            Ok((size, head)) => Ok(Some(Object { objects: self.clone(), key, size, head })),
            Err(Trouble::Missing) => Ok(None),
            Err(trouble) => Err(self.error("get", trouble)),
        }
    }

    /// Removes an object, if there is one by this name.
    ///
    /// # Errors
    /// See [`StoreError`]; it may be there or not.
    pub async fn delete(&self, name: Name) -> Result<(), StoreError> {
        let deleted = timeout(PATIENCE, self.0.store.delete(&self.key(name))).await;
        match deleted.map_err(|_| Trouble::Slow).and_then(|done| done.map_err(Trouble::from)) {
            Ok(()) | Err(Trouble::Missing) => Ok(()),
            Err(trouble) => Err(self.error("delete", trouble)),
        }
    }

    /// All objects of a kind, in no order, as they come: a page of them is in memory.
    pub fn list(&self, kind: Kind) -> impl Stream<Item = Result<Listed, StoreError>> + Send + '_ {
        let prefix = self.0.prefix.clone().join(kind.directory());
        let pages = self.0.store.list(Some(&prefix));
        stream::try_unfold(pages, move |mut pages| async move {
            loop {
                let next = timeout(PART_PATIENCE, pages.next()).await;
                let next =
                    next.map_err(|_| Trouble::Slow).and_then(|next| next.transpose().map_err(Trouble::from));
                let Some(meta) = next.map_err(|trouble| self.error("list", trouble))? else {
                    return Ok(None);
                };
                let name = meta.location.filename().and_then(|file| Name::of_file(kind, file));
                // Whatever else lies there is none of our business.
                let Some(name) = name else { continue };
                let listed = Listed { name, bytes: meta.size, written: meta.last_modified.into() };
                return Ok(Some((listed, pages)));
            }
        })
    }

    fn key(&self, name: Name) -> Key {
        let Name { kind, id } = name;
        self.0.prefix.clone().join(kind.directory()).join(format!("{id}.{}", kind.extension()))
    }

    /// What an attempt came to.
    fn told<T>(
        &self,
        operation: &'static str,
        outcome: Result<object_store::Result<T>, tokio::time::error::Elapsed>,
    ) -> Result<T, StoreError> {
        let outcome = outcome.map_err(|_| Trouble::Slow).and_then(|done| done.map_err(Trouble::from));
        outcome.map_err(|trouble| self.error(operation, trouble))
    }

    fn error(&self, operation: &'static str, trouble: Trouble) -> StoreError {
        self.0.metrics.object_failed(operation);
        trouble.at(&self.0.place)
    }
}

impl Object {
    /// These bytes of it, as they come. The range lies within it.
    ///
    /// # Errors
    /// See [`StoreError`]. What fails on the way fails the stream.
    pub async fn bytes(
        &self,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, StoreError> {
        let objects = self.objects.clone();
        let pieces = if range.is_empty() {
            stream::empty().boxed()
        } else {
            let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            let opened = timeout(PATIENCE, objects.0.store.get_opts(&self.key, options)).await;
            objects.told("get", opened)?.into_stream()
        };
        Ok(stream::try_unfold(pieces, move |mut pieces| {
            let objects = objects.clone();
            async move {
                let next = timeout(PART_PATIENCE, pieces.next()).await;
                let next =
                    next.map_err(|_| Trouble::Slow).and_then(|next| next.transpose().map_err(Trouble::from));
                let next = next.map_err(|trouble| io::Error::other(objects.error("get", trouble)))?;
                Ok(next.map(|piece| (piece, pieces)))
            }
        }))
    }

    /// All of it, if that is not more than `most` bytes.
    ///
    /// # Errors
    /// It is larger, or see [`Object::bytes`].
    pub async fn whole(&self, most: u64) -> io::Result<Bytes> {
        if self.size > most {
            return Err(io::Error::other(format!(
                "it has {} bytes, more than the {most} expected",
                self.size
            )));
        }
        let mut whole = BytesMut::with_capacity(usize::try_from(self.size).unwrap_or(0));
        let mut pieces = std::pin::pin!(self.bytes(0..self.size).await.map_err(io::Error::other)?);
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.0.place)
    }
}

/// The next part of a file; a short one is the last, and an empty one comes behind that.
async fn part(file: &mut tokio::fs::File) -> io::Result<Bytes> {
    let mut bytes = BytesMut::new();
    while bytes.len() < PART {
        let room = (PART - bytes.len()).min(256 * 1024);
        bytes.reserve(room);
        if file.take(room as u64).read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes.freeze())
}
