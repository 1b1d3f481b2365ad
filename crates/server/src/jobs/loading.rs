//! Loads the sources of corpora: fetches or takes their documents, has them read, and keeps what is in them.
//!
//! A few sources at a time, each a task of its own. What is to be loaded stands in the store, so that a server that stops goes on
//! where it was at its next start. Documents are kept one by one, each in the place of what it was before, so that a corpus can be
//! queried all the time. A document that cannot be read says why and costs no other one.

mod crawl;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use antiphon_api::rest::corpora::{CorpusDocumentMetadata, CrawlSpec, SourceSpec};
use antiphon_api::{CorpusDocumentId, CorpusSourceId, Timestamp};
use futures::FutureExt as _;
use tokio::task::JoinSet;
use tracing::{Instrument as _, debug, error, info, info_span, warn};
use uuid::Uuid;

use crate::config;
use crate::outbound::Outbound;
use crate::retrieval::{Extracted, Indexed, Kind, Retrieval, Unreadable};
use crate::storage::{
    Contents, Direction, Storage, StorageError, StoredDocument, StoredSource, StoredUpload, Window,
};
use crawl::{Crawl, Fetched};

/// When a source is tried again that the store kept from being loaded.
const AGAIN: Duration = Duration::from_secs(10);
/// The longest that goes by without a look: another node may have left something.
const LONGEST_NAP: Duration = Duration::from_secs(5);
/// Documents that are asked of the store at a time; no source has more.
const ALL: u32 = 1_000;

/// What loads sources.
#[derive(Clone)]
pub struct Loading {
    storage: Storage,
    retrieval: Retrieval,
    outbound: Outbound,
    settings: config::Retrieval,
}

/// Sources of one kind that are being loaded.
struct Lane {
    crawls: bool,
    running: HashSet<CorpusSourceId>,
    tasks: JoinSet<Option<CorpusSourceId>>,
}

impl Lane {
    fn new(crawls: bool) -> Self {
        Self { crawls, running: HashSet::new(), tasks: JoinSet::new() }
    }

    /// Waits until one is loaded. Cancel-safe.
    async fn ended(&mut self) {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            // Panics are caught within.
            Some(Ok(Some(source))) => {
                self.running.remove(&source);
            }
            Some(_) => {}
        }
    }
}

/// What became of one loading.
enum Outcome {
    /// It is loaded.
    Done,
    /// It was changed or deleted meanwhile: whatever it is now is another loading.
    Superseded,
}

impl Loading {
    /// Loads into `storage`, from there and from where `outbound` leads.
    #[must_use]
    pub fn new(
        storage: Storage,
        retrieval: Retrieval,
        outbound: Outbound,
        settings: config::Retrieval,
    ) -> Self {
        Self { storage, retrieval, outbound, settings }
    }

    /// Loads whatever is to be loaded, now and later, until it is dropped. Uploads are quick and do not wait for the web.
    pub async fn run(self) {
        let (mut crawls, mut uploads) = (Lane::new(true), Lane::new(false));
        loop {
            self.start(&mut crawls).await;
            self.start(&mut uploads).await;
            tokio::select! {
                () = self.retrieval.rung() => {}
                () = tokio::time::sleep(LONGEST_NAP) => {}
                () = crawls.ended() => {}
                () = uploads.ended() => {}
            }
        }
    }

    /// Starts as many tasks as there is room and work for.
    async fn start(&self, lane: &mut Lane) {
        let most = self.settings.loading;
        if lane.tasks.len() >= most {
            return;
        }
        // Those that are running are among them.
        let limit = u32::try_from(2 * most).unwrap_or(u32::MAX);
        let waiting = match self.storage.corpora.sources_to_load(lane.crawls, limit).await {
            Ok(waiting) => waiting,
            Err(error) => {
                error!(%error, "sources of corpora cannot be looked for; they are loaded later");
                let retrieval = self.retrieval.clone();
                lane.tasks.spawn(async move {
                    tokio::time::sleep(AGAIN).await;
                    retrieval.ring();
                    None
                });
                return;
            }
        };
        for source in waiting {
            if lane.tasks.len() < most && lane.running.insert(source.id) {
                let (loading, id) = (self.clone(), source.id);
                let span = info_span!(parent: None, "loading", source = %id);
                let task = async move {
                    loading.attempt(&source).await;
                    Some(id)
                };
                lane.tasks.spawn(task.instrument(span));
            }
        }
    }

