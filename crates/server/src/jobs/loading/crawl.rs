//! Fetches the documents of a source from the web: page by page from its start URLs, and along their links as far as it is asked to.
//!
//! Everything is dialled through `outbound`, which knows what may be. A crawl stays on the sites that it begins at, does what their
//! `robots.txt` says (RFC 9309), and is bounded in pages, bytes, depth and time. What a page says is read elsewhere.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use antiphon_api::rest::corpora::{CrawlSpec, MAXIMUM_DOCUMENT_BYTES, MAXIMUM_DOCUMENTS, MimeTypeFilter};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};
use texting_robots::Robot;
use tokio::time::{Instant, sleep};
use tracing::debug;
use url::Url;

use crate::outbound::{Bounds, Outbound, OutboundError, Request, Response};
use crate::retrieval::{Extracted, Kind, essence};

/// How we are called in a `robots.txt`.
const AGENT: &str = "Antiphon";
/// How long one page, and one `robots.txt`, may take.
const PAGE_TIME: Duration = Duration::from_secs(30);
const ROBOTS_TIME: Duration = Duration::from_secs(10);
/// How much is read of a `robots.txt` (RFC 9309, 2.5).
const ROBOTS_BYTES: usize = 500 * 1024;
/// The longest pause between two pages that a `robots.txt` can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pages that are fetched for each document that may be kept: some are of no use.
const FETCHES: usize = 5;
/// Pages that wait to be fetched.
const MOST_WAITING: usize = 10_000;
/// The longest URL that is followed, in bytes.
const LONGEST_URL: usize = 2_000;

/// A crawl under way.
pub(super) struct Crawl {
    outbound: Outbound,
    filter: MimeTypeFilter,
    most_documents: usize,
    most_bytes: usize,
    depth: u32,
    by: Instant,
    /// The sites that are not left.
    sites: HashSet<String>,
    robots: HashMap<String, Rules>,
    waiting: VecDeque<(Url, u32)>,
    /// What was ever waiting.
    seen: HashSet<String>,
    /// What was fetched, by its contents: many URLs give the same page.
    contents: HashSet<[u8; 32]>,
    fetches: usize,
}

/// What a crawl has found.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A document.
    Page {
        /// Where it is, once redirects were followed.
        url: Url,
        /// How many links it is away, its own URL counted: 1 for a start URL.
        depth: u32,
        /// Its type, without parameters.
        mime_type: String,
        /// Its type as it was told.
        content_type: String,
        body: Bytes,
    },
    /// A start URL that gives nothing, and why. Other pages that give nothing are left out.
    Failed { url: Url, why: String },
}

/// What a site allows.
enum Rules {
    All,
    Nothing,
    Some(Box<Robot>),
}

impl Crawl {
    pub(super) fn new(outbound: Outbound, spec: &CrawlSpec, time: Duration) -> Self {
        let mut crawl = Self {
            outbound,
            filter: spec.relevant_document_types.clone().unwrap_or_default(),
            most_documents: spec.max_documents.unwrap_or(MAXIMUM_DOCUMENTS) as usize,
            most_bytes: spec.max_document_bytes.unwrap_or(MAXIMUM_DOCUMENT_BYTES) as usize,
            depth: spec.max_depth.unwrap_or(1),
            by: Instant::now() + time,
            sites: HashSet::new(),
            robots: HashMap::new(),
            waiting: VecDeque::new(),
            seen: HashSet::new(),
            contents: HashSet::new(),
            fetches: 0,
        };
        for url in spec.start_urls.iter().filter_map(|url| Url::parse(url).ok()) {
            crawl.sites.extend(site(&url));
            crawl.wait(url, 1);
        }
        crawl
    }

    pub(super) fn most_documents(&self) -> usize {
        self.most_documents
    }

    /// Whether documents of this type are wanted. Others may still lead to some that are.
    pub(super) fn keeps(&self, mime_type: &str) -> bool {
        self.filter.keeps(mime_type)
    }

    /// The next document; nothing when there are no more, or the time is over.
    pub(super) async fn next(&mut self) -> Option<Fetched> {
        while let Some((url, depth)) = self.waiting.pop_front() {
            if Instant::now() >= self.by || self.fetches >= FETCHES * self.most_documents {
                debug!("a crawl ends before its pages do");
                return None;
            }
            self.fetches += 1;
            match self.fetch(&url, depth).await {
                Ok(Some(page)) => return Some(page),
                Ok(None) => {}
                Err(why) if depth == 1 => return Some(Fetched::Failed { url, why }),
                Err(why) => debug!(why, "a page is left out"),
            }
        }
        None
    }

