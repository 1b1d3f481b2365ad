//! Which requests are sent again, how often, and after which pause.

use std::time::Duration;

use antiphon_api::endpoint::Method;
use uuid::Uuid;

use super::error::RestError;

/// How often a request is sent again that failed for the moment, and with which pauses.
///
/// Sent again is what the server certainly never saw; and, if sending it twice is as good as sending it once (GET, PUT, DELETE),
/// also what the server had no time for (429, 502, 503, 504) or, unless it deletes, what it gave no answer to. The pause is what
/// the server asks for, else it doubles from time to time. What took too long is not sent again: the server may be at it still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How often a request is sent again at most.
    pub most: u32,
    /// The pause before the second attempt if the server asks for none.
    pub first_pause: Duration,
    /// The longest pause; if the server asks for more, its refusal is the outcome.
    pub longest_pause: Duration,
}

impl Retries {
    /// Sends everything once.
    pub const NONE: Self = Self { most: 0, first_pause: Duration::ZERO, longest_pause: Duration::ZERO };

    pub(super) fn attempts(self, method: Method) -> Attempts {
        Attempts { retries: self, method, failed: 0 }
    }
}

impl Default for Retries {
    /// Twice, after about 250 and 500 ms, and after at most 20 s if the server asks for it.
    fn default() -> Self {
        Self { most: 2, first_pause: Duration::from_millis(250), longest_pause: Duration::from_secs(20) }
    }
}

/// The attempts at one request.
pub(super) struct Attempts {
    retries: Retries,
    method: Method,
    failed: u32,
}

impl Attempts {
    /// Whether to try again after this error. Waits until it is time to.
    pub(super) async fn again(&mut self, error: &RestError) -> bool {
        if self.failed >= self.retries.most || !self.may_help(error) {
            return false;
        }
        let asked = match error {
            RestError::Refused { retry_after, .. } => *retry_after,
            RestError::Circle
            | RestError::File(_)
            | RestError::TooLong(_)
            | RestError::Unreachable(_)
            | RestError::Unreadable { .. } => None,
        };
        let pause = asked.unwrap_or_else(|| self.pause());
        if pause > self.retries.longest_pause {
            return false;
        }
        self.failed += 1;
        tracing::debug!(%error, pause_ms = pause.as_millis(), "a request is sent again");
        tokio::time::sleep(pause).await;
        true
    }

    fn may_help(&self, error: &RestError) -> bool {
        let can_repeat = match self.method {
            Method::Delete | Method::Get | Method::Head | Method::Options | Method::Put => true,
            Method::Patch | Method::Post => false,
        };
        match error {
            RestError::Refused { status, .. } => can_repeat && matches!(status, 429 | 502 | 503 | 504),
            RestError::Unreachable(error) if error.is_timeout() => false,
            RestError::Unreachable(error) if error.is_connect() => true,
            // One that deleted and whose answer got lost would be told that there is nothing to delete.
            RestError::Unreachable(_) => can_repeat && self.method != Method::Delete,
            RestError::Circle | RestError::File(_) | RestError::TooLong(_) | RestError::Unreadable { .. } => {
                false
            }
        }
    }

    /// Doubles, and differs from client to client by up to a half, so that they do not all come back at once.
    fn pause(&self) -> Duration {
        let pause = self.retries.first_pause.saturating_mul(1 << self.failed.min(16));
        let chance = Uuid::new_v4().as_fields().0;
        let extra = pause.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0);
        (pause + extra).min(self.retries.longest_pause)
    }
}
