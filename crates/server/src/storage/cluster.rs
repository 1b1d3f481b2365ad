//! Several nodes with one database: which there are, whose call is whose, which job is done where, and what nodes tell each other.
//!
//! A node is one process from its start on. It says again and again that it lives; one that has not said so for a while is judged
//! lost by another one, and with it go its leases and the letters to it. Its calls are then nobody's, until a node takes them. All of
//! it goes by the database's clock, so that the clocks of the nodes do not matter. A store is its own node's view: what it writes of
//! calls it writes as their owner, and nothing of a call that is another node's.
//!
//! Knows nothing of what letters say and what jobs do.

use std::fmt;
use std::time::Duration;

use antiphon_api::CallId;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Pending, StoredCall};

/// A process that serves, by a random id that it has from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// It is stopping: others should do what can be done elsewhere.
    pub leaving: bool,
    /// The jobs that it would do, by name; none while it cannot or should not.
    pub wanted: Vec<&'static str>,
}

/// What a node hears then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roll {
    /// The other nodes, of which some may be lost already, and whether each is leaving.
    pub others: Vec<(NodeId, bool)>,
    /// The jobs that are this node's to do, wanted or not.
    pub held: Vec<String>,
}

/// For whom a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// This node.
    Node(NodeId),
    /// All nodes but the one that writes.
    Others,
}

/// Where a cluster is kept.
pub trait ClusterStore: Send + Sync {
    /// From here on this store is that node, which has just begun to live.
    fn register(&self, node: NodeId) -> Pending<'_, ()>;
    /// Says that the node lives, gives it those of the leases that it wants and no living node has, and tells what there is. None if
    /// the node was judged lost: what was its own is not any more, and it may register as another one.
    fn beat<'a>(&'a self, beat: &'a Beat) -> Pending<'a, Option<Roll>>;
    /// Gives all leases of the node back.
    fn release_leases(&self) -> Pending<'_, ()>;
    /// The node is no more, as if it had been judged lost.
    fn leave(&self) -> Pending<'_, ()>;
    /// Judges all nodes lost that have not said for so long that they live. Of several judges, one is told of each.
    fn judge(&self, silent: Duration) -> Pending<'_, Vec<NodeId>>;

    /// Makes calls of nodes that are no more, and have not ended, this node's own: oldest first, at most `limit`. How many they were.
    fn take_orphans(&self, limit: u32) -> Pending<'_, u64>;
    /// The calls that are this node's own and have not ended, oldest first.
    fn own_calls(&self) -> Pending<'_, Vec<CallId>>;
    /// A call, and whose it is.
    fn find_owned(&self, call: CallId) -> Pending<'_, Option<(StoredCall, Option<NodeId>)>>;
    /// Makes a call of this node another node's. False if it is not this node's, was joined or has ended, or if there is no such node.
    fn hand_over(&self, call: CallId, to: NodeId) -> Pending<'_, bool>;

    /// Sends a letter of any length. False if there is no such node.
    fn send<'a>(&'a self, to: Addressee, letter: &'a str) -> Pending<'a, bool>;
    /// The letters that came, in the order in which they were sent, each with how long it was on its way. Each is given once.
    fn letters(&self) -> Pending<'_, Vec<(String, Duration)>>;
    /// Changes when there may be letters.
    fn mail(&self) -> watch::Receiver<()>;
}
