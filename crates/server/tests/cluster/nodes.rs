//! Nodes that share a memory, each with a line that can be cut.

use std::sync::Arc;
use std::time::Duration;

use antiphon_server::call::live::Files;
use antiphon_server::config;
use antiphon_server::jobs::lease::Leases;
use antiphon_server::jobs::membership::Membership;
use antiphon_server::storage::{Line, SharedMemory, Storage};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::stand::{Stand, backends};

/// The job of the nodes, beside calls.
pub(crate) const JOB: &str = "job";

pub(crate) struct Node {
    pub(crate) stand: Stand,
    pub(crate) line: Line,
    pub(crate) leases: Leases,
    leaving: CancellationToken,
    membership: Arc<Membership>,
    living: JoinHandle<()>,
}

/// So many nodes that know each other.
pub(crate) async fn nodes<const COUNT: usize>() -> [Node; COUNT] {
    let shared = SharedMemory::default();
    let mut nodes = Vec::new();
    for _ in 0..COUNT {
        nodes.push(Node::start(&shared).await);
    }
    // Until each may judge others.
    sleep(Duration::from_secs(15)).await;
    nodes.try_into().unwrap_or_else(|_| unreachable!("there are so many"))
}

impl Node {
    pub(crate) async fn start(shared: &SharedMemory) -> Self {
        let (storage, line) = Storage::in_shared_memory(shared);
        let settings = config::Calls { rejoin_window: Duration::from_secs(30), ..config::Calls::default() };
        let stand = Stand::with_settings(settings, backends(), Files::default(), storage.clone());
        let leaving = CancellationToken::new();
        let (calls, cluster) = (stand.calls.clone(), storage.cluster.unwrap());
        let settings = config::Cluster::default();
        let membership = Arc::new(Membership::new(calls, cluster, settings, vec![JOB], leaving.clone()));
        membership.register().await.unwrap();
        let leases = membership.leases();
        let living = tokio::spawn({
            let membership = Arc::clone(&membership);
            async move { membership.run().await }
        });
        Self { stand, line, leases, leaving, membership, living }
    }

    /// Takes on nothing new.
    pub(crate) fn begin_to_leave(&self) {
        self.leaving.cancel();
    }

    /// Is no node any more, as one that has stopped.
    pub(crate) async fn leave(&self) {
        self.living.abort();
        self.membership.leave().await;
    }

    /// The end of a call in the store, seen from this node.
    pub(crate) fn is_live(&self, call: antiphon_api::CallId) -> bool {
        self.stand.calls.is_live(call)
    }
}
