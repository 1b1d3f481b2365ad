//! What every database must do for accounts and their keys. Each function is one story on an empty store.

use std::collections::BTreeMap;

use antiphon_api::Secret;
use antiphon_server::api_key::ApiKey;
use antiphon_server::storage::{
    AccountId, Direction, Farewell, KeyPlace, NewKey, Parting, Storage, StoredAccount, StoredKey, Window,
};
use uuid::Uuid;

use crate::contract::{account, at};

pub(crate) async fn accounts_are_made_once_and_found_by_their_names(storage: &Storage) {
    let accounts = &storage.accounts;
    let acme = StoredAccount { id: id(7), name: "acme".to_owned(), created: at(5) };
    assert!(accounts.insert_account(&acme).await.unwrap());
    let again = StoredAccount { id: id(8), ..acme.clone() };
    assert!(!accounts.insert_account(&again).await.unwrap(), "a name is taken once");
    assert_eq!(accounts.ensure_account("acme", id(9), at(6)).await.unwrap(), acme.id);
    assert_eq!(accounts.ensure_account("other", id(10), at(3)).await.unwrap(), id(10));
    assert_eq!(accounts.account_named("acme").await.unwrap(), Some(acme.clone()));
    assert_eq!(accounts.account_named("Acme").await.unwrap(), None);
    assert_eq!(accounts.name(acme.id).await.unwrap().as_deref(), Some("acme"));
    assert_eq!(accounts.name(id(8)).await.unwrap(), None);
    let names: Vec<String> =
        accounts.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["other", "acme"]);
}

pub(crate) async fn a_key_is_found_by_its_prefix_until_it_is_revoked_for_good(storage: &Storage) {
    let account = account(storage).await;
    assert!(!storage.keys.any_valid(at(5)).await.unwrap());
    let key = ApiKey::generate().unwrap();
    let stored = StoredKey {
        prefix: key.prefix().to_owned(),
        account,
        name: "first".to_owned(),
        creator: Some("ops".to_owned()),
        hash: key.hash(),
        created: at(5),
        expires: None,
        revoked: None,
    };
    assert!(storage.keys.insert(&stored).await.unwrap());
    assert!(!storage.keys.insert(&stored).await.unwrap(), "a prefix is taken once");
    assert!(storage.keys.any_valid(at(5)).await.unwrap());

    let found = storage.keys.find(key.prefix()).await.unwrap().unwrap();
    assert!(found.hash.matches(&key.hash()));
    assert_eq!(
        (found.account, found.name.as_str(), found.creator.as_deref(), found.created, found.revoked),
        (account, "first", Some("ops"), at(5), None)
    );
    assert!(storage.keys.find("nothing1").await.unwrap().is_none());

    let revoke = async |prefix, moment| {
        storage.keys.part_with(account, prefix, Farewell::Revoked, moment, true).await.unwrap()
    };
    assert_eq!(revoke(key.prefix(), at(6)).await, Parting::Gone);
    assert_eq!(revoke(key.prefix(), at(7)).await, Parting::Gone);
    assert_eq!(revoke("nothing1", at(7)).await, Parting::Unknown);
    assert_eq!(storage.keys.find(key.prefix()).await.unwrap().unwrap().revoked, Some(at(6)));
    assert!(!storage.keys.any_valid(at(8)).await.unwrap());

    let delete = storage.keys.part_with(account, key.prefix(), Farewell::Deleted, at(9), false);
    assert_eq!(delete.await.unwrap(), Parting::Gone, "it opened nothing, so that it is not the last");
    assert!(storage.keys.find(key.prefix()).await.unwrap().is_none());
}

pub(crate) async fn of_nodes_that_find_no_key_one_makes_one(storage: &Storage) {
    let account = account(storage).await;
    let new = |expires| NewKey { account, name: "first".to_owned(), creator: None, expires };
    let nodes = (0..8).map(|_| storage.make_first_key(new(Some(at(9))), at(5)));
    let made = futures::future::join_all(nodes).await;
    let keys: Vec<ApiKey> = made.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(storage.keys.count_keys(account).await.unwrap(), 1);
    assert!(storage.keys.find(keys[0].prefix()).await.unwrap().unwrap().hash.matches(&keys[0].hash()));
    // One that opens nothing any more lets nobody in.
    assert!(storage.make_first_key(new(None), at(9)).await.unwrap().is_some());
    assert!(storage.make_first_key(new(None), at(10)).await.unwrap().is_none());
}

