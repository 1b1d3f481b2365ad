//! What proves to a data connection that this server dials it for this call (protocol.md 7.7).

use antiphon_api::{CallId, Secret, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::signature::{signature, timestamp};

const CALL_ID: HeaderName = HeaderName::from_static("x-ultravox-call-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-ultravox-signature-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-ultravox-signature");

/// Adds the call, the time and one signature for each secret; nothing without secrets.
pub(super) fn sign(headers: &mut HeaderMap, call: CallId, secrets: &[Secret], at: Timestamp) {
    if secrets.is_empty() {
        return;
    }
    let (call, timestamp) = (call.to_string(), timestamp(at));
    let signatures: Vec<String> =
        secrets.iter().map(|secret| signature(secret, call.as_bytes(), &timestamp)).collect();
    for (name, value) in [(CALL_ID, call), (TIMESTAMP, timestamp), (SIGNATURE, signatures.join(","))] {
        let value = HeaderValue::try_from(value).expect("letters, digits and a few signs");
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(secrets: &[&str]) -> HeaderMap {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let call = CallId::new("11111111-2222-4333-8444-555555555555".parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(CALL_ID, HeaderValue::from_static("somebody else's"));
        sign(&mut headers, call, &secrets, "2026-11-20T08:45:00Z".parse().unwrap());
        headers
    }

    #[test]
    fn the_worked_example_is_signed_byte_for_byte() {
        let headers = signed(&["s3cret-s3cret-s3cret"]);
        assert_eq!(headers["X-Ultravox-Call-ID"], "11111111-2222-4333-8444-555555555555");
        assert_eq!(headers["X-Ultravox-Signature-Timestamp"], "2026-11-20T08:45:00.000000+00:00");
        assert_eq!(
            headers["X-Ultravox-Signature"],
            "0930b2f856aa970eac58f6b5e94f69cd24d33fa84465f41b68951fa6d386f967"
        );
    }

    #[test]
    fn every_secret_has_its_signature_in_their_order() {
        let both = signed(&["s3cret-s3cret-s3cret", "another-s3cret-another"]);
        let (first, second) = both["X-Ultravox-Signature"].to_str().unwrap().split_once(',').unwrap();
        assert_eq!(first, signed(&["s3cret-s3cret-s3cret"])["X-Ultravox-Signature"]);
        assert_eq!(second, signed(&["another-s3cret-another"])["X-Ultravox-Signature"]);
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        assert_eq!(signed(&[]).len(), 1);
    }
}
