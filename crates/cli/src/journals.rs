//! Finds the journals that a command line names: by a call's id, a file, or a directory.

use std::path::{Path, PathBuf};

use antiphon_api::CallId;
use antiphon_server::call::journal::{EXTENSION, Journal, Tail, path_in};
use anyhow::Context as _;

use crate::config::ConfigFile;
use crate::exit::misuse;

/// The files that `name` stands for. Only a call's id takes the configuration: it says where journals lie.
pub(crate) fn find(name: &str, config: &ConfigFile) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(name);
    if path.is_dir() {
        return in_directory(path);
    }
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let call: CallId = name.parse().map_err(|_| {
        misuse(format!("{name:?} is neither a call's id nor a file nor a directory that is there"))
    })?;
    let config = config.load()?.config;
    let path = path_in(&config.journal.directory(&config.storage), call);
    if path.exists() {
        return Ok(vec![path]);
    }
    Err(misuse(format!(
        "call {call} left no journal at {}; run this with the server's configuration and in its directory, or name the file",
        path.display()
    )))
}

fn in_directory(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let failed = || format!("cannot list {}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(misuse(format!("there are no .{EXTENSION} files in {}", directory.display())));
    }
    Ok(files)
}

/// What there is to say of how a journal stops, if it is not at the end of its call.
pub(crate) fn reservation(journal: &Journal) -> Option<String> {
    match journal.tail {
        Tail::Gap(at) => Some(format!("the journal stops at {at}: the disk was too slow")),
        Tail::Torn { bytes } => {
            Some(format!("the journal was cut off by a crash; {bytes} torn bytes are ignored"))
        }
        Tail::Whole if !journal.is_complete() => {
            Some("the call goes on, or was cut off by a crash".to_owned())
        }
        Tail::Whole => None,
    }
}
