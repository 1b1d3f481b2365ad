//! What is to be done once is done by one node at a time; and what an account may have, it may have on all nodes together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_api::rest::calls::StartCallRequest;
use antiphon_server::call::AccountLimits;
use antiphon_server::call::limits::{CallLimits, TooManyCalls};
use antiphon_server::call::{Calls, CreateError, CreateOptions};
use antiphon_server::config::{self, Limits};
use antiphon_server::storage::{AccountId, SharedMemory, Storage};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::nodes::{JOB, Node, nodes};
use crate::stand::backends;

/// How long a job takes to end that was told to.
const ENDING: Duration = Duration::from_secs(4);

/// Who works, and who has begun to, and when.
#[derive(Default)]
struct Work {
    working: Vec<usize>,
    most: usize,
    begun: Vec<(usize, Instant)>,
}

/// Has every node work when it is its turn.
fn work(nodes: &[Node]) -> Arc<Mutex<Work>> {
    let work = Arc::new(Mutex::new(Work::default()));
    for (number, node) in nodes.iter().enumerate() {
        let shared = Arc::clone(&work);
        let job = move |stop: CancellationToken| {
            let shared = Arc::clone(&shared);
            async move {
                {
                    let mut work = shared.lock().unwrap();
                    work.working.push(number);
                    work.most = work.most.max(work.working.len());
                    work.begun.push((number, Instant::now()));
                }
                stop.cancelled().await;
                sleep(ENDING).await;
                shared.lock().unwrap().working.retain(|other| *other != number);
            }
        };
        tokio::spawn(node.leases.clone().run(JOB, CancellationToken::new(), job));
    }
    work
}

async fn worker(work: &Mutex<Work>) -> usize {
    loop {
        if let [worker] = work.lock().unwrap().working[..] {
            return worker;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_at_another_node_when_its_own_is_lost_and_never_at_two() {
    let nodes = nodes::<3>().await;
    let work = work(&nodes);
    let first = worker(&work).await;
    // A word that comes late changes nothing.
    nodes[first].line.cut();
    sleep(Duration::from_secs(2)).await;
    nodes[first].line.mend();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(work.lock().unwrap().begun.len(), 1);

    let cut = Instant::now();
    nodes[first].line.cut();
    sleep(Duration::from_secs(15)).await;
    let second = worker(&work).await;
    assert_ne!(first, second);
    let begun = work.lock().unwrap().begun[1].1;
    assert!(begun - cut < Duration::from_secs(13), "{:?}", begun - cut);
    nodes[first].line.mend();
    sleep(Duration::from_secs(30)).await;
    let work = work.lock().unwrap();
    assert_eq!((work.most, work.begun.len()), (1, 2), "who comes back does not take it back");
}

#[tokio::test(start_paused = true)]
async fn a_job_rests_while_the_database_is_away_and_goes_on_where_it_was() {
    let nodes = nodes::<2>().await;
    let work = work(&nodes);
    let first = worker(&work).await;
    nodes.iter().for_each(|node| node.line.cut());
    sleep(Duration::from_secs(12)).await;
    assert!(work.lock().unwrap().working.is_empty());
    sleep(Duration::from_secs(60)).await;
    nodes.iter().for_each(|node| node.line.mend());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(worker(&work).await, first);
    assert_eq!(work.lock().unwrap().most, 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_gives_its_jobs_to_one_that_stays_and_keeps_them_if_none_does() {
    let nodes = nodes::<2>().await;
    let work = work(&nodes);
    let first = worker(&work).await;
    let began = Instant::now();
    nodes[first].begin_to_leave();
    sleep(Duration::from_secs(12)).await;
    let second = worker(&work).await;
    assert_ne!(first, second);
    let took = work.lock().unwrap().begun[1].1 - began;
    assert!(took < ENDING + Duration::from_secs(6), "{took:?}");
    nodes[second].begin_to_leave();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(worker(&work).await, second);
    assert_eq!(work.lock().unwrap().most, 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_account_may_have_at_a_time_it_may_have_on_all_nodes_together() {
    let shared = SharedMemory::default();
    let limits = Limits { concurrent_calls: 3, ..Limits::default() };
    let nodes = [(); 2].map(|()| {
        let (storage, _) = Storage::in_shared_memory(&shared);
        let (settings, turns) = (config::Calls::default(), config::TurnTaking::default());
        Calls::new(settings, turns, Arc::new(backends()), storage)
            .limited(CallLimits::new(AccountLimits::new(limits, Default::default())))
    });
    let account = AccountId(Uuid::from_u128(1));
    let create = async |node: usize| {
        nodes[node].create(account, StartCallRequest::default(), CreateOptions::default()).await
    };
    for node in [0, 1, 1] {
        create(node).await.unwrap();
    }
    for node in [0, 1] {
        let refused = create(node).await;
        assert!(matches!(refused, Err(CreateError::Limited(TooManyCalls::AtATime(3)))), "{refused:?}");
    }
    // Nobody joins, and there is room again.
    sleep(Duration::from_secs(40)).await;
    create(0).await.unwrap();
}
