//! One timer for all that a call has to do at a time. It runs for every frame, so it is moved only to the front: what is put off,
//! as most of it is by every frame, is noticed when it rings too early.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The timer of one call.
pub(in super::super) struct Alarm {
    rings: Pin<Box<Sleep>>,
    /// It has rung since it was set.
    rung: bool,
}

impl Alarm {
    pub(in super::super) fn new() -> Self {
        Self { rings: Box::pin(sleep(Duration::ZERO)), rung: true }
    }

    /// Whether it has to be set, so as to ring by then.
    pub(in super::super) fn is_too_late_for(&self, at: Instant) -> bool {
        self.rung || self.rings.deadline() > at
    }

    /// Ready when it is that late.
    pub(in super::super) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.is_too_late_for(at) {
                self.rings.as_mut().reset(at);
                self.rung = false;
            }
            ready!(self.rings.as_mut().poll(cx));
            self.rung = true;
            if self.rings.deadline() >= at {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Asks whether it is that late.
    async fn glance(alarm: &mut Alarm, at: Instant) -> bool {
        poll_fn(|cx| Poll::Ready(alarm.poll(at, cx).is_ready())).await
    }

    async fn wait(alarm: &mut Alarm, at: Instant) {
        poll_fn(|cx| alarm.poll(at, cx)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_rings_when_it_is_due() {
        let (start, mut alarm) = (Instant::now(), Alarm::new());
        assert!(!glance(&mut alarm, start + SECOND).await);
        wait(&mut alarm, start + 3 * SECOND).await;
        assert_eq!(start.elapsed(), 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_earlier_rings_earlier() {
        let (start, mut alarm) = (Instant::now(), Alarm::new());
        assert!(!glance(&mut alarm, start + 3 * SECOND).await);
        wait(&mut alarm, start + SECOND).await;
        assert_eq!(start.elapsed(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_already_rings_at_once_and_once_only() {
        let (start, mut alarm) = (Instant::now(), Alarm::new());
        assert!(glance(&mut alarm, start).await);
        assert!(!glance(&mut alarm, start + SECOND).await);
        wait(&mut alarm, start + SECOND).await;
        wait(&mut alarm, start + 2 * SECOND).await;
        assert_eq!(start.elapsed(), 2 * SECOND);
    }
}
