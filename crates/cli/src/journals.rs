//! Finds the journals that a command line names: by a call's id, a file, or a directory. That of a call may lie in object storage.

use std::path::{Path, PathBuf};

use antiphon_api::CallId;
use antiphon_server::call::journal::{EXTENSION, Journal, Tail, path_in};
use antiphon_server::objects::Name;
use anyhow::Context as _;

use crate::config::ConfigFile;
use crate::copies::{Copy, copy, objects};
use crate::exit::misuse;

/// Files of journals, as long as this is there.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<PathBuf>,
    /// Of those that do not lie here.
    copies: Vec<Copy>,
}

impl Found {
    pub(crate) fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.copies.extend(other.copies);
    }

    fn here(files: Vec<PathBuf>) -> Self {
        Self { files, copies: Vec::new() }
    }
}

/// The files that `name` stands for. Only a call's id takes the configuration: it says where journals lie.
pub(crate) fn find(name: &str, config: &ConfigFile) -> anyhow::Result<Found> {
    let path = Path::new(name);
    if path.is_dir() {
        return in_directory(path).map(Found::here);
    }
    if path.exists() {
        return Ok(Found::here(vec![path.to_owned()]));
    }
    let call: CallId = name.parse().map_err(|_| {
        misuse(format!("{name:?} is neither a call's id nor a file nor a directory that is there"))
    })?;
    let config = config.load()?.config;
    let path = path_in(&config.journal.directory(&config.storage), call);
    if path.exists() {
        return Ok(Found::here(vec![path]));
    }
    let objects = objects(&config)?;
    if let Some(objects) = &objects {
        let file = format!("{call}.{EXTENSION}");
        if let Some(copy) = copy(objects, Name::journal(call), &file)? {
            return Ok(Found { files: vec![copy.path().to_owned()], copies: vec![copy] });
        }
    }
    let or_there = objects.map_or_else(String::new, |objects| format!(" nor in {}", objects.place()));
    Err(misuse(format!(
        "call {call} left no journal at {}{or_there}; run this with the server's configuration and in its directory, or name the file",
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
