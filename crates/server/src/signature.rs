//! What proves to a receiver that this server speaks to it: for a data connection over the call's id, for a webhook over its body,
//! with the time behind either (protocol.md 7.5.4, 7.7).

use antiphon_api::{Secret, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A secret that nobody has: 64 hexadecimal digits.
pub(crate) fn new_secret() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// The time as it is signed: with an offset and not with `Z`, which older receivers do not read (A-51).
pub(crate) fn timestamp(at: Timestamp) -> String {
    at.to_string().replace('Z', "+00:00")
}

/// The same without an offset, for receivers that compare with a time that has none (A-51).
pub(crate) fn naive_timestamp(at: Timestamp) -> String {
    at.to_string().replace('Z', "")
}

/// HMAC-SHA256 over content and time, in lower-case hexadecimal digits.
pub(crate) fn signature(secret: &Secret, content: &[u8], timestamp: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key may have any length");
    mac.update(content);
    mac.update(timestamp.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_examples_are_signed_byte_for_byte() {
        let secret = Secret::new("s3cret-s3cret-s3cret");
        let timestamp = timestamp("2026-11-20T08:45:00Z".parse().unwrap());
        assert_eq!(timestamp, "2026-11-20T08:45:00.000000+00:00");
        for (content, expected) in [
            (
                r#"{"event":"call.ended","call":{}}"#,
                "9233383847b1cf1ea522c003b60e7e9f6085f531c3f0d2875962ad8328c1803b",
            ),
            (
                "11111111-2222-4333-8444-555555555555",
                "0930b2f856aa970eac58f6b5e94f69cd24d33fa84465f41b68951fa6d386f967",
            ),
        ] {
            assert_eq!(signature(&secret, content.as_bytes(), &timestamp), expected, "{content}");
        }
    }
}
