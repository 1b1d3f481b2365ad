//! Calls that go on at a process in which they did not begin: after a restart, after their node was lost, and where they are joined.
//!
//! Nobody has joined the ones that can go on, and all there is of them is in the store. The others have lost their participants with
//! the process that they were in, and come to their end.

use std::time::Duration;

use antiphon_api::{CallId, Timestamp};
use antiphon_engine::output::EndReason;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::super::handover::{Handover, NODE_LOST};
use super::super::run::Command;
use super::super::setup::{Setup, SetupError};
use super::{Calls, Handle};
use crate::storage::{AccountId, Attempt, NodeId, Severity, StorageError, StoredCall, StoredEvent};

/// Calls of lost nodes that are taken in one go, so that many nodes share many of them.
const ORPHANS: u32 = 64;
/// How many of them are looked after at a time.
const AT_ONCE: usize = 16;
/// How long to wait after a failure of the store.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What becomes of a call that is to go on here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenUp {
    /// It is not this node's.
    Elsewhere,
    /// It has ended.
    Ended,
    /// It is here.
    Here,
    /// Something of it is still being written here.
    Leaving,
}

/// A place among the live calls, given back unless the call starts.
struct Place<'c> {
    calls: &'c Calls,
    call: CallId,
    taken: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.calls.live().remove(self.call);
        }
    }
}

