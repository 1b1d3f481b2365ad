//! Corpora, sources and uploads in memory.

use std::collections::{BTreeMap, HashMap};

use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId, Timestamp};

use super::super::{
    AccountId, CorpusPlace, CorpusStatistics, CorpusStore, Filling, Pending, Slice, StoredCorpus,
    StoredSource, StoredUpload, Window,
};
use super::passages::Document;
use super::{Memory, nonsense_about, slice};

#[derive(Default)]
pub(super) struct Corpora {
    corpora: HashMap<CorpusId, StoredCorpus>,
    pub(super) sources: HashMap<CorpusSourceId, Source>,
    uploads: HashMap<CorpusDocumentId, (StoredUpload, Vec<u8>)>,
}

/// A source with its documents.
pub(super) struct Source {
    pub(super) source: StoredSource,
    pub(super) documents: BTreeMap<CorpusDocumentId, Document>,
}

impl Source {
    /// The source as it is now.
    fn present(&self) -> StoredSource {
        StoredSource { documents: self.documents.len() as u64, ..self.source.clone() }
    }
}

impl Corpora {
    /// The account's corpora, oldest first.
    fn of(&self, account: AccountId) -> Vec<(CorpusPlace, &StoredCorpus)> {
        let own = self.corpora.values().filter(|corpus| corpus.account == account);
        let mut own: Vec<_> = own.map(|corpus| (corpus.place(), corpus)).collect();
        own.sort_by_key(|(place, _)| *place);
        own
    }

    pub(super) fn sources_of(&self, corpus: CorpusId) -> impl Iterator<Item = &Source> {
        self.sources.values().filter(move |source| source.source.corpus == corpus)
    }

    pub(super) fn set_updated(&mut self, corpus: CorpusId, at: Timestamp) {
        if let Some(corpus) = self.corpora.get_mut(&corpus) {
            corpus.statistics.updated = Some(at);
        }
    }

    fn present(&self, corpus: &StoredCorpus) -> StoredCorpus {
        let mut statistics =
            CorpusStatistics { updated: corpus.statistics.updated, ..CorpusStatistics::default() };
        for source in self.sources_of(corpus.id) {
            statistics.sources += 1;
            statistics.loading += u64::from(source.source.loading);
            statistics.documents += source.documents.len() as u64;
            for passage in source.documents.values().flat_map(|document| &document.passages) {
                statistics.passages += 1;
                statistics.vectors += passage.vectors.len() as u64;
            }
        }
        StoredCorpus { statistics, ..corpus.clone() }
    }
}

/// Part of a list that is at hand oldest first, newest first.
fn newest_first<'l, T>(mut list: Vec<(CorpusPlace, &'l T)>, window: &Window<CorpusPlace>) -> Slice<&'l T> {
    list.reverse();
    let (own, behind) = match &window.after {
        None => (0, 0),
        Some(after) => (
            list.partition_point(|(place, _)| place > after),
            list.partition_point(|(place, _)| place >= after),
        ),
    };
    slice(&list, window, own..behind).map(|(_, item)| *item)
}