    /// Loads a source. One that a bug of ours keeps from being loaded ends with what it has, so that it is not tried for ever.
    async fn attempt(&self, source: &StoredSource) {
        match AssertUnwindSafe(self.load(source)).catch_unwind().await {
            Ok(Ok(Outcome::Done)) => info!("a source is loaded"),
            Ok(Ok(Outcome::Superseded)) => debug!("a source was changed while it was loaded"),
            Ok(Err(error)) => {
                error!(%error, "a source could not be loaded; it is tried again");
                tokio::time::sleep(AGAIN).await;
            }
            Err(_) => {
                error!("loading a source failed: this is a bug of the server");
                let kept = self.present(source.id).await.unwrap_or_default();
                let kept: Vec<_> = kept.iter().map(|document| document.id).collect();
                let finished = self.storage.passages.finish_source(source.id, source.revision, &kept, now());
                if finished.await.is_err() {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn load(&self, source: &StoredSource) -> Result<Outcome, StorageError> {
        let before = self.present(source.id).await?;
        let kept = match &source.spec {
            SourceSpec::Crawl(spec) => self.crawl(source, spec, &before).await?,
            SourceSpec::Upload(spec) => {
                let wanted = spec.document_ids.iter().map(|id| (*id, Vec::new())).collect();
                self.take(source, wanted, &before).await?
            }
            SourceSpec::Advanced(spec) => {
                let wanted = spec.documents.iter();
                let wanted = wanted.map(|document| (document.document_id, document.example_queries.clone()));
                self.take(source, wanted.collect(), &before).await?
            }
        };
        let Some(kept) = kept else { return Ok(Outcome::Superseded) };
        match self.storage.passages.finish_source(source.id, source.revision, &kept, now()).await? {
            true => Ok(Outcome::Done),
            false => Ok(Outcome::Superseded),
        }
    }

    /// The documents that a source has.
    async fn present(&self, source: CorpusSourceId) -> Result<Vec<StoredDocument>, StorageError> {
        let window = Window { after: None, direction: Direction::Forward, limit: ALL };
        Ok(self.storage.passages.documents(source, window).await?.items)
    }

    /// Takes uploads, each with the examples that find it, if it is to be found by these. Gives what is to be kept, or nothing if the
    /// source was changed.
    async fn take(
        &self,
        source: &StoredSource,
        wanted: Vec<(CorpusDocumentId, Vec<String>)>,
        before: &[StoredDocument],
    ) -> Result<Option<Vec<CorpusDocumentId>>, StorageError> {
        let mut kept = Vec::new();
        for (id, examples) in wanted {
            if kept.contains(&id) {
                continue;
            }
            // Gone is what was deleted with its corpus, and with it the source.
            let Some(upload) = self.storage.corpora.find_upload(source.corpus, id).await? else { continue };
            let Some(content) = self.storage.corpora.upload_content(source.corpus, id).await? else {
                continue;
            };
            let size = content.len() as u64;
            let read = self.read(&upload.mime_type, content).await;
            let (mut metadata, indexed) = self.indexed(read, &examples).await;
            metadata.title = metadata.title.or_else(|| file_title(&upload));
            metadata.example_queries = examples;
            let document = StoredDocument {
                id,
                corpus: source.corpus,
                source: source.id,
                created: created(before, id),
                mime_type: upload.mime_type,
                size,
                metadata,
            };
            if !self.put(source, &document, &indexed).await? {
                return Ok(None);
            }
            kept.push(id);
        }
        Ok(Some(kept))
    }

    /// Fetches pages. A page keeps its id as long as it has its URL.
    async fn crawl(
        &self,
        source: &StoredSource,
        spec: &CrawlSpec,
        before: &[StoredDocument],
    ) -> Result<Option<Vec<CorpusDocumentId>>, StorageError> {
        let known: HashMap<&str, CorpusDocumentId> = before
            .iter()
            .filter_map(|document| Some((document.metadata.public_url.as_deref()?, document.id)))
            .collect();
        let mut crawl = Crawl::new(self.outbound.clone(), spec, self.settings.crawl_time);
        let mut kept = Vec::new();
        while kept.len() < crawl.most_documents()
            && let Some(fetched) = crawl.next().await
        {
            let (url, mime_type, size, read) = match fetched {
                Fetched::Page { url, depth, mime_type, content_type, body } => {
                    let size = body.len() as u64;
                    let read = self.read(&content_type, body.to_vec()).await;
                    if let Ok(extracted) = &read {
                        crawl.follow(&url, depth, extracted);
                        if extracted.no_index {
                            continue;
                        }
                    }
                    if !crawl.keeps(&mime_type) {
                        continue;
                    }
                    (url, mime_type, size, read.map_err(|error| error.to_string()))
                }
                Fetched::Failed { url, why } => (url, String::new(), 0, Err(why)),
            };
            let (mut metadata, indexed) = self.indexed(read, &[]).await;
            let id = known.get(url.as_str()).copied();
            let id = id.unwrap_or_else(|| CorpusDocumentId::new(Uuid::new_v4()));
            if kept.contains(&id) {
                continue;
            }
            metadata.public_url = Some(url.into());
            let document = StoredDocument {
                id,
                corpus: source.corpus,
                source: source.id,
                created: created(before, id),
                mime_type,
                size,
                metadata,
            };
            if !self.put(source, &document, &indexed).await? {
                return Ok(None);
            }
            kept.push(id);
        }
        Ok(Some(kept))
    }

    async fn read(&self, mime_type: &str, content: Vec<u8>) -> Result<Extracted, Unreadable> {
        match Kind::of(mime_type) {
            Some(kind) => self.retrieval.reading().read(kind, mime_type, content).await,
            None => Err(Unreadable::Unknown),
        }
    }

    /// What is known of a document, and what of it can be found.
    async fn indexed(
        &self,
        read: Result<Extracted, impl ToString>,
        examples: &[String],
    ) -> (CorpusDocumentMetadata, Indexed) {
        let failed = |why: String| {
            let metadata = CorpusDocumentMetadata { failure: Some(why), ..Default::default() };
            (metadata, Indexed::default())
        };
        let extracted = match read {
            Ok(extracted) => extracted,
            Err(error) => return failed(error.to_string()),
        };
        let metadata = CorpusDocumentMetadata {
            language: extracted.language.clone(),
            title: extracted.title.clone(),
            description: extracted.description.clone(),
            published: extracted.published,
            ..Default::default()
        };
        if examples.is_empty() {
            return (metadata, self.retrieval.passages(extracted).await);
        }
        match self.retrieval.whole(extracted, examples).await {
            Ok(indexed) => (metadata, indexed),
            Err(error) => failed(error.to_string()),
        }
    }

    /// Keeps a document. False if the source was changed meanwhile.
    async fn put(
        &self,
        source: &StoredSource,
        document: &StoredDocument,
        indexed: &Indexed,
    ) -> Result<bool, StorageError> {
        if let Some(failure) = &document.metadata.failure {
            warn!(document = %document.id, %failure, "a document cannot be read");
        }
        let contents = Contents { passages: &indexed.passages, model: &indexed.model };
        self.storage.passages.put_document(document, source.revision, contents).await
    }
}

/// When a document was created: what was there before keeps its time.
fn created(before: &[StoredDocument], id: CorpusDocumentId) -> Timestamp {
    before.iter().find(|document| document.id == id).map_or_else(now, |document| document.created)
}

/// A file's name as a title.
fn file_title(upload: &StoredUpload) -> Option<String> {
    let name = upload.file_name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}