pub(crate) async fn a_key_expires(storage: &Storage) {
    let account = account(storage).await;
    let new = NewKey { account, name: "short".to_owned(), creator: None, expires: Some(at(9)) };
    let (key, stored) = storage.make_key(new, at(5)).await.unwrap();
    assert_eq!((stored.prefix.as_str(), stored.expires), (key.prefix(), Some(at(9))));
    let found = storage.keys.find(key.prefix()).await.unwrap().unwrap();
    assert!(found.is_valid(at(8)) && !found.is_valid(at(9)));
    assert!(storage.keys.any_valid(at(8)).await.unwrap());
    assert!(!storage.keys.any_valid(at(9)).await.unwrap());
}

pub(crate) async fn keys_are_walked_newest_first_and_only_by_their_account(storage: &Storage) {
    let own = account(storage).await;
    let other = storage.accounts.ensure_account("other", id(2), at(0)).await.unwrap();
    made(storage, other, 3).await;
    let mut newest_first = Vec::new();
    for created in [1, 2, 2, 4, 5] {
        newest_first.push(made(storage, own, created).await.place());
    }
    newest_first.sort();
    newest_first.reverse();
    let page = async |after: Option<KeyPlace>, direction| {
        let slice = storage.keys.keys(own, Window { after, direction, limit: 2 }).await.unwrap();
        (slice.items.iter().map(StoredKey::place).collect::<Vec<_>>(), slice.more)
    };
    assert_eq!(page(None, Direction::Forward).await, (newest_first[..2].to_vec(), true));
    let after = |index: usize| Some(newest_first[index].clone());
    assert_eq!(page(after(1), Direction::Forward).await, (newest_first[2..4].to_vec(), true));
    assert_eq!(page(after(3), Direction::Forward).await, (newest_first[4..].to_vec(), false));
    assert_eq!(page(after(4), Direction::Backward).await, (newest_first[2..4].to_vec(), true));
    assert_eq!(page(after(2), Direction::Backward).await, (newest_first[..2].to_vec(), false));
    assert_eq!(storage.keys.count_keys(own).await.unwrap(), 5);
    assert_eq!(storage.keys.count_keys(id(77)).await.unwrap(), 0);
}

pub(crate) async fn the_last_valid_key_stays_unless_there_is_another_way_in(storage: &Storage) {
    let own = account(storage).await;
    let other = storage.accounts.ensure_account("other", id(2), at(0)).await.unwrap();
    made(storage, other, 1).await;
    let part = async |account, key: &StoredKey, farewell, may_be_last| {
        storage.keys.part_with(account, &key.prefix, farewell, at(50), may_be_last).await.unwrap()
    };
    let first = made(storage, own, 1).await;
    let expired = NewKey { account: own, name: "old".to_owned(), creator: None, expires: Some(at(40)) };
    storage.make_key(expired, at(2)).await.unwrap();
    for farewell in [Farewell::Deleted, Farewell::Revoked] {
        assert_eq!(part(own, &first, farewell, false).await, Parting::Last);
        assert_eq!(part(other, &first, farewell, true).await, Parting::Unknown, "it is another account's");
    }
    let second = made(storage, own, 3).await;
    assert_eq!(part(own, &first, Farewell::Revoked, false).await, Parting::Gone);
    assert_eq!(part(own, &second, Farewell::Deleted, false).await, Parting::Last);
    assert_eq!(part(own, &second, Farewell::Deleted, true).await, Parting::Gone);
}

pub(crate) async fn keys_for_providers_are_set_and_removed_one_by_one(storage: &Storage) {
    let own = account(storage).await;
    let change = async |changes: &[(&str, Option<&str>)]| {
        let changes: BTreeMap<String, Option<Secret>> = changes
            .iter()
            .map(|(provider, secret)| ((*provider).to_owned(), secret.map(Secret::new)))
            .collect();
        storage.accounts.change_provider_keys(own, &changes).await.unwrap();
        let keys = storage.accounts.provider_keys(own).await.unwrap();
        keys.into_iter().map(|(provider, key)| format!("{provider}={}", key.expose())).collect::<Vec<_>>()
    };
    assert_eq!(change(&[("lmnt", Some("a")), ("google", Some("b"))]).await, ["google=b", "lmnt=a"]);
    assert_eq!(change(&[("lmnt", Some("c")), ("google", None), ("x", None)]).await, ["lmnt=c"]);
    assert_eq!(change(&[]).await, ["lmnt=c"]);
    assert!(storage.accounts.provider_keys(id(77)).await.unwrap().is_empty());
}

fn id(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

async fn made(storage: &Storage, account: AccountId, created: i64) -> StoredKey {
    let new = NewKey { account, name: format!("made at {created}"), creator: None, expires: None };
    storage.make_key(new, at(created)).await.unwrap().1
}
