//! `[auth]`: the API keys that the configuration names. Keys made at run time live in the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::problem::Checks;
use crate::api_key::{ApiKey, KeyHash};

/// The `[auth]` section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Keys that are always valid, one `[[auth.api_keys]]` table each. Default none: the server then makes a key on its first
    /// start and shows it once.
    pub api_keys: Vec<ConfiguredKey>,
}

/// One API key. Exactly one of `key`, `key_file` and `sha256` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredKey {
    /// What the key is called in logs.
    pub name: String,
    /// The key itself: 8 letters or digits, a dot, 32 letters or digits (protocol.md 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// A file that holds the key; white space around it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The SHA-256 of the key in hexadecimal, so that the configuration holds no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Why a configured key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// None of the three fields, or several.
    #[error("exactly one of key, key_file and sha256 says what the key is; this one has {0}")]
    Count(usize),
    /// Not the shape of a key.
    #[error(transparent)]
    Key(#[from] crate::api_key::InvalidKey),
    /// Not the shape of a hash.
    #[error(transparent)]
    Hash(#[from] crate::api_key::InvalidHash),
    /// The file cannot be read.
    #[error("the key file {path} cannot be read: {source}; make it readable for the server, or name another")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl ConfiguredKey {
    /// The hash that requests are checked against. Reads the key file.
    pub fn hash(&self) -> Result<KeyHash, KeyError> {
        match (&self.key, &self.key_file, &self.sha256) {
            (Some(key), None, None) => Ok(key.expose().parse::<ApiKey>()?.hash()),
            (None, Some(path), None) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| KeyError::File { path: path.clone(), source })?;
                Ok(text.trim().parse::<ApiKey>()?.hash())
            }
            (None, None, Some(hash)) => Ok(hash.parse()?),
            (key, file, hash) => Err(KeyError::Count(
                usize::from(key.is_some()) + usize::from(file.is_some()) + usize::from(hash.is_some()),
            )),
        }
    }
}

impl Auth {
    pub(super) fn validate(&self, checks: &mut Checks) {
        for (index, key) in self.api_keys.iter().enumerate() {
            if let Err(error) = key.hash() {
                checks.refuse(&format!("auth.api_keys[{index}]"), format!("key \"{}\": {error}", key.name));
            }
        }
    }
}
