//! What proves to Google who asks: an API key, or the JSON key of a service account.
//!
//! A service account signs a token by itself, which Google's own interfaces take as it is ("self-signed JWT", AIP-4111), so that
//! nobody else has to be asked, least of all at an address that the key's JSON names. It must not know what is asked for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;

use super::super::remote::credential;

/// Whom the token is for.
const AUDIENCE: &str = "https://texttospeech.googleapis.com/";
/// How long a token is good, and how long before that a new one is made.
const LIFETIME: Duration = Duration::from_secs(3_600);
const SLACK: Duration = Duration::from_secs(300);

/// What proves who asks.
pub(crate) enum GoogleCredential {
    /// An API key.
    Key(String),
    /// A service account.
    Account(Box<ServiceAccount>),
    /// A key that is meant to be a service account's and is not, and why.
    Broken(String),
}

impl GoogleCredential {
    /// Reads a key: what begins like JSON is a service account's.
    pub(crate) fn new(key: &str) -> Self {
        if !key.trim_start().starts_with('{') {
            return Self::Key(key.to_owned());
        }
        match ServiceAccount::read(key) {
            Ok(account) => Self::Account(Box::new(account)),
            Err(why) => Self::Broken(why),
        }
    }

    /// Adds what proves who asks.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) -> Result<(), String> {
        match self {
            Self::Key(key) => headers.insert("x-goog-api-key", credential(key)?),
            Self::Account(account) => {
                let token = account.token(SystemTime::now())?;
                headers.insert(AUTHORIZATION, credential(&format!("Bearer {token}"))?)
            }
            Self::Broken(why) => return Err(why.clone()),
        };
        Ok(())
    }
}

/// A service account, which signs for itself.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: String,
    key: RsaKeyPair,
    /// The latest token, and until when it is good.
    latest: Mutex<Option<(String, SystemTime)>>,
}

/// Of the file that Google gives, what is needed.
#[derive(Deserialize)]
struct Written {
    client_email: String,
    private_key_id: String,
    private_key: String,
}

impl ServiceAccount {
    /// Reads the file that Google gives. Errors hold nothing of it.
    fn read(json: &str) -> Result<Self, String> {
        let broken =
            |what: &str| format!("has a key that is no service account's: {what}; set the whole JSON file");
        let written: Written = serde_json::from_str(json)
            .map_err(|_| broken("client_email, private_key_id or private_key is missing"))?;
        let lines = written.private_key.lines().map(str::trim);
        let base64: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).map_err(|_| broken("its private_key is no PEM"))?;
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| broken("its private_key is no RSA key"))?;
        let Written { client_email: email, private_key_id: key_id, .. } = written;
        Ok(Self { email, key_id, key, latest: Mutex::new(None) })
    }

    /// A token that is good for a while.
    fn token(&self, now: SystemTime) -> Result<String, String> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = &*latest
            && now + SLACK < *until
        {
            return Ok(token.clone());
        }
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email, "sub": self.email, "aud": AUDIENCE,
            "iat": seconds, "exp": seconds + LIFETIME.as_secs(),
        });
        let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| "has a service account's key that does not sign; make a new one".to_owned())?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        *latest = Some((token.clone(), now + LIFETIME));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// A key that was made for this test and opens nothing.
    const PRIVATE: &str = include_str!("test_key.pem");

    fn file() -> String {
        json!({
            "type": "service_account", "client_email": "voice@example.iam.gserviceaccount.com",
            "private_key_id": "7d1", "private_key": PRIVATE, "token_uri": "http://169.254.169.254/",
        })
        .to_string()
    }

    fn part(text: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn a_service_account_signs_for_itself() {
        let account = ServiceAccount::read(&file()).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let token = account.token(now).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        assert_eq!(part(head), json!({"alg": "RS256", "typ": "JWT", "kid": "7d1"}));
        let email = "voice@example.iam.gserviceaccount.com";
        let wanted =
            json!({"iss": email, "sub": email, "aud": AUDIENCE, "iat": 1_700_000_000, "exp": 1_700_003_600});
        assert_eq!(part(claims), wanted);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.key.public().as_ref());
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();

        assert_eq!(account.token(now + Duration::from_secs(3_000)).unwrap(), token, "it is used again");
        assert_ne!(account.token(now + Duration::from_secs(3_400)).unwrap(), token, "and made anew in time");
    }

    #[test]
    fn a_key_that_is_none_is_not_repeated() {
        for key in
            ["{}", "{\"client_email\": \"canary\"}", &file().replace("BEGIN", "canary\\nBEGIN"), "{canary"]
        {
            let GoogleCredential::Broken(why) = GoogleCredential::new(key) else { panic!("{key}") };
            assert!(why.contains("set the whole JSON file") && !why.contains("canary"), "{why}");
        }
        let mut headers = HeaderMap::new();
        GoogleCredential::new("AIza-x").sign(&mut headers).unwrap();
        assert_eq!(headers["x-goog-api-key"], "AIza-x");
        assert!(headers["x-goog-api-key"].is_sensitive());
    }
}
