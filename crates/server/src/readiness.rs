//! Which of the things that a task seldom hears of may have come. Each rings with a waker of its own, and only those that rang are
//! asked: nearly every time that a call is woken, a frame of audio is the reason, and what that is about rings for the task itself.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What a task waits for: eight things at most.
pub(crate) trait Source: Copy {
    /// How many there are.
    const COUNT: u8;

    /// Which it is, from 0 on.
    fn index(self) -> u8;
}

/// What one task waits for.
pub(crate) struct Readiness<S> {
    /// Those that may have something, and are asked.
    ready: u8,
    /// What wakes the task, as the bells have it.
    task: Option<Waker>,
    bells: Arc<Bells>,
    wakers: Box<[Waker]>,
    sources: PhantomData<S>,
}

#[derive(Debug, Default)]
struct Bells {
    /// Those that have rung since the task last looked.
    rung: AtomicU8,
    /// Wakes the task. It is another one only when the task is, and is not made anew for every time that it is woken.
    task: Mutex<Option<Waker>>,
}

#[derive(Debug)]
struct Bell {
    bit: u8,
    bells: Arc<Bells>,
}

impl Bells {
    /// Held for a single look; what it guards is whole whatever panicked meanwhile.
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bells.rung.fetch_or(self.bit, Ordering::AcqRel);
        if let Some(task) = &*self.bells.task() {
            task.wake_by_ref();
        }
    }
}

impl<S: Source> Readiness<S> {
    /// All may have something: none has been asked.
    pub(crate) fn new() -> Self {
        let bells = Arc::<Bells>::default();
        let bits = (0..S::COUNT).map(|index| 1 << index);
        let bell = |bit| Waker::from(Arc::new(Bell { bit, bells: Arc::clone(&bells) }));
        let wakers = bits.clone().map(bell).collect();
        Self { ready: bits.sum(), task: None, bells, wakers, sources: PhantomData }
    }

    /// Looks which have rung, and has the task woken by those that ring from now on. To be called before any is asked.
    pub(crate) fn look(&mut self, cx: &Context<'_>) {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
            self.bells.task().clone_from(&self.task);
        }
        self.ready |= self.bells.rung.swap(0, Ordering::AcqRel);
    }

    /// Asks a source, if it may have something: until it has nothing, and again when it has rung.
    pub(crate) fn ask<T>(&mut self, source: S, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let bit = 1 << source.index();
        if self.ready & bit == 0 {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(&self.wakers[usize::from(source.index())]));
        if polled.is_pending() {
            self.ready &= !bit;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Of {
        One,
        Other,
    }

    impl Source for Of {
        const COUNT: u8 = 2;

        fn index(self) -> u8 {
            self as u8
        }
    }

    /// Asks the queue as a task would that was just woken. Gives how often it was asked in earnest, and for what it had.
    async fn woken(readiness: &mut Readiness<Of>, queue: &mut mpsc::Receiver<u8>) -> (usize, Vec<u8>) {
        let (mut asked, mut found) = (0, Vec::new());
        std::future::poll_fn(|cx| {
            readiness.look(cx);
            while let Poll::Ready(Some(number)) = readiness.ask(Of::One, |cx| {
                asked += 1;
                queue.poll_recv(cx)
            }) {
                found.push(number);
            }
            Poll::Ready(())
        })
        .await;
        (asked, found)
    }

    #[tokio::test]
    async fn a_source_is_asked_until_it_has_nothing_and_again_when_it_has_rung() {
        let (mut readiness, (sender, mut queue)) = (Readiness::new(), mpsc::channel(4));
        assert_eq!(woken(&mut readiness, &mut queue).await, (1, vec![]));
        assert_eq!(woken(&mut readiness, &mut queue).await, (0, vec![]));
        sender.try_send(1).unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(woken(&mut readiness, &mut queue).await, (3, vec![1, 2]));
        assert_eq!(woken(&mut readiness, &mut queue).await, (0, vec![]));
    }

    #[tokio::test]
    async fn what_rings_wakes_the_task() {
        let (mut readiness, (sender, mut queue)) = (Readiness::new(), mpsc::channel(4));
        let task = async {
            std::future::poll_fn(|cx| {
                readiness.look(cx);
                readiness.ask(Of::Other, |cx| queue.poll_recv(cx))
            })
            .await
        };
        let (found, ()) = tokio::join!(task, async {
            tokio::task::yield_now().await;
            sender.try_send(7).unwrap();
        });
        assert_eq!(found, Some(7));
    }
}
