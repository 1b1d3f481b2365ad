//! Corpora as something to find answers in: from a document to passages, from a query to those that fit.
//!
//! Owns how texts are read, split and compared; keeps nothing itself. What is loaded when is the jobs' business. Knows no call and no
//! HTTP interface.

mod chunks;
mod extraction;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use antiphon_api::CorpusId;
use antiphon_api::rest::corpora::{CorpusQueryCitation, CorpusQueryResult};
use antiphon_backends::embeddings::OpenAiEmbeddings;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::storage::relevance::words;
use crate::storage::{Found, Passage, Storage, StorageError, Wanted};

pub(crate) use extraction::{Extracted, Kind, Reading, Unreadable, essence};

/// Results of a query that does not say how many, and how many there are at most (protocol.md 12).
pub(crate) const USUAL_RESULTS: u32 = 5;
pub(crate) const MOST_RESULTS: u32 = 20;
/// How long a query's vector may take before the query goes by its words alone: somebody is waiting on the telephone.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// The longest document that is returned as a whole, in characters.
const MOST_WHOLE: usize = 100_000;
/// What is read of a query, in characters.
const MOST_QUERY: usize = 4_000;

/// The way to what is in corpora. Cheap to clone.
#[derive(Clone)]
pub struct Retrieval(Arc<Inner>);

struct Inner {
    storage: Storage,
    embeddings: Option<OpenAiEmbeddings>,
    reading: Reading,
    /// Rung when there is a source to load.
    bell: Notify,
}

/// Passages, and the model of their vectors.
#[derive(Default)]
pub(crate) struct Indexed {
    pub(crate) passages: Vec<Passage>,
    pub(crate) model: String,
}

impl Retrieval {
    /// The way to what is in this storage, by words, and by meaning if there is something that makes vectors.
    #[must_use]
    pub fn new(storage: Storage, embeddings: Option<OpenAiEmbeddings>) -> Self {
        Self(Arc::new(Inner { storage, embeddings, reading: Reading::default(), bell: Notify::new() }))
    }

    /// Says that there is a source to load.
    pub(crate) fn ring(&self) {
        self.0.bell.notify_one();
    }

    /// Waits until somebody says that there is a source to load. One who said it before counts.
    pub(crate) async fn rung(&self) {
        self.0.bell.notified().await;
    }

    /// What reads files.
    pub(crate) fn reading(&self) -> &Reading {
        &self.0.reading
    }

    /// The passages of a corpus that fit a query best, the best first. Whether the corpus may be asked is the caller's to know.
    ///
    /// # Errors
    /// The store failed.
    pub async fn search(&self, corpus: CorpusId, query: &str, most: u32) -> Result<Vec<Found>, StorageError> {
        let query: String = query.chars().take(MOST_QUERY).collect();
        let meaning = match &self.0.embeddings {
            None => None,
            Some(embeddings) => {
                let texts = [query.clone()];
                match tokio::time::timeout(PATIENCE, embeddings.embed(&texts)).await {
                    Ok(Ok(mut vectors)) => {
                        vectors.pop().map(|vector| (embeddings.model().to_owned(), vector))
                    }
                    Ok(Err(error)) => {
                        warn!(%error, "a corpus is searched by words alone");
                        None
                    }
                    Err(_) => {
                        warn!(
                            model = embeddings.model(),
                            "the embedding model is slow; a corpus is searched by words alone"
                        );
                        None
                    }
                }
            }
        };
        let wanted = Wanted { words: words(&query), meaning };
        self.0.storage.passages.search(corpus, &wanted, most.clamp(1, MOST_RESULTS)).await
    }

    /// A document's passages. Where no vectors can be had, they are found by their words.
    pub(crate) async fn passages(&self, extracted: Extracted) -> Indexed {
        // A long document takes a while.
        let (mut passages, texts) = match spawn_blocking(move || split(&extracted)).await {
            Ok(split) => split,
            Err(error) => resume_unwind(error.into_panic()),
        };
        let Some(vectors) = self.vectors(&texts).await else { return Indexed::by_words(passages) };
        for (passage, vector) in passages.iter_mut().zip(vectors) {
            passage.vectors.push(vector);
        }
        self.by_meaning(passages)
    }

    /// A document that is returned as a whole when a query is like one of its examples.
    pub(crate) async fn whole(
        &self,
        extracted: Extracted,
        examples: &[String],
    ) -> Result<Indexed, Unreadable> {
        if extracted.text.chars().count() > MOST_WHOLE {
            return Err(Unreadable::TooLongForWhole(MOST_WHOLE));
        }
        let words = words(&examples.join("\n"));
        let vectors = self.vectors(examples).await;
        let by_meaning = vectors.is_some();
        let passage = Passage { text: extracted.text, words, vectors: vectors.unwrap_or_default() };
        Ok(if by_meaning { self.by_meaning(vec![passage]) } else { Indexed::by_words(vec![passage]) })
    }

    fn by_meaning(&self, passages: Vec<Passage>) -> Indexed {
        let model = self.0.embeddings.as_ref().map_or_else(String::new, |it| it.model().to_owned());
        Indexed { passages, model }
    }

    async fn vectors(&self, texts: &[String]) -> Option<Vec<Vec<f32>>> {
        let embeddings = self.0.embeddings.as_ref().filter(|_| !texts.is_empty())?;
        let made = embeddings.embed(texts).await;
        made.inspect_err(
            |error| warn!(%error, "a document is found by its words alone until its source is loaded anew"),
        )
        .ok()
    }
}

/// A document's passages, and the texts that they mean.
fn split(extracted: &Extracted) -> (Vec<Passage>, Vec<String>) {
    let title = extracted.title.as_deref().unwrap_or_default();
    let chunks = chunks::chunks(&extracted.text, extracted.headed);
    chunks
        .into_iter()
        .map(|chunks::Chunk { headings, text }| {
            let path = headings.join(" > ");
            let text = if path.is_empty() { text } else { format!("{path}\n\n{text}") };
            // A title that the first heading repeats counts once.
            let whole = match headings.first().is_some_and(|first| first == title) || title.is_empty() {
                true => text.clone(),
                false => format!("{title}\n\n{text}"),
            };
            (Passage { text, words: words(&whole), vectors: Vec::new() }, whole)
        })
        .unzip()
}

impl Indexed {
    fn by_words(passages: Vec<Passage>) -> Self {
        Self { passages, model: String::new() }
    }
}

/// What was found, in the words of the API.
pub(crate) fn result(found: Found) -> CorpusQueryResult {
    CorpusQueryResult {
        content: found.text,
        score: found.score,
        citation: CorpusQueryCitation {
            source_id: found.source,
            document_id: found.document,
            public_url: found.metadata.public_url,
            title: found.metadata.title,
        },
    }
}
