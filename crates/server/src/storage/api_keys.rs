//! The API keys that are kept in the database: made on the first start, for a new account, or over the API.

use antiphon_api::Timestamp;

use super::{AccountId, Pending, Slice, Storage, StorageError, Window};
use crate::api_key::{ApiKey, KeyHash, NoRandomness};

/// A key as it is kept.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The part before the dot, which names it.
    pub prefix: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it is called, at most 50 characters (protocol.md 7.13).
    pub name: String,
    /// The key that it was made with, by its prefix or its name in the configuration; none if the server made it.
    pub creator: Option<String>,
    /// The hash of the whole key.
    pub hash: KeyHash,
    /// When it was made.
    pub created: Timestamp,
    /// When it ceases to open anything.
    pub expires: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

/// A key's place in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPlace {
    /// When it was made.
    pub created: Timestamp,
    /// Its prefix, which orders keys of one moment.
    pub prefix: String,
}

/// What a key is made from.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose it will be.
    pub account: AccountId,
    /// What it will be called.
    pub name: String,
    /// The key that it is made with, if it is.
    pub creator: Option<String>,
    /// When it will cease to open anything.
    pub expires: Option<Timestamp>,
}

/// How a key goes: so that it still shows in lists, or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// Nothing is left of it.
    Deleted,
    /// It stays, and opens nothing.
    Revoked,
}

/// What became of a wish that a key go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// It opens nothing any more.
    Gone,
    /// Without it nobody could use the account, so it stays.
    Last,
    /// The account has no such key.
    Unknown,
}

/// Why no key is made.
#[derive(Debug, thiserror::Error)]
pub enum MakeKeyError {
    /// There is no randomness for it.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// It cannot be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl NewKey {
    /// A key, and what is kept of it.
    fn generate(self, now: Timestamp) -> Result<(ApiKey, StoredKey), NoRandomness> {
        let Self { account, name, creator, expires } = self;
        let key = ApiKey::generate()?;
        let (prefix, hash) = (key.prefix().to_owned(), key.hash());
        let stored = StoredKey { prefix, account, name, creator, hash, created: now, expires, revoked: None };
        Ok((key, stored))
    }
}

impl StoredKey {
    /// Whether it opens anything at this moment.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// Its place in a list.
    #[must_use]
    pub fn place(&self) -> KeyPlace {
        KeyPlace { created: self.created, prefix: self.prefix.clone() }
    }
}

/// Where API keys are kept.
pub trait KeyStore: Send + Sync {
    /// Keeps a new key. False if its prefix is taken: make another.
    fn insert<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool>;
    /// Keeps a new key if no account has one that is valid when this is made, in one go: of several nodes that find an empty database,
    /// one makes a key. False if there is one, or the prefix is taken.
    fn insert_first<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool>;
    /// The key with this prefix, whosever it is, valid or not.
    fn find<'a>(&'a self, prefix: &'a str) -> Pending<'a, Option<StoredKey>>;
    /// Whether any account has a key that is valid at `now`.
    fn any_valid(&self, now: Timestamp) -> Pending<'_, bool>;
    /// Part of the account's keys, newest first.
    fn keys(&self, account: AccountId, window: Window<KeyPlace>) -> Pending<'_, Slice<StoredKey>>;
    /// How many keys the account has, valid or not.
    fn count_keys(&self, account: AccountId) -> Pending<'_, u64>;
    /// Lets a key of the account go, for good. The last one that is valid `at` that moment goes only if it `may_be_last`: if there is
    /// another way into the account.
    fn part_with<'a>(
        &'a self,
        account: AccountId,
        prefix: &'a str,
        farewell: Farewell,
        at: Timestamp,
        may_be_last: bool,
    ) -> Pending<'a, Parting>;
}

impl Storage {
    /// Makes a key and keeps it. The key itself is known to nobody but the caller.
    ///
    /// # Errors
    /// See [`MakeKeyError`]; no key is left behind.
    pub async fn make_key(&self, new: NewKey, now: Timestamp) -> Result<(ApiKey, StoredKey), MakeKeyError> {
        loop {
            let (key, stored) = new.clone().generate(now)?;
            if self.keys.insert(&stored).await? {
                return Ok((key, stored));
            }
        }
    }

    /// Makes a key if there is none that opens anything, so that somebody can get in.
    ///
    /// # Errors
    /// See [`MakeKeyError`]; no key is left behind.
    pub async fn make_first_key(&self, new: NewKey, now: Timestamp) -> Result<Option<ApiKey>, MakeKeyError> {
        while !self.keys.any_valid(now).await? {
            let (key, stored) = new.clone().generate(now)?;
            if self.keys.insert_first(&stored).await? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
}
