//! Documents and their passages in memory: every passage is looked at for every query.

use std::collections::{HashMap, HashSet};

use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};

use super::super::relevance::{self, CANDIDATES, Meaning};
use super::super::{
    Contents, DocumentPlace, Found, Passage, PassageStore, Pending, Slice, StoredDocument, Wanted, Window,
};
use super::corpora::{Corpora, Source};
use super::{Memory, slice};

/// A document with what is in it.
pub(super) struct Document {
    document: StoredDocument,
    pub(super) passages: Vec<Passage>,
    model: String,
}

impl Corpora {
    /// A source that is being loaded in this revision.
    fn loading(&mut self, source: CorpusSourceId, revision: u32) -> Option<&mut Source> {
        let source = self.sources.get_mut(&source);
        source.filter(|source| source.source.loading && source.source.revision == revision)
    }
}

impl PassageStore for Memory {
    fn find_document(
        &self,
        source: CorpusSourceId,
        id: CorpusDocumentId,
    ) -> Pending<'_, Option<StoredDocument>> {
        self.at_once(|contents| {
            let source = contents.corpora.sources.get(&source);
            Ok(source.and_then(|source| source.documents.get(&id)).map(|kept| kept.document.clone()))
        })
    }

    fn documents(
        &self,
        source: CorpusSourceId,
        window: Window<DocumentPlace>,
    ) -> Pending<'_, Slice<StoredDocument>> {
        self.at_once(|contents| {
            let source = contents.corpora.sources.get(&source);
            let documents = source.into_iter().flat_map(|source| source.documents.values());
            let mut documents: Vec<_> = documents.map(|kept| (kept.document.place(), kept)).collect();
            documents.sort_by_key(|(place, _)| *place);
            let (own, behind) = match &window.after {
                None => (0, 0),
                Some(after) => (
                    documents.partition_point(|(place, _)| place < after),
                    documents.partition_point(|(place, _)| place <= after),
                ),
            };
            Ok(slice(&documents, &window, own..behind).map(|(_, kept)| kept.document.clone()))
        })
    }

    fn count_documents(&self, source: CorpusSourceId) -> Pending<'_, u64> {
        self.at_once(|contents| {
            Ok(contents.corpora.sources.get(&source).map_or(0, |source| source.documents.len() as u64))
        })
    }

    fn put_document<'a>(
        &'a self,
        document: &'a StoredDocument,
        revision: u32,
        contents: Contents<'a>,
    ) -> Pending<'a, bool> {
        self.at_once(|all| {
            let Some(source) = all.corpora.loading(document.source, revision) else { return Ok(false) };
            let document = Document {
                document: document.clone(),
                passages: contents.passages.to_vec(),
                model: contents.model.to_owned(),
            };
            source.documents.insert(document.document.id, document);
            Ok(true)
        })
    }

    fn finish_source<'a>(
        &'a self,
        source: CorpusSourceId,
        revision: u32,
        keep: &'a [CorpusDocumentId],
        at: Timestamp,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let Some(source) = contents.corpora.loading(source, revision) else { return Ok(false) };
            source.documents.retain(|id, _| keep.contains(id));
            source.source.loading = false;
            source.source.updated = Some(at);
            let corpus = source.source.corpus;
            contents.corpora.set_updated(corpus, at);
            Ok(true)
        })
    }

    fn search<'a>(&'a self, corpus: CorpusId, wanted: &'a Wanted, limit: u32) -> Pending<'a, Vec<Found>> {
        self.at_once(|contents| {
            let documents = contents.corpora.sources_of(corpus).flat_map(|source| source.documents.values());
            let passages: Vec<(&Document, &Passage)> =
                documents.flat_map(|kept| kept.passages.iter().map(move |passage| (kept, passage))).collect();
            let words = by_words(&passages, &wanted.words);
            let meant =
                wanted.meaning.as_ref().and_then(|(model, vector)| by_meaning(&passages, model, vector));
            let mut found: Vec<(usize, f64)> = words.into_iter().enumerate().collect();
            if let Some(cosines) = meant {
                for (at, score) in &mut found {
                    *score = relevance::combined(*score, cosines.get(at).copied().unwrap_or(0.0));
                }
            }
            found.retain(|(_, score)| *score > 0.0);
            found.sort_by(|a, b| b.1.total_cmp(&a.1));
            found.truncate(limit as usize);
            let show = |(at, score): (usize, f64)| {
                let (Document { document, .. }, passage) = passages[at];
                Found {
                    text: passage.text.clone(),
                    score,
                    source: document.source,
                    document: document.id,
                    metadata: document.metadata.clone(),
                }
            };
            Ok(found.into_iter().map(show).collect())
        })
    }
}

/// The score of each passage by its words.
fn by_words(passages: &[(&Document, &Passage)], words: &[String]) -> Vec<f64> {
    let sought = relevance::sought(words);
    let lengths = passages.iter().map(|(_, passage)| passage.words.len());
    let average = lengths.sum::<usize>() as f64 / passages.len().max(1) as f64;
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for (_, passage) in passages {
        for word in passage.words.iter().map(String::as_str).collect::<HashSet<_>>() {
            *counts.entry(word).or_default() += 1;
        }
    }
    let counted: Vec<(&str, u64)> =
        sought.into_iter().map(|word| (word, counts.get(word).copied().unwrap_or(0))).collect();
    let mut weighed = relevance::weighed(passages.len() as u64, &counted);
    let (finding, weighing) = relevance::finding(&mut weighed);
    let score = |passage: &Passage, words: &[relevance::Weighed<'_>]| -> f64 {
        let of = |weighed: &relevance::Weighed<'_>| {
            let times = passage.words.iter().filter(|word| *word == weighed.word).count();
            weighed.weight * relevance::share(times as f64, passage.words.len() as f64, average)
        };
        words.iter().map(of).sum()
    };
    let mut scores: Vec<f64> = passages.iter().map(|(_, passage)| score(passage, finding)).collect();
    if !weighing.is_empty() {
        let mut best: Vec<usize> = (0..scores.len()).filter(|at| scores[*at] > 0.0).collect();
        best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        best.truncate(CANDIDATES as usize);
        let found: Vec<(usize, f64)> =
            best.into_iter().map(|at| (at, scores[at] + score(passages[at].1, weighing))).collect();
        scores.fill(0.0);
        found.into_iter().for_each(|(at, score)| scores[at] = score);
    }
    scores
}

/// The cosine of each passage that has vectors of this model.
fn by_meaning(
    passages: &[(&Document, &Passage)],
    model: &str,
    vector: &[f32],
) -> Option<HashMap<usize, f64>> {
    let sought = Meaning::of(vector)?;
    let cosine = |other: &Vec<f32>| {
        let mut bytes = Vec::new();
        Meaning::of(other)?.write(&mut bytes);
        sought.cosine(&bytes)
    };
    let of_model = passages.iter().enumerate().filter(|(_, (kept, _))| kept.model == model);
    let best = of_model.filter_map(|(at, (_, passage))| {
        Some((at, passage.vectors.iter().filter_map(cosine).reduce(f64::max)?))
    });
    let cosines: HashMap<usize, f64> = best.collect();
    (!cosines.is_empty()).then_some(cosines)
}
