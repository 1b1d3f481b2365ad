//! A small stand-in for what speaks S3, over loopback: objects, ranges, uploads in parts, lists by pages, and signatures as far as
//! their form and what they are about can be seen without the secret.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMIsesame";
pub(crate) const REGION: &str = "eu-central-1";
/// Objects on a page of a list.
const PAGE: usize = 2;
const WRITTEN: &str = "2026-01-02T03:04:05.000Z";

#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    /// What was asked for: a word for each request.
    asked: Vec<&'static str>,
    is_down: bool,
}

impl Bucket {
    /// A bucket of this name, and its address.
    pub(crate) async fn open(name: &'static str) -> (Self, SocketAddr) {
        let bucket = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state((bucket.clone(), name));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (bucket, address)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().objects.keys().cloned().collect()
    }

    pub(crate) fn asked(&self, what: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| **asked == what).count()
    }

    pub(crate) fn uploads(&self) -> usize {
        self.0.lock().unwrap().uploads.len()
    }

    pub(crate) fn is_down(&self, is_down: bool) {
        self.0.lock().unwrap().is_down = is_down;
    }
}

async fn answer(
    State((bucket, name)): State<(Bucket, &'static str)>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut content = bucket.0.lock().unwrap();
    if content.is_down {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    if let Err(why) = check_signature(&headers, &body) {
        return error(StatusCode::FORBIDDEN, why);
    }
    let path = uri.path().trim_start_matches('/');
    let (in_bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if in_bucket != name {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let upload = query.get("uploadId").cloned();
    let what = match (&method, key, &upload) {
        (&Method::GET, "", _) => "list",
        (&Method::GET, ..) => "get",
        (&Method::PUT, _, None) => "put",
        (&Method::PUT, _, Some(_)) => "part",
        (&Method::POST, _, None) => "begin",
        (&Method::POST, _, Some(_)) => "complete",
        (&Method::DELETE, _, None) => "delete",
        (&Method::DELETE, _, Some(_)) => "abort",
        _ => return error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    };
    content.asked.push(what);
    match (what, upload) {
        ("list", _) => list(&content, &query),
        ("get", _) => get(&content, key, &headers),
        ("put", _) => {
            content.objects.insert(key.to_owned(), body);
            [(header::ETAG, "\"whole\"")].into_response()
        }
        ("begin", _) => {
            let id = format!("upload-{}", content.asked.len());
            content.uploads.insert(id.clone(), BTreeMap::new());
            xml("InitiateMultipartUploadResult", &format!("<UploadId>{id}</UploadId>"))
        }
        ("part", Some(upload)) => {
            let number = query["partNumber"].parse().unwrap();
            match content.uploads.get_mut(&upload) {
                Some(parts) => parts.insert(number, body),
                None => return error(StatusCode::NOT_FOUND, "NoSuchUpload"),
            };
            [(header::ETAG, format!("\"part-{number}\""))].into_response()
        }
        ("complete", Some(upload)) => {
            let Some(parts) = content.uploads.remove(&upload) else {
                return error(StatusCode::NOT_FOUND, "NoSuchUpload");
            };
            let wanted = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                parts.keys().all(|number| wanted.contains(&format!("<PartNumber>{number}</PartNumber>")))
            );
            let whole: Vec<Bytes> = parts.into_values().collect();
            content.objects.insert(key.to_owned(), whole.concat().into());
            xml("CompleteMultipartUploadResult", "<ETag>\"whole\"</ETag>")
        }
        ("abort", Some(upload)) => {
            content.uploads.remove(&upload);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => {
            content.objects.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn get(content: &Content, key: &str, headers: &HeaderMap) -> Response {
    let Some(object) = content.objects.get(key) else { return error(StatusCode::NOT_FOUND, "NoSuchKey") };
    let known = [(header::ETAG, "\"whole\""), (header::LAST_MODIFIED, "Fri, 02 Jan 2026 03:04:05 GMT")];
    let Some(range) = headers.get(header::RANGE) else { return (known, object.clone()).into_response() };
    let (from, to) = range.to_str().unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let from: usize = from.parse().unwrap();
    let to = to.parse::<usize>().map_or(object.len(), |to| to + 1).min(object.len());
    if from >= to {
        return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
    }
    let range = format!("bytes {from}-{}/{}", to - 1, object.len());
    let part = object.slice(from..to);
    (StatusCode::PARTIAL_CONTENT, known, [(header::CONTENT_RANGE, range)], part).into_response()
}

fn list(content: &Content, query: &BTreeMap<String, String>) -> Response {
    assert_eq!(query["list-type"], "2");
    let after = query.get("continuation-token").map_or("", String::as_str);
    let prefix = query.get("prefix").map_or("", String::as_str);
    let mut left =
        content.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after).peekable();
    let (mut listed, mut last) = (String::new(), "");
    for (key, object) in left.by_ref().take(PAGE) {
        last = key;
        listed += &format!(
            "<Contents><Key>{key}</Key><LastModified>{WRITTEN}</LastModified><ETag>\"e\"</ETag><Size>{}</Size></Contents>",
            object.len()
        );
    }
    if left.peek().is_some() {
        listed +=
            &format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>");
    } else {
        listed += "<IsTruncated>false</IsTruncated>";
    }
    xml("ListBucketResult", &listed)
}

/// Whether a request is signed by the key, today, for this region and service, and whether what came is what was signed.
fn check_signature(headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let authorization = text("authorization");
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").ok_or("AccessDenied")?;
    let (scope, rest) = rest.split_once(", SignedHeaders=").ok_or("AccessDenied")?;
    let (signed, signature) = rest.split_once(", Signature=").ok_or("AccessDenied")?;
    let today = text("x-amz-date").get(..8).ok_or("AccessDenied")?;
    if scope != format!("{KEY_ID}/{today}/{REGION}/s3/aws4_request") {
        return Err("InvalidAccessKeyId");
    }
    let is_whole = ["host", "x-amz-content-sha256", "x-amz-date"]
        .iter()
        .all(|name| signed.split(';').any(|signed| signed == *name));
    if !is_whole || signature.len() != 64 {
        return Err("SignatureDoesNotMatch");
    }
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    if text("x-amz-content-sha256") == digest { Ok(()) } else { Err("XAmzContentSHA256Mismatch") }
}

fn xml(name: &str, content: &str) -> Response {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}>{content}</{name}>");
    ([(header::CONTENT_TYPE, "application/xml")], text).into_response()
}

fn error(status: StatusCode, code: &str) -> Response {
    let signed = format!("<StringToSign>{SECRET}</StringToSign>");
    (status, xml("Error", &format!("<Code>{code}</Code><Message>No.</Message>{signed}"))).into_response()
}
