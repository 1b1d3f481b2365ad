//! What is known of the configured models: found out once, kept in a file beside the database, and heeded by the models.
//!
//! Owns the file and when a model is asked. Nobody is asked whom the configuration does not allow, since that may cost money. It
//! must not know what a call does with a model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use antiphon_backends::language_model::probe::{Findings, Subject, probe};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::config::Storage;

/// The form of the file; another one is as good as none.
const VERSION: u32 = 1;

/// The file's name, beside the database.
const FILE: &str = "models.json";

/// What was found out about models, by endpoint and name.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    entries: BTreeMap<String, Findings>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    models: BTreeMap<String, Findings>,
}

impl Book {
    /// Reads what was found out before. A file that is missing or cannot be read holds nothing: it is found out again.
    #[must_use]
    pub(crate) fn of(storage: &Storage) -> Self {
        let path = storage.file(FILE);
        let entries = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok())
            .filter(|written| written.version == VERSION)
            .map(|written| written.models)
            .unwrap_or_default();
        Self { path, entries }
    }

    /// What is known of a model.
    #[must_use]
    pub(crate) fn find(&self, subject: &Subject) -> Option<&Findings> {
        self.entries.get(&subject.place)
    }

    /// Keeps what was found out about a model.
    ///
    /// # Errors
    /// If the file cannot be written; what is known is known until the process ends.
    pub(crate) fn keep(&mut self, subject: &Subject, findings: Findings) -> std::io::Result<()> {
        self.entries.insert(subject.place.clone(), findings);
        let written = Written { version: VERSION, models: self.entries.clone() };
        let text = serde_json::to_vec_pretty(&written).map_err(std::io::Error::other)?;
        // A process that is killed in between leaves the old file or the new one.
        let draft = self.path.with_extension("json.new");
        std::fs::write(&draft, text)?;
        std::fs::rename(&draft, &self.path)
    }
}

/// Finds out about the models that are configured to hear, if the configuration allows it and nobody has before, and has all of
/// them heed what is known.
pub(crate) async fn find_out(mut book: Book, subjects: Vec<Subject>) {
    for subject in subjects {
        let Subject { name, model, .. } = &subject;
        if let Some(findings) = book.find(&subject) {
            model.heed(findings);
            continue;
        }
        if !subject.allowed || !model.unheeding().capabilities().audio {
            continue;
        }
        match probe(&**model.unheeding()).await {
            Ok(findings) => {
                if !findings.hears() {
                    warn!(model = %name, "the model takes no audio and is given transcripts: {:?}", findings.audio);
                }
                info!(model = %name, ?findings, "found out what the model can do");
                model.heed(&findings);
                if let Err(error) = book.keep(&subject, findings) {
                    warn!(
                        "what was found out about a model cannot be kept in {}: {error}",
                        book.path.display()
                    );
                }
            }
            // It may come up later; the next start asks again.
            Err(failure) => warn!(model = %name, "cannot find out what the model can do: {}", failure.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antiphon_backends::language_model::probe::{Finding, Probed};
    use antiphon_backends::language_model::scripted::Scripted;

    use super::*;

    #[test]
    fn what_was_found_out_outlives_the_process_and_a_broken_file_does_not_stop_it() {
        let directory = std::env::temp_dir().join(format!("antiphon-probes-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        let storage = Storage { directory: Some(directory.clone()), ..Storage::default() };
        let subject = Subject {
            name: "m".into(),
            place: "http://localhost/v1 m".to_owned(),
            model: Probed::new(Arc::new(Scripted::demo())),
            allowed: true,
            paid: false,
        };
        let findings = Findings {
            audio: Finding::No("answered 400: no audio".to_owned()),
            two_clips: Finding::Yes,
            order: Finding::Unclear("x".to_owned()),
            audio_with_tools: Finding::Yes,
            usage: Finding::Yes,
            aborts: Finding::Yes,
            thinks: false,
            first_token_ms: 120,
        };
        let mut book = Book::of(&storage);
        assert_eq!(book.find(&subject), None);
        book.keep(&subject, findings.clone()).unwrap();
        assert_eq!(Book::of(&storage).find(&subject), Some(&findings));
        std::fs::write(directory.join(FILE), "{").unwrap();
        assert_eq!(Book::of(&storage).find(&subject), None);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
