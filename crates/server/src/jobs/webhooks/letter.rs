//! What is posted: the event and the call as it was then, signed (protocol.md 7.5.3, 7.5.4).
//!
//! A call changes in known steps only, so that what it was at any of them follows from what is kept; nothing is kept beside it.

use antiphon_api::rest::webhooks::{WebhookEvent, WebhookPayload};
use antiphon_api::{Secret, Timestamp};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::call::resource::call_resource;
use crate::config::PublicUrl;
use crate::outbound::Request;
use crate::signature::{naive_timestamp, signature, timestamp};
use crate::storage::{DeliveryKey, Receiver, Storage, StorageError, StoredCall};

const TIMESTAMP: HeaderName = HeaderName::from_static("x-ultravox-webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-ultravox-webhook-signature");

/// Where something goes.
struct Address {
    url: String,
    secrets: Vec<Secret>,
    naive_timestamps: bool,
}

/// What is to be posted, or why it cannot be. None if there is nobody to tell any more, or nothing to tell of.
pub(super) async fn write(
    storage: &Storage,
    key: &DeliveryKey,
    public_url: &PublicUrl,
    now: Timestamp,
) -> Result<Option<Result<Request, String>>, StorageError> {
    let Some(call) = storage.calls.find(key.call).await? else { return Ok(None) };
    let event = WebhookEvent::from(key.event);
    let address = match &key.receiver {
        Receiver::Webhook(id) => storage.webhooks.find_webhook(*id).await?.map(|webhook| Address {
            url: webhook.url,
            secrets: webhook.secrets,
            naive_timestamps: webhook.naive_timestamps,
        }),
        Receiver::Callback { .. } => call.callback(event).map(|callback| Address {
            url: callback.url.clone(),
            secrets: callback.secrets.clone(),
            naive_timestamps: false,
        }),
    };
    let Some(address) = address else { return Ok(None) };
    let call = call_resource(&as_of(call, event), public_url);
    let body = serde_json::to_vec(&WebhookPayload { event, call }).expect("wire types have string keys");
    Ok(Some(address.request(body, now)))
}

/// What tells somebody at this URL what happened to a call just now. An error says what is wrong with the URL.
pub(in crate::jobs) fn of_call(
    call: &StoredCall,
    event: WebhookEvent,
    url: &str,
    secrets: &[Secret],
    public_url: &PublicUrl,
    now: Timestamp,
) -> Result<Request, String> {
    let call = call_resource(call, public_url);
    let body = serde_json::to_vec(&WebhookPayload { event, call }).expect("wire types have string keys");
    let address = Address { url: url.to_owned(), secrets: secrets.to_vec(), naive_timestamps: false };
    address.request(body, now)
}

/// The call as it was when this happened to it.
fn as_of(mut call: StoredCall, event: WebhookEvent) -> StoredCall {
    let (joined, ended) = match event {
        WebhookEvent::Started => (false, false),
        WebhookEvent::Joined => (true, false),
        WebhookEvent::Ended | WebhookEvent::Billed => (true, true),
    };
    if !joined {
        (call.joined, call.client_version) = (None, None);
    }
    if !ended {
        (call.ended, call.summary) = (None, None);
    }
    call
}

impl Address {
    fn request(self, body: Vec<u8>, now: Timestamp) -> Result<Request, String> {
        let url = Url::parse(&self.url).map_err(|error| format!("its URL is none: {error}"))?;
        let time = if self.naive_timestamps { naive_timestamp(now) } else { timestamp(now) };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Whoever gave no secret does not check.
        if !self.secrets.is_empty() {
            let signatures: Vec<String> =
                self.secrets.iter().map(|secret| signature(secret, &body, &time)).collect();
            headers.insert(SIGNATURE, ascii(&signatures.join(",")));
        }
        headers.insert(TIMESTAMP, ascii(&time));
        Ok(Request { method: Method::POST, url, headers, body: Some(Bytes::from(body)) })
    }
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and punctuation make a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(secrets: &[&str], naive_timestamps: bool) -> HeaderMap {
        let secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let address = Address { url: "https://example.com/hook".to_owned(), secrets, naive_timestamps };
        let body = br#"{"event":"call.ended","call":{}}"#.to_vec();
        address.request(body, "2026-11-20T08:45:00Z".parse().unwrap()).unwrap().headers
    }

    #[test]
    fn the_worked_example_is_signed_byte_for_byte() {
        let headers = headers(&["s3cret-s3cret-s3cret"], false);
        assert_eq!(headers[TIMESTAMP], "2026-11-20T08:45:00.000000+00:00");
        assert_eq!(headers[SIGNATURE], "9233383847b1cf1ea522c003b60e7e9f6085f531c3f0d2875962ad8328c1803b");
    }

    #[test]
    fn every_secret_signs_and_commas_stand_alone() {
        let headers = headers(&["one", "s3cret-s3cret-s3cret"], false);
        let signatures = headers[SIGNATURE].to_str().unwrap();
        let (first, second) = signatures.split_once(',').unwrap();
        assert_eq!((first.len(), second.len()), (64, 64));
        assert_ne!(first, second);
    }

    #[test]
    fn a_receiver_that_compares_with_naive_times_gets_one() {
        assert_eq!(headers(&["s3cret"], true)[TIMESTAMP], "2026-11-20T08:45:00.000000");
        assert!(
            !headers(&[], true).contains_key(SIGNATURE),
            "without a secret there is nothing to sign with"
        );
    }
}
