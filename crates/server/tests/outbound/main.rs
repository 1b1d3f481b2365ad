//! What the server dials on a user's behalf, against servers over real sockets: whom it refuses to dial, wherever the address
//! comes from, and how much of an answer it takes. Names are looked up by the tests.

#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

mod endpoint;
mod names;

use std::time::Duration;

use antiphon_server::config;
use antiphon_server::outbound::{Bounds, Outbound, OutboundError, Refused, Request, Response};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use endpoint::Endpoint;
use names::Names;

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), bytes: 1_000 };

/// A way out that may dial these, and knows these names.
fn outbound(allow: &[&str], names: &Names) -> Outbound {
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    Outbound::with_lookup(
        &config::Outbound { allow, ..Default::default() },
        std::sync::Arc::new(names.clone()),
    )
}

fn get(url: &str) -> Request {
    Request { method: Method::GET, url: Url::parse(url).unwrap(), headers: HeaderMap::new(), body: None }
}

async fn send(outbound: &Outbound, request: Request) -> Result<Response, OutboundError> {
    outbound.send(request, BOUNDS).await
}

fn is_special(result: &Result<Response, OutboundError>) -> bool {
    matches!(result, Err(OutboundError::Refused(Refused::Special { .. })))
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn loopback_is_refused_by_default_whether_written_or_looked_up() {
    let endpoint = Endpoint::answering([OK]).await;
    let names = Names::new([("private.test", vec!["127.0.0.1"])]);
    let outbound = outbound(&[], &names);
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:7f00:1]", "private.test"] {
        let result = send(&outbound, get(&format!("http://{host}:{}/", endpoint.port()))).await;
        assert!(is_special(&result), "{host}: {result:?}");
        let refused =
            outbound.connect(&Url::parse(&format!("ws://{host}:{}/", endpoint.port())).unwrap()).await;
        assert!(matches!(refused, Err(OutboundError::Refused(_))), "{host}: {refused:?}");
    }
    assert_eq!(endpoint.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_error_names_the_host_and_the_setting_and_nothing_else_of_the_url() {
    let names = Names::new([("private.test", vec!["10.0.0.7"])]);
    let outbound = outbound(&[], &names);
    let error = send(&outbound, get("http://user:pass@private.test/path?key=secret")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "private.test is at 10.0.0.7, a private address, which this server does not dial; its operator adds \
         private.test to outbound.allow"
    );
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_checked_is_what_is_dialled() {
    // The name first means an address that may be dialled, and from then on one that may not.
    let endpoint = Endpoint::answering([OK, OK]).await;
    let names = Names::new([("turncoat.test", vec!["127.0.0.1"]), ("turncoat.test", vec!["127.0.0.2"])]);
    let outbound = outbound(&["127.0.0.1"], &names);
    let url = format!("http://turncoat.test:{}/", endpoint.port());
    let answer = send(&outbound, get(&url)).await.unwrap();
    assert_eq!(&answer.body[..], b"hi");
    assert_eq!(names.lookups(), 1);
    // Another connection means another look-up, and another check.
    let refused = outbound.connect(&Url::parse(&url).unwrap()).await.unwrap_err();
    assert!(matches!(refused, OutboundError::Refused(Refused::Special { .. })), "{refused:?}");
    assert_eq!(names.lookups(), 2);
}

#[tokio::test]
async fn of_several_addresses_only_permitted_ones_are_dialled() {
    let endpoint = Endpoint::answering([OK]).await;
    let names = Names::new([("mixed.test", vec!["10.255.255.1", "127.0.0.1"])]);
    let outbound = outbound(&["127.0.0.1"], &names);
    let answer = send(&outbound, get(&format!("http://mixed.test:{}/", endpoint.port()))).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    for target in
        ["http://127.0.0.2/", "http://169.254.169.254/latest/meta-data/", "http://private.test/", "//[::1]/"]
    {
        let endpoint = Endpoint::answering([redirect(302, target)]).await;
        let names = Names::new([("private.test", vec!["192.168.0.1"])]);
        let outbound = outbound(&["127.0.0.1"], &names);
        let result = send(&outbound, get(&endpoint.url("/"))).await;
        assert!(is_special(&result), "{target}: {result:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_no_more() {
    let outbound = outbound(&["127.0.0.1"], &Names::default());
    let three = [redirect(301, "/a"), redirect(302, "/b"), redirect(307, "/c"), OK.to_owned()];
    let endpoint = Endpoint::answering(three).await;
    assert_eq!(send(&outbound, get(&endpoint.url("/"))).await.unwrap().status, 200);
    let endpoint = Endpoint::answering((0..4).map(|_| redirect(302, "/again"))).await;
    let result = send(&outbound, get(&endpoint.url("/"))).await;
    assert!(matches!(result, Err(OutboundError::TooManyRedirects(3))), "{result:?}");
}

#[tokio::test]
async fn a_redirect_keeps_or_changes_the_method_as_its_status_says() {
    let outbound = outbound(&["127.0.0.1"], &Names::default());
    for (status, method, expected) in [
        (301, Method::POST, "GET /next"),
        (302, Method::POST, "GET /next"),
        (302, Method::PUT, "PUT /next"),
        (303, Method::DELETE, "GET /next"),
        (303, Method::PUT, "GET /next"),
        (307, Method::POST, "POST /next"),
        (308, Method::PATCH, "PATCH /next"),
    ] {
        let endpoint = Endpoint::answering([redirect(status, "/next"), OK.to_owned()]).await;
        let mut request = get(&endpoint.url("/"));
        request.method = method;
        request.body = Some("{\"a\":1}".into());
        send(&outbound, request).await.unwrap();
        let second = &endpoint.requests()[1];
        assert!(second.starts_with(expected), "{status}: {second}");
        assert_eq!(second.ends_with("{\"a\":1}"), !expected.starts_with("GET"), "{status}: {second}");
    }
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Endpoint::answering([OK]).await;
    let first = Endpoint::answering([redirect(307, "/here"), redirect(307, &other.url("/there"))]).await;
    let outbound = outbound(&["127.0.0.1"], &Names::default());
    let mut request = get(&first.url("/"));
    let mut key = HeaderValue::from_static("s3cret-key");
    key.set_sensitive(true);
    request.headers.insert("x-key", key);
    request.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer s3cret-token"));
    request.headers.insert("x-plain", HeaderValue::from_static("stays"));
    send(&outbound, request).await.unwrap();
    let first = first.requests();
    assert!(first.iter().all(|request| request.contains("s3cret-key") && request.contains("s3cret-token")));
    assert_eq!(first.len(), 2);
    let other = other.requests();
    assert!(!other[0].contains("s3cret") && other[0].contains("x-plain: stays"), "{other:?}");
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound() {
    let outbound = outbound(&["127.0.0.1"], &Names::default());
    let exact = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", "x".repeat(1_000));
    let answer = send(&outbound, get(&Endpoint::answering([exact]).await.url("/"))).await.unwrap();
    assert_eq!((answer.body.len(), answer.cut), (1_000, false));
    // It never ends, and is left all the same.
    let endless = Endpoint::endless().await;
    let answer = send(&outbound, get(&endless.url("/"))).await.unwrap();
    assert_eq!((answer.body.len(), answer.cut), (1_000, true));
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_breaks_off_is_an_error() {
    let outbound = outbound(&["127.0.0.1"], &Names::default());
    let broken =
        Endpoint::answering(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf"]).await;
    let result = send(&outbound, get(&broken.url("/"))).await;
    assert!(matches!(result, Err(OutboundError::Broken { .. })), "{result:?}");
    let nonsense = Endpoint::answering(["What?\r\n\r\n"]).await;
    let result = send(&outbound, get(&nonsense.url("/"))).await;
    assert!(matches!(result, Err(OutboundError::Broken { .. })), "{result:?}");
    let silent = Endpoint::silent().await;
    let bounds = Bounds { time: Duration::from_millis(50), ..BOUNDS };
    let result = outbound.send(get(&silent.url("/")), bounds).await;
    assert!(matches!(result, Err(OutboundError::Timeout { .. })), "{result:?}");
    let nobody = Endpoint::gone().await;
    let result = send(&outbound, get(&nobody)).await;
    assert!(matches!(result, Err(OutboundError::Unreachable { .. })), "{result:?}");
    let result = send(&outbound, get("http://nowhere.test/")).await;
    assert!(matches!(result, Err(OutboundError::Unknown { .. })), "{result:?}");
}

#[tokio::test]
async fn another_protocol_can_speak_on_a_connection() {
    let endpoint = Endpoint::answering([OK]).await;
    let names = Names::new([("data.test", vec!["127.0.0.1"])]);
    let outbound = outbound(&["data.test"], &names);
    let url = Url::parse(&format!("ws://data.test:{}/feed", endpoint.port())).unwrap();
    let mut connection = outbound.connect(&url).await.unwrap();
    connection.write_all(b"GET /feed HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = vec![0; OK.len()];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, OK.as_bytes());
}

#[tokio::test]
async fn a_web_socket_is_dialled_under_the_same_policy_and_follows_no_redirect() {
    let names = Names::new([("private.test", vec!["127.0.0.1"])]);
    let dial = async |outbound: Outbound, url: String| {
        let url = Url::parse(&url).unwrap();
        outbound.web_socket(&url, HeaderMap::new(), BOUNDS).await.err().unwrap()
    };
    let endpoint = Endpoint::answering([redirect(307, "ws://127.0.0.1/"), OK.to_owned()]).await;
    let (private, port) = ("private.test", endpoint.port());
    for host in ["127.0.0.1", private] {
        let error = dial(outbound(&[], &names), format!("ws://{host}:{port}/path?key=secret")).await;
        assert!(matches!(error, OutboundError::Refused(Refused::Special { .. })), "{host}: {error}");
        assert!(!error.is_passing());
    }
    assert_eq!(endpoint.requests(), Vec::<String>::new());
    for status in ["307", "200"] {
        let error =
            dial(outbound(&[private], &names), format!("ws://{private}:{port}/path?key=secret")).await;
        assert!(matches!(&error, OutboundError::Handshake { why, .. } if why.contains(status)), "{error}");
        assert!(error.is_passing() && !error.to_string().contains("secret"), "{error}");
    }
    let silent = Endpoint::silent().await;
    let bounds = Bounds { time: Duration::from_millis(100), bytes: 1_000 };
    let url = Url::parse(&silent.url("/").replace("http", "ws")).unwrap();
    let error =
        outbound(&["127.0.0.1"], &names).web_socket(&url, HeaderMap::new(), bounds).await.err().unwrap();
    assert_eq!(error, OutboundError::Timeout { after: bounds.time });
}
