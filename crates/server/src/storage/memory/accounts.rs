//! Accounts and API keys, in memory.

use std::collections::BTreeMap;

use antiphon_api::{Secret, Timestamp};

use super::super::{
    AccountId, AccountStore, Farewell, KeyPlace, KeyStore, Parting, Pending, Slice, StoredAccount, StoredKey,
    Window,
};
use super::{Memory, slice};

impl AccountStore for Memory {
    fn insert_account<'a>(&'a self, account: &'a StoredAccount) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let free = contents.accounts.iter().all(|other| other.name != account.name);
            if free {
                contents.accounts.push(account.clone());
            }
            Ok(free)
        })
    }

    fn account_named<'a>(&'a self, name: &'a str) -> Pending<'a, Option<StoredAccount>> {
        self.at_once(|contents| Ok(contents.accounts.iter().find(|account| account.name == name).cloned()))
    }

    fn accounts(&self) -> Pending<'_, Vec<StoredAccount>> {
        self.at_once(|contents| {
            let mut accounts = contents.accounts.clone();
            accounts.sort_by_key(|account| (account.created, account.id));
            Ok(accounts)
        })
    }

    fn ensure_account<'a>(&'a self, name: &'a str, id: AccountId, now: Timestamp) -> Pending<'a, AccountId> {
        self.at_once(|contents| {
            if let Some(account) = contents.accounts.iter().find(|account| account.name == name) {
                return Ok(account.id);
            }
            contents.accounts.push(StoredAccount { id, name: name.to_owned(), created: now });
            Ok(id)
        })
    }

    fn name(&self, id: AccountId) -> Pending<'_, Option<String>> {
        self.at_once(|contents| {
            let account = contents.accounts.iter().find(|account| account.id == id);
            Ok(account.map(|account| account.name.clone()))
        })
    }

    fn provider_keys(&self, account: AccountId) -> Pending<'_, BTreeMap<String, Secret>> {
        self.at_once(|contents| Ok(contents.provider_keys.get(&account).cloned().unwrap_or_default()))
    }

    fn change_provider_keys<'a>(
        &'a self,
        account: AccountId,
        changes: &'a BTreeMap<String, Option<Secret>>,
    ) -> Pending<'a, ()> {
        self.at_once(|contents| {
            let keys = contents.provider_keys.entry(account).or_default();
            for (provider, secret) in changes {
                match secret {
                    Some(secret) => keys.insert(provider.clone(), secret.clone()),
                    None => keys.remove(provider),
                };
            }
            Ok(())
        })
    }
}

impl KeyStore for Memory {
    fn insert<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let free = !contents.keys.contains_key(&key.prefix);
            if free {
                contents.keys.insert(key.prefix.clone(), key.clone());
            }
            Ok(free)
        })
    }

    fn insert_first<'a>(&'a self, key: &'a StoredKey) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let first = !contents.keys.values().any(|kept| kept.is_valid(key.created));
            if first {
                contents.keys.insert(key.prefix.clone(), key.clone());
            }
            Ok(first)
        })
    }

    fn find<'a>(&'a self, prefix: &'a str) -> Pending<'a, Option<StoredKey>> {
        self.at_once(|contents| Ok(contents.keys.get(prefix).cloned()))
    }

    fn any_valid(&self, now: Timestamp) -> Pending<'_, bool> {
        self.at_once(|contents| Ok(contents.keys.values().any(|key| key.is_valid(now))))
    }

    fn keys(&self, account: AccountId, window: Window<KeyPlace>) -> Pending<'_, Slice<StoredKey>> {
        self.at_once(|contents| {
            let mut keys: Vec<&StoredKey> =
                contents.keys.values().filter(|key| key.account == account).collect();
            keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.place()));
            let after = window.after.as_ref();
            let own = keys.partition_point(|key| after.is_some_and(|after| key.place() > *after));
            let behind = keys.partition_point(|key| after.is_some_and(|after| key.place() >= *after));
            Ok(slice(&keys, &window, own..behind).map(|key| StoredKey::clone(key)))
        })
    }

    fn count_keys(&self, account: AccountId) -> Pending<'_, u64> {
        self.at_once(
            |contents| Ok(contents.keys.values().filter(|key| key.account == account).count() as u64),
        )
    }

    fn part_with<'a>(
        &'a self,
        account: AccountId,
        prefix: &'a str,
        farewell: Farewell,
        at: Timestamp,
        may_be_last: bool,
    ) -> Pending<'a, Parting> {
        self.at_once(|contents| {
            let own = |key: &&StoredKey| key.account == account;
            let Some(key) = contents.keys.get(prefix).filter(own) else { return Ok(Parting::Unknown) };
            let is_other = |other: &StoredKey| other.prefix != prefix && other.is_valid(at);
            if key.is_valid(at) && !may_be_last && !contents.keys.values().filter(own).any(is_other) {
                return Ok(Parting::Last);
            }
            match farewell {
                Farewell::Deleted => {
                    contents.keys.remove(prefix);
                }
                Farewell::Revoked => {
                    if let Some(key) = contents.keys.get_mut(prefix) {
                        key.revoked.get_or_insert(at);
                    }
                }
            }
            Ok(Parting::Gone)
        })
    }
}