impl Calls {
    /// Takes up what a process that is gone left behind: calls that may still be joined go on waiting, the others get their
    /// end. Where other nodes share the store, calls that are not here are theirs, and this does nothing.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recover(&self) -> Result<(), StorageError> {
        if self.0.post.is_some() {
            return Ok(());
        }
        for call in self.0.storage.calls.unfinished().await? {
            let Some((place, commands)) = self.place(call.id, call.account) else { continue };
            self.go_on(&call, place, commands, "the server stopped").await?;
        }
        Ok(())
    }

    /// Makes this process a node, another one than it was.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn register(&self) -> Result<Option<NodeId>, StorageError> {
        match &self.0.post {
            Some(post) => post.register().await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes calls whose nodes are no more, and takes up whatever is this node's and not here. How many they were.
    ///
    /// # Errors
    /// The store failed. What is this node's by then is taken up the next time.
    pub(crate) async fn take_orphans(&self) -> Result<u64, StorageError> {
        let Some(post) = &self.0.post else { return Ok(0) };
        let mut taken = 0;
        loop {
            let more = post.cluster.take_orphans(ORPHANS).await?;
            if more > 0 {
                self.take_up_strays().await?;
            }
            taken += more;
            if more < u64::from(ORPHANS) {
                return Ok(taken);
            }
        }
    }

    /// Takes up the calls that are this node's by the store and of which nothing is here: what the store did without being able to say
    /// so, when it failed.
    pub(crate) async fn take_up_strays(&self) -> Result<(), StorageError> {
        let Some(post) = &self.0.post else { return Ok(()) };
        let calls = post.cluster.own_calls().await?;
        let strays = calls.into_iter().filter(|call| !self.is_live(*call) && !self.is_leaving(*call));
        stream::iter(strays.map(Ok))
            .try_for_each_concurrent(AT_ONCE, |call| self.take_up(call).map_ok(|_| ()))
            .await
    }

    /// Lets go of all calls: the other nodes took this one for lost, and its calls for theirs.
    pub(crate) async fn disown_all(&self) {
        let handles: Vec<Handle> = self.live().all().cloned().collect();
        warn!(
            calls = handles.len(),
            "other nodes took this one for lost; its calls end, and it goes on as another one"
        );
        // One that has gone meanwhile hears nothing.
        join_all(handles.iter().map(|handle| handle.commands.send(Box::new(Command::Disown)))).await;
    }

    /// Takes up a call that is this node's, if it is.
    pub(super) async fn take_up(&self, call: CallId) -> Result<TakenUp, StorageError> {
        let Some(post) = &self.0.post else { return Ok(TakenUp::Elsewhere) };
        let Some((known, _)) = post.cluster.find_owned(call).await? else { return Ok(TakenUp::Elsewhere) };
        if self.is_leaving(call) {
            return Ok(if self.is_live(call) { TakenUp::Here } else { TakenUp::Leaving });
        }
        let Some((place, commands)) = self.place(call, known.account) else { return Ok(TakenUp::Here) };
        // Only now, since whoever had this place before may have changed it: as long as it is ours, nobody else does.
        let Some((known, owner)) = post.cluster.find_owned(call).await? else {
            return Ok(TakenUp::Elsewhere);
        };
        if owner != post.own() {
            return Ok(TakenUp::Elsewhere);
        }
        if known.ended.is_some() {
            return Ok(TakenUp::Ended);
        }
        self.go_on(&known, place, commands, "its node was lost").await
    }

    /// Gives a call that nobody has joined, and of which nothing is here any more, to the node that asked for it.
    pub(super) async fn hand_over(&self, call: CallId, to: NodeId) -> Handover {
        let Some(post) = &self.0.post else { return Handover::NotHere };
        // The other node may begin a file of the same name.
        self.forget(call).await;
        loop {
            match post.cluster.hand_over(call, to).await {
                Ok(true) => {
                    info!(node = %to, "the call goes on at the node where it is joined");
                    return Handover::Done;
                }
                Ok(false) => return Handover::NotHere,
                // It may be done nevertheless: until that is known, the call is nobody's to serve.
                Err(error) => {
                    error!(%error, "a call cannot be handed over; trying on");
                    sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Takes a place among the live calls, whether there is room or not, unless the call has one.
    fn place(&self, call: CallId, account: AccountId) -> Option<(Place<'_>, mpsc::Receiver<Box<Command>>)> {
        let commands = self.enter(call, account)?;
        Some((Place { calls: self, call, taken: false }, commands))
    }

    /// Has a call wait for its join, as old as it is, or ends it if it cannot.
    async fn go_on(
        &self,
        call: &StoredCall,
        mut place: Place<'_>,
        commands: mpsc::Receiver<Box<Command>>,
        cut_off: &str,
    ) -> Result<TakenUp, StorageError> {
        let now = Timestamp::from(jiff::Timestamp::now());
        let why = match self.make_ready_again(call).await? {
            Ok(setup) if call.joined.is_none() => {
                let age = now.unix_micros().saturating_sub(call.created.unix_micros());
                let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
                place.taken = true;
                self.start(call, setup, commands, age);
                return Ok(TakenUp::Here);
            }
            Ok(_) => format!("the call was cut off: {cut_off}"),
            Err(why) => format!("the call cannot go on here: {why}"),
        };
        warn!(call = %call.id, why, "a call ends that was cut off");
        let event = StoredEvent {
            stage: None,
            at: now,
            severity: Severity::Error,
            kind: NODE_LOST.to_owned(),
            text: why,
            extras: None,
        };
        self.0.storage.calls.append_events(call.id, &[event], Attempt::First).await?;
        self.0.storage.calls.mark_ended(call.id, now, EndReason::SystemError).await?;
        Ok(TakenUp::Ended)
    }

    /// What a call that was created elsewhere or before runs with here. What there was to remark on its request was told then.
    pub(super) async fn make_ready_again(
        &self,
        call: &StoredCall,
    ) -> Result<Result<Setup, SetupError>, StorageError> {
        let own_voice = self.means().own_voice(&self.0.storage, call.account, &call.request).await?;
        let prepared = self.prepare(&call.request, call.greeting_prompt, own_voice);
        Ok(prepared.map(|setup| Setup { remarks: Vec::new(), ..setup }))
    }

    /// What becomes of a call that left without having ended.
    pub(super) fn left(
        &self,
        call: CallId,
        asked: Option<(NodeId, oneshot::Sender<Handover>)>,
    ) -> BoxFuture<'_, ()> {
        async move {
            let handover = match &asked {
                Some((to, _)) => self.hand_over(call, *to).await,
                None => Handover::NotHere,
            };
            self.leaving().remove(&call);
            let Some((_, answer)) = asked else { return };
            if handover == Handover::NotHere
                && let Err(error) = self.take_up(call).await
            {
                // It is looked for again.
                error!(%error, "a call that was not handed over cannot be taken up again");
            }
            // Whoever asked may have gone.
            let _ = answer.send(handover);
        }
        .boxed()
    }
}
