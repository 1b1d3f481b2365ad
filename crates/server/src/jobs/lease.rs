//! Jobs that are done once in a cluster: each runs at the node that holds its lease, and nowhere else.
//!
//! A lease is good for a while from the node's last word to the store on; `membership` renews it. A node that loses one stops the job
//! and has time to end it properly before another node may begin. Alone, a node holds all of them for ever.

use std::sync::Arc;

use tokio::sync::{RwLock, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The leases that the node holds.
#[derive(Debug, Clone, Default)]
pub struct Leases(Option<Shared>);

#[derive(Debug, Clone)]
struct Shared {
    held: watch::Receiver<Held>,
    /// Read while a job runs, so that whoever gives leases back knows that none does.
    working: Arc<RwLock<()>>,
}

/// What is held, and until when.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) names: Vec<String>,
    pub(super) until: Instant,
}

impl Held {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|held| held == name) && Instant::now() < self.until
    }
}

impl Leases {
    /// All leases, for ever: there are no other nodes.
    #[must_use]
    pub fn of_one_node() -> Self {
        Self(None)
    }

    pub(super) fn shared(held: watch::Receiver<Held>, working: Arc<RwLock<()>>) -> Self {
        Self(Some(Shared { held, working }))
    }

    /// Runs a job while this node holds its lease, again and again until `stop`. The job is told when it is to end, and ends by itself.
    pub async fn run<Job>(
        self,
        name: &'static str,
        stop: CancellationToken,
        job: impl Fn(CancellationToken) -> Job,
    ) where
        Job: Future<Output = ()>,
    {
        let Some(Shared { mut held, working }) = self.0 else { return job(stop).await };
        while stop.run_until_cancelled(gained(&mut held, name)).await.is_some() {
            info!(name, "this node does what is to be done once for all nodes");
            let _working = working.read().await;
            let ending = stop.child_token();
            let mut running = std::pin::pin!(job(ending.clone()));
            tokio::select! {
                () = &mut running => {}
                () = lost(&mut held, name) => {
                    info!(name, "another node does what is to be done once for all nodes");
                    ending.cancel();
                    running.await;
                }
            }
        }
    }

    /// The same for a job that is just dropped when it is to end.
    pub async fn run_and_drop<Job>(self, name: &'static str, stop: CancellationToken, job: impl Fn() -> Job)
    where
        Job: Future<Output = ()>,
    {
        self.run(name, stop, |ending| {
            let job = job();
            async move {
                // Nothing has to be said of what was under way.
                let _ = ending.run_until_cancelled(job).await;
            }
        })
        .await;
    }
}

async fn gained(held: &mut watch::Receiver<Held>, name: &str) {
    // Without a sender nothing is gained any more.
    if held.wait_for(|held| held.has(name)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn lost(held: &mut watch::Receiver<Held>, name: &str) {
    loop {
        let until = {
            let held = held.borrow_and_update();
            if !held.has(name) {
                return;
            }
            held.until
        };
        tokio::select! {
            changed = held.changed() => if changed.is_err() { return },
            () = sleep_until(until) => {}
        }
    }
}
