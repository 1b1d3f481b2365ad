//! Sources that come from the web: a site of the test's own on loopback, with everything that sites have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::corpora::{corpus, documents, loaded, query, source};
use crate::files;
use crate::server::Server;

/// What a path of the site gives.
#[derive(Clone)]
enum Page {
    Gives(&'static str, Vec<u8>),
    Redirects(String),
    Fails(u16),
}

/// A site, and which of its paths were asked for.
#[derive(Clone)]
struct Site {
    pages: Arc<Mutex<BTreeMap<&'static str, Page>>>,
    asked: Arc<Mutex<Vec<String>>>,
    base: Arc<str>,
}

impl Site {
    async fn open(pages: impl IntoIterator<Item = (&'static str, Page)>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            pages: Arc::new(Mutex::new(pages.into_iter().collect())),
            asked: Arc::default(),
            base: format!("http://{}", listener.local_addr().unwrap()).into(),
        };
        let router = Router::new().fallback(answer).with_state(site.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn set(&self, path: &'static str, page: Page) {
        self.pages.lock().unwrap().insert(path, page);
    }

    fn times(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

async fn answer(State(site): State<Site>, uri: Uri) -> Response {
    site.asked.lock().unwrap().push(uri.path().to_owned());
    let page = site.pages.lock().unwrap().get(uri.path()).cloned();
    match page {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Page::Gives(kind, content)) => ([(header::CONTENT_TYPE, kind)], content).into_response(),
        Some(Page::Redirects(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Page::Fails(status)) => StatusCode::from_u16(status).unwrap().into_response(),
    }
}

fn html(text: &str) -> Page {
    Page::Gives("text/html; charset=utf-8", text.into())
}

/// A server that may dial this machine, and nothing else that is private.
async fn server() -> Server {
    Server::start_with(|config| config.outbound.allow = vec!["127.0.0.1".parse().unwrap()]).await
}

fn crawl(site: &Site, fields: Value) -> Value {
    let mut spec = json!({"startUrls": [site.url("/")]});
    let Value::Object(fields) = fields else { panic!("{fields} is an object") };
    spec.as_object_mut().unwrap().extend(fields);
    json!({ "crawl": spec })
}

/// The paths of a source's documents, and why each could not be read.
async fn paths(server: &Server, path: &str, source: &Value) -> BTreeMap<String, String> {
    let documents = documents(server, path, source).await;
    let pair = |document: &Value| {
        let url = document["metadata"]["publicUrl"].as_str().unwrap();
        let path = url.split('/').skip(3).collect::<Vec<_>>().join("/");
        (path, document["metadata"]["antiphon.failure"].as_str().unwrap_or_default().to_owned())
    };
    documents.iter().map(pair).collect()
}

#[tokio::test]
async fn a_site_is_read_along_its_links_and_no_further_than_it_should_be() {
    let site = Site::open([]).await;
    let index = format!(
        "<title>Bakery</title><h1>Welcome</h1><a href='/bread#top'>bread</a><a href='bread'>again</a><a href=hours.md>hours</a>\
         <a href={}>absolute</a><a href=/secret>no</a><a href=/open/hidden>no</a><a href=/image>image</a><a href=/huge>huge</a>\
         <a href=/away>away</a><a href=/private>private</a><a href=/gone>gone</a><a href=/error>error</a><a href=/self>self</a>\
         <a href=/copy>copy</a><a href=/broken>broken</a><a href=https://elsewhere.example/x>elsewhere</a><a href='mailto:a@b.c'>mail</a>\
         <a href='http://['>odd</a><a href=/old>old</a><a href=/unlisted>unlisted</a>",
        site.url("/prices")
    );
    for (path, page) in [
        ("/robots.txt", Page::Gives("text/plain", b"User-agent: *\nDisallow: /secret\nUser-agent: Antiphon\nDisallow: /secret\nDisallow: /open/*den\n".to_vec())),
        ("/", html(&index)),
        ("/bread", html("<title>Bread</title><p>Rye and spelt.</p><a href=/deep>deeper</a>")),
        ("/deep", html("<p>Too deep.</p>")),
        ("/hours.md", Page::Gives("text/markdown", b"# Hours\n\nWe open at seven.".to_vec())),
        ("/prices", Page::Gives("application/pdf", files::pdf("Prices", &["A loaf costs four euros."]))),
        ("/secret", html("Do not look.")),
        ("/open/hidden", html("Do not look.")),
        ("/image", Page::Gives("image/png", vec![0; 10])),
        ("/huge", Page::Gives("text/plain", vec![b'x'; 200_000])),
        ("/away", Page::Redirects("http://127.0.0.2:9/".to_owned())),
        ("/private", Page::Redirects("http://169.254.169.254/latest/meta-data".to_owned())),
        ("/error", Page::Fails(500)),
        ("/self", Page::Redirects("/self".to_owned())),
        ("/copy", html("<title>Bread</title><p>Rye and spelt.</p><a href=/deep>deeper</a>")),
        ("/broken", Page::Gives("application/pdf", b"%PDF-1.5 broken".to_vec())),
        ("/old", Page::Redirects("/new".to_owned())),
        ("/new", html("<p>Moved here.</p>")),
        ("/unlisted", html("<meta name=robots content=noindex><p>Not for indexes.</p>")),
    ] {
        site.set(path, page);
    }
    let server = server().await;
    let path = corpus(&server).await;
    let source =
        source(&server, &path, crawl(&site, json!({"maxDepth": 2, "maxDocumentBytes": 100_000}))).await;
    let read = paths(&server, &path, &source).await;
    let names: Vec<&str> = read.keys().map(String::as_str).collect();
    assert_eq!(names, ["", "bread", "broken", "hours.md", "new", "prices"]);
    assert!(read["broken"].contains("the file is broken"), "{read:?}");
    assert!(read.iter().all(|(name, failure)| (name == "broken") != failure.is_empty()), "{read:?}");
    for (asked, times) in
        [("/secret", 0), ("/open/hidden", 0), ("/deep", 0), ("/bread", 1), ("/robots.txt", 1), ("/", 1)]
    {
        assert_eq!(site.times(asked), times, "{asked}");
    }
    let found = query(&server, &path, "when do you open").await;
    assert_eq!(found[0]["content"], "Hours\n\nWe open at seven.");
    assert_eq!(found[0]["citation"]["publicUrl"], site.url("/hours.md"));
    assert_eq!(found[0]["citation"]["title"], "Hours");
    assert_eq!(query(&server, &path, "cost of a loaf").await[0]["citation"]["title"], "Prices");
    server.stop().await;
}

#[tokio::test]
async fn start_pages_that_give_nothing_say_why() {
    let site = Site::open([
        ("/robots.txt", Page::Gives("text/plain", b"User-agent: *\nDisallow: /no".to_vec())),
        ("/no", html("x")),
        ("/image", Page::Gives("image/png", vec![0; 10])),
        ("/huge", Page::Gives("text/plain", vec![b'x'; 2_000])),
        ("/away", Page::Redirects("http://127.0.0.2:9/".to_owned())),
        ("/fine", html("<p>Fine bread.</p>")),
    ])
    .await;
    let server = server().await;
    let path = corpus(&server).await;
    let urls: Vec<String> =
        ["/no", "/image", "/huge", "/away", "/gone", "/fine"].map(|path| site.url(path)).into();
    let source =
        source(&server, &path, json!({"loadSpec": {"startUrls": urls, "maxDocumentBytes": 1_000}})).await;
    let read = paths(&server, &path, &source).await;
    for (name, why) in [
        ("no", "robots.txt"),
        ("image", "\"image/png\" are not read"),
        ("huge", "larger than 1000 bytes"),
        ("away", "outbound.allow"),
        ("gone", "404"),
        ("fine", ""),
    ] {
        assert!(read[name].contains(why) && read[name].is_empty() == why.is_empty(), "{name}: {read:?}");
    }
    assert_eq!(query(&server, &path, "bread").await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn only_as_many_documents_of_the_wanted_types_are_kept() {
    let site = Site::open([
        ("/", html("<a href=/a>a</a><a href=/b>b</a><a href=/c.md>c</a><a href=/d.txt>d</a>")),
        ("/a", html("<p>a</p>")),
        ("/b", html("<p>b</p>")),
        ("/c.md", Page::Gives("text/markdown", b"c".to_vec())),
        ("/d.txt", Page::Gives("text/plain", b"d".to_vec())),
    ])
    .await;
    let server = server().await;
    let path = corpus(&server).await;
    let kept = async |fields: Value| {
        let source = source(&server, &path, crawl(&site, fields)).await;
        paths(&server, &path, &source).await.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(kept(json!({"maxDepth": 2, "maxDocuments": 2})).await, ["", "a"]);
    assert_eq!(kept(json!({})).await, [""]);
    let types = |include: Value, exclude: Value| {
        json!({"maxDepth": 2, "relevantDocumentTypes": {
            "include": {"mimeTypes": include}, "exclude": {"mimeTypes": exclude}}})
    };
    // Pages that are not kept still lead to what is.
    assert_eq!(kept(types(json!(["text"]), json!(["text/html"]))).await, ["c.md", "d.txt"]);
    assert_eq!(kept(types(json!(["text/plain"]), json!([]))).await, ["d.txt"]);
    server.stop().await;
}

#[tokio::test]
async fn a_site_that_has_changed_is_crawled_anew_and_its_pages_keep_their_ids() {
    let site = Site::open([
        ("/", html("<p>Rye.</p><a href=/a>a</a><a href=/b>b</a>")),
        ("/a", html("<p>Spelt.</p>")),
        ("/b", html("<p>Oats.</p>")),
    ])
    .await;
    let server = server().await;
    let path = corpus(&server).await;
    let before = source(&server, &path, crawl(&site, json!({"maxDepth": 2}))).await;
    let ids = |documents: &[Value]| -> BTreeMap<String, (Value, Value)> {
        let id = |document: &Value| {
            let url = document["metadata"]["publicUrl"].as_str().unwrap().to_owned();
            (url, (document["documentId"].clone(), document["created"].clone()))
        };
        documents.iter().map(id).collect()
    };
    let first = ids(&documents(&server, &path, &before).await);
    site.set("/", html("<p>Wheat.</p><a href=/a>a</a>"));
    let at = format!("{path}/sources/{}", before["sourceId"].as_str().unwrap());
    let changed = server.patch(&at, json!({})).await.json();
    assert_eq!(changed["stats"]["status"], "SOURCE_STATUS_UPDATING");
    assert_eq!(server.get(&path).await.json()["stats"]["numDocs"], 3);
    let after = loaded(&server, &at).await;
    assert_eq!((&after["sourceId"], &after["created"]), (&before["sourceId"], &before["created"]));
    let second = ids(&documents(&server, &path, &after).await);
    assert_eq!(second.len(), 2);
    assert!(second.iter().all(|(url, id)| first[url] == *id), "{first:?} {second:?}");
    assert_eq!(query(&server, &path, "wheat").await.len(), 1);
    assert_eq!(query(&server, &path, "rye oats").await, Vec::<Value>::new());
    server.stop().await;
}
