//! Accounts: whose calls and keys are whose. Nothing is shared between two of them.

use std::collections::BTreeMap;
use std::fmt;

use antiphon_api::{Secret, Timestamp};
use uuid::Uuid;

use super::Pending;

/// The account that there always is: of keys that name no other.
pub const DEFAULT_ACCOUNT: &str = "default";

/// An account's name in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub Uuid);

impl AccountId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// An account as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAccount {
    /// Its id.
    pub id: AccountId,
    /// What it is called. No two are called the same.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
}

/// Where accounts are kept.
pub trait AccountStore: Send + Sync {
    /// Keeps a new account. False if its name is taken.
    fn insert_account<'a>(&'a self, account: &'a StoredAccount) -> Pending<'a, bool>;
    /// The account that is called `name`.
    fn account_named<'a>(&'a self, name: &'a str) -> Pending<'a, Option<StoredAccount>>;
    /// All accounts, oldest first: for their operator.
    fn accounts(&self) -> Pending<'_, Vec<StoredAccount>>;
    /// The account that is called `name`; made with `id` at `now` if there is none.
    fn ensure_account<'a>(&'a self, name: &'a str, id: AccountId, now: Timestamp) -> Pending<'a, AccountId>;
    /// The account of everything that names no other; made with `id` at `now` if there is none.
    fn default_account(&self, id: AccountId, now: Timestamp) -> Pending<'_, AccountId> {
        self.ensure_account(DEFAULT_ACCOUNT, id, now)
    }
    /// What the account is called.
    fn name(&self, id: AccountId) -> Pending<'_, Option<String>>;

    /// The account's keys for other people's services, by the provider's name on the wire.
    fn provider_keys(&self, account: AccountId) -> Pending<'_, BTreeMap<String, Secret>>;
    /// Sets those of the account's keys that are given, and removes those that are `None`: all of them or none.
    fn change_provider_keys<'a>(
        &'a self,
        account: AccountId,
        changes: &'a BTreeMap<String, Option<Secret>>,
    ) -> Pending<'a, ()>;
}
