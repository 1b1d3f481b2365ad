//! The recordings that voices were cloned from: one file each in a directory of their own.
//!
//! A file that is being uploaded has another name until it is complete, and is removed if it never is. A recording in use is in
//! memory once, however many calls speak like it. Where there is object storage, a complete one goes there, since calls on any node
//! may speak like it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use antiphon_api::VoiceId;
use antiphon_backends::text_to_speech::{SampleFormat, VoiceSample};
use bytes::Bytes;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;

use crate::objects::{Name, Objects, StoreError};
use crate::private;

/// Bytes that a recording may have (protocol.md 7.4).
pub(crate) const LARGEST: u64 = 10 * 1024 * 1024;
/// What the names of files end with that are being uploaded.
const PARTIAL: &str = "partial";
/// Bytes at the beginning of a file that tell its format.
const HEAD: usize = 12;

/// The directory of all recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Samples(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    objects: Option<Objects>,
    in_use: Mutex<HashMap<VoiceId, Weak<VoiceSample>>>,
}

/// A recording that is being uploaded. Dropping it removes what there is of it.
pub(crate) struct Upload {
    voice: VoiceId,
    objects: Option<Objects>,
    file: File,
    partial: PathBuf,
    complete: PathBuf,
    head: Vec<u8>,
    size: u64,
}

/// Why an upload is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The disk does not take it: the operator acts.
    #[error("the recording cannot be written: {0}")]
    Disk(#[from] io::Error),
    /// It is no recording in a format that is taken.
    #[error("is neither an MP3 nor a WAV file; convert it to one of them")]
    Format,
    /// It is too large.
    #[error("is larger than {} MiB; 30 to 60 seconds of speech are enough", LARGEST / 1024 / 1024)]
    TooLarge,
}

