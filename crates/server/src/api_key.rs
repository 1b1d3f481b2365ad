//! API keys: their shape, how they are made, and how they are compared. A key is kept only as a hash; where hashes are kept is
//! the configuration's and the storage's business.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::config::Secret;

/// Characters before the dot: the prefix that names a key (protocol.md 0).
const PREFIX_LENGTH: usize = 8;
/// Characters after the dot (protocol.md 0).
const REST_LENGTH: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as its holder sends it: 8 alphanumerics, a dot, 32 alphanumerics (protocol.md 0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey(Secret);

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness for a new key: {0}")]
pub struct NoRandomness(getrandom::Error);

impl ApiKey {
    /// A new key, 190 bits of the operating system's randomness behind the dot.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut text = String::with_capacity(PREFIX_LENGTH + 1 + REST_LENGTH);
        let mut pool = [0_u8; 64];
        while text.len() < PREFIX_LENGTH + 1 + REST_LENGTH {
            getrandom::fill(&mut pool).map_err(NoRandomness)?;
            for byte in pool {
                match text.len() {
                    PREFIX_LENGTH => text.push('.'),
                    length if length == PREFIX_LENGTH + 1 + REST_LENGTH => break,
                    _ => {}
                }
                // 248 is the largest multiple of 62 in a byte: above it, the first letters would be likelier than the rest.
                if byte < 248 {
                    text.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
                }
            }
        }
        Ok(Self(Secret::new(text)))
    }

    /// The key itself, for the one moment in which its holder is told.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The part before the dot, which names the key and is no secret.
    pub fn prefix(&self) -> &str {
        &self.0.expose()[..PREFIX_LENGTH]
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.0.expose())
    }
}

/// A text that does not have a key's shape. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key is 8 letters or digits, a dot, and 32 letters or digits")]
pub struct InvalidKey;

impl FromStr for ApiKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, rest) = text.split_once('.').ok_or(InvalidKey)?;
        let alphanumeric = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if alphanumeric(prefix, PREFIX_LENGTH) && alphanumeric(rest, REST_LENGTH) {
            Ok(Self(Secret::new(text)))
        } else {
            Err(InvalidKey)
        }
    }
}

/// The SHA-256 of a key. A plain hash suffices: a key has too much entropy to be guessed from it.
#[derive(Clone, Copy, Debug)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of the key `text`, whatever its shape.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// The hash that `bytes` are, if there are 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash, for keeping.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are the hash of one key, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        let difference =
            self.0.iter().zip(other.0).fold(0, |difference, (left, right)| difference | (left ^ right));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no SHA-256 in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key's hash is its SHA-256 in 64 hexadecimal digits")]
pub struct InvalidHash;

impl FromStr for KeyHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(InvalidHash);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
            let (Some(high), Some(low)) = (high, low) else { return Err(InvalidHash) };
            *byte = u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte");
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_has_the_published_shape_and_is_never_the_same() {
        let (one, two) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        assert_eq!(one.expose().parse(), Ok(one.clone()));
        assert_eq!(one.expose().len(), 41);
        assert!(one.expose().starts_with(one.prefix()));
        assert_ne!(one, two);
        assert!(one.hash().matches(&one.hash()));
        assert!(!one.hash().matches(&two.hash()));
    }

    #[test]
    fn other_shapes_are_refused_without_repeating_them() {
        for text in [
            "",
            "abcd1234",
            "abcd1234.short",
            "abcd-234.0123456789abcdef0123456789abcdef",
            "äbcd123.0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(text.parse::<ApiKey>(), Err(InvalidKey));
        }
    }

    #[test]
    fn a_hash_reads_back_from_its_hexadecimal_digits() {
        let hash = ApiKey::generate().unwrap().hash();
        assert!(hash.to_string().parse::<KeyHash>().unwrap().matches(&hash));
        assert!("zz".repeat(32).parse::<KeyHash>().is_err());
        assert!("00".parse::<KeyHash>().is_err());
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let key = ApiKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&key.expose()[9..]));
    }
}
