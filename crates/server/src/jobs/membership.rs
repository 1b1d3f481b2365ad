//! Makes this process a node among others: says that it lives, judges those that do not, and takes over what they leave.
//!
//! A node judges others only when it has reached the store for as long as a node may be silent: after a failure of the store everybody
//! has that time to report. A node that was itself judged lost ends what it has and goes on as another one. What the calls of a node
//! come to is theirs to know; which jobs there are, `app`'s.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, RwLock, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::lease::{Held, Leases};
use crate::call::Calls;
use crate::config;
use crate::storage::{Beat, ClusterStore, Roll, StorageError};

/// How often is looked for calls that are this node's by the store and that it does not have.
const STRAYS: Duration = Duration::from_secs(60);
/// How long a node that stops tries to say so.
const FAREWELL: Duration = Duration::from_secs(2);

/// A node of a cluster.
pub struct Membership {
    calls: Calls,
    cluster: Arc<dyn ClusterStore>,
    settings: config::Cluster,
    jobs: Vec<&'static str>,
    held: watch::Sender<Held>,
    working: Arc<RwLock<()>>,
    leaving: CancellationToken,
    /// Rung when calls of lost nodes may be looked for.
    bell: Notify,
}

/// What a node knows of its own standing.
struct Standing {
    /// Since when the store was reached each time.
    steady: Option<Instant>,
    /// When it was reached last.
    heard: Instant,
    /// Whether there are others who can do what this one does.
    replaceable: bool,
}

impl Membership {
    /// Of these calls, doing these jobs when it has their leases. Once `leaving` is cancelled, it takes on nothing new.
    #[must_use]
    pub fn new(
        calls: Calls,
        cluster: Arc<dyn ClusterStore>,
        settings: config::Cluster,
        jobs: Vec<&'static str>,
        leaving: CancellationToken,
    ) -> Self {
        let held = watch::Sender::new(Held { names: Vec::new(), until: Instant::now() });
        Self { calls, cluster, settings, jobs, held, working: Arc::default(), leaving, bell: Notify::new() }
    }

    /// The leases that this node holds.
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::shared(self.held.subscribe(), Arc::clone(&self.working))
    }

    /// Becomes a node.
    ///
    /// # Errors
    /// The store failed.
    pub async fn register(&self) -> Result<(), StorageError> {
        if let Some(node) = self.calls.register().await? {
            info!(%node, "this process is a node");
        }
        Ok(())
    }

    /// Is a node until it is dropped, once it is registered.
    pub async fn run(&self) {
        tokio::join!(self.live(), self.take_over(), self.calls.correspond());
    }

    /// Is a node no more. What it has not finished, others do.
    pub async fn leave(&self) {
        match timeout(FAREWELL, self.cluster.leave()).await {
            Ok(Ok(())) => info!("this process is no node any more"),
            Ok(Err(error)) => warn!(%error, "it cannot be said that this node stops; the others find out"),
            Err(_) => warn!("it cannot be said in time that this node stops; the others find out"),
        }
    }

    async fn live(&self) {
        let mut standing = Standing { steady: None, heard: Instant::now(), replaceable: false };
        let mut told = false;
        loop {
            let begin = Instant::now();
            match timeout(self.settings.heartbeat, self.beat(&mut standing)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    standing.steady = None;
                    error!(%error, "the store of the cluster cannot be reached; trying on");
                }
                Err(_) => {
                    standing.steady = None;
                    error!("the store of the cluster does not answer; trying on");
                }
            }
            tokio::select! {
                () = sleep_until(begin + self.settings.heartbeat) => {}
                // At once, so that others take the jobs; then as ever.
                () = self.leaving.cancelled(), if !told => told = true,
            }
        }
    }

    /// Says that the node lives, judges others if it may, and publishes what is its to do.
    async fn beat(&self, standing: &mut Standing) -> Result<(), StorageError> {
        let begin = Instant::now();
        let Some(mut roll) = self.say(standing).await? else {
            standing.steady = None;
            self.held.send_modify(|held| held.names.clear());
            self.calls.disown_all().await;
            return self.register().await;
        };
        if standing.heard + 2 * self.settings.heartbeat < begin {
            standing.steady = None;
        }
        standing.heard = begin;
        let since = *standing.steady.get_or_insert(begin);
        if since.elapsed() >= self.settings.lost_after {
            let lost = self.cluster.judge(self.settings.lost_after).await?;
            for node in &lost {
                warn!(%node, "a node has not been heard of for too long and counts as lost");
            }
            self.calls.metrics().nodes_lost(lost.len());
            self.bell.notify_one();
            // Their jobs at once, and not with the next beat.
            if !lost.is_empty()
                && let Some(again) = self.say(standing).await?
            {
                roll = again;
            }
        }
        self.publish(&roll, standing, begin).await
    }

    async fn say(&self, standing: &mut Standing) -> Result<Option<Roll>, StorageError> {
        let leaving = self.leaving.is_cancelled();
        let wanted = if leaving && standing.replaceable { Vec::new() } else { self.jobs.clone() };
        let roll = self.cluster.beat(&Beat { leaving, wanted }).await?;
        standing.replaceable = roll.iter().any(|roll| roll.others.iter().any(|(_, leaving)| !leaving));
        Ok(roll)
    }

    async fn publish(&self, roll: &Roll, standing: &Standing, begin: Instant) -> Result<(), StorageError> {
        let gives_up = self.leaving.is_cancelled() && standing.replaceable;
        let names = if gives_up { Vec::new() } else { roll.held.clone() };
        self.calls.metrics().cluster(roll.others.len() + 1, names.len());
        // Half of the time that others wait, so that there is as much left to end a job.
        self.held.send_replace(Held { names, until: begin + self.settings.lost_after / 2 });
        // Not before all of them have ended.
        if gives_up && !roll.held.is_empty() && self.working.try_write().is_ok() {
            self.cluster.release_leases().await?;
        }
        Ok(())
    }

    /// Takes over the calls of lost nodes, beside the beats, which must not wait for that.
    async fn take_over(&self) {
        let mut strays = Instant::now() + STRAYS;
        loop {
            self.bell.notified().await;
            match self.calls.take_orphans().await {
                Ok(0) => {}
                Ok(taken) => warn!(calls = taken, "took over calls of lost nodes"),
                Err(error) => {
                    // Some may be this node's by now.
                    strays = Instant::now();
                    error!(%error, "what lost nodes left cannot be taken over; trying on");
                }
            }
            if strays <= Instant::now() {
                match self.calls.take_up_strays().await {
                    Ok(()) => strays = Instant::now() + STRAYS,
                    Err(error) => error!(%error, "calls that are nowhere cannot be looked for; trying on"),
                }
            }
        }
    }
}
