//! `/api/corpora` as a client meets it: corpora, sources and files, and what is found in them (protocol.md 7.3).

use std::sync::{Arc, Mutex};

use antiphon_api::Timestamp;
use antiphon_api::rest::corpora::{SourceSpec, UploadSpec};
use antiphon_server::storage::{StoredSource, StoredUpload};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::files;
use crate::server::{Answer, Server, answer};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// A new corpus's path.
pub(crate) async fn corpus(server: &Server) -> String {
    let created = server.post("/api/corpora", r#"{"name": "Bakery"}"#).await;
    assert_eq!(created.status, 201, "{}", created.text);
    format!("/api/corpora/{}", created.json()["corpusId"].as_str().unwrap())
}

async fn announce(server: &Server, corpus: &str, mime_type: &str, name: &str) -> (String, String) {
    let body = json!({"mimeType": mime_type, "fileName": name});
    let created = server.post(&format!("{corpus}/uploads"), body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let created = created.json();
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    (text("documentId"), text("presignedUrl"))
}

/// Sends a file where it is wanted, without a key.
async fn send(server: &Server, url: &str, mime_type: &str, content: impl Into<Vec<u8>>) -> Answer {
    let base = server.running.public_url().rest("");
    let path = url.strip_prefix(base.trim_end_matches('/')).unwrap();
    let request = server.request(Method::PUT, path).header("Content-Type", mime_type);
    answer(request.body(content.into())).await
}

/// The id of a file that was sent.
async fn uploaded(
    server: &Server,
    corpus: &str,
    mime_type: &str,
    name: &str,
    content: impl Into<Vec<u8>>,
) -> String {
    let (id, url) = announce(server, corpus, mime_type, name).await;
    let sent = send(server, &url, mime_type, content).await;
    assert_eq!((sent.status.as_u16(), sent.text.as_str()), (200, ""));
    id
}

/// A new source, once it is loaded.
pub(crate) async fn source(server: &Server, corpus: &str, body: Value) -> Value {
    let created = server.post(&format!("{corpus}/sources"), body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let created = created.json();
    assert_eq!(created["stats"], json!({"status": "SOURCE_STATUS_INITIALIZING", "numDocs": 0}));
    loaded(server, &format!("{corpus}/sources/{}", created["sourceId"].as_str().unwrap())).await
}

/// A source, once it is loaded.
pub(crate) async fn loaded(server: &Server, path: &str) -> Value {
    loop {
        let source = server.get(path).await.json();
        if source["stats"]["status"] == "SOURCE_STATUS_READY" {
            return source;
        }
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn query(server: &Server, corpus: &str, query: &str) -> Vec<Value> {
    let found = server.post(&format!("{corpus}/query"), json!({ "query": query }).to_string()).await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.json().as_array().unwrap().clone()
}

pub(crate) async fn documents(server: &Server, corpus: &str, source: &Value) -> Vec<Value> {
    let path = format!("{corpus}/sources/{}/documents", source["sourceId"].as_str().unwrap());
    server.get(&path).await.json()["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_corpus_is_created_read_changed_and_deleted() {
    let server = Server::start().await;
    let created =
        server.post("/api/corpora", json!({"name": "Bakery", "description": "All"}).to_string()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let created = created.json();
    let (id, at) = (created["corpusId"].as_str().unwrap(), created["created"].as_str().unwrap());
    let stats = json!({"status": "CORPUS_STATUS_EMPTY", "numChunks": 0, "numDocs": 0, "numVectors": 0});
    let expected =
        json!({"corpusId": id, "created": at, "name": "Bakery", "description": "All", "stats": stats});
    assert_eq!(created, expected);
    let path = format!("/api/corpora/{id}");
    assert_eq!(server.get(&path).await.json(), created);
    assert_eq!(query(&server, &path, "bread").await, Vec::<Value>::new());

    let mut changed = created.clone();
    changed["name"] = json!("Café");
    assert_eq!(server.patch(&path, json!({"name": "Café"})).await.json(), changed);
    // What was read may be written back.
    assert_eq!(server.put(&path, changed.clone()).await.json(), changed);
    changed["description"] = json!("");
    assert_eq!(server.put(&path, json!({"name": "Café"})).await.json(), changed);
    let other = corpus(&server).await;
    let list = server.get("/api/corpora?pageSize=1").await.json();
    assert_eq!((&list["total"], &list["results"][0]), (&json!(2), &server.get(&other).await.json()));
    let next = list["next"].as_str().unwrap().rsplit_once("/api").unwrap().1;
    assert_eq!(server.get(&format!("/api{next}")).await.json()["results"], json!([changed]));

    assert_eq!(server.delete(&path).await.status, 204);
    for gone in [
        server.get(&path).await,
        server.delete(&path).await,
        server.patch(&path, json!({})).await,
        server.put(&path, json!({})).await,
        server.post(&format!("{path}/query"), r#"{"query": "x"}"#).await,
        server.post(&format!("{path}/uploads"), r#"{"mimeType": "text/plain"}"#).await,
        server.get(&format!("{path}/sources")).await,
        server.get(&format!("{path}/sources/{NOBODY}")).await,
        server.get(&format!("{path}/sources/{NOBODY}/documents")).await,
    ] {
        assert_eq!(gone.detail(404), "there is no such corpus");
    }
    assert_eq!(server.get(&format!("{other}/sources/{NOBODY}")).await.detail(404), "there is no such source");
    assert_eq!(
        server.delete(&format!("{other}/sources/{NOBODY}")).await.detail(404),
        "there is no such source"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let server = Server::start_with(|config| config.retrieval.corpora_per_account = 2).await;
    let path = corpus(&server).await;
    let refused = async |path: &str, body: Value, field: &str| {
        let answer = server.post(path, body.to_string()).await;
        let detail = answer.detail(400);
        assert!(detail.starts_with(&format!("{field}: ")), "{body}: {detail}");
        assert!(answer.json()["errors"][field].is_array(), "{}", answer.text);
        detail
    };
    let long = "x".repeat(4_001);
    refused("/api/corpora", json!({"name": long}), "name").await;
    for (body, field) in [
        (json!({}), "query"),
        (json!({"query": ""}), "query"),
        (json!({"query": " \n"}), "query"),
        (json!({"query": long}), "query"),
        (json!({"query": "x", "maxResults": 0}), "maxResults"),
        (json!({"query": "x", "maxResults": 21}), "maxResults"),
    ] {
        refused(&format!("{path}/query"), body, field).await;
    }
    for kind in ["application/msword", "application/vnd.ms-powerpoint", "image/png", "text"] {
        let why = refused(&format!("{path}/uploads"), json!({"mimeType": kind}), "mimeType").await;
        assert!(why.contains("application/pdf"), "{why}");
    }
    refused(&format!("{path}/uploads"), json!({}), "mimeType").await;

    let (waiting, _) = announce(&server, &path, "text/plain", "").await;
    let there = uploaded(&server, &path, "text/plain", "", "bread").await;
    let crawl = |field: &str, value: Value| {
        let mut spec = json!({"startUrls": ["https://example.com"]});
        spec[field] = value;
        json!({ "crawl": spec })
    };
    let advanced = |queries: Value| json!({"advanced": {"documents": [{"documentId": there, "exampleQueries": queries}]}});
    for (body, field) in [
        (json!({}), "crawl"),
        (json!({"crawl": {}}), "crawl.startUrls"),
        (crawl("startUrls", json!([])), "crawl.startUrls"),
        (crawl("startUrls", json!(["ftp://example.com"])), "crawl.startUrls[0]"),
        (crawl("startUrls", json!(["https://example.com", "http://"])), "crawl.startUrls[1]"),
        (crawl("startUrls", json!(["https://a:b@example.com"])), "crawl.startUrls[0]"),
        (crawl("startUrls", json!(["http://127.0.0.1/"])), "crawl.startUrls[0]"),
        (json!({"loadSpec": {"startUrls": ["http://10.0.0.1"]}}), "loadSpec.startUrls[0]"),
        (crawl("maxDocuments", json!(0)), "crawl.maxDocuments"),
        (crawl("maxDocuments", json!(201)), "crawl.maxDocuments"),
        (crawl("maxDocumentBytes", json!(10_485_761)), "crawl.maxDocumentBytes"),
        (crawl("maxDepth", json!(0)), "crawl.maxDepth"),
        (json!({"upload": {"documentIds": []}}), "upload.documentIds"),
        (json!({"upload": {"documentIds": ["x"]}}), "upload.documentIds[0]"),
        (json!({"upload": {"documentIds": [there, NOBODY]}}), "upload.documentIds[1]"),
        (json!({"upload": {"documentIds": [waiting]}}), "upload.documentIds[0]"),
        (json!({"upload": {"documentIds": [there, there]}}), "upload.documentIds[1]"),
        (
            json!({"upload": {"documentIds": [there]}, "crawl": {"startUrls": ["https://example.com"]}}),
            "upload",
        ),
        (json!({"advanced": {"documents": []}}), "advanced.documents"),
        (advanced(json!([])), "advanced.documents[0].exampleQueries"),
        (advanced(json!([" "])), "advanced.documents[0].exampleQueries[0]"),
        (advanced(json!(["x".repeat(401)])), "advanced.documents[0].exampleQueries[0]"),
        (advanced(json!(vec!["x"; 11])), "advanced.documents[0].exampleQueries"),
    ] {
        refused(&format!("{path}/sources"), body, field).await;
    }
    assert_eq!(server.get(&format!("{path}/sources")).await.json()["total"], 0);

    // An upload of one corpus is none of another.
    let other = corpus(&server).await;
    refused(
        &format!("{other}/sources"),
        json!({"upload": {"documentIds": [there]}}),
        "upload.documentIds[0]",
    )
    .await;
    let full = server.post("/api/corpora", "{}").await.detail(400);
    assert!(full.contains("at most 2 corpora") && full.contains("retrieval.corpora_per_account"), "{full}");
    assert_eq!(server.get("/api/accounts/me").await.json()["allowedCorpora"], 2);
    for _ in 0..20 {
        let body = json!({"upload": {"documentIds": [there]}}).to_string();
        assert_eq!(server.post(&format!("{path}/sources"), body).await.status, 201);
    }
    let body = json!({"upload": {"documentIds": [there]}}).to_string();
    let full = server.post(&format!("{path}/sources"), body).await.detail(400);
    assert!(full.contains("at most 20 sources"), "{full}");
    server.stop().await;
}

#[tokio::test]
async fn files_of_every_kind_are_found_by_what_they_say() {
    let server = Server::start().await;
    let path = corpus(&server).await;
    let markdown = "# Bread\n\nWe bake.\n\n## Rye\n\nOur rye loaf rests for two days.\n";
    let html = "<html lang=en><title>Opening hours</title><p>On Sundays we open at <b>eight</b>.</p></html>";
    let word = files::docx(
        "Contracts",
        "Suppliers",
        ["Flour comes from ", "the mill &amp; farm"],
        ["Miller", "Tuesdays"],
    );
    let slides =
        files::pptx("Strategy", &[["Growth", "Three more shops"], ["Risks", "Ovens &#x2014; old ones"]]);
    let pdf = files::pdf("Price list", &["A croissant costs two euros.", "Cakes are made to order."]);
    let mut ids = Vec::new();
    for (mime_type, name, content) in [
        ("text/plain; charset=iso-8859-1", "notes.txt", b"Br\xf6tchen are rolls.".to_vec()),
        ("text/markdown", "bread.md", markdown.into()),
        ("text/html", "", html.into()),
        (DOCX, "c.docx", word),
        (PPTX, "s.pptx", slides),
        ("application/pdf", "p.pdf", pdf),
    ] {
        ids.push(uploaded(&server, &path, mime_type, name, content).await);
    }
    let source = source(&server, &path, json!({"name": "Files", "upload": {"documentIds": ids}})).await;
    assert_eq!(source["upload"]["documentIds"], json!(ids));
    assert_eq!(source["stats"]["numDocs"], 6);

    for (question, document, title, content) in [
        ("Brötchen", 0, "notes.txt", "Brötchen are rolls."),
        ("brotchen", 0, "notes.txt", "Brötchen are rolls."),
        ("How long does the rye rest?", 1, "Bread", "Bread > Rye\n\nOur rye loaf rests for two days."),
        ("When do you open on Sunday", 2, "Opening hours", "On Sundays we open at eight."),
        ("mill", 3, "Contracts", "Suppliers\n\nFlour comes from the mill & farm\n\nMiller | Tuesdays"),
        ("ovens", 4, "Strategy", "Risks\n\nOvens — old ones"),
        ("price of croissants", 5, "Price list", "A croissant costs two euros.\n\nCakes are made to order."),
    ] {
        let found = query(&server, &path, question).await;
        let best = &found[0];
        assert_eq!(best["content"], content, "{question}");
        let citation = json!({"sourceId": source["sourceId"], "documentId": ids[document], "title": title});
        assert_eq!(best["citation"], citation, "{question}");
        let score = best["score"].as_f64().unwrap();
        assert!(score > 0.0 && score < 1.0, "{question}: {score}");
    }
    let most = server.post(&format!("{path}/query"), r#"{"query": "a the of we", "max_results": 1}"#).await;
    assert_eq!(most.json().as_array().unwrap().len(), 1);

    let documents = documents(&server, &path, &source).await;
    assert_eq!(documents.len(), 6);
    let page = &documents[2];
    let read = format!("{path}/sources/{}/documents/{}", source["sourceId"].as_str().unwrap(), ids[2]);
    assert_eq!(&server.get(&read).await.json(), page);
    assert_eq!(
        *page,
        json!({
            "corpusId": source["corpusId"], "sourceId": source["sourceId"], "documentId": ids[2],
            "created": page["created"], "mimeType": "text/html", "sizeBytes": html.len().to_string(),
            "metadata": {"language": "en", "title": "Opening hours"},
        })
    );
    let missing = read.replace(&ids[2], NOBODY);
    assert_eq!(server.get(&missing).await.detail(404), "there is no such document");
    let stats = server.get(&path).await.json()["stats"].clone();
    assert_eq!(stats["status"], "CORPUS_STATUS_READY");
    assert_eq!((&stats["numDocs"], &stats["numVectors"]), (&json!(6), &json!(0)));
    assert_eq!(stats["lastUpdated"], source["stats"]["lastUpdated"]);
    server.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_read_say_why_and_the_others_go_on() {
    let server = Server::start().await;
    let path = corpus(&server).await;
    let bomb = files::zip(&[("word/document.xml", &format!("<w:t>{}</w:t>", " ".repeat(80 << 20)))]);
    assert!(bomb.len() < 1 << 20, "it is small as long as it is packed");
    let mut broken_pdf = files::pdf("x", &["text"]);
    broken_pdf.truncate(40);
    let nested = format!("%PDF-1.5\n1 0 obj\n{}\nendobj\ntrailer<</Root 1 0 R>>", "[".repeat(1 << 20));
    let mut ids = Vec::new();
    for (mime_type, content, why) in [
        ("application/pdf", b"no PDF at all".to_vec(), "the file is broken"),
        ("application/pdf", broken_pdf, "the file is broken"),
        ("application/pdf", nested.into_bytes(), "the file is broken"),
        ("application/pdf", files::pdf("Scan", &[""]), "there is no text in the file"),
        (DOCX, b"PK\x03\x04 and nothing else".to_vec(), "the file is broken"),
        (DOCX, files::zip(&[("word/other.xml", "<x/>")]), "it holds no word/document.xml"),
        (DOCX, bomb, "grows too large when it is unpacked"),
        (PPTX, files::zip(&[("ppt/slides/slideX.xml", "")]), "it holds no slides"),
        ("text/html", b"<script>only()</script>".to_vec(), "there is no text in the file"),
        ("text/plain", b"This one is about bread.".to_vec(), ""),
    ] {
        ids.push((uploaded(&server, &path, mime_type, "file", content).await, why));
    }
    let all: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
    let source = source(&server, &path, json!({"upload": {"documentIds": all}})).await;
    let documents = documents(&server, &path, &source).await;
    assert_eq!(documents.len(), ids.len());
    for (id, why) in &ids {
        let document = documents.iter().find(|document| document["documentId"] == *id).unwrap();
        let failure = document["metadata"]["antiphon.failure"].as_str().unwrap_or_default();
        assert!(failure.contains(why) && failure.is_empty() == why.is_empty(), "{why}: {failure}");
    }
    assert_eq!(query(&server, &path, "bread").await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_file_comes_only_as_it_was_announced_and_in_time() {
    let server = Server::start_with(|config| config.retrieval.upload_bytes_per_account = 11_000_000).await;
    let path = corpus(&server).await;
    let (_, url) = announce(&server, &path, "text/plain", "a.txt").await;
    assert!(url.len() > 64, "nobody guesses it");
    for kind in ["text/markdown", "text/plain; charset=utf-8", ""] {
        let detail = send(&server, &url, kind, "bread").await.detail(400);
        assert!(detail.contains("Content-Type must be \"text/plain\""), "{detail}");
    }
    assert!(send(&server, &url, "text/plain", "").await.detail(400).contains("empty"));
    let large = vec![b'x'; 10 * 1024 * 1024 + 1];
    let detail = send(&server, &url, "text/plain", large.clone()).await.detail(413);
    assert!(detail.contains("10485760 bytes"), "{detail}");
    // It may be sent again as long as the URL is valid: connections break.
    assert_eq!(send(&server, &url, "text/plain", "first").await.status, 200);
    assert_eq!(send(&server, &url, "TEXT/PLAIN", &large[1..]).await.status, 200);
    let (_, other) = announce(&server, &path, "text/plain", "b.txt").await;
    let detail = send(&server, &other, "text/plain", vec![b'x'; 1 << 20]).await.detail(400);
    assert!(detail.contains("retrieval.upload_bytes_per_account"), "{detail}");

    let forged = format!("{}{}", &url[..url.len() - 64], "0".repeat(64));
    assert!(send(&server, &forged, "text/plain", "x").await.detail(403).contains("not valid"));
    // One that was announced five minutes ago.
    let (storage, _) = server.storage().await;
    let now = jiff::Timestamp::now().as_microsecond();
    let token = "f".repeat(64);
    let upload = StoredUpload {
        id: NOBODY.parse().unwrap(),
        corpus: path.rsplit('/').next().unwrap().parse().unwrap(),
        mime_type: "text/plain".to_owned(),
        file_name: String::new(),
        created: Timestamp::from_unix_micros(now - 300_000_001).unwrap(),
        expires: Timestamp::from_unix_micros(now - 1).unwrap(),
        token_hash: Sha256::digest(token.as_bytes()).into(),
        size: None,
    };
    assert!(storage.corpora.insert_upload(&upload, upload.created, 100).await.unwrap());
    storage.close().await;
    let late = format!("{}{token}", &url[..url.len() - 64]);
    assert!(send(&server, &late, "text/plain", "x").await.detail(403).contains("not valid any more"));
    server.delete(&path).await;
    assert!(send(&server, &url, "text/plain", "x").await.detail(403).contains("not valid"));
    server.stop().await;
}

#[tokio::test]
async fn a_document_with_examples_is_found_by_them_and_comes_whole() {
    let server = Server::start().await;
    let path = corpus(&server).await;
    let policy = format!("# Refunds\n\n{}\n\nThe end.", "We pay back what you paid. ".repeat(400));
    let whole = uploaded(&server, &path, "text/markdown", "refunds.md", policy.clone()).await;
    let long = uploaded(&server, &path, "text/plain", "long.txt", "word ".repeat(30_000)).await;
    let examples = json!(["How do I get my money back?", "I want to return a cake"]);
    let source = source(
        &server,
        &path,
        json!({"advanced": {"documents": [
            {"documentId": whole, "exampleQueries": examples},
            {"documentId": long, "exampleQueries": ["something else"]},
        ]}}),
    )
    .await;
    let found = query(&server, &path, "can you give me my money back").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["content"], policy);
    assert_eq!(query(&server, &path, "refunds").await, Vec::<Value>::new(), "its own words do not find it");
    let documents = documents(&server, &path, &source).await;
    let of = |id: &str| {
        documents.iter().find(|document| document["documentId"] == id).unwrap()["metadata"].clone()
    };
    assert_eq!(of(&whole), json!({"title": "Refunds", "exampleQueries": examples}));
    assert!(of(&long)["antiphon.failure"].as_str().unwrap().contains("more than 100000 characters"));
    server.stop().await;
}

#[tokio::test]
async fn a_source_that_changes_is_loaded_anew_and_stays_the_same_source() {
    let server = Server::start().await;
    let path = corpus(&server).await;
    let rye = uploaded(&server, &path, "text/plain", "rye.txt", "Rye bread.").await;
    let spelt = uploaded(&server, &path, "text/plain", "spelt.txt", "Spelt bread.").await;
    let before =
        source(&server, &path, json!({"name": "A", "description": "B", "upload": {"documentIds": [rye]}}))
            .await;
    let at = format!("{path}/sources/{}", before["sourceId"].as_str().unwrap());
    let first = documents(&server, &path, &before).await;

    let changed = server.patch(&at, json!({"upload": {"documentIds": [rye, spelt]}})).await.json();
    assert_eq!(changed["stats"]["status"], "SOURCE_STATUS_UPDATING");
    let after = loaded(&server, &at).await;
    for field in ["sourceId", "created", "name", "description"] {
        assert_eq!(after[field], before[field]);
    }
    let both = documents(&server, &path, &after).await;
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    assert_eq!(query(&server, &path, "bread").await.len(), 2);

    let replaced = server.put(&at, json!({"name": "C", "upload": {"documentIds": [spelt]}})).await.json();
    assert_eq!((&replaced["name"], &replaced["description"]), (&json!("C"), &json!("")));
    loaded(&server, &at).await;
    let found = query(&server, &path, "bread").await;
    assert_eq!((found.len(), &found[0]["content"]), (1, &json!("Spelt bread.")));
    let detail = server.put(&at, json!({"name": "C"})).await.detail(400);
    assert!(detail.starts_with("crawl: "), "{detail}");
    assert_eq!(server.get(&at).await.json()["upload"], json!({"documentIds": [spelt]}));
    // Renaming alone keeps where documents come from.
    assert_eq!(
        server.patch(&at, json!({"name": "D"})).await.json()["upload"],
        json!({"documentIds": [spelt]})
    );
    loaded(&server, &at).await;

    assert_eq!(server.delete(&at).await.status, 204);
    assert_eq!(server.get(&at).await.detail(404), "there is no such source");
    assert_eq!(query(&server, &path, "bread").await, Vec::<Value>::new());
    assert_eq!(server.get(&path).await.json()["stats"]["status"], "CORPUS_STATUS_EMPTY");
    server.stop().await;
}

#[tokio::test]
async fn what_was_not_loaded_when_the_server_stopped_is_loaded_after_the_next_start() {
    let server = Server::start().await;
    let path = corpus(&server).await;
    let rye = uploaded(&server, &path, "text/plain", "rye.txt", "Rye bread.").await;
    // As one that was created a moment before the stop: nobody has told this server of it.
    let (storage, _) = server.storage().await;
    let directory = server.stop().await;
    let source = StoredSource {
        id: antiphon_api::CorpusSourceId::new(Uuid::new_v4()),
        corpus: path.rsplit('/').next().unwrap().parse().unwrap(),
        name: String::new(),
        description: String::new(),
        created: jiff::Timestamp::now().into(),
        spec: SourceSpec::Upload(UploadSpec { document_ids: vec![rye.parse().unwrap()] }),
        revision: 0,
        loading: true,
        updated: None,
        documents: 0,
    };
    assert!(storage.corpora.insert_source(&source, 20).await.unwrap());
    storage.close().await;
    let server = Server::start_in(directory, |_| {}).await;
    loaded(&server, &format!("{path}/sources/{}", source.id)).await;
    assert_eq!(query(&server, &path, "rye").await.len(), 1);
    server.stop().await;
}

/// An endpoint for vectors that knows animals from food, as long as it is well.
async fn embeddings(is_well: Arc<Mutex<bool>>) -> String {
    let answer = move |body: Bytes| async move {
        if !*is_well.lock().unwrap() {
            return Err(reqwest::StatusCode::SERVICE_UNAVAILABLE);
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        let vector = |text: &Value| {
            let text = text.as_str().unwrap().to_lowercase();
            let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
            let (animal, food) = (has(&["dog", "puppy"]), has(&["bread", "loaf"]));
            json!({"embedding": [f32::from(u8::from(animal)), f32::from(u8::from(food)), 0.1]})
        };
        let data: Vec<Value> = body["input"].as_array().unwrap().iter().map(vector).collect();
        Ok(axum::Json(json!({ "data": data })))
    };
    let router = Router::new().route("/embeddings", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

#[tokio::test]
async fn with_an_embedding_model_corpora_are_searched_by_meaning_and_without_it_by_words() {
    let is_well = Arc::new(Mutex::new(true));
    let base = embeddings(Arc::clone(&is_well)).await;
    let with_model = |config: &mut antiphon_server::config::Config| {
        let section = format!("base_url = {base:?}\nmodel = \"small\"");
        config.retrieval.embeddings = Some(toml::from_str(&section).unwrap());
    };
    let server = Server::start_with(with_model).await;
    let path = corpus(&server).await;
    let mut ids = Vec::new();
    for text in ["Every puppy sleeps a lot.", "A loaf is baked twice."] {
        ids.push(uploaded(&server, &path, "text/plain", "", text).await);
    }
    let source = source(&server, &path, json!({"upload": {"documentIds": ids}})).await;
    assert_eq!(server.get(&path).await.json()["stats"]["numVectors"], 2);
    let best = async |question: &str| {
        let found = query(&server, &path, question).await;
        found.first().map(|found| found["citation"]["documentId"].clone())
    };
    assert_eq!(best("dogs").await, Some(json!(ids[0])));
    assert_eq!(best("bread").await, Some(json!(ids[1])));
    *is_well.lock().unwrap() = false;
    assert_eq!(best("dogs").await, None, "its words alone find nothing");
    assert_eq!(best("puppies").await, Some(json!(ids[0])));
    // What is loaded without vectors is found by its words.
    let at = format!("{path}/sources/{}", source["sourceId"].as_str().unwrap());
    server.patch(&at, json!({})).await;
    loaded(&server, &at).await;
    assert_eq!(server.get(&path).await.json()["stats"]["numVectors"], 0);
    *is_well.lock().unwrap() = true;
    assert_eq!(best("puppies").await, Some(json!(ids[0])));
    server.stop().await;
}
