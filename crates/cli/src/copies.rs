//! Copies of what lies in object storage, for commands that read files: each in a directory of its own, which goes with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use antiphon_server::config::Config;
use antiphon_server::objects::{Name, Object, Objects};
use antiphon_server::telemetry::metrics::Metrics;
use anyhow::Context as _;
use futures::TryStreamExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::exit::misuse;

/// A copy. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Copy {
    directory: PathBuf,
    path: PathBuf,
}

impl Copy {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed is the owner's alone to read.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The object storage that a configuration names, if it names one.
pub(crate) fn objects(config: &Config) -> anyhow::Result<Option<Objects>> {
    Objects::open(&config.objects, Metrics::default()).map_err(|error| misuse(error.to_string()))
}

/// A copy of an object as a file of this name; none if there is no such object.
pub(crate) fn copy(objects: &Objects, name: Name, file: &str) -> anyhow::Result<Option<Copy>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Some(object) = objects.find(name).await? else { return Ok(None) };
        let directory = private_directory().context("cannot make a directory for a copy")?;
        let copy = Copy { path: directory.join(file), directory };
        write(&object, &copy.path)
            .await
            .with_context(|| format!("cannot copy {name} of {}", objects.place()))?;
        Ok(Some(copy))
    })
}

async fn write(object: &Object, path: &Path) -> anyhow::Result<()> {
    let mut file = tokio::fs::File::create_new(path).await?;
    let mut pieces = std::pin::pin!(object.bytes(0..object.size).await?);
    while let Some(piece) = pieces.try_next().await? {
        file.write_all(&piece).await?;
    }
    Ok(file.flush().await?)
}

/// A directory that nobody else had, or looks into.
fn private_directory() -> std::io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("antiphon-{}-{count}", std::process::id()));
        match builder.create(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
}
