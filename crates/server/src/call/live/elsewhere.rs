//! Calls that other nodes have: how one comes here when it is joined here, how something is told to one that stays, and what this
//! node answers when others want the same.
//!
//! A call is only ever served by the node that has it. One that waits for its join goes where the join comes: the node that has it
//! decides, in the order in which it hears of joins and of other nodes, so that exactly one wins. One that was joined stays; a second
//! join hears what it would hear there. A client that would come back to such a call after its connection was lost has to reach that
//! node: nodes do not know under which address, and so the client tries again until a load balancer leads it there.

use std::time::Duration;

use antiphon_api::CallId;
use antiphon_api::realtime::ClientMessage;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, warn};
use uuid::Uuid;

use super::super::handover::Handover;
use super::super::leg::{CarrierEnd, CloseCode};
use super::super::run::{Command, Join};
use super::correspondence::{ANSWERED_WITHIN, Answer, Letter, Post, Question, Told, Unanswered};
use super::taking_up::TakenUp;
use super::{Calls, Handle, NotActive, RequestError};
use crate::storage::{Addressee, NodeId};

/// How long a join waits for a call to come here: a node that is gone is judged lost within that time, and its waiting calls go on
/// elsewhere.
const COMES_WITHIN: Duration = Duration::from_secs(15);
/// How long until the store is asked again where a call is.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Questions of other nodes that are being answered. Of more, nobody hears, and whoever asks is told to try again.
const QUESTIONS: usize = 128;
/// How often is looked for letters of which nothing was heard.
const LOOK: Duration = Duration::from_secs(2);

/// What became of the wish to have a call here.
enum Fetched {
    /// It is here.
    Here,
    /// It is on its way, or its node does not answer.
    Later,
    /// It cannot be joined, and why.
    No(CloseCode),
}

impl Calls {
    /// Connects a client to a call.
    ///
    /// # Errors
    /// The code to close the client's connection with.
    pub async fn join(&self, call: CallId, join: Join) -> Result<CarrierEnd, CloseCode> {
        let until = Instant::now() + COMES_WITHIN;
        loop {
            if let Some(handle) = self.handle(call)
                && let Some(answer) = self.join_here(call, &handle, join.clone()).await
            {
                return answer;
            }
            match self.fetch(call).await {
                Fetched::Here => {}
                Fetched::Later if Instant::now() < until => sleep(ASK_AGAIN).await,
                Fetched::Later => return Err(CloseCode::NoCapacity),
                Fetched::No(code) => return Err(code),
            }
        }
    }

    /// Whether another node has a call, which only there takes a client back that it lost. False also where that cannot be found
    /// out. That it was joined may not be in the store yet; whoever comes back knows that it was.
    pub async fn is_at_another_node(&self, call: CallId) -> bool {
        let Some(post) = &self.0.post else { return false };
        if self.means().settings.rejoin_window.is_zero() || self.handle(call).is_some() {
            return false;
        }
        match post.cluster.find_owned(call).await {
            Ok(Some((stored, Some(owner)))) => stored.ended.is_none() && Some(owner) != post.own(),
            Ok(Some((_, None)) | None) => false,
            Err(error) => {
                debug!(%call, %error, "where a call is cannot be looked up");
                false
            }
        }
    }

    /// Connects a client to a call that is here; none if it left before it answered.
    async fn join_here(
        &self,
        call: CallId,
        handle: &Handle,
        join: Join,
    ) -> Option<Result<CarrierEnd, CloseCode>> {
        let (answer, answered) = oneshot::channel();
        handle.commands.send(Box::new(Command::Join(join, answer))).await.ok()?;
        let answer = answered.await.ok()?;
        if let (Ok(_), Some(handle)) = (&answer, self.live().get_mut(call)) {
            handle.joined = true;
        }
        Some(answer)
    }

