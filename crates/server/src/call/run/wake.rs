//! What the driver is woken by: whoever rings is asked, in an order in which a hang-up wins over everything else; and what is done
//! when something is due.

mod alarm;

use std::task::Poll;

use antiphon_engine::Input;
use antiphon_engine::input::LegClosed;
use antiphon_engine::output::Severity;
use tokio::time::Instant;

use super::super::data_connection::News;
use super::super::ear::Ear;
use super::super::leg::LegEvent;
use super::super::work::WorkResult;
use super::{Command, Driver, call_time};
use crate::readiness;

pub(super) use alarm::Alarm;

/// What the driver asks only when it has rung: it seldom has anything. Who speaks and what time it is are asked whenever the driver
/// wakes, since that is what wakes it nearly every time, and ring for the whole task.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Commands,
    Work,
}

impl readiness::Source for Source {
    const COUNT: u8 = 2;

    fn index(self) -> u8 {
        self as u8
    }
}

/// What woke the driver.
pub(super) enum Wake {
    Command(Option<Box<Command>>),
    Leg(LegEvent),
    /// Something from the data connection.
    Data(News),
    Work(WorkResult),
    /// Something is due.
    Due(Due),
}

/// What may be due.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// The engine's deadline.
    Engine,
    /// A client that was lost has not come back in time.
    Away,
    /// Audio stopped coming.
    Ear,
    /// No audio for as long as the medium allows.
    MediaIdle,
}

impl Driver {
    /// Waits for the next thing to happen. A hang-up wins over everything else.
    pub(super) async fn wake(&mut self) -> Wake {
        let next = self.next_due();
        let Self { readiness, commands, leg, alarm, works, data, .. } = self;
        let has_data = data.is_some();
        let news = async {
            match data {
                Some(data) => data.next().await,
                None => std::future::pending().await,
            }
        };
        let mut news = std::pin::pin!(news);
        std::future::poll_fn(|cx| {
            readiness.look(cx);
            if let Poll::Ready(command) = readiness.ask(Source::Commands, |cx| commands.poll_recv(cx)) {
                return Poll::Ready(Wake::Command(command));
            }
            if let Some(leg) = leg
                && let Poll::Ready(event) = leg.poll_next(cx)
            {
                return Poll::Ready(Wake::Leg(event));
            }
            if let Some((at, due)) = next
                && alarm.poll(at, cx).is_ready()
            {
                return Poll::Ready(Wake::Due(due));
            }
            if let Poll::Ready(result) = readiness.ask(Source::Work, |cx| works.poll_next(cx)) {
                return Poll::Ready(Wake::Work(result));
            }
            // Last, so that a participant that talks without end keeps nobody from being heard.
            if has_data { news.as_mut().poll(cx).map(Wake::Data) } else { Poll::Pending }
        })
        .await
    }

    /// What is due next, and when; of what is due at the same time, the first.
    fn next_due(&self) -> Option<(Instant, Due)> {
        // While the clock stands, only what is due already is.
        let stopped = self.stopped().map(|since| call_time(self.zero, since));
        let engine = self.deadline.filter(|deadline| stopped.is_none_or(|stopped| *deadline <= stopped));
        let ear = self.ear.as_ref().filter(|_| stopped.is_none()).and_then(Ear::deadline);
        let media = self.setup.media_idle.filter(|_| self.is_connected());
        let all = [
            engine.map(|deadline| (self.zero + deadline.since_start(), Due::Engine)),
            self.away_until().map(|until| (until, Due::Away)),
            ear.map(|deadline| (deadline.at(), Due::Ear)),
            media.map(|idle| (self.media + idle, Due::MediaIdle)),
        ];
        all.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(super) fn due(&mut self, due: Due) {
        match due {
            Due::Engine => {
                let late = self.deadline.map(|deadline| self.now().since(deadline));
                self.means.metrics.lateness().note(late.unwrap_or_default());
                self.tell(Input::Timeout);
            }
            Due::Away => self.give_up_on_client(),
            Due::Ear => self.ear_deadline(),
            Due::MediaIdle => {
                let text = "no audio came for as long as mediaIdleTimeout allows".to_owned();
                self.event(Severity::Error, "media.idle", text);
                self.tell(Input::LegClosed(LegClosed::MediaIdle));
            }
        }
    }
}
