//! Where recordings lie, and how they are read, a whole one or one side of a stretch.
//!
//! A recording that is being made is `CALL_ID.partial.wav`, which can be played at any time; complete, it is `CALL_ID.wav`. A
//! process that is killed leaves the partial one, which gets its name when it is first asked for. Where there is object storage, a
//! complete one is handed over sometime, and then read from there.

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CallId;
use antiphon_audio::{Channels, SampleRate, WavHeader};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::Side;
use crate::objects::{Name, Object, Objects, StoreError};

/// Bytes that are read in one go.
const PIECE: u64 = 64 * 1024;
/// Bytes of one instant: a sample of each side.
const INSTANT: u64 = 4;
/// Bytes in front of the audio.
const HEADER: u64 = WavHeader::LENGTH as u64;

/// The directory of all recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recordings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    rate: SampleRate,
    objects: Option<Objects>,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file cannot be read, or is no recording: the operator looks at the directory.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Object storage does not give it: the caller tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Recordings {
    /// Recordings at this rate in this directory, which is made with the first one.
    #[must_use]
    pub fn new(directory: PathBuf, rate: SampleRate) -> Self {
        Self(Arc::new(Inner { directory, rate, objects: None }))
    }

    /// The same, some of which lie in object storage, if there is one.
    #[must_use]
    pub fn with_objects(&self, objects: Option<Objects>) -> Self {
        Self(Arc::new(Inner { directory: self.0.directory.clone(), rate: self.0.rate, objects }))
    }

    /// The recording of a call that is not live, if there is one.
    ///
    /// # Errors
    ///
    /// See [`Unreadable`].
    pub async fn open(&self, call: CallId) -> Result<Option<Recorded>, Unreadable> {
        let complete = self.complete(call);
        if let Some(recorded) = Recorded::open(&complete).await? {
            return Ok(Some(recorded));
        }
        self.settle(call).await?;
        let recorded = Recorded::open(&complete).await?;
        let Some(objects) = self.0.objects.as_ref().filter(|_| recorded.is_none()) else {
            return Ok(recorded);
        };
        let found = objects.find(Name::recording(call)).await?;
        Ok(found.map(Recorded::of).transpose()?.flatten())
    }

    /// Gives the recording of a call that is not live its name, if a process was killed before it did.
    pub(crate) async fn settle(&self, call: CallId) -> io::Result<()> {
        match tokio::fs::rename(self.partial(call), self.complete(call)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what lies here of the recording of a call, if there is something; what was handed over is not here.
    ///
    /// # Errors
    ///
    /// It cannot be removed: the operator looks at the directory.
    pub async fn delete(&self, call: CallId) -> io::Result<()> {
        for path in [self.partial(call), self.complete(call)] {
            match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether another node may have one that is not where it is read yet.
    pub(crate) fn may_be_on_their_way(&self) -> bool {
        self.0.objects.is_some()
    }

    pub(super) fn rate(&self) -> SampleRate {
        self.0.rate
    }

    pub(super) fn partial(&self, call: CallId) -> PathBuf {
        self.0.directory.join(format!("{call}.partial.wav"))
    }

    pub(super) fn complete(&self, call: CallId) -> PathBuf {
        self.0.directory.join(format!("{call}.wav"))
    }
}

/// A recording that can be read.
#[derive(Debug)]
pub struct Recorded {
    medium: Medium,
    rate: SampleRate,
    /// How many samples each side has.
    length: u64,
}

#[derive(Debug)]
enum Medium {
    File(File),
    Object(Object),
}

impl Recorded {
    async fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata().await?.len();
        if size < HEADER {
            // The process was killed before it wrote anything.
            return Ok(None);
        }
        let mut header = [0; WavHeader::LENGTH];
        file.read_exact(&mut header).await?;
        Self::new(Medium::File(file), &header, size).map(Some)
    }

    fn of(object: Object) -> io::Result<Option<Self>> {
        let Some(header) = object.head.first_chunk().copied() else { return Ok(None) };
        let size = object.size;
        Self::new(Medium::Object(object), &header, size).map(Some)
    }

    fn new(medium: Medium, header: &[u8; WavHeader::LENGTH], size: u64) -> io::Result<Self> {
        let header = WavHeader::from_bytes(header).filter(|header| header.channels == Channels::Stereo);
        let header =
            header.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no recording"))?;
        // A crash may leave audio that the header does not know of yet; a header never speaks of audio that is not there.
        Ok(Self { medium, rate: header.rate, length: header.audio.min(size - HEADER) / INSTANT })
    }

    /// How long it is.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.rate.duration_of(self.length)
    }

    /// Bytes of the whole as a WAV file.
    #[must_use]
    pub fn size(&self) -> u64 {
        HEADER + self.length * INSTANT
    }

    /// These bytes of the WAV file; what lies behind its end is left out.
    ///
    /// # Errors
    ///
    /// See [`Unreadable`].
    pub async fn bytes(self, range: Range<u64>) -> Result<BoxStream<'static, io::Result<Bytes>>, Unreadable> {
        let end = range.end.min(self.size());
        self.medium.pieces(range.start.min(end)..end).await
    }

    /// A stretch of one side as a mono WAV file, and how many bytes that has. What lies behind the end is left out.
    ///
    /// # Errors
    ///
    /// See [`Unreadable`].
    pub async fn side(
        self,
        side: Side,
        stretch: Range<Duration>,
    ) -> Result<(u64, impl Stream<Item = io::Result<Bytes>> + Send), Unreadable> {
        let sample = |at: Duration| self.rate.samples_in(at).min(self.length);
        let (from, to) = (sample(stretch.start), sample(stretch.end));
        let to = to.max(from);
        let header = WavHeader { rate: self.rate, channels: Channels::Mono, audio: (to - from) * 2 };
        let audio = self.medium.pieces(HEADER + from * INSTANT..HEADER + to * INSTANT).await?;
        let header = stream::iter([Ok(Bytes::copy_from_slice(&header.to_bytes()))]);
        let mono = instants(audio).map_ok(move |stereo| one_side(&stereo, side));
        Ok((HEADER + (to - from) * 2, header.chain(mono)))
    }
}

impl Medium {
    /// Bytes of it, a piece at a time.
    async fn pieces(self, range: Range<u64>) -> Result<BoxStream<'static, io::Result<Bytes>>, Unreadable> {
        match self {
            Self::File(file) => Ok(pieces(file, range).await?.boxed()),
            Self::Object(object) => Ok(object.bytes(range).await?.boxed()),
        }
    }
}

