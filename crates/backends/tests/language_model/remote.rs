//! What every model behind an HTTP interface promises, over real sockets, whatever it speaks.

use std::time::Duration;

use antiphon_backends::language_model::{Fault, LanguageModel, RunEvent};
use futures::StreamExt as _;

use crate::prompts::{prompt, request, user};
use crate::wire::{Body, Reply, Wire};
use crate::{Answer, answer, keeps_the_contract};

/// The key that must never come back.
pub(crate) const KEY: &str = "sk-canary-0123456789";

/// How a kind of interface is spoken.
pub(crate) struct Dialect {
    /// A model at a base, with a time-out for everything.
    pub(crate) model: fn(&str, Duration) -> Box<dyn LanguageModel>,
    /// The name that the model has in messages.
    pub(crate) name: &'static str,
    /// A whole answer, and what it says.
    pub(crate) whole: String,
    pub(crate) says: Answer,
    /// The beginning of an answer that says "Hi".
    pub(crate) hi: String,
    /// Beginnings of an answer that are no progress, whatever keeps the connection alive.
    pub(crate) idle: Vec<String>,
    /// An event that says that something is wrong with the key.
    pub(crate) error: String,
}

const STREAM: &str = "text/event-stream";

async fn wire(status: u16, body: Body) -> Wire {
    Wire::answering(status, STREAM, body).await
}

fn parts(text: &str) -> Vec<Vec<u8>> {
    vec![text.as_bytes().to_vec()]
}

async fn ask(model: &dyn LanguageModel) -> Answer {
    answer(model, prompt(vec![user("x")])).await
}

/// All of it.
pub(crate) async fn is_spoken(dialect: &Dialect) {
    let model = |wire: &Wire| (dialect.model)(&wire.base, Duration::from_secs(30));
    let server = wire(200, Body::Parts(parts(&dialect.whole))).await;
    keeps_the_contract(&*model(&server)).await;
    is_cut_anywhere(dialect).await;
    breaks_off_anywhere(dialect).await;
    fails_by_name(dialect).await;
    is_left_alone_when_it_asks(dialect).await;
    is_given_up_when_silent(dialect).await;
    ends_with_its_stream(dialect).await;
    says_that_it_cannot_be_reached(dialect).await;
}

async fn is_cut_anywhere(dialect: &Dialect) {
    let bytes = dialect.whole.as_bytes();
    for size in [1, 2, 7, bytes.len()] {
        let cut = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let server = wire(200, Body::Parts(cut)).await;
        let model = (dialect.model)(&server.base, Duration::from_secs(30));
        assert_eq!(ask(&*model).await, dialect.says, "in parts of {size}");
    }
    let cut = |border| {
        let (one, other) = bytes.split_at(border);
        Body::Parts(vec![one.to_vec(), other.to_vec()])
    };
    let server = each_border(dialect, cut).await;
    let model = (dialect.model)(&server.base, Duration::from_secs(30));
    for border in 1..bytes.len() {
        assert_eq!(ask(&*model).await, dialect.says, "cut at {border}");
    }
}

/// A server that answers one request after the other with the whole answer, as `body` makes it of the next border in it.
async fn each_border(dialect: &Dialect, body: impl Fn(usize) -> Body) -> Wire {
    let reply = |border| Reply { status: 200, content_type: STREAM, headers: "", body: body(border) };
    Wire::replying((1..dialect.whole.len()).map(reply).collect()).await
}

/// Wherever an answer ends too early, be it with its connection or properly, that is told, and what was said before is some of
/// what would have been said. No tool is called by half an answer.
async fn breaks_off_anywhere(dialect: &Dialect) {
    let bytes = dialect.whole.as_bytes();
    let beginning = |border: usize| vec![bytes[..border].to_vec()];
    let ways: [&dyn Fn(usize) -> Body; 2] =
        [&|border| Body::Breaks(beginning(border)), &|border| Body::Parts(beginning(border))];
    for body in ways {
        let server = each_border(dialect, body).await;
        let model = (dialect.model)(&server.base, Duration::from_secs(30));
        let mut complete = 0;
        for border in 1..bytes.len() {
            let told = ask(&*model).await;
            match &told.failure {
                Some(failure) => {
                    assert!(dialect.says.text.starts_with(&told.text), "at {border}: {told:?}");
                    assert_eq!(told.calls, [""; 0], "at {border}: {told:?}");
                    assert_eq!(failure.fault, Fault::Backend, "at {border}: {told:?}");
                }
                // Nothing but the formal end was missing.
                None => {
                    complete += 1;
                    assert_eq!(
                        (&told.text, &told.calls),
                        (&dialect.says.text, &dialect.says.calls),
                        "at {border}"
                    );
                }
            }
        }
        assert!(complete < bytes.len() / 2, "half an answer is taken for a whole one");
    }
}

