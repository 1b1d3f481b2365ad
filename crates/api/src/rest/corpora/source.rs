//! Sources: where the documents of a corpus come from (protocol.md 7.3).

use super::CorpusPageQuery;
use crate::endpoint::{NoBody, endpoint};
use crate::ids::{CorpusDocumentId, CorpusId, CorpusSourceId};
use crate::json::check::{Chars, Each, HTTP_URL, Within};
use crate::json::{Reader, choice, record, words};
use crate::page::Page;
use crate::timestamp::Timestamp;

/// Documents that one source may have.
pub const MAXIMUM_DOCUMENTS: u32 = 200;
/// Bytes that one document may have.
pub const MAXIMUM_DOCUMENT_BYTES: u32 = 10 * 1024 * 1024;
/// Example queries that one document may have, and their length in characters.
const MAXIMUM_EXAMPLES: usize = 10;
const EXAMPLE_CHARS: usize = 400;

endpoint! {
    /// Adds a source to a corpus. Its documents are loaded afterwards; `stats.status` says how far that is.
    pub CreateCorpusSource: Post "/api/corpora/{corpus_id}/sources"
        path CorpusId, body CorpusSourceRequest, -> 201 CorpusSource
}

endpoint! {
    /// Lists a corpus's sources, newest first.
    pub ListCorpusSources: Get "/api/corpora/{corpus_id}/sources"
        path CorpusId, query CorpusPageQuery, -> 200 Page<CorpusSource>
}

endpoint! {
    /// Reads one source.
    pub ReadCorpusSource: Get "/api/corpora/{corpus_id}/sources/{source_id}"
        path (CorpusId, CorpusSourceId), -> 200 CorpusSource
}

endpoint! {
    /// Replaces a source, and loads its documents anew. It keeps its id and when it was created.
    pub ReplaceCorpusSource: Put "/api/corpora/{corpus_id}/sources/{source_id}"
        path (CorpusId, CorpusSourceId), body CorpusSourceRequest, -> 200 CorpusSource | 409
}

endpoint! {
    /// Changes what the body says of a source and leaves the rest, and loads its documents anew.
    pub PatchCorpusSource: Patch "/api/corpora/{corpus_id}/sources/{source_id}"
        path (CorpusId, CorpusSourceId), body CorpusSourceRequest, -> 200 CorpusSource | 409
}

endpoint! {
    /// Removes a source with its documents.
    pub DeleteCorpusSource: Delete "/api/corpora/{corpus_id}/sources/{source_id}"
        path (CorpusId, CorpusSourceId), -> 204 NoBody
}

record! {
    /// What a source is created from: a name, and one of `crawl`, `upload` and `advanced`.
    #[derive(Default)]
    pub struct CorpusSourceRequest {
        /// Its name, at most 200 characters.
        name: Option<String> where Chars(0, 200),
        /// What it is, at most 2,000 characters.
        description: Option<String> where Chars(0, 2_000),
        /// The old name of `crawl`; means nothing beside another one.
        load_spec: Option<CrawlSpec>,
        /// Documents from the web.
        crawl: Option<CrawlSpec>,
        /// Uploaded documents.
        upload: Option<UploadSpec>,
        /// Uploaded documents that are found as a whole, by example queries.
        advanced: Option<AdvancedSpec>,
    }
    where one_spec
}

impl CorpusSourceRequest {
    /// Where the documents come from, if the request says it.
    #[must_use]
    pub fn spec(&self) -> Option<SourceSpec> {
        let crawl = self.crawl.clone().map(SourceSpec::Crawl);
        crawl
            .or_else(|| self.upload.clone().map(SourceSpec::Upload))
            .or_else(|| self.advanced.clone().map(SourceSpec::Advanced))
            .or_else(|| self.load_spec.clone().map(SourceSpec::Crawl))
    }
}

