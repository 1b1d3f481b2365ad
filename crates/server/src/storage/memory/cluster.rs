//! Nodes that share a memory. The database's clock is that of the runtime, so that it may be a paused one.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon_api::CallId;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::{Addressee, Beat, ClusterStore, NodeId, Pending, Roll, StoredCall};
use super::{Contents, Memory};

/// The nodes there are, and what each does.
#[derive(Default)]
pub(super) struct Cluster {
    nodes: BTreeMap<NodeId, Node>,
    leases: BTreeMap<&'static str, NodeId>,
}

struct Node {
    seen: Instant,
    leaving: bool,
    letters: Vec<(Instant, String)>,
    mail: watch::Sender<()>,
}

impl ClusterStore for Memory {
    fn register(&self, node: NodeId) -> Pending<'_, ()> {
        self.at_once(|contents| {
            let (seen, mail) = (Instant::now(), self.mail.clone());
            contents.cluster.nodes.insert(node, Node { seen, leaving: false, letters: Vec::new(), mail });
            *self.node.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(node);
            Ok(())
        })
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Pending<'a, Option<Roll>> {
        self.at_once(|contents| {
            let cluster = &mut contents.cluster;
            let own = self.node();
            let Some((id, node)) = own.and_then(|id| Some((id, cluster.nodes.get_mut(&id)?))) else {
                return Ok(None);
            };
            (node.seen, node.leaving) = (Instant::now(), beat.leaving);
            for name in &beat.wanted {
                cluster.leases.entry(name).or_insert(id);
            }
            let others = cluster.nodes.iter().filter(|(other, _)| **other != id);
            let held = cluster.leases.iter().filter(|(_, holder)| **holder == id);
            Ok(Some(Roll {
                others: others.map(|(other, node)| (*other, node.leaving)).collect(),
                held: held.map(|(name, _)| (*name).to_owned()).collect(),
            }))
        })
    }

    fn release_leases(&self) -> Pending<'_, ()> {
        self.at_once(|contents| {
            let own = self.node();
            contents.cluster.leases.retain(|_, holder| Some(*holder) != own);
            Ok(())
        })
    }

    fn leave(&self) -> Pending<'_, ()> {
        self.at_once(|contents| {
            if let Some(own) = self.node() {
                contents.cluster.remove(own);
            }
            Ok(())
        })
    }

    fn judge(&self, silent: Duration) -> Pending<'_, Vec<NodeId>> {
        self.at_once(|contents| {
            let cluster = &mut contents.cluster;
            let late = cluster.nodes.iter().filter(|(_, node)| node.seen.elapsed() > silent);
            let lost: Vec<NodeId> = late.map(|(id, _)| *id).collect();
            lost.iter().for_each(|id| cluster.remove(*id));
            Ok(lost)
        })
    }

    fn take_orphans(&self, limit: u32) -> Pending<'_, u64> {
        self.at_once(|contents| {
            let Contents { cluster, calls, .. } = contents;
            let own = self.node().filter(|own| cluster.nodes.contains_key(own));
            let lives = |node: &Option<NodeId>| node.is_some_and(|node| cluster.nodes.contains_key(&node));
            let orphans = calls.values_mut().filter(|kept| kept.call.ended.is_none() && !lives(&kept.node));
            let mut orphans: Vec<_> = orphans.filter(|_| own.is_some()).collect();
            orphans.sort_by_key(|kept| (kept.call.created, kept.call.id));
            orphans.truncate(limit as usize);
            orphans.iter_mut().for_each(|kept| kept.node = own);
            Ok(orphans.len() as u64)
        })
    }

    fn own_calls(&self) -> Pending<'_, Vec<CallId>> {
        self.at_once(|contents| {
            let own = self.node();
            let calls = contents.calls.values();
            let own = calls.filter(|kept| kept.node == own && kept.call.ended.is_none());
            let mut own: Vec<_> = own.map(|kept| (kept.call.created, kept.call.id)).collect();
            own.sort();
            Ok(own.into_iter().map(|(_, id)| id).collect())
        })
    }

    fn find_owned(&self, call: CallId) -> Pending<'_, Option<(StoredCall, Option<NodeId>)>> {
        self.at_once(|contents| Ok(contents.calls.get(&call).map(|kept| (kept.call.clone(), kept.node))))
    }

    fn hand_over(&self, call: CallId, to: NodeId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let own = self.node();
            let there = contents.cluster.nodes.contains_key(&to);
            let kept = contents.calls.get_mut(&call).filter(|kept| {
                there && kept.node == own && kept.call.joined.is_none() && kept.call.ended.is_none()
            });
            Ok(kept.map(|kept| kept.node = Some(to)).is_some())
        })
    }

    fn send<'a>(&'a self, to: Addressee, letter: &'a str) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let own = self.node();
            let nodes = contents.cluster.nodes.iter_mut();
            let mut addressees = nodes.filter(|(id, _)| match to {
                Addressee::Node(node) => **id == node,
                Addressee::Others => Some(**id) != own,
            });
            let mut there = to == Addressee::Others;
            addressees.by_ref().for_each(|(_, node)| {
                there = true;
                node.letters.push((Instant::now(), letter.to_owned()));
                node.mail.send_replace(());
            });
            Ok(there)
        })
    }

    fn letters(&self) -> Pending<'_, Vec<(String, Duration)>> {
        self.at_once(|contents| {
            let own = self.node().and_then(|own| contents.cluster.nodes.get_mut(&own));
            let letters = own.map(|node| std::mem::take(&mut node.letters)).unwrap_or_default();
            Ok(letters.into_iter().map(|(sent, letter)| (letter, sent.elapsed())).collect())
        })
    }

    fn mail(&self) -> watch::Receiver<()> {
        self.mail.subscribe()
    }
}

impl Cluster {
    fn remove(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.leases.retain(|_, holder| *holder != node);
    }
}
