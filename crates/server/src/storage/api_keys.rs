//! The API keys that are kept in the database: made on the first start, and later over the API.

use antiphon_api::Timestamp;

use super::{AccountId, Pending};
use crate::api_key::KeyHash;

/// A key as it is kept.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The part before the dot, which names it.
    pub prefix: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it is called, at most 50 characters (protocol.md 7.13).
    pub name: String,
    /// The hash of the whole key.
    pub hash: KeyHash,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

/// Where API keys are kept.
pub trait KeyStore: Send + Sync {
    /// Keeps a new key. False if its prefix is taken: make another.
    fn insert<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool>;
    /// The key with this prefix, revoked or not.
    fn find<'a>(&'a self, prefix: &'a str) -> Pending<'a, Option<StoredKey>>;
    /// Whether there is a key that is not revoked.
    fn any_valid(&self) -> Pending<'_, bool>;
    /// Revokes a key for good. False if there is none or it was revoked before.
    fn revoke<'a>(&'a self, prefix: &'a str, at: Timestamp) -> Pending<'a, bool>;
}
