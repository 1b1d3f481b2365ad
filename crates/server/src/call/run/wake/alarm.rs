//! One timer for all that a call has to do at a time. It follows what is due next, which every frame puts off a little: a timer that
//! is moved back costs next to nothing, and one that rings too early wakes the call for nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The timer of one call.
pub(in super::super) struct Alarm {
    rings: Pin<Box<Sleep>>,
    /// When it rings; `None` when it has rung.
    at: Option<Instant>,
}

impl Alarm {
    pub(in super::super) fn new() -> Self {
        Self { rings: Box::pin(sleep(Duration::ZERO)), at: None }
    }

    /// Ready when it is that late.
    pub(in super::super) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.at != Some(at) {
            self.rings.as_mut().reset(at);
            self.at = Some(at);
        }
        ready!(self.rings.as_mut().poll(cx));
        self.at = None;
        Poll::Ready(())
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