fn one_spec(request: &CorpusSourceRequest, reader: &mut Reader) {
    let given = [
        ("crawl", request.crawl.is_some()),
        ("upload", request.upload.is_some()),
        ("advanced", request.advanced.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        reader.at(second, |reader| {
            reader.refuse(format!("excludes {first:?}; keep one, and make another source of the other"));
        });
    }
}

choice! {
    /// Where a source's documents come from.
    pub enum SourceSpec {
        /// From the web.
        crawl: Crawl(CrawlSpec),
        /// From uploads.
        upload: Upload(UploadSpec),
        /// From uploads, found as a whole by example queries.
        advanced: Advanced(AdvancedSpec),
    }
}

record! {
    /// What is fetched from the web.
    pub struct CrawlSpec {
        /// Documents at most, 1 to 200; 200 if not given.
        max_documents: Option<u32> where Within(1, MAXIMUM_DOCUMENTS),
        /// Bytes of one document at most, up to 10 MiB, which is what it is if not given. Larger ones are left out.
        max_document_bytes: Option<u32> where Within(1, MAXIMUM_DOCUMENT_BYTES),
        /// The types of documents to keep; all that can be read if not given.
        relevant_document_types: Option<MimeTypeFilter>,
        /// Where to begin, 1 to 200 URLs.
        start_urls: Vec<String> where Each(HTTP_URL),
        /// How far links are followed, 1 to 10; 1, which is the start URLs alone, if not given.
        max_depth: Option<u32> where Within(1, 10),
    }
    where |spec, reader| reader.at("startUrls", |reader| some(spec.start_urls.len(), "URLs", reader))
}

record! {
    /// Which types of documents are kept.
    #[derive(Default)]
    pub struct MimeTypeFilter {
        /// Only these, if given.
        include: Option<MimeTypeSet>,
        /// None of these.
        exclude: Option<MimeTypeSet>,
    }
}

record! {
    /// MIME types. One without a subtype (`text`) stands for all of its subtypes.
    #[derive(Default)]
    pub struct MimeTypeSet {
        /// The types.
        mime_types: Vec<String> where Each(Chars(1, 200)),
    }
}

impl MimeTypeFilter {
    /// Whether a document of this type is kept.
    #[must_use]
    pub fn keeps(&self, mime_type: &str) -> bool {
        self.include.as_ref().is_none_or(|set| set.has(mime_type))
            && self.exclude.as_ref().is_none_or(|set| !set.has(mime_type))
    }
}

impl MimeTypeSet {
    fn has(&self, mime_type: &str) -> bool {
        let kind = mime_type.split('/').next().unwrap_or_default();
        let is = |entry: &String| entry.eq_ignore_ascii_case(mime_type) || entry.eq_ignore_ascii_case(kind);
        self.mime_types.iter().any(is)
    }
}

record! {
    /// Which uploads are taken.
    pub struct UploadSpec {
        /// Their ids, 1 to 200.
        document_ids: Vec<CorpusDocumentId>,
    }
    where |spec, reader| reader.at("documentIds", |reader| some(spec.document_ids.len(), "ids", reader))
}

record! {
    /// Which uploads are taken, and what finds them.
    pub struct AdvancedSpec {
        /// The documents, 1 to 200.
        documents: Vec<AdvancedDocument>,
    }
    where |spec, reader| reader.at("documents", |reader| some(spec.documents.len(), "documents", reader))
}

record! {
    /// A document that is returned as a whole when a query is like one of its examples.
    pub struct AdvancedDocument {
        /// The upload's id.
        document_id: CorpusDocumentId,
        /// What it answers: 1 to 10 queries of at most 400 characters.
        example_queries: Vec<String>,
    }
    where examples
}

fn examples(document: &AdvancedDocument, reader: &mut Reader) {
    reader.at("exampleQueries", |reader| {
        if !(1..=MAXIMUM_EXAMPLES).contains(&document.example_queries.len()) {
            reader.refuse(format!("must have 1 to {MAXIMUM_EXAMPLES} queries"));
        }
        for (index, example) in document.example_queries.iter().enumerate() {
            if example.trim().is_empty() || example.chars().take(EXAMPLE_CHARS + 1).count() > EXAMPLE_CHARS {
                reader.at(index, |reader| {
                    reader
                        .refuse(format!("must have 1 to {EXAMPLE_CHARS} characters that are not all blanks"));
                });
            }
        }
    });
}

fn some(count: usize, what: &str, reader: &mut Reader) {
    if !(1..=MAXIMUM_DOCUMENTS as usize).contains(&count) {
        reader.refuse(format!("must have 1 to {MAXIMUM_DOCUMENTS} {what}"));
    }
}

record! {
    /// A source.
    pub struct CorpusSource {
        /// The corpus that it belongs to.
        corpus_id: CorpusId,
        /// Its id.
        source_id: CorpusSourceId,
        /// When it was created.
        created: Timestamp,
        /// Its name.
        name: String => String::new(),
        /// What it is.
        description: String => String::new(),
        /// What it has brought so far.
        stats: SourceStats,
    }
    with one of {
        /// Where its documents come from.
        spec: SourceSpec,
    }
}

record! {
    /// What a source has brought so far.
    pub struct SourceStats {
        /// Whether it is loaded.
        status: SourceStatus => SourceStatus::Initializing,
        /// When it was last loaded to the end, if ever.
        last_updated: Option<Timestamp>,
        /// Its documents, those that could not be read included.
        num_docs: u64 => 0,
    }
}

words! {
    /// How far a source is.
    pub enum SourceStatus {
        /// It is being loaded for the first time.
        Initializing = "SOURCE_STATUS_INITIALIZING",
        /// It is loaded.
        Ready = "SOURCE_STATUS_READY",
        /// It is being loaded anew; what it had before can be queried meanwhile.
        Updating = "SOURCE_STATUS_UPDATING",
    }
    unset "SOURCE_STATUS_UNSPECIFIED"
}