async fn fails_by_name(dialect: &Dialect) {
    let check = async |status, body: Body, said: &str, wanted: &str, fault: Fault| {
        let server = wire(status, body).await;
        let model = (dialect.model)(&server.base, Duration::from_secs(30));
        let failed = ask(&*model).await;
        assert_eq!(failed.text, said);
        let failure = failed.failure.expect("a failure");
        let begin = format!("the model \"{}\" ", dialect.name);
        assert!(failure.reason.starts_with(&begin) && failure.reason.contains(wanted), "{failure:?}");
        assert_eq!(failure.fault, fault, "{failure:?}");
        assert!(!format!("{failure:?}{model:?}", model = failed.notes).contains(KEY), "{failure:?}");
    };
    let error = format!(r#"{{"error":{{"type":"x","message":"no key {KEY}"}}}}"#);
    let hi = || parts(&dialect.hi);
    check(401, Body::Parts(parts(&error)), "", "answered 401: no key [key]", Fault::Backend).await;
    check(400, Body::Parts(parts(&error)), "", "answered 400: no key [key]", Fault::Request).await;
    check(500, Body::Parts(parts(&"x".repeat(100_000))), "", "answered 500: xxx", Fault::Backend).await;
    check(200, Body::Parts(hi()), "Hi", "in the middle", Fault::Backend).await;
    check(200, Body::Breaks(hi()), "Hi", "broke off", Fault::Backend).await;
    check(200, Body::Parts(vec![]), "", "in the middle", Fault::Backend).await;
    let wrong = format!("{}{}", dialect.hi, dialect.error);
    check(200, Body::Parts(parts(&wrong)), "Hi", "no key [key]", Fault::Backend).await;
    let endless = parts(&"x".repeat(2 * 1024 * 1024));
    check(200, Body::Parts(endless), "", "an event without an end", Fault::Backend).await;
}

async fn is_left_alone_when_it_asks(dialect: &Dialect) {
    for (status, headers, wanted) in [
        (429, "Retry-After: 7\r\n", Some(7)),
        (429, "", Some(1)),
        (529, "retry-after: 2\r\n", Some(2)),
        (503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", Some(1)),
        (500, "Retry-After: 7\r\n", None),
    ] {
        let body = Body::Parts(parts(r#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#));
        let server =
            Wire::replying(vec![Reply { status, content_type: "application/json", headers, body }]).await;
        let model = (dialect.model)(&server.base, Duration::from_secs(30));
        let failure = ask(&*model).await.failure.expect("a failure");
        assert_eq!(failure.retry_after, wanted.map(Duration::from_secs), "{status} {headers}");
        assert!(failure.reason.contains("slow down"), "{failure:?}");
    }
}

async fn is_given_up_when_silent(dialect: &Dialect) {
    for idle in std::iter::once("").chain(dialect.idle.iter().map(String::as_str)) {
        let mut server = wire(200, Body::Hangs(parts(idle))).await;
        let model = (dialect.model)(&server.base, Duration::from_millis(100));
        let failed = ask(&*model).await;
        assert!(failed.reason().contains("did not answer in time"), "{idle:?}: {failed:?}");
        server.client_left().await;
    }
}

async fn ends_with_its_stream(dialect: &Dialect) {
    let mut server = wire(200, Body::Hangs(parts(&dialect.hi))).await;
    let model = (dialect.model)(&server.base, Duration::from_secs(30));
    let mut stream = model.generate(request(prompt(vec![user("x")])));
    loop {
        match stream.next().await.expect("an answer") {
            RunEvent::Text(text) => break assert_eq!(&*text, "Hi"),
            RunEvent::Note(_) => {}
            other @ (RunEvent::ToolCall(_) | RunEvent::Finished | RunEvent::Failed(_)) => panic!("{other:?}"),
        }
    }
    drop(stream);
    server.client_left().await;
}

async fn says_that_it_cannot_be_reached(dialect: &Dialect) {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", taken.local_addr().expect("an address"));
    drop(taken);
    let failed = ask(&*(dialect.model)(&base, Duration::from_secs(30))).await;
    assert!(failed.reason().contains("cannot be reached"), "{failed:?}");
}
