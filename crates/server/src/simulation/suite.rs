//! Many scenarios: finding their files and running them on all cores.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::{Run, Scenario, simulate};

/// How scenarios are run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How often each scenario is run, at least once.
    pub repeat: u32,
    /// Decides how the repetitions differ.
    pub seed: u64,
    /// How many calls run at a time, at least one.
    pub jobs: usize,
}

/// The scenario files among these paths: files as they are, directories with all that ends in `.yaml` or `.yml` in them, in the
/// order of their names.
///
/// # Errors
/// A path that is not there, or a directory that cannot be read, with its name.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            search(path, &mut found)?;
        } else {
            std::fs::metadata(path).map_err(|error| (path.clone(), error))?;
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn search(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (directory.to_owned(), error);
    let mut entries = std::fs::read_dir(directory)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        let is_scenario = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() {
            search(&path, found)?;
        } else if is_scenario {
            found.push(path);
        }
    }
    Ok(())
}

/// Runs all scenarios and hands over each run as soon as those before it are done: for each scenario in order, all its
/// repetitions in order.
pub fn run_all(scenarios: &[Scenario], options: Options, mut each: impl FnMut(Run)) {
    let repeat = options.repeat.max(1) as usize;
    let total = scenarios.len() * repeat;
    let next = AtomicUsize::new(0);
    // Bounded, so that a slow reader of reports slows the calls instead of keeping them all.
    let (sender, runs) = mpsc::sync_channel::<(usize, Run)>(64);
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, total.max(1)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= total {
                        return;
                    }
                    let repetition = u32::try_from(index % repeat).unwrap_or(u32::MAX);
                    let run = simulate(&scenarios[index / repeat], repetition, options.seed);
                    if sender.send((index, run)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = std::collections::BTreeMap::new();
        let mut told = 0;
        for (index, run) in runs {
            waiting.insert(index, run);
            while let Some(run) = waiting.remove(&told) {
                told += 1;
                each(run);
            }
        }
    });
}
