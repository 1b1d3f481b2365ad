//! Accounts: whose calls and keys are whose. There is one so far, and everything already names it.

use std::fmt;

use antiphon_api::Timestamp;
use uuid::Uuid;

use super::Pending;

/// An account's name in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub Uuid);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Where accounts are kept.
pub trait AccountStore: Send + Sync {
    /// The account that everything belongs to; made with `id` at `now` if there is none.
    fn default_account(&self, id: AccountId, now: Timestamp) -> Pending<'_, AccountId>;
    /// What the account is called.
    fn name(&self, id: AccountId) -> Pending<'_, Option<String>>;
}