    /// Goes on along the links of a page.
    pub(super) fn follow(&mut self, url: &Url, depth: u32, page: &Extracted) {
        if depth >= self.depth || page.no_follow {
            return;
        }
        let base = page.base.as_ref().and_then(|base| url.join(base).ok());
        let base = base.as_ref().unwrap_or(url);
        for link in page.links.iter().filter_map(|link| base.join(link).ok()) {
            if site(&link).is_some_and(|site| self.sites.contains(&site)) {
                self.wait(link, depth + 1);
            }
        }
    }

    fn wait(&mut self, mut url: Url, depth: u32) {
        url.set_fragment(None);
        let fits = url.as_str().len() <= LONGEST_URL && self.waiting.len() < MOST_WAITING;
        if fits && self.seen.insert(url.as_str().to_owned()) {
            self.waiting.push_back((url, depth));
        }
    }

    /// Fetches a page. Nothing, if there is none that was not seen yet.
    async fn fetch(&mut self, url: &Url, depth: u32) -> Result<Option<Fetched>, String> {
        if !self.may(url).await {
            return Err("robots.txt of the site does not allow it to be fetched".to_owned());
        }
        let bounds = Bounds { time: PAGE_TIME, bytes: self.most_bytes };
        let Response { url: end, status, headers, body, cut } =
            self.get(url, bounds).await.map_err(|error| error.to_string())?;
        let mut end = end;
        end.set_fragment(None);
        if end != *url {
            // A start URL may lead elsewhere: that is where its site is. Others lead astray.
            match site(&end) {
                Some(site) if depth == 1 => {
                    self.sites.insert(site);
                }
                Some(site) if self.sites.contains(&site) => {}
                Some(_) | None => return Ok(None),
            }
            if !self.may(&end).await {
                return Err("robots.txt of the site that it redirects to does not allow it".to_owned());
            }
            // What was or will be fetched there is the same page.
            if !self.seen.insert(end.as_str().to_owned()) {
                return Ok(None);
            }
        }
        if !status.is_success() {
            return Err(format!("the site answers {status}"));
        }
        if cut {
            return Err(format!(
                "it is larger than {} bytes, the most that one document may have",
                self.most_bytes
            ));
        }
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mime_type = essence(content_type);
        if Kind::of(&mime_type).is_none() {
            return Err(format!("documents of the type {mime_type:?} are not read"));
        }
        if !self.contents.insert(Sha256::digest(&body).into()) {
            return Ok(None);
        }
        let content_type = content_type.to_owned();
        Ok(Some(Fetched::Page { url: end, depth, mime_type, content_type, body }))
    }

    async fn get(&self, url: &Url, bounds: Bounds) -> Result<Response, OutboundError> {
        let left = self.by.saturating_duration_since(Instant::now());
        let bounds = Bounds { time: bounds.time.min(left), ..bounds };
        let mut headers = HeaderMap::new();
        let accepted = "text/html, text/markdown, text/plain, application/pdf, */*;q=0.5";
        headers.insert(header::ACCEPT, HeaderValue::from_static(accepted));
        let request = Request { method: Method::GET, url: url.clone(), headers, body: None };
        self.outbound.send(request, bounds).await
    }

    /// Whether the site of a URL lets us have it, after the pause that it asks for.
    async fn may(&mut self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        if !self.robots.contains_key(&origin) {
            let rules = self.rules(url).await;
            self.robots.insert(origin.clone(), rules);
        } else if let Some(Rules::Some(robot)) = self.robots.get(&origin)
            && let Some(pause) = robot.delay.and_then(|seconds| Duration::try_from_secs_f32(seconds).ok())
        {
            sleep(pause.min(LONGEST_PAUSE)).await;
        }
        match self.robots.get(&origin) {
            None | Some(Rules::All) => true,
            Some(Rules::Nothing) => false,
            Some(Rules::Some(robot)) => robot.allowed(url.as_str()),
        }
    }

    async fn rules(&self, url: &Url) -> Rules {
        let Ok(robots) = url.join("/robots.txt") else { return Rules::Nothing };
        match self.get(&robots, Bounds { time: ROBOTS_TIME, bytes: ROBOTS_BYTES }).await {
            Ok(response) if response.status.is_success() => {
                Robot::new(AGENT, &response.body).map_or(Rules::All, |robot| Rules::Some(Box::new(robot)))
            }
            Ok(response) if response.status.is_server_error() => Rules::Nothing,
            // There is none, or nobody there: asking for the page itself says better why it cannot be had.
            Ok(_) | Err(_) => Rules::All,
        }
    }
}

/// A site: a host and a port, with or without `www` and encryption. None of what is not on the web, or carries credentials.
fn site(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    Some(match url.port() {
        None => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
    })
}
