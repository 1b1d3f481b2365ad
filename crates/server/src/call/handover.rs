//! How a call comes to go on at another node, and what it says when its own node is lost. Only calls that nobody has joined go
//! elsewhere: all there is of one is in the store.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::storage::NodeId;

/// The event of a joined call whose node was lost.
pub(super) const NODE_LOST: &str = "call.node_lost";

/// What becomes of another node's wish to have a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Handover {
    /// It is the other node's now.
    Done,
    /// Somebody is connected to it.
    InUse,
    /// Nobody may join it any more.
    Ended,
    /// It is not here: on its way elsewhere, or to its end. The store knows more in a moment.
    NotHere,
}

/// How a driver is done with a call.
#[derive(Debug)]
pub(super) enum Left {
    /// The call has ended.
    Ended,
    /// The call goes on elsewhere: at the node that asked for it and waits for an answer, if one did.
    LetGo(Option<(NodeId, oneshot::Sender<Handover>)>),
}