/// Why the recording of a voice cannot be removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeleteError {
    /// The disk fails: the operator looks at the directory.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Object storage does not answer: the caller tries again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Samples {
    /// Recordings in this directory, which is made with the first one, or in object storage, if there is one.
    #[must_use]
    pub fn new(directory: PathBuf, objects: Option<Objects>) -> Self {
        Self(Arc::new(Inner { directory, objects, in_use: Mutex::default() }))
    }

    /// Removes what uploads left that were cut off with the process: at a start, none can be under way.
    pub(crate) fn forget_uploads(&self) {
        let Ok(files) = std::fs::read_dir(&self.0.directory) else { return };
        for file in files.filter_map(Result::ok) {
            let path = file.path();
            if path.extension().is_some_and(|end| end == PARTIAL) {
                remove(&path);
            }
        }
    }

    /// Begins to receive the recording of a voice.
    pub(crate) async fn receive(&self, voice: VoiceId) -> Result<Upload, UploadError> {
        let directory = self.0.directory.clone();
        spawn_blocking(move || private::create_directory(&directory)).await.map_err(io::Error::other)??;
        let complete = self.path(voice);
        let partial = complete.with_extension(PARTIAL);
        // Whom it sounds like is nobody's business but the owner's.
        let file = OpenOptions::from(private::options()).create_new(true).open(&partial).await?;
        let objects = self.0.objects.clone();
        Ok(Upload { voice, objects, file, partial, complete, head: Vec::with_capacity(HEAD), size: 0 })
    }

    /// The recording of a voice.
    pub(crate) async fn load(&self, voice: VoiceId, format: SampleFormat) -> io::Result<Arc<VoiceSample>> {
        if let Some(sample) = self.in_use(|in_use| in_use.get(&voice).and_then(Weak::upgrade)) {
            return Ok(sample);
        }
        let file = self.read(voice).await?;
        let sample = Arc::new(VoiceSample { file, format });
        self.in_use(|in_use| {
            in_use.retain(|_, sample| sample.strong_count() > 0);
            in_use.insert(voice, Arc::downgrade(&sample));
        });
        Ok(sample)
    }

    /// Removes the recording of a voice, if there is one.
    pub(crate) async fn delete(&self, voice: VoiceId) -> Result<(), DeleteError> {
        self.in_use(|in_use| in_use.remove(&voice));
        match tokio::fs::remove_file(self.path(voice)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        if let Some(objects) = &self.0.objects {
            objects.delete(Name::sample(voice)).await?;
        }
        Ok(())
    }

    async fn read(&self, voice: VoiceId) -> io::Result<Bytes> {
        let missing = match (tokio::fs::read(self.path(voice)).await, &self.0.objects) {
            (Ok(file), _) => return Ok(file.into()),
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::NotFound => error,
            (Err(error), _) => return Err(error),
        };
        let Some(objects) = &self.0.objects else { return Err(missing) };
        let found = objects.find(Name::sample(voice)).await.map_err(io::Error::other)?;
        found.ok_or(missing)?.whole(LARGEST).await
    }

    fn path(&self, voice: VoiceId) -> PathBuf {
        self.0.directory.join(format!("{voice}.sample"))
    }

    fn in_use<T>(&self, look: impl FnOnce(&mut HashMap<VoiceId, Weak<VoiceSample>>) -> T) -> T {
        look(&mut self.0.in_use.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Upload {
    /// Takes more of the file.
    pub(crate) async fn write(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        self.size += piece.len() as u64;
        if self.size > LARGEST {
            return Err(UploadError::TooLarge);
        }
        let missing = HEAD - self.head.len();
        self.head.extend(piece.iter().take(missing));
        // What is no recording is not written to its end.
        if self.head.len() == HEAD && format(&self.head).is_none() {
            return Err(UploadError::Format);
        }
        Ok(self.file.write_all(piece).await?)
    }

    /// The file is complete: it gets its name, and is kept.
    pub(crate) async fn keep(mut self) -> Result<SampleFormat, UploadError> {
        let format = format(&self.head).ok_or(UploadError::Format)?;
        self.file.flush().await?;
        self.file.sync_all().await?;
        if let Some(objects) = &self.objects {
            match objects.put_file(Name::sample(self.voice), &self.partial).await {
                // What is here is removed with the upload.
                Ok(_) => return Ok(format),
                // It goes there when it can; until then, calls on this node have it.
                Err(error) => {
                    tracing::error!(voice = %self.voice, %error, "the recording of a voice waits for object storage");
                    objects.ring();
                }
            }
        }
        tokio::fs::rename(&self.partial, &self.complete).await?;
        Ok(format)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // One that was kept has no file of this name any more.
        remove(&self.partial);
    }
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(path = %path.display(), %error, "half an upload could not be removed; remove it by hand");
        }
        Ok(()) | Err(_) => {}
    }
}

/// What a file is, by its first bytes.
fn format(head: &[u8]) -> Option<SampleFormat> {
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => Some(SampleFormat::Wav),
        [b'I', b'D', b'3', ..] => Some(SampleFormat::Mp3),
        // Eleven bits of sync, a version that exists, layer III, a bit rate and a sample rate that are none of the reserved ones.
        [0xFF, second, third, ..]
            if second & 0xE6 == 0xE2
                && second & 0x18 != 0x08
                && third & 0xF0 != 0xF0
                && third & 0x0C != 0x0C =>
        {
            Some(SampleFormat::Mp3)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        for (head, is) in [
            (&b"RIFF\x24\0\0\0WAVE"[..], Some(SampleFormat::Wav)),
            (b"RIFF\x24\0\0\0AVI ", None),
            (b"ID3\x04\0\0\0\0\0\0\0\0", Some(SampleFormat::Mp3)),
            (b"\xFF\xFB\x90\x64\0\0\0\0\0\0\0\0", Some(SampleFormat::Mp3)),
            (b"\xFF\xF3\x44\xC4\0\0\0\0\0\0\0\0", Some(SampleFormat::Mp3)),
            // AAC, and a byte-order mark.
            (b"\xFF\xF1\x50\x80\0\0\0\0\0\0\0\0", None),
            (b"\xFF\xFEh\0i\0", None),
            (b"OggS\0\x02\0\0\0\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(format(head), is, "{head:?}");
        }
    }
}
