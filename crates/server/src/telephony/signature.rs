//! Who sent a request: how Twilio, Telnyx and Plivo sign what they send.
//!
//! Owns the three algorithms. A check says yes or no; all compare in constant time.

use antiphon_api::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

/// How long Telnyx's signature is good for, in microseconds: five minutes either way.
const TELNYX_AGE_US: i64 = 5 * 60 * 1_000_000;

/// Whether Twilio signed a request: base64 of the HMAC-SHA1 over its URL and the fields of its form, by their names. A JSON body is
/// covered by its hash in the URL's query.
pub(crate) fn twilio(
    token: &str,
    signature: &str,
    url: &str,
    form: &[(String, String)],
    json: Option<&[u8]>,
) -> bool {
    if let Some(json) = json
        && !json_is_covered(url, json)
    {
        return false;
    }
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort_unstable();
    // A field that is there twice with one value is signed once.
    fields.dedup();
    let fields: String = fields.into_iter().flat_map(|(key, value)| [key.as_str(), value]).collect();
    let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
    ports(url).iter().any(|url| {
        let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("a key may have any length");
        mac.update(url.as_bytes());
        mac.update(fields.as_bytes());
        mac.verify_slice(&signature).is_ok()
    })
}

/// Whether the URL says the hash of the body. Secret it is not: the signature covers it.
fn json_is_covered(url: &str, json: &[u8]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let hash: String = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
    url.query_pairs().any(|(key, value)| key == "bodySHA256" && value.eq_ignore_ascii_case(&hash))
}

/// The URL as it is, with its scheme's port, and without: providers write it either way.
fn ports(url: &str) -> Vec<String> {
    let mut forms = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return forms };
    let port = match scheme {
        "https" | "wss" => ":443",
        "http" | "ws" => ":80",
        _ => return forms,
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.strip_suffix(port) {
        Some(host) => forms.push(format!("{scheme}://{host}{path}")),
        None if !authority.trim_start_matches(|c| c != ']').contains(':') && !authority.contains(':') => {
            forms.push(format!("{scheme}://{authority}{port}{path}"));
        }
        None => {}
    }
    forms
}

/// Whether Telnyx signed a body, and not long ago: Ed25519 over the time, a bar, and the body.
pub(crate) fn telnyx(key: &[u8; 32], signature: &str, timestamp: &str, body: &[u8], now: Timestamp) -> bool {
    let Ok(seconds) = timestamp.trim().parse::<i64>() else { return false };
    let age = now.unix_micros().saturating_sub(seconds.saturating_mul(1_000_000));
    if age.unsigned_abs() > TELNYX_AGE_US.unsigned_abs() {
        return false;
    }
    let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
    let signed = [timestamp.trim().as_bytes(), b"|", body].concat();
    UnparsedPublicKey::new(&ED25519, key).verify(&signed, &signature).is_ok()
}