    /// Has a call come here that is not.
    async fn fetch(&self, call: CallId) -> Fetched {
        let Some(post) = &self.0.post else { return Fetched::No(self.why_not_live(call).await) };
        let (stored, owner) = match post.cluster.find_owned(call).await {
            Ok(Some(found)) => found,
            Ok(None) => return Fetched::No(CloseCode::UnknownCall),
            Err(error) => {
                error!(%call, %error, "where a call is cannot be looked up; trying on");
                return Fetched::Later;
            }
        };
        let ours = owner.is_some() && owner == post.own();
        match (stored.ended, stored.joined, owner) {
            (Some(_), _, _) => Fetched::No(CloseCode::Ended),
            // It was here, and its end is being written.
            (None, Some(_), _) if ours => Fetched::No(CloseCode::Ended),
            (None, Some(_), _) => Fetched::No(CloseCode::InUse),
            (None, None, _) if ours => self.taken_up(call).await,
            // Its node was lost; one of those that are left takes it soon.
            (None, None, None) => Fetched::Later,
            (None, None, Some(owner)) => match self.make_ready_again(&stored).await {
                Ok(Ok(_)) => self.ask_for(post, call, owner).await,
                Ok(Err(why)) => {
                    error!(%call, %why, "a call that waits at another node cannot be served by this one");
                    Fetched::No(CloseCode::Internal)
                }
                Err(error) => {
                    error!(%call, %error, "what a call runs with cannot be looked up; trying on");
                    Fetched::Later
                }
            },
        }
    }

    async fn ask_for(&self, post: &Post, call: CallId, owner: NodeId) -> Fetched {
        match post.ask(owner, Question::HandOver { call }).await {
            Ok(Answer::Handover(Handover::Done)) => self.taken_up(call).await,
            Ok(Answer::Handover(Handover::InUse)) => Fetched::No(CloseCode::InUse),
            Ok(Answer::Handover(Handover::Ended)) => Fetched::No(CloseCode::Ended),
            Ok(Answer::Handover(Handover::NotHere)) | Err(Unanswered::Gone) => Fetched::Later,
            Ok(answer @ Answer::Told(_)) => {
                error!(%call, ?answer, "a node answered something else than was asked");
                Fetched::No(CloseCode::Internal)
            }
            Err(Unanswered::Late) => {
                warn!(%call, node = %owner, "the node of a call does not answer; trying on");
                Fetched::Later
            }
            Err(Unanswered::Storage(error)) => {
                error!(%call, %error, "the node of a call cannot be asked; trying on");
                Fetched::Later
            }
        }
    }

    async fn taken_up(&self, call: CallId) -> Fetched {
        match self.take_up(call).await {
            Ok(TakenUp::Here) => Fetched::Here,
            Ok(TakenUp::Elsewhere | TakenUp::Leaving) => Fetched::Later,
            Ok(TakenUp::Ended) => Fetched::No(CloseCode::Ended),
            Err(error) => {
                error!(%call, %error, "a call that is to be joined cannot be taken up; trying on");
                Fetched::Later
            }
        }
    }

    /// Sends a data message into a call that is not here.
    pub(super) async fn request_elsewhere(
        &self,
        call: CallId,
        message: &ClientMessage,
    ) -> Result<(), RequestError> {
        let post = self.0.post.as_ref().ok_or(NotActive)?;
        let found = post.cluster.find_owned(call).await?;
        let (stored, owner) = found.ok_or(NotActive)?;
        let owner = owner.filter(|owner| Some(*owner) != post.own() && stored.ended.is_none());
        let message = serde_json::to_string(message).expect("a message has string keys");
        let question = Question::Tell { call, message };
        match post.ask(owner.ok_or(NotActive)?, question).await {
            Ok(Answer::Told(Told::Done)) => Ok(()),
            Ok(Answer::Told(Told::NotActive) | Answer::Handover(_)) | Err(Unanswered::Gone) => {
                Err(NotActive.into())
            }
            Ok(Answer::Told(Told::Refused(why))) => Err(RequestError::Refused(why)),
            Err(Unanswered::Late) => Err(RequestError::Unanswered),
            Err(Unanswered::Storage(error)) => Err(error.into()),
        }
    }

