//! `[auth]`: the API keys that the configuration names. Keys made at run time live in the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::limits::OwnLimits;
use super::problem::Checks;
use crate::api_key::{ApiKey, KeyHash};

/// The `[auth]` section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Keys that are always valid, one `[[auth.api_keys]]` table each. Default none: the server then makes a key on its first
    /// start and shows it once.
    pub api_keys: Vec<ConfiguredKey>,
    /// Accounts that shall be there, one `[[auth.accounts]]` table each, beside `default` and those that `antiphon accounts create`
    /// made. Nothing is shared between two accounts.
    pub accounts: Vec<ConfiguredAccount>,
}

/// One account. Leaving it out again removes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredAccount {
    /// What it is called: 1 to 64 characters.
    pub name: String,
    /// What is otherwise for it than `[limits]` says.
    #[serde(default)]
    pub limits: OwnLimits,
}

/// The most characters of an account's name.
const LONGEST_NAME: usize = 64;

/// What is wrong with an account's name, if anything is.
#[must_use]
pub fn account_name_problem(name: &str) -> Option<&'static str> {
    let chars = name.chars().count();
    if chars == 0 || chars > LONGEST_NAME {
        return Some("an account's name has 1 to 64 characters");
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Some(
            "an account's name begins and ends with a sign that can be seen, and has no line breaks",
        );
    }
    None
}

/// One API key. Exactly one of `key`, `key_file` and `sha256` is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredKey {
    /// What the key is called in logs. Requests with keys of one name are counted together.
    pub name: String,
    /// Whose it is: the name of an account that is there or in `auth.accounts`. Default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
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
        for (index, account) in self.accounts.iter().enumerate() {
            let field = format!("auth.accounts[{index}].name");
            if let Some(problem) = account_name_problem(&account.name) {
                checks.refuse(&field, problem);
            }
            if self.accounts[..index].iter().any(|other| other.name == account.name) {
                checks.refuse(&field, format!("\"{}\" is there already; leave one out", account.name));
            }
        }
        for (index, key) in self.api_keys.iter().enumerate() {
            if let Err(error) = key.hash() {
                checks.refuse(&format!("auth.api_keys[{index}]"), format!("key \"{}\": {error}", key.name));
            }
        }
    }
}
