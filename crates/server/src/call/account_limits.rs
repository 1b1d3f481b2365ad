//! What accounts may not exceed: the limits of all, and those that some have of their own. In force until they are replaced as a
//! whole. What has been used of them is counted elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Limits;
use crate::current::Current;
use crate::storage::AccountId;

/// What holds for which account. Clones are the same limits, also after they were replaced.
#[derive(Debug, Clone, Default)]
pub struct AccountLimits(Arc<Current<Table>>);

#[derive(Debug, Default)]
struct Table {
    usual: Limits,
    own: HashMap<AccountId, Limits>,
}

impl AccountLimits {
    /// `usual` for all accounts but those that have limits of their `own`.
    #[must_use]
    pub fn new(usual: Limits, own: HashMap<AccountId, Limits>) -> Self {
        Self(Arc::new(Current::new(Table { usual, own })))
    }

    /// The same from now on with other limits. What was used of the old ones counts on.
    pub(crate) fn replace(&self, usual: Limits, own: HashMap<AccountId, Limits>) {
        self.0.replace(Table { usual, own });
    }

    /// What holds for an account.
    pub(crate) fn of(&self, account: AccountId) -> Limits {
        let table = self.0.get();
        table.own.get(&account).copied().unwrap_or(table.usual)
    }
}