    /// Has the other nodes delete what lies of a deleted call in their files. One that does not hear it keeps them until they are too
    /// old.
    pub(super) async fn forget_elsewhere(&self, call: CallId) {
        let Some(post) = &self.0.post else { return };
        if let Err(error) = post.send(Addressee::Others, &Letter::Forget { call }).await {
            warn!(%call, %error, "other nodes do not hear that a call is deleted; its files there stay");
        }
    }

    /// Answers what other nodes ask until it is dropped. Nothing, where there are none.
    pub(crate) async fn correspond(&self) {
        let Some(post) = &self.0.post else { return };
        let mut mail = post.cluster.mail();
        let mut answering = JoinSet::new();
        loop {
            mail.borrow_and_update();
            match post.cluster.letters().await {
                Ok(letters) => {
                    for (letter, age) in letters {
                        self.read(post, &letter, age, &mut answering);
                    }
                }
                Err(error) => debug!(%error, "letters of other nodes cannot be looked for; trying on"),
            }
            tokio::select! {
                // The sender is the store's own.
                _ = mail.changed() => {}
                () = sleep(LOOK) => {}
            }
            while answering.try_join_next().is_some() {}
        }
    }

    fn read(&self, post: &Post, letter: &str, age: Duration, answering: &mut JoinSet<()>) {
        let calls = self.clone();
        match serde_json::from_str(letter) {
            Ok(Letter::Answer { number, answer }) => post.answered(number, answer),
            Ok(Letter::Forget { call }) => {
                answering.spawn(async move { calls.forget_files(call).await });
            }
            Ok(Letter::Question { .. }) if age > ANSWERED_WITHIN => {
                debug!(?age, "a question of another node came too late");
            }
            Ok(Letter::Question { from, .. }) if answering.len() >= QUESTIONS => {
                warn!(node = %from, "too many questions of other nodes at a time; this one is not answered");
            }
            Ok(Letter::Question { from, number, question }) => {
                answering.spawn(async move { calls.answer(from, number, question).await });
            }
            // Of a newer version, whose node goes by the lack of an answer.
            Err(error) => warn!(%error, "a letter of another node cannot be read"),
        }
    }

    async fn answer(&self, from: NodeId, number: Uuid, question: Question) {
        let Some(post) = &self.0.post else { return };
        let answer = match question {
            Question::HandOver { call } => Answer::Handover(self.let_go(call, from).await),
            Question::Tell { call, message } => Answer::Told(self.tell(call, &message).await),
        };
        if let Err(error) = post.send(Addressee::Node(from), &Letter::Answer { number, answer }).await {
            warn!(node = %from, %error, "another node cannot be answered");
        }
    }

    async fn let_go(&self, call: CallId, to: NodeId) -> Handover {
        let Some(handle) = self.handle(call) else { return Handover::NotHere };
        let (answer, answered) = oneshot::channel();
        if handle.commands.send(Box::new(Command::LetGo(to, answer))).await.is_err() {
            return Handover::NotHere;
        }
        answered.await.unwrap_or(Handover::NotHere)
    }

    async fn tell(&self, call: CallId, message: &str) -> Told {
        let Some(handle) = self.handle(call) else { return Told::NotActive };
        let message = match ClientMessage::parse(message) {
            Ok(message) => message.value,
            Err(invalid) => return Told::Refused(invalid.to_string()),
        };
        match self.request_here(call, &handle, message).await {
            Ok(()) => Told::Done,
            Err(RequestError::Refused(why)) => Told::Refused(why),
            Err(RequestError::NotActive(_) | RequestError::Unanswered | RequestError::Storage(_)) => {
                Told::NotActive
            }
        }
    }
}
