//! `antiphon corpora`: collections of documents that agents look things up in.

use std::path::{Path, PathBuf};

use antiphon_api::endpoint::NoQuery;
use antiphon_api::rest::corpora::{
    CorpusSourceRequest, CorpusUploadRequest, CrawlSpec, CreateCorpus, CreateCorpusSource,
    CreateCorpusUpload, DeleteCorpus, DeleteCorpusSource, ListCorpora, ListCorpusDocuments,
    ListCorpusSources, PatchCorpus, PatchCorpusSource, QueryCorpus, QueryCorpusRequest, ReadCorpus,
    ReadCorpusDocument, ReadCorpusSource, UploadSpec,
};
use antiphon_api::{CorpusDocumentId, CorpusId, CorpusSourceId};
use clap::Subcommand;

use super::body::Body;
use super::columns;
use super::query::Query;
use super::session::{Common, Consent, Extent, Session};
use crate::exit::misuse;

/// What files are, by what their names end with.
const TYPES: [(&str, &str); 8] = [
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("md", "text/markdown"),
    ("markdown", "text/markdown"),
    ("pdf", "application/pdf"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("txt", "text/plain"),
];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  antiphon corpora create --set name=Manuals
  antiphon corpora upload ID manual.pdf faq.md
  antiphon corpora crawl ID https://example.com/help --depth 2
  antiphon corpora query ID 'How do I reset it?'
  antiphon corpora sources list ID")]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List corpora, newest first.
    List {
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a corpus, and whether it can be queried.
    Get {
        /// The corpus.
        id: CorpusId,
    },
    /// Create a corpus.
    Create {
        #[command(flatten)]
        body: Body,
    },
    /// Change a corpus's name or description.
    Update {
        /// The corpus.
        id: CorpusId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete corpora with all that is in them.
    Delete {
        /// The corpora.
        #[arg(required = true)]
        ids: Vec<CorpusId>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Find the passages of a corpus that answer a question, the best first.
    Query {
        /// The corpus.
        id: CorpusId,
        /// The question.
        text: String,
        /// How many passages at most, 1 to 20.
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
    },
    /// Upload files, and make a source of them: text, markdown, HTML, PDF, DOCX, PPTX.
    Upload {
        /// The corpus.
        id: CorpusId,
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The MIME type of the files; by what their names end with if not given.
        #[arg(long = "type", value_name = "MIME")]
        mime_type: Option<String>,
        /// What the source is called.
        #[arg(long)]
        name: Option<String>,
    },
    /// Make a source of pages from the web.
    Crawl {
        /// The corpus.
        id: CorpusId,
        /// Where to begin.
        #[arg(required = true)]
        urls: Vec<String>,
        /// How far links are followed, 1 to 10; 1, which is these pages alone, if not given.
        #[arg(long, value_name = "N")]
        depth: Option<u32>,
        /// Documents at most, 1 to 200.
        #[arg(long, value_name = "N")]
        most: Option<u32>,
        /// What the source is called.
        #[arg(long)]
        name: Option<String>,
    },
    /// Where the documents of a corpus come from.
    #[command(subcommand)]
    Sources(Sources),
    /// List the documents of a source, or show one.
    Documents {
        /// The corpus.
        corpus: CorpusId,
        /// The source.
        source: CorpusSourceId,
        /// The document to show.
        document: Option<CorpusDocumentId>,
        #[command(flatten)]
        extent: Extent,
    },
}

#[derive(Debug, Subcommand)]
enum Sources {
    /// List the sources of a corpus, newest first.
    List {
        /// The corpus.
        corpus: CorpusId,
        #[command(flatten)]
        extent: Extent,
    },
    /// Show a source, and how far it is loaded.
    Get {
        /// The corpus.
        corpus: CorpusId,
        /// The source.
        source: CorpusSourceId,
    },
    /// Create a source of whatever the body says; `upload` and `crawl` are easier.
    Create {
        /// The corpus.
        corpus: CorpusId,
        #[command(flatten)]
        body: Body,
    },
    /// Change a source, and load its documents anew.
    Update {
        /// The corpus.
        corpus: CorpusId,
        /// The source.
        source: CorpusSourceId,
        #[command(flatten)]
        body: Body,
    },
    /// Delete sources with their documents.
    Delete {
        /// The corpus.
        corpus: CorpusId,
        /// The sources.
        #[arg(required = true)]
        sources: Vec<CorpusSourceId>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let session = Session::new(&args.common)?;
    match args.command {
        Command::List { extent } => {
            session.list(ListCorpora, &(), Query::new(), &extent, columns::CORPORA, "corpora").await
        }
        Command::Get { id } => session.read(ReadCorpus, &id).await,
        Command::Create { body } => session.write(CreateCorpus, &(), &body).await,
        Command::Update { id, body } => session.change(PatchCorpus, &id, &body).await,
        Command::Delete { ids, consent } => session.remove(DeleteCorpus, &ids, "corpus", consent).await,
        Command::Query { id, text, limit } => {
            let request = QueryCorpusRequest { query: text, max_results: limit };
            let passages = session.client.send(QueryCorpus, &id, &NoQuery, &request).await?;
            session.printer.list(columns::PASSAGES).items(&passages)?;
            match passages.is_empty() {
                true => Ok(session.printer.note("nothing in the corpus answers that")?),
                false => Ok(()),
            }
        }
        Command::Upload { id, files, mime_type, name } => {
            let document_ids = upload(&session, id, &files, mime_type.as_deref()).await?;
            let upload = Some(UploadSpec { document_ids });
            let source = CorpusSourceRequest { name, upload, ..CorpusSourceRequest::default() };
            session.send(CreateCorpusSource, &id, &source).await
        }
        Command::Crawl { id, urls, depth, most, name } => {
            let crawl = CrawlSpec {
                max_documents: most,
                max_document_bytes: None,
                relevant_document_types: None,
                start_urls: urls,
                max_depth: depth,
            };
            let source = CorpusSourceRequest { name, crawl: Some(crawl), ..CorpusSourceRequest::default() };
            session.send(CreateCorpusSource, &id, &source).await
        }
        Command::Sources(command) => sources(&session, command).await,
        Command::Documents { corpus, source, document: Some(document), .. } => {
            session.read(ReadCorpusDocument, &(corpus, source, document)).await
        }
        Command::Documents { corpus, source, document: None, extent } => {
            let (path, documents) = ((corpus, source), columns::DOCUMENTS);
            session.list(ListCorpusDocuments, &path, Query::new(), &extent, documents, "documents").await
        }
    }
}

async fn sources(session: &Session, command: Sources) -> anyhow::Result<()> {
    match command {
        Sources::List { corpus, extent } => {
            session.list(ListCorpusSources, &corpus, Query::new(), &extent, columns::SOURCES, "sources").await
        }
        Sources::Get { corpus, source } => session.read(ReadCorpusSource, &(corpus, source)).await,
        Sources::Create { corpus, body } => session.write(CreateCorpusSource, &corpus, &body).await,
        Sources::Update { corpus, source, body } => {
            session.change(PatchCorpusSource, &(corpus, source), &body).await
        }
        Sources::Delete { corpus, sources, consent } => {
            let path = |source: &CorpusSourceId| (corpus, *source);
            session.remove_within(DeleteCorpusSource, &sources, path, "source", consent).await
        }
    }
}

/// Sends files to where the server wants them. Their types are known before the first one is sent.
async fn upload(
    session: &Session,
    corpus: CorpusId,
    files: &[PathBuf],
    mime_type: Option<&str>,
) -> anyhow::Result<Vec<CorpusDocumentId>> {
    let mut typed = Vec::with_capacity(files.len());
    for path in files {
        if !path.is_file() {
            return Err(misuse(format!("{} is no file that is there", path.display())));
        }
        typed.push((path, mime_type.map_or_else(|| type_of(path), |given| Ok(given.to_owned()))?));
    }
    let mut ids = Vec::with_capacity(files.len());
    for (path, mime_type) in typed {
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let request = CorpusUploadRequest { mime_type: mime_type.clone(), file_name };
        let upload = session.client.send(CreateCorpusUpload, &corpus, &NoQuery, &request).await?;
        session.client.put_file(&upload.presigned_url, &mime_type, path).await?;
        session.printer.note(&format!("uploaded {}", path.display()))?;
        ids.push(upload.document_id);
    }
    Ok(ids)
}

fn type_of(path: &Path) -> anyhow::Result<String> {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| *known == end).map(|(_, mime_type)| (*mime_type).to_owned());
    known.ok_or_else(|| {
        let ends: Vec<&str> = TYPES.iter().map(|(end, _)| *end).collect();
        misuse(format!(
            "what {} is cannot be told by its name; say it with --type, or use a file that ends with one of {}",
            path.display(),
            ends.join(", ")
        ))
    })
}
