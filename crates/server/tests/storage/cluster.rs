//! The contract of stores that nodes share: who lives, whose call is whose, who has which lease, and letters.

use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::output::EndReason;
use antiphon_server::storage::{
    Addressee, Admission, Beat, ClusterStore, NodeId, SharedMemory, Storage, Terms,
};
use futures::future::join_all;
use uuid::Uuid;

use crate::contract::{account, at, call, inserted};
use crate::server::Database;

macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        mod on_postgres {
            $(
                #[tokio::test]
                async fn $story() {
                    let database = super::Database::with_tables().await;
                    let open = async || super::Storage::open_postgres(&database.url(), 4).await.unwrap();
                    let nodes = [open().await, open().await, open().await];
                    super::$story(&nodes).await;
                    for node in nodes {
                        node.close().await;
                    }
                    database.remove().await;
                }
            )*
        }

        mod in_memory {
            $(
                #[tokio::test]
                async fn $story() {
                    let shared = super::SharedMemory::default();
                    super::$story(&[(); 3].map(|()| super::Storage::in_shared_memory(&shared).0)).await;
                }
            )*
        }
    };
}

contract! {
    a_lease_is_one_nodes_until_it_gives_it_back_or_is_gone,
    a_letter_comes_once_in_order_and_to_whom_it_is_for,
    only_the_node_that_has_a_call_writes_of_it,
    a_call_is_handed_over_while_nobody_has_joined_it,
    calls_of_nodes_that_are_gone_are_taken_once_each,
    an_account_gets_no_more_calls_than_it_may_have_from_all_nodes_at_once,
}

fn cluster(storage: &Storage) -> &Arc<dyn ClusterStore> {
    storage.cluster.as_ref().unwrap()
}

async fn register(storage: &Storage) -> NodeId {
    let node = NodeId(Uuid::new_v4());
    cluster(storage).register(node).await.unwrap();
    node
}