impl CorpusStore for Memory {
    fn insert_corpus<'a>(&'a self, corpus: &'a StoredCorpus, most: u32) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let corpora = &mut contents.corpora;
            if corpora.corpora.contains_key(&corpus.id) {
                return Err(nonsense_about("corpora", &corpus.id, "the id is taken"));
            }
            let room = corpora.of(corpus.account).len() < most as usize;
            if room {
                let statistics = CorpusStatistics::default();
                corpora.corpora.insert(corpus.id, StoredCorpus { statistics, ..corpus.clone() });
            }
            Ok(room)
        })
    }

    fn find_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, Option<StoredCorpus>> {
        self.at_once(|contents| {
            let corpora = &contents.corpora;
            let own = corpora.corpora.get(&id).filter(|corpus| corpus.account == account);
            Ok(own.map(|corpus| corpora.present(corpus)))
        })
    }

    fn corpora(&self, account: AccountId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredCorpus>> {
        self.at_once(|contents| {
            let corpora = &contents.corpora;
            Ok(newest_first(corpora.of(account), &window).map(|corpus| corpora.present(corpus)))
        })
    }

    fn count_corpora(&self, account: AccountId) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.corpora.of(account).len() as u64))
    }

    fn update_corpus<'a>(&'a self, corpus: &'a StoredCorpus) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let known = contents.corpora.corpora.get_mut(&corpus.id);
            let Some(known) = known.filter(|known| known.account == corpus.account) else { return Ok(false) };
            known.name.clone_from(&corpus.name);
            known.description.clone_from(&corpus.description);
            Ok(true)
        })
    }

    fn delete_corpus(&self, account: AccountId, id: CorpusId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let Corpora { corpora, sources, uploads } = &mut contents.corpora;
            let is_own = corpora.get(&id).is_some_and(|corpus| corpus.account == account);
            if is_own {
                corpora.remove(&id);
                sources.retain(|_, source| source.source.corpus != id);
                uploads.retain(|_, (upload, _)| upload.corpus != id);
            }
            Ok(is_own)
        })
    }

    fn insert_source<'a>(&'a self, source: &'a StoredSource, most: u32) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let corpora = &mut contents.corpora;
            if corpora.sources.contains_key(&source.id) {
                return Err(nonsense_about("corpus_sources", &source.id, "the id is taken"));
            }
            let room = corpora.corpora.contains_key(&source.corpus)
                && corpora.sources_of(source.corpus).count() < most as usize;
            if room {
                let fresh = StoredSource { revision: 0, loading: true, updated: None, ..source.clone() };
                let fresh = Source { source: fresh, documents: BTreeMap::new() };
                corpora.sources.insert(source.id, fresh);
            }
            Ok(room)
        })
    }

    fn find_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, Option<StoredSource>> {
        self.at_once(|contents| {
            let source = contents.corpora.sources.get(&id).filter(|source| source.source.corpus == corpus);
            Ok(source.map(Source::present))
        })
    }

    fn sources(&self, corpus: CorpusId, window: Window<CorpusPlace>) -> Pending<'_, Slice<StoredSource>> {
        self.at_once(|contents| {
            let sources = contents.corpora.sources_of(corpus);
            let mut sources: Vec<_> = sources.map(|source| (source.source.place(), source)).collect();
            sources.sort_by_key(|(place, _)| *place);
            Ok(newest_first(sources, &window).map(Source::present))
        })
    }

    fn count_sources(&self, corpus: CorpusId) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.corpora.sources_of(corpus).count() as u64))
    }

    fn update_source<'a>(&'a self, source: &'a StoredSource) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let known = contents.corpora.sources.get_mut(&source.id);
            let same = |known: &&mut Source| {
                known.source.corpus == source.corpus && known.source.revision == source.revision
            };
            let Some(Source { source: known, .. }) = known.filter(same) else { return Ok(false) };
            known.name.clone_from(&source.name);
            known.description.clone_from(&source.description);
            known.spec = source.spec.clone();
            known.revision += 1;
            known.loading = true;
            Ok(true)
        })
    }

    fn delete_source(&self, corpus: CorpusId, id: CorpusSourceId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let sources = &mut contents.corpora.sources;
            let is_own = sources.get(&id).is_some_and(|source| source.source.corpus == corpus);
            Ok(is_own && sources.remove(&id).is_some())
        })
    }

    fn sources_to_load(&self, crawls: bool, limit: u32) -> Pending<'_, Vec<StoredSource>> {
        self.at_once(|contents| {
            let waiting = contents
                .corpora
                .sources
                .values()
                .filter(|kept| kept.source.loading && kept.source.crawls() == crawls);
            let mut waiting: Vec<_> = waiting.map(Source::present).collect();
            waiting.sort_by_key(StoredSource::place);
            waiting.truncate(limit as usize);
            Ok(waiting)
        })
    }

    fn insert_upload<'a>(&'a self, upload: &'a StoredUpload, now: Timestamp, most: u32) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let Corpora { corpora, uploads, .. } = &mut contents.corpora;
            uploads.retain(|_, (known, _)| {
                known.corpus != upload.corpus || known.expires > now || known.size.is_some()
            });
            let of_corpus = uploads.values().filter(|(known, _)| known.corpus == upload.corpus).count();
            let room = corpora.contains_key(&upload.corpus) && of_corpus < most as usize;
            if room {
                uploads.insert(upload.id, (StoredUpload { size: None, ..upload.clone() }, Vec::new()));
            }
            Ok(room)
        })
    }

    fn find_upload_by_token(&self, token_hash: [u8; 32]) -> Pending<'_, Option<StoredUpload>> {
        self.at_once(|contents| {
            let mut uploads = contents.corpora.uploads.values().map(|(upload, _)| upload);
            Ok(uploads.find(|upload| upload.token_hash == token_hash).cloned())
        })
    }

    fn find_upload(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<StoredUpload>> {
        self.at_once(|contents| {
            let upload = contents.corpora.uploads.get(&id).map(|(upload, _)| upload);
            Ok(upload.filter(|upload| upload.corpus == corpus).cloned())
        })
    }

    fn fill_upload(&self, id: CorpusDocumentId, content: Vec<u8>, most: u64) -> Pending<'_, Filling> {
        self.at_once(|contents| {
            let Corpora { corpora, uploads, .. } = &mut contents.corpora;
            let account = |upload: &StoredUpload| corpora.get(&upload.corpus).map(|corpus| corpus.account);
            let Some(own) = uploads.get(&id).map(|(upload, _)| account(upload)) else {
                return Ok(Filling::Unknown);
            };
            let others = uploads.values().filter(|(other, _)| other.id != id && account(other) == own);
            let others: u64 = others.filter_map(|(other, _)| other.size).sum();
            if others + content.len() as u64 > most {
                return Ok(Filling::Full);
            }
            if let Some((upload, bytes)) = uploads.get_mut(&id) {
                upload.size = Some(content.len() as u64);
                *bytes = content;
            }
            Ok(Filling::Kept)
        })
    }

    fn upload_content(&self, corpus: CorpusId, id: CorpusDocumentId) -> Pending<'_, Option<Vec<u8>>> {
        self.at_once(|contents| {
            let upload = contents.corpora.uploads.get(&id);
            let filled = upload.filter(|(upload, _)| upload.corpus == corpus && upload.size.is_some());
            Ok(filled.map(|(_, content)| content.clone()))
        })
    }
}