async fn pieces(
    mut file: File,
    range: Range<u64>,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send> {
    file.seek(SeekFrom::Start(range.start)).await?;
    let left = range.end - range.start;
    Ok(stream::try_unfold((file, left), async |(mut file, left)| {
        if left == 0 {
            return Ok(None);
        }
        let count = left.min(PIECE);
        let mut piece = BytesMut::zeroed(count as usize);
        file.read_exact(&mut piece).await?;
        Ok(Some((piece.freeze(), (file, left - count))))
    }))
}

/// The same bytes in pieces that are whole instants. A network cuts where it likes.
fn instants(
    pieces: BoxStream<'static, io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((pieces, BytesMut::new()), async |(mut pieces, mut rest)| {
        let Some(piece) = pieces.try_next().await? else { return Ok(None) };
        rest.extend_from_slice(&piece);
        let whole = rest.len() - rest.len() % INSTANT as usize;
        let piece = rest.split_to(whole).freeze();
        Ok(Some((piece, (pieces, rest))))
    })
}

fn one_side(stereo: &[u8], side: Side) -> Bytes {
    let (instants, _) = stereo.as_chunks::<{ INSTANT as usize }>();
    let of = |[left_low, left_high, right_low, right_high]: &[u8; 4]| match side {
        Side::Agent => [*right_low, *right_high],
        Side::User => [*left_low, *left_high],
    };
    Bytes::from(instants.iter().map(of).collect::<Vec<_>>().concat())
}