async fn beat(storage: &Storage, wanted: &[&'static str]) -> Vec<String> {
    let beat = Beat { leaving: false, wanted: wanted.to_vec() };
    cluster(storage).beat(&beat).await.unwrap().unwrap().held
}

async fn a_lease_is_one_nodes_until_it_gives_it_back_or_is_gone(nodes: &[Storage; 3]) {
    let [a, b, c] = nodes;
    assert_eq!(cluster(a).beat(&Beat::default()).await.unwrap(), None, "it is no node yet");
    let ids = [register(a).await, register(b).await];
    assert_eq!(beat(a, &["one", "two"]).await, ["one", "two"]);
    assert_eq!(beat(b, &["one", "two", "three"]).await, ["three"]);
    assert_eq!(beat(a, &[]).await, ["one", "two"], "what is held is not given back by not wanting it");
    cluster(a).release_leases().await.unwrap();
    assert_eq!(beat(b, &["two"]).await, ["three", "two"]);
    assert_eq!(beat(a, &["one", "two"]).await, ["one"]);

    let leaving = cluster(b).beat(&Beat { leaving: true, wanted: Vec::new() }).await.unwrap().unwrap();
    assert_eq!(leaving.others, [(ids[0], false)]);
    let seen = cluster(a).beat(&Beat::default()).await.unwrap().unwrap();
    assert_eq!(seen.others, [(ids[1], true)]);
    cluster(b).leave().await.unwrap();
    assert_eq!(cluster(b).beat(&Beat::default()).await.unwrap(), None);
    register(c).await;
    assert_eq!(beat(c, &["one", "two", "three"]).await, ["three", "two"]);

    // Nobody is judged who was heard of, and everybody who was not.
    assert_eq!(cluster(c).judge(Duration::from_secs(60)).await.unwrap(), []);
    let mut lost = Vec::new();
    while lost.len() < 2 {
        lost.extend(cluster(a).judge(Duration::ZERO).await.unwrap());
    }
    assert!(lost.contains(&ids[0]), "{lost:?}");
    assert_eq!(cluster(c).beat(&Beat::default()).await.unwrap(), None);
    register(b).await;
    assert_eq!(beat(b, &["one", "two", "three"]).await, ["one", "three", "two"]);
}

async fn a_letter_comes_once_in_order_and_to_whom_it_is_for(nodes: &[Storage; 3]) {
    let [a, b, c] = nodes;
    let [a_id, b_id, c_id] = [register(a).await, register(b).await, register(c).await];
    let letters = async |node: &Storage| -> Vec<String> {
        let letters = cluster(node).letters().await.unwrap();
        assert!(letters.iter().all(|(_, age)| *age < Duration::from_secs(60)));
        letters.into_iter().map(|(letter, _)| letter).collect()
    };
    let mut mail = cluster(b).mail();
    mail.borrow_and_update();
    let long = "ü\"\\ ".repeat(200_000);
    for letter in ["one", &long, "three"] {
        assert!(cluster(a).send(Addressee::Node(b_id), letter).await.unwrap());
    }
    assert!(cluster(c).send(Addressee::Others, "to all").await.unwrap());
    mail.changed().await.unwrap();
    assert_eq!(letters(b).await, ["one", &long, "three", "to all"]);
    assert_eq!(letters(b).await, [""; 0]);
    assert_eq!(letters(a).await, ["to all"]);
    assert_eq!(letters(c).await, [""; 0]);
    // Also to oneself.
    assert!(cluster(c).send(Addressee::Node(c_id), "note").await.unwrap());
    assert_eq!(letters(c).await, ["note"]);

    assert!(cluster(b).send(Addressee::Node(a_id), "lost").await.unwrap());
    cluster(a).leave().await.unwrap();
    assert!(!cluster(b).send(Addressee::Node(a_id), "too late").await.unwrap());
    register(a).await;
    assert_eq!(letters(a).await, [""; 0], "they were for another one");
}

async fn only_the_node_that_has_a_call_writes_of_it(nodes: &[Storage; 3]) {
    let [a, b, _] = nodes;
    let [a_id, b_id] = [register(a).await, register(b).await];
    let kept = inserted(a, 1, at(1)).await;
    let find = async || cluster(b).find_owned(kept.id).await.unwrap().unwrap();
    assert_eq!(find().await, (kept.clone(), Some(a_id)));
    assert!(!b.calls.mark_joined(kept.id, at(2), None).await.unwrap());
    assert!(!b.calls.mark_ended(kept.id, at(2), EndReason::Unjoined).await.unwrap());
    assert_eq!(find().await.0, kept);
    assert!(cluster(a).hand_over(kept.id, b_id).await.unwrap());
    assert_eq!(find().await.1, Some(b_id));
    assert!(!a.calls.mark_ended(kept.id, at(3), EndReason::Unjoined).await.unwrap());
    assert!(b.calls.mark_joined(kept.id, at(4), None).await.unwrap());
    assert!(!a.calls.mark_ended(kept.id, at(5), EndReason::HangUp).await.unwrap());
    assert!(b.calls.mark_ended(kept.id, at(6), EndReason::HangUp).await.unwrap());
    assert_eq!(find().await.0.ended, Some((at(6), EndReason::HangUp)));
    assert_eq!(cluster(b).find_owned(crate::contract::id(9)).await.unwrap(), None);
}

async fn a_call_is_handed_over_while_nobody_has_joined_it(nodes: &[Storage; 3]) {
    let [a, b, c] = nodes;
    let [_, b_id, c_id] = [register(a).await, register(b).await, register(c).await];
    let [first, joined, ended] =
        [inserted(a, 1, at(1)).await.id, inserted(a, 2, at(2)).await.id, inserted(a, 3, at(3)).await.id];
    assert_eq!(cluster(a).own_calls().await.unwrap(), [first, joined, ended]);
    let stranger = NodeId(Uuid::new_v4());
    assert!(!cluster(a).hand_over(first, stranger).await.unwrap());
    assert!(!cluster(b).hand_over(first, c_id).await.unwrap(), "it is not that node's to give");
    // Of two that want it at once, one gets it.
    let got = tokio::join!(cluster(a).hand_over(first, b_id), cluster(a).hand_over(first, c_id));
    assert!(got.0.unwrap() ^ got.1.unwrap());
    a.calls.mark_joined(joined, at(4), None).await.unwrap();
    a.calls.mark_ended(ended, at(4), EndReason::Unjoined).await.unwrap();
    for call in [joined, ended] {
        assert!(!cluster(a).hand_over(call, b_id).await.unwrap());
    }
    assert_eq!(cluster(a).own_calls().await.unwrap(), [joined]);
}

async fn calls_of_nodes_that_are_gone_are_taken_once_each(nodes: &[Storage; 3]) {
    let [a, b, c] = nodes;
    // Some were there before there were nodes.
    inserted(a, 100, at(0)).await;
    for node in nodes {
        register(node).await;
    }
    for number in 0..40 {
        inserted(a, number, at(i64::try_from(number).unwrap())).await;
    }
    let ended = inserted(a, 50, at(50)).await.id;
    a.calls.mark_ended(ended, at(51), EndReason::Unjoined).await.unwrap();
    let own = inserted(b, 60, at(60)).await.id;
    assert_eq!(cluster(b).take_orphans(10).await.unwrap(), 1);
    cluster(a).leave().await.unwrap();
    assert_eq!(cluster(a).take_orphans(10).await.unwrap(), 0, "who is no node takes nothing");
    let taken = join_all((0..20).map(|turn| cluster(&nodes[1 + turn % 2]).take_orphans(5))).await;
    let mut total: u64 = taken.into_iter().map(Result::unwrap).sum();
    // Where one waits for another, it may find less than there is.
    while total < 40 {
        total += cluster(b).take_orphans(5).await.unwrap();
    }
    assert_eq!((total, cluster(c).take_orphans(5).await.unwrap()), (40, 0));
    let (b_has, c_has) = (cluster(b).own_calls().await.unwrap(), cluster(c).own_calls().await.unwrap());
    assert_eq!(b_has.len() + c_has.len(), 42);
    assert!(b_has.contains(&own) && !b_has.contains(&ended) && !c_has.contains(&ended));
    assert!(b_has.iter().all(|call| !c_has.contains(call)));
}

async fn an_account_gets_no_more_calls_than_it_may_have_from_all_nodes_at_once(nodes: &[Storage; 3]) {
    for node in nodes {
        register(node).await;
    }
    account(&nodes[0]).await;
    let terms = Terms { most_at_a_time: Some(3), ..Terms::default() };
    let admitted = join_all((0..12_u128).map(async |number| {
        let node = &nodes[usize::try_from(number % 3).unwrap()];
        let call = call(node, number, at(1)).await;
        (node, call.id, node.calls.insert_on(&call, &terms).await.unwrap())
    }))
    .await;
    let kept: Vec<_> = admitted.iter().filter(|(.., admission)| *admission == Admission::Kept).collect();
    assert_eq!(kept.len(), 3);
    assert!(admitted.iter().filter(|(.., admission)| *admission == Admission::Crowded).count() == 9);
    let (node, ended, _) = kept[0];
    assert!(node.calls.mark_ended(*ended, at(2), EndReason::Unjoined).await.unwrap());
    let next = call(&nodes[2], 20, at(3)).await;
    assert_eq!(nodes[2].calls.insert_on(&next, &terms).await.unwrap(), Admission::Kept);
}
