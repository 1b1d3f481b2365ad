//! What nodes ask each other about calls, and how an answer finds who waits for it.
//!
//! A question that is not answered in time was not heard, or comes too late: whoever hears it later does nothing about it, so that
//! nothing happens behind the back of somebody who was told that it did not. Owns the words and the waiting; what an answer is,
//! `elsewhere` knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antiphon_api::CallId;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

use super::super::handover::Handover;
use crate::storage::{Addressee, ClusterStore, NodeId, StorageError};
use crate::telemetry::metrics::Metrics;

/// How long an answer may take, from the question on.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// A letter between nodes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Letter {
    /// An answer to the question with this number.
    Answer { number: Uuid, answer: Answer },
    /// A call is deleted, and so is what lies of it in files.
    Forget { call: CallId },
    /// A question, which is answered by its number.
    Question { from: NodeId, number: Uuid, question: Question },
}

/// What a node wants of another one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Question {
    /// A call of the other node that waits for a join, which came here.
    HandOver { call: CallId },
    /// That a data message, as JSON, be told to a call of the other node.
    Tell { call: CallId, message: String },
}

/// What a node says to a question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// What becomes of the call.
    Handover(Handover),
    /// What became of the message.
    Told(Told),
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// The call has it.
    Done,
    /// The call is not active, or not there.
    NotActive,
    /// It makes no sense in the call, and why.
    Refused(String),
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// There is no such node any more.
    Gone,
    /// The node did not answer in time. Perhaps it is lost.
    Late,
    /// The store failed.
    Storage(StorageError),
}

/// The way to the other nodes.
pub(super) struct Post {
    pub(super) cluster: Arc<dyn ClusterStore>,
    metrics: Metrics,
    own: Mutex<Option<NodeId>>,
    /// Who waits for which answer.
    waiting: Mutex<HashMap<Uuid, oneshot::Sender<Answer>>>,
}

/// Waits for one answer, and for none when it is dropped.
struct Waiting<'p> {
    post: &'p Post,
    number: Uuid,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.post.waiting().remove(&self.number);
    }
}

impl Post {
    pub(super) fn new(cluster: Arc<dyn ClusterStore>, metrics: Metrics) -> Self {
        Self { cluster, metrics, own: Mutex::default(), waiting: Mutex::default() }
    }

    /// Makes this process a node, another one than it was.
    pub(super) async fn register(&self) -> Result<NodeId, StorageError> {
        let node = NodeId(Uuid::new_v4());
        self.cluster.register(node).await?;
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
        Ok(node)
    }

    /// Which node this is, once it is one.
    pub(super) fn own(&self) -> Option<NodeId> {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a node.
    pub(super) async fn ask(&self, node: NodeId, question: Question) -> Result<Answer, Unanswered> {
        let from = self.own().ok_or(Unanswered::Gone)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { post: self, number: Uuid::new_v4() };
        self.waiting().insert(waiting.number, answer);
        let letter = Letter::Question { from, number: waiting.number, question };
        let asking = async {
            match self.send(Addressee::Node(node), &letter).await {
                // The sender is dropped by this side only.
                Ok(true) => answered.await.map_err(|_| Unanswered::Late),
                Ok(false) => Err(Unanswered::Gone),
                Err(error) => Err(Unanswered::Storage(error)),
            }
        };
        timeout(ANSWERED_WITHIN, asking).await.unwrap_or(Err(Unanswered::Late))
    }

    /// Gives an answer to whoever waits for it, if somebody still does.
    pub(super) fn answered(&self, number: Uuid, answer: Answer) {
        let waiting = self.waiting().remove(&number);
        // It may have gone just now.
        let _ = waiting.map(|waiting| waiting.send(answer));
    }

    /// Sends a letter. False if there is no such node.
    pub(super) async fn send(&self, to: Addressee, letter: &Letter) -> Result<bool, StorageError> {
        self.metrics.letter(letter.name());
        let text = serde_json::to_string(letter).expect("a letter has string keys");
        self.cluster.send(to, &text).await
    }

    /// Held for look-ups only, never across an await.
    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letter {
    /// A word for whoever counts.
    const fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Forget { .. } => "forget",
            Self::Question { question: Question::HandOver { .. }, .. } => "hand_over",
            Self::Question { question: Question::Tell { .. }, .. } => "tell",
        }
    }
}
