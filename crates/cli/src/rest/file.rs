//! Files that commands write: complete or not there at all.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::fs::File;
use tokio::io::AsyncWrite;

use crate::exit::misuse;

/// Where a download goes.
#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// The file to write, or - for the standard output.
    #[arg(long, short, value_name = "FILE|-")]
    output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

impl Output {
    /// Has `write` write the file, which is called `usual` if the command line does not say. Returns what it is called, unless it is
    /// the standard output.
    pub(super) async fn write<F>(&self, usual: String, write: F) -> anyhow::Result<Option<PathBuf>>
    where
        F: AsyncFnOnce(&mut (dyn AsyncWrite + Unpin + Send)) -> anyhow::Result<()>,
    {
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(usual));
        if path.as_os_str() == "-" {
            write(&mut tokio::io::stdout()).await?;
            return Ok(None);
        }
        if path.exists() && !self.force {
            return Err(misuse(format!(
                "{} is there already; name another file with --output, or add --force",
                path.display()
            )));
        }
        let partial = partial(&path);
        let failed = || format!("cannot write {}", path.display());
        let mut file = File::create(&partial).await.with_context(failed)?;
        let written = write(&mut file).await;
        drop(file);
        if let Err(error) = written {
            // What is incomplete would be taken for the whole.
            let _ = tokio::fs::remove_file(&partial).await;
            return Err(error);
        }
        tokio::fs::rename(&partial, &path).await.with_context(failed)?;
        Ok(Some(path))
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}
