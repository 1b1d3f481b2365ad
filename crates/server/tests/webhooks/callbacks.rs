//! What one call wants told of itself (protocol.md 7.5.5).

use antiphon_api::Secret;
use antiphon_api::rest::calls::{Callback, Callbacks, StartCallRequest};
use antiphon_server::storage::Severity;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::stand::Stand;
use crate::town::{Manner, Post, hours, seconds};

fn callback(url: &str, secrets: &[&str]) -> Option<Callback> {
    Some(Callback { url: url.to_owned(), secrets: secrets.iter().map(|it| Secret::new(*it)).collect() })
}

fn request(callbacks: Callbacks) -> StartCallRequest {
    StartCallRequest { callbacks: Some(callbacks), ..StartCallRequest::default() }
}

#[tokio::test(start_paused = true)]
async fn a_calls_own_callbacks_are_told_and_signed_like_webhooks() {
    let stand = Stand::new().await;
    let call = stand
        .create(request(Callbacks {
            joined: callback("https://one/joined", &["first", "second"]),
            ended: callback("https://two/ended?tag=7", &[]),
            billed: callback("https://one/billed", &["first"]),
        }))
        .await;
    stand.join(call.id).await;
    stand.end(call.id).await;
    stand.until(seconds(1)).await;
    let one = stand.posts("one");
    assert_eq!(one.iter().map(Post::event).collect::<Vec<_>>(), ["call.joined", "call.billed"]);
    let (joined, headers) = (&one[0], &one[0].request.headers);
    assert_eq!(joined.request.url.path(), "/joined");
    let time = headers["x-ultravox-webhook-timestamp"].to_str().unwrap();
    assert!(time.ends_with("+00:00") && time.len() == 32, "{time}");
    let body = joined.request.body.as_ref().unwrap();
    let expected: Vec<String> = ["first", "second"]
        .iter()
        .map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(body);
            mac.update(time.as_bytes());
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect();
    assert_eq!(headers["x-ultravox-webhook-signature"], expected.join(","));
    assert_eq!(
        joined.body()["call"]["callbacks"]["joined"],
        serde_json::json!({"url": "https://one/joined"})
    );

    let two = stand.posts("two");
    assert_eq!(
        (two.len(), two[0].event(), two[0].request.url.query()),
        (1, "call.ended".to_owned(), Some("tag=7"))
    );
    assert!(!two[0].request.headers.contains_key("x-ultravox-webhook-signature"));
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_given_up_is_an_event_of_its_call() {
    let stand = Stand::new().await;
    stand.has_manner("one", Manner::Answers(404));
    let callbacks = Callbacks { ended: callback("https://one/", &["s"]), ..Callbacks::default() };
    let call = stand.create(request(callbacks)).await.id;
    stand.end(call).await;
    stand.until(hours(9)).await;
    assert_eq!(stand.posts("one").len(), 11);
    let events = stand.storage.calls.events(call, Severity::Warning, 10).await.unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.kind, "callback.failed");
    assert_eq!(event.text, "the callback for call.ended failed 11 times and is given up: HTTP status 404");
}