/// Whether Plivo signed a posted form (V3): base64 of the HMAC-SHA256 over URL, fields and nonce. There may be several signatures,
/// with commas between them.
pub(crate) fn plivo(
    token: &str,
    signatures: &str,
    nonce: &str,
    url: &str,
    form: &[(String, String)],
) -> bool {
    ports(url).iter().any(|url| {
        let Some(base) = plivo_base(url, form) else { return false };
        signatures.split(',').filter_map(|one| STANDARD.decode(one.trim()).ok()).any(|signature| {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("a key may have any length");
            mac.update(base.as_bytes());
            mac.update(b".");
            mac.update(nonce.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    })
}

/// What is signed of a POST, as Plivo's own libraries put it together.
fn plivo_base(url: &str, form: &[(String, String)]) -> Option<String> {
    let (bare, query) = match url.split_once('?') {
        Some((bare, query)) => (bare, query),
        None => (url, ""),
    };
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort_unstable();
    let query: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut fields: Vec<_> = form.iter().collect();
    fields.sort_unstable();
    let fields: String = fields.into_iter().flat_map(|(key, value)| [key.as_str(), value]).collect();
    let query = query.join("&");
    Some(match (query.is_empty(), fields.is_empty()) {
        (true, true) => bare.to_owned(),
        (true, false) => format!("{bare}?{fields}"),
        (false, true) => format!("{bare}?{query}"),
        (false, false) => format!("{bare}?{query}.{fields}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "test-auth-token-0001";

    fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn twilios_signature_is_that_of_its_own_validator() {
        let url = "https://voice.example.org/hooks/twilio?agent=7";
        let fields = form(&[("To", "+15550199"), ("CallSid", "CA0001"), ("From", "+15550100")]);
        let signature = "NjZdxYUbdozAfWHGe1lQb7r3Zuc=";
        assert!(twilio(TOKEN, signature, url, &fields, None));
        assert!(twilio(
            TOKEN,
            signature,
            "https://voice.example.org:443/hooks/twilio?agent=7",
            &fields,
            None
        ));
        assert!(!twilio("another-token", signature, url, &fields, None));
        assert!(!twilio(TOKEN, signature, "https://voice.example.org/hooks/twilio?agent=8", &fields, None));
        assert!(!twilio(TOKEN, signature, url, &fields[1..], None));
        assert!(!twilio(TOKEN, "nonsense", url, &fields, None));
        assert!(!twilio(TOKEN, "", url, &fields, None));
        let socket = "wss://voice.example.org/calls/abc/telephony";
        assert!(twilio(TOKEN, "TNxthI2YND2GeMtvHr4AcHqvK7E=", socket, &[], None));
    }

    #[test]
    fn a_json_body_is_covered_by_its_hash() {
        let url = "https://voice.example.org/hooks/twilio?agent=7\
                   &bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
        let signature = "IBdYEaXdHaMEKCevhjxXpCMtWpA=";
        assert!(twilio(TOKEN, signature, url, &[], Some(br#"{"a":1}"#)));
        assert!(!twilio(TOKEN, signature, url, &[], Some(br#"{"a":2}"#)));
        let bare = "wss://voice.example.org/calls/abc/telephony";
        let unhashed = twilio(TOKEN, "TNxthI2YND2GeMtvHr4AcHqvK7E=", bare, &[], Some(b"{}"));
        assert!(!unhashed, "a body that the signature does not cover is nobody's");
    }

    #[test]
    fn plivos_signature_is_that_of_its_own_library() {
        let nonce = "05429567804466091622";
        let fields = form(&[("From", "15550100"), ("CallUUID", "u1")]);
        for (url, fields, signature) in [
            ("?b=2&a=1", fields.as_slice(), "ID8UHVHbapeyEOe/A+PbrL0EPjq9iC04wSoxw07dwqU="),
            ("", &fields, "20h5UDNqYuhf570JQHg2nCMpDMr1wvmMG4m6gLOKNlg="),
            ("?a=1&b=2", &[], "B48OSxBm0jkgHAYWVo8xaEb0fCH6iFrNcUSfsEOcidw="),
        ] {
            let url = format!("https://voice.example.org/hooks/plivo{url}");
            assert!(plivo(TOKEN, signature, nonce, &url, fields), "{url}");
            assert!(plivo(TOKEN, &format!("bm9wZQ==,{signature}"), nonce, &url, fields), "{url}");
            assert!(!plivo(TOKEN, signature, "1", &url, fields), "{url}");
            assert!(!plivo("another-token", signature, nonce, &url, fields), "{url}");
            assert!(!plivo(TOKEN, signature, nonce, &url, &form(&[("From", "1")])), "{url}");
        }
    }

    #[test]
    fn telnyxs_signature_is_good_for_five_minutes() {
        let key: [u8; 32] =
            STANDARD.decode("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=").unwrap().try_into().unwrap();
        let signature =
            "UIEcOeqTo4MKspXBsVJIK3/7+ncnEUOrSDh7+dZUsTAOWSVYBwe3lBRys+n+hEvzldT9ql71YgVDNiM3TqCqBg==";
        let body = br#"{"data":{"event_type":"call.initiated"}}"#;
        let at = |seconds: i64| Timestamp::from_unix_micros(seconds * 1_000_000).unwrap();
        for (now, good) in [
            (1_760_000_000, true),
            (1_760_000_300, true),
            (1_760_000_301, false),
            (1_759_999_700, true),
            (1_759_999_699, false),
        ] {
            assert_eq!(telnyx(&key, signature, "1760000000", body, at(now)), good, "{now}");
        }
        let now = at(1_760_000_000);
        assert!(!telnyx(&key, signature, "1760000001", body, now));
        assert!(!telnyx(&key, signature, "1760000000", b"{}", now));
        assert!(!telnyx(&key, signature, "-9223372036854775808", body, now));
        assert!(!telnyx(&key, "AAAA", "1760000000", body, now));
        assert!(!telnyx(&[0; 32], signature, "1760000000", body, now));
    }

    #[test]
    fn a_url_is_meant_with_and_without_its_schemes_port() {
        for (url, other) in [
            ("https://a.example/x?y=1", Some("https://a.example:443/x?y=1")),
            ("http://a.example:80/x", Some("http://a.example/x")),
            ("wss://a.example", Some("wss://a.example:443")),
            ("https://a.example:8443/x", None),
            ("https://[::1]:8443/x", None),
        ] {
            assert_eq!(ports(url).get(1).map(String::as_str), other, "{url}");
        }
    }
}
